"""
States, positions and everything else that a turn changes, in one transaction and mostly in one round trip.

The log may be in the same database (``PostgresBus``) or elsewhere: then the events of a commit are kept in the outbox
of the partitions that they were decided on, until somebody says that they have arrived.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from bus.codec import encode
from bus.errors import BusError, BusUnavailable, PartitionLost, QueryFailed, StateConflict, TooLarge
from bus.postgres import arrays
from bus.postgres.database import FREE_PLANS, OWN_PLANS, Connection, Database, mapped
from bus.postgres.log import Log, Parcel, Topics, end_session
from bus.postgres.statements import STATEMENTS, batch_sql, columns_of, parameters_of, renumbered, sql
from bus.postgres.sweep import Superseded
from bus.protocol import Advance, DeadLetter, Query, Record, RecordedQuery, Rows, StateWrite, Stored, Turns
from schemas.topics import partition_of

__all__ = ["Kept", "Store", "StoreTransaction"]

QUERY_TIMEOUT_MS: Final = 10_000

# What befalls a query that is right: the database goes away, has no room or no memory, or the transaction is one of
# those that wait for each other in a ring (two batches that write the same values in another order). All of it is done
# once more.
_NOT_ITS_FAULT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
# And of these what it does bring about: it takes too long, or more of something than it is allowed.
_ITS_FAULT: Final = (asyncpg.QueryCanceledError, asyncpg.ConfigurationLimitExceededError)

_LOAD: Final = sql("states.load")
_NO_TOPIC: Final = 0  # of states that are written without a position
# What the parts of a commit take: their parameters are numbered from 1, and shifted to where they stand.
_APPLY: Final = (
    "turns_apply($1::text, $2::smallint, $3::uuid, $4::text::int[], $5::text::bigint[], $6::text::bigint[],"
    " $7::text::text[], $8::text::bigint[], cut($9::bytea, $10::text::int[]))"
)
_KEEP: Final = (
    "outbox_append($1::text, $2::smallint, $3::text::int[], $4::text::text[], $5::text::int[], $6::text::text[],"
    " $7::text::text[], cut($8::bytea, $9::text::int[]))"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An event in the outbox: where it goes, and under which id it is kept for which partition."""

    id: int
    source: int
    topic: str
    partition: int
    record: Record


@lru_cache(maxsize=256)
def _commit_sql(actors: int, names: tuple[str, ...], outbox: bool) -> str:
    """
    One statement for a whole commit. The rows of named statements are written by its WITH clauses: another round trip
    for each would cost more than the rows. CASE has the positions checked before the log is locked and written.
    """
    applied = [renumbered(_APPLY, 1 + 10 * number) for number in range(actors)]
    first = 1 + 10 * actors
    written = renumbered(_KEEP if outbox else sql("log.append").removeprefix("SELECT "), first)
    first += 9
    clauses = []
    for number, name in enumerate(names):
        clauses.append(f"rows_{number} AS ({renumbered(batch_sql(name), first)})")
        first += parameters_of(name)
    head = f"WITH {', '.join(clauses)} " if clauses else ""
    return f"{head}SELECT CASE WHEN {' AND '.join(applied)} THEN {written} END"


class Store:
    """
    What is kept in PostgreSQL besides the log.

    Args:
        log: where the events of a commit go; without it they stay in the outbox.
    """

    def __init__(self, database: Database, topics: Topics, log: Log | None, *, max_event_bytes: int) -> None:
        self._database = database
        self._topics = topics
        self._log = log
        self._max_event_bytes = max_event_bytes
        self.superseded = Superseded()

    async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
        """As ``Bus.load``."""
        with self._database.urgent():
            async with self._database.connection() as connection:
                with mapped():
                    rows = await connection.fetch(_LOAD, actor, list(keys))
        return {row[0]: Stored(row[1], row[2]) for row in rows}

    async def resource(self, digest: str) -> bytes | None:
        """As ``Bus.resource``."""
        async with self._database.connection() as connection:
            with mapped():
                found: bytes | None = await connection.fetchval(sql("resource"), digest)
        return found

    async def count_attempt(self, group: str, topic: str, partition: int, offset: int) -> int:
        """As ``Bus.count_attempt``."""
        id_, _ = self._topics.find(topic)
        async with self._database.connection() as connection:
            with mapped():
                return int(await connection.fetchval(sql("attempts.count"), group, id_, partition, offset))

    async def positions(self, group: str, topic: str, partitions: Collection[int]) -> dict[int, int]:
        """The first offset not handled of each partition; 0 where the group has not begun."""
        id_, _ = self._topics.find(topic)
        async with self._database.connection() as connection:
            with mapped():
                rows = await connection.fetch(sql("positions.newest"), group, id_, list(partitions))
        return {**dict.fromkeys(partitions, 0), **{row["partition"]: row["position"] for row in rows}}

    async def advance(
        self, group: str, topic: str, ends: Mapping[int, int], begins: Mapping[int, int] | None = None
    ) -> set[int]:
        """
        Move positions: each from its begin, if it still is there, or, without *begins*, from wherever it is, but never
        back. Returns: the partitions whose positions were where they should be.
        """
        id_, _ = self._topics.find(topic)
        partitions = sorted(ends)
        starts = [None if begins is None else begins[partition] for partition in partitions]
        async with self._database.connection() as connection:
            with mapped(topic):
                rows = await connection.fetch(
                    sql("positions.move"), group, id_, partitions, starts, [ends[p] for p in partitions], uuid4()
                )
        moved = {row["partition"] for row in rows if row["moved"]}
        if begins is not None:
            self.superseded.wrote(group, id_, (), [Advance(p, begins[p], ends[p]) for p in moved])
        return moved

    async def commit(self, *group: Turns) -> list[Kept]:
        """
        As ``Bus.commit``, for one or, where the log is here, for several that stand or fall together: what is raised
        for several says that nothing was changed, and each by itself will tell which of them is to blame.

        Returns: what is in the outbox now, in order; nothing when the log is here.
        """
        pending = self._prepare(group)
        with self._database.urgent():
            try:
                async with self._database.connection() as connection:
                    pending.pid = connection.get_server_pid()
                    return self._done(pending, await self._execute(connection, pending))
            except BusUnavailable:
                return await self._look_up(pending)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreTransaction]:
        """As ``Bus.transaction``."""
        async with self._database.lasting_connection() as connection:
            with mapped():
                await connection.execute(f"BEGIN; SET LOCAL statement_timeout = {QUERY_TIMEOUT_MS}")
            transaction = StoreTransaction(self, connection)
            try:
                yield transaction
            except BusUnavailable:
                connection.terminate()  # to ask it to roll back might be to wait once more for what does not answer
                raise
            finally:
                if not connection.is_closed() and connection.is_in_transaction():
                    try:
                        with mapped():
                            await connection.execute("ROLLBACK")
                    except BusUnavailable:
                        connection.terminate()  # which rolls back as well, and hides nothing of why we leave

    # --- the outbox -------------------------------------------------------------------------------------------------

    async def outbox_of(self, actor: str, topic: str, partitions: Collection[int], *, limit: int = 1000) -> list[Kept]:
        """What the turns of *actor* on these partitions left in the outbox, oldest first, at most *limit*."""
        id_, _ = self._topics.find(topic)
        found: list[Kept] = []
        async with self._database.connection() as connection:
            for partition in sorted(partitions):
                with mapped():
                    rows = await connection.fetch(sql("outbox.read"), actor, id_, [partition], limit - len(found))
                found += [Kept(row[0], partition, row[1], row[2], Record(row[3], row[4], row[5])) for row in rows]
        return found

    async def clear_outbox(self, actor: str, topic: str, kept: Collection[Kept]) -> None:
        """These have arrived in the log."""
        id_, _ = self._topics.find(topic)
        async with self._database.connection() as connection:
            with mapped():
                await connection.execute(
                    sql("outbox.clear"), actor, id_, [item.source for item in kept], [item.id for item in kept]
                )

    # --- commits ----------------------------------------------------------------------------------------------------

    def _prepare(self, group: Sequence[Turns]) -> _Pending:
        batch = uuid4()
        arguments: list[Any] = []
        by_actor: dict[tuple[str, int], tuple[list[Advance], list[StateWrite]]] = {}
        for turns in group:
            advances, states = by_actor.setdefault((turns.actor, self._topics.find(turns.topic)[0]), ([], []))
            advances += turns.advances
            states += turns.states
            for actor, written in turns.others.items():
                by_actor.setdefault((actor, _NO_TOPIC), ([], []))[1].extend(written)
        # In one order everywhere, since positions are locked as they are written.
        for (actor, topic), (advances, states) in sorted(by_actor.items()):
            advances.sort(key=lambda advance: advance.partition)
            arguments += [
                actor,
                topic,
                batch,
                arrays.of_numbers([advance.partition for advance in advances]),
                arrays.of_numbers([advance.begin for advance in advances]),
                arrays.of_numbers([advance.end for advance in advances]),
                arrays.of_texts([state.key for state in states]),
                arrays.of_numbers([state.version for state in states]),
                *arrays.pieces([state.value for state in states]),
            ]
        parcel: Parcel | None = None
        kept: list[Kept] = []
        floor = 0
        if self._log is not None:
            floor = self._log.floor()
            parcel = self._log.pack(self._log.address([out for turns in group for out in turns.outgoing])[0])
            arguments += parcel.arguments(floor)
        else:
            (turns,) = group
            kept = self._keep(turns)
            arguments += [
                turns.actor,
                self._topics.find(turns.topic)[0],
                arrays.of_numbers([item.source for item in kept]),
                arrays.of_texts([item.topic for item in kept]),
                arrays.of_numbers([item.partition for item in kept]),
                arrays.of_texts([item.record.key for item in kept]),
                arrays.of_texts([item.record.type for item in kept]),
                *arrays.pieces([item.record.data for item in kept]),
            ]
        columns = self._columns(group)
        for name in columns:
            arguments += columns[name]
        statement = _commit_sql(len(by_actor), tuple(columns), self._log is None)
        return _Pending(group, batch, statement, arguments, parcel, floor, kept)

    def _columns(self, group: Sequence[Turns]) -> dict[str, list[Any]]:
        """The rows of *group* by statement, turned into columns, each as the statement takes it."""
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for turns in group:
            for row in turns.rows:
                found = rows.get(row.statement)
                if found is None:
                    if row.statement not in STATEMENTS or parameters_of(row.statement) != len(row.values):
                        raise BusError(f"no statement {row.statement!r} takes {len(row.values)} values")
                    rows[row.statement] = [row.values]
                else:
                    found.append(row.values)
            if turns.dead:
                rows.setdefault("dead_letters.insert", []).extend(_dead_row(letter) for letter in turns.dead)
            if turns.recorded:
                topic, _ = self._topics.find(turns.topic)
                rows.setdefault("turn_queries.insert", []).extend(
                    _recorded_row(turns.actor, topic, recorded) for recorded in turns.recorded
                )
        try:
            return {
                name: [write(column) for write, column in zip(columns_of(name), zip(*values, strict=True), strict=True)]
                for name, values in rows.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            raise BusError(f"rows with values that their statement does not take: {sorted(rows)}: {error}") from error

    def _keep(self, turns: Turns) -> list[Kept]:
        default = turns.advances[0].partition if turns.advances else 0
        kept = []
        for out in turns.outgoing:
            _, partitions = self._topics.find(out.topic)
            record = encode(out.event)
            if len(record.data) > self._max_event_bytes:
                raise TooLarge(record.type, len(record.data), self._max_event_bytes)
            source = out.event.origin.partition if out.event.origin is not None else default
            partition = partition_of(record.key, partitions) if out.partition is None else out.partition
            kept.append(Kept(0, source, out.topic, partition, record))
        return kept

    async def _execute(self, connection: Connection, pending: _Pending) -> list[int]:
        """The commit itself, on a connection or within its open transaction. What it raises has changed nothing."""
        try:
            with mapped(pending.group[0].topic):
                if self._log is None or connection.is_in_transaction():
                    return list(await connection.fetchval(pending.statement, *pending.arguments))
                return list(await self._log.with_day(connection, pending.statement, *pending.arguments))
        except BusUnavailable:
            connection.terminate()  # nobody else shall borrow it, and it can be ended for certain
            raise
        except BusError as error:
            cause = error.__cause__
            if isinstance(cause, asyncpg.UniqueViolationError):
                if not connection.is_in_transaction():
                    # A transcript's number, or a version, that is there already: by whom?
                    await self._check_owner(connection, pending)
                if cause.table_name == "states":
                    raise StateConflict(f"PostgreSQL: {cause}") from cause
            raise

    async def _check_owner(self, connection: Connection, pending: _Pending) -> None:
        for turns in pending.group:
            topic, _ = self._topics.find(turns.topic)
            begins = {advance.partition: advance.begin for advance in turns.advances}
            with mapped():
                rows = await connection.fetch(sql("positions.newest"), turns.actor, topic, list(begins))
            for row in rows:
                if row["position"] != begins[row["partition"]]:
                    raise PartitionLost(turns.topic, row["partition"])

    def _done(self, pending: _Pending, result: Sequence[int]) -> list[Kept]:
        self._note_superseded(pending)
        if self._log is not None and pending.parcel is not None:
            if result:
                self._log.committed(pending.parcel, result, pending.floor)
            return []
        return [
            Kept(id_, kept.source, kept.topic, kept.partition, kept.record)
            for id_, kept in zip(result, pending.kept, strict=True)
        ]

    def _note_superseded(self, pending: _Pending) -> None:
        for turns in pending.group:
            self.superseded.wrote(turns.actor, self._topics.find(turns.topic)[0], turns.states, turns.advances)
            for actor, states in turns.others.items():
                self.superseded.wrote(actor, _NO_TOPIC, states, ())

    async def _look_up(self, pending: _Pending) -> list[Kept]:
        """
        What became of a commit whose answer never came. While the database is away nobody can know, and going on
        either way could be wrong, so this waits for it.

        Raises:
            BusUnavailable: nothing was changed, for certain.
            PartitionLost: nothing was changed, and another owner has gone on.
        """
        if not pending.pid:
            raise BusUnavailable("PostgreSQL cannot be reached; nothing was changed")
        pause_s = 0.05
        while True:
            try:
                async with self._database.connection() as connection:
                    durable = await self._durable(connection, pending)
                    if not durable:
                        await self._check_owner(connection, pending)
                break
            except BusUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)
        if not durable:
            raise BusUnavailable("the connection was lost before the commit; nothing was changed")
        self._note_superseded(pending)
        if self._log is not None and pending.parcel is not None:
            self._log.settled(pending.parcel.places)
            return []
        (turns,) = pending.group
        mine = {item.record for item in pending.kept}
        left = await self.outbox_of(turns.actor, turns.topic, {item.source for item in pending.kept})
        return [item for item in left if item.record in mine]

    async def _durable(self, connection: Connection, pending: _Pending) -> bool:
        """Whether the commit is there, now that its session has ended: one transaction, so one row speaks for all."""
        with mapped():
            await end_session(connection, pending.pid, self._database.name)
            for turns in pending.group:
                topic, _ = self._topics.find(turns.topic)
                for advance in turns.advances:
                    if advance.end > advance.begin:
                        batch = await connection.fetchval(
                            sql("positions.batch"), turns.actor, topic, advance.partition, advance.begin
                        )
                        return bool(batch == pending.batch)
                for state in turns.states:
                    rows = await connection.fetch(_LOAD, turns.actor, [state.key])
                    found = Stored(rows[0]["version"], rows[0]["value"]) if rows else None
                    return found == (None if state.value is None else Stored(state.version, state.value))
            if self._log is not None and pending.parcel is not None and pending.parcel.places:
                return await self._log.arrived(connection, pending.parcel, pending.pid, {})
        raise BusError("the outcome of a commit without position, states and events cannot be told")


@dataclass(slots=True)
class _Pending:
    """A commit as it is sent. *pid* is the session that it was sent on, 0 before."""

    group: Sequence[Turns]
    batch: UUID
    statement: str
    arguments: list[Any]
    parcel: Parcel | None
    floor: int
    kept: list[Kept]
    pid: int = 0


class StoreTransaction:
    """As ``bus.protocol.Transaction``, but that ``commit`` tells what is in the outbox."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store = store
        self._connection = connection
        self._savepoints = 0

    async def query(self, query: Query) -> Rows:
        """As ``Transaction.query``."""
        text = STATEMENTS.get(query.sql, query.sql)
        ours = query.sql in STATEMENTS
        try:
            async with self._nested("" if ours else f"; {FREE_PLANS}", "" if ours else f"; {OWN_PLANS}"):
                rows = await self._fetch(text, query.values)
        except asyncpg.PostgresError as error:
            if isinstance(error, _NOT_ITS_FAULT) and not isinstance(error, _ITS_FAULT):
                with mapped():
                    raise
            raise QueryFailed(str(error), error.sqlstate or "XX000") from error
        except asyncpg.InterfaceError as error:
            if self._connection.is_closed():
                raise BusUnavailable(f"PostgreSQL: {error}") from error
            raise QueryFailed(str(error), "22000") from error
        return [dict(row) for row in rows]

    async def _fetch(self, text: str, values: Sequence[Any]) -> list[asyncpg.Record]:
        try:
            return await self._connection.fetch(text, *values)
        except (asyncpg.InternalClientError, OSError):
            # The session has ended (the driver may not have seen all of its end), or it does not answer in time.
            self._connection.terminate()
            with mapped():
                raise

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """As ``Transaction.savepoint``."""
        async with self._nested("", ""):
            yield

    @asynccontextmanager
    async def _nested(self, begin: str, end: str) -> AsyncIterator[None]:
        """A savepoint, and SQL right after it begins and after it ends well."""
        self._savepoints += 1
        name = f"turn_{self._savepoints}"
        with mapped():
            await self._connection.execute(f"SAVEPOINT {name}{begin}")
        try:
            yield
        except Exception:
            if not self._connection.is_closed():
                with mapped():
                    await self._connection.execute(f"ROLLBACK TO {name}; RELEASE {name}")
            raise
        with mapped():
            await self._connection.execute(f"RELEASE {name}{end}")

    async def commit(self, turns: Turns) -> list[Kept]:
        """As ``Transaction.commit``; returns as ``Store.commit``."""
        store, connection = self._store, self._connection
        pending = store._prepare((turns,))
        pending.pid = connection.get_server_pid()
        with store._database.urgent():
            try:
                if store._log is not None:
                    with mapped():
                        await store._log.ensure_days(connection)
                result = await store._execute(connection, pending)
                with mapped():
                    await connection.execute("COMMIT")
            except BusUnavailable:
                connection.terminate()
                return await store._look_up(pending)
        return store._done(pending, result)


def _dead_row(letter: DeadLetter) -> tuple[Any, ...]:
    return (
        letter.id,
        letter.group,
        letter.topic,
        letter.partition,
        letter.offset,
        letter.record.key.replace("\0", "\ufffd"),
        letter.record.type.replace("\0", "\ufffd"),
        letter.record.data,
        letter.reason.replace("\0", "\ufffd"),
        letter.traceback.replace("\0", "\ufffd"),
        letter.at,
    )


def _recorded_row(actor: str, topic: int, recorded: RecordedQuery) -> tuple[Any, ...]:
    asked = {"sql": recorded.query.sql, "values": recorded.query.values}
    return (
        actor,
        topic,
        recorded.partition,
        recorded.offset,
        recorded.index,
        json.dumps(asked, default=_tagged).encode(),
        json.dumps([dict(row) for row in recorded.rows], default=_tagged).encode(),
    )


def _tagged(value: object) -> dict[str, str]:
    """What JSON cannot say, with its type, so that a replay can be given the same."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    return {f"${type(value).__name__.lower()}": str(value)}
