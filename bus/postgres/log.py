"""The log: grouped appends, reads, days."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg

from bus.codec import decode, encode
from bus.errors import BusError, BusUnavailable, TooLarge, UnknownTopic
from bus.postgres import arrays
from bus.postgres.database import Connection, Database, mapped
from bus.postgres.feed import Appended, Feed, Place
from bus.postgres.statements import sql
from bus.protocol import Clock, Outgoing, Record, Undecodable
from schemas.envelope import Event
from schemas.topics import Topic, partition_of

__all__ = ["Log", "Parcel", "Topics", "day_of", "declare_topics", "end_session"]

DAY_BITS: Final = 32  # an offset is at least day << 32
MAX_IN_FLIGHT_EVENTS: Final = 10_000
MAX_IN_FLIGHT_BYTES: Final = 32 * 1024 * 1024
MAX_FLUSH_EVENTS: Final = 2_000
MAX_FLUSH_BYTES: Final = 8 * 1024 * 1024

_APPEND: Final = sql("log.append")
_READ: Final = sql("log.read")
_HEADS: Final = sql("log.heads")


def day_of(clock: Clock) -> int:
    """Days since 1970-01-01 UTC."""
    return int(clock.now().timestamp()) // 86_400


async def end_session(connection: Connection, pid: int, name: str) -> None:
    """
    End the session *pid* of ours and be sure that it ended: what it had begun is then either committed or never will
    be. Raises ``BusUnavailable`` if it does not end within 5 s.
    """
    await connection.execute(sql("connection.end"), pid, name)
    if await connection.fetchval(sql("connection.lives"), pid, name):
        raise BusUnavailable("an earlier session does not end, so what it did is not known")


class Topics:
    """The declared topics: name -> (id, number of partitions)."""

    def __init__(self, rows: Collection[tuple[int, str, int]]) -> None:
        self.by_name = {name: (id_, partitions) for id_, name, partitions in rows}
        self.name_of = {id_: name for id_, name, _ in rows}

    def find(self, name: str) -> tuple[int, int]:
        """(id, number of partitions) of *name*. Raises ``UnknownTopic``."""
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownTopic(f"no topic is called {name!r}") from None


async def declare_topics(connection: Connection, topics: Sequence[Topic]) -> Topics:
    """Make the topics that are not there yet. A topic keeps the number of partitions that it was made with."""
    with mapped():
        await connection.execute(
            sql("topics.declare"), [topic.name for topic in topics], [topic.partitions for topic in topics]
        )
        return Topics([tuple(row) for row in await connection.fetch(sql("topics.all"))])


@dataclass(slots=True)
class Parcel:
    """
    Events on their way into the log, grouped by place, in the order in which places are locked.

    ``arguments`` are those of ``log_append`` without the floor.
    """

    places: list[Place]
    events: list[list[Event]]
    sizes: list[int]
    topics: list[int]
    partitions: list[int]
    groups: list[int]
    ranks: list[int]
    keys: list[str]
    types: list[str]
    datas: list[bytes]

    def arguments(self, floor: int) -> tuple[Any, ...]:
        return (
            arrays.of_numbers(self.topics),
            arrays.of_numbers(self.partitions),
            floor,
            arrays.of_numbers(self.groups),
            arrays.of_numbers(self.ranks),
            arrays.of_texts(self.keys),
            arrays.of_texts(self.types),
            *arrays.pieces(self.datas),
        )


class _Waiting:
    """One call of ``publish`` that waits for the flusher."""

    __slots__ = ("done", "items", "size")

    def __init__(self, items: list[tuple[Place, Event, Record]], size: int, done: asyncio.Future[None]) -> None:
        self.items = items
        self.size = size
        self.done = done


class Log:
    """
    The log of one process.

    Args:
        notify: called with the places that have new events, for the readers in other processes.
        max_event_bytes: what an event may take as JSON.
        patience_s: for how long ``publish`` tries again while the database is away.
    """

    def __init__(
        self,
        database: Database,
        topics: Topics,
        feed: Feed,
        clock: Clock,
        *,
        notify: Callable[[Collection[Place]], None],
        max_event_bytes: int,
        patience_s: float,
    ) -> None:
        self.topics = topics
        self._database = database
        self._feed = feed
        self._clock = clock
        self._notify = notify
        self._max_event_bytes = max_event_bytes
        self._patience_s = patience_s
        self._waiting: list[_Waiting] = []
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._events = 0
        self._bytes = 0
        self._heads: dict[Place, int] = {}
        self._flushing: list[_Waiting] = []

    # --- writing ----------------------------------------------------------------------------------------------------

    def address(self, outgoing: Sequence[Outgoing]) -> tuple[list[tuple[Place, Event, Record]], int]:
        """Encode *outgoing* and say where each goes; and the bytes of all. Raises ``TooLarge``, ``UnknownTopic``."""
        items: list[tuple[Place, Event, Record]] = []
        total = 0
        limit = self._max_event_bytes
        by_name = self.topics.by_name
        for out in outgoing:
            event = out.event
            found = by_name.get(out.topic)
            if found is None:
                raise UnknownTopic(f"no topic is called {out.topic!r}")
            id_, partitions = found
            record = encode(event)
            size = len(record.data)
            if size > limit:
                raise TooLarge(event.type, size, limit)
            total += size
            partition = out.partition
            if partition is None:
                partition = partition_of(record.key, partitions)
            elif not 0 <= partition < partitions:
                raise BusError(f"{out.topic} has no partition {partition}")
            if "\0" in record.key:
                raise BusError("a key with a NUL character cannot be stored")
            items.append(((id_, partition), event, record))
        return items, total

    @staticmethod
    def pack(items: Collection[tuple[Place, Event, Record]]) -> Parcel:
        """Group what was addressed."""
        by_place: dict[Place, list[tuple[Event, Record]]] = {}
        for place, event, record in items:
            group = by_place.get(place)
            if group is None:
                by_place[place] = [(event, record)]
            else:
                group.append((event, record))
        places = sorted(by_place)
        parcel = Parcel(places, [], [], [t for t, _ in places], [p for _, p in places], [], [], [], [], [])
        for number, place in enumerate(places, 1):
            group = by_place[place]
            datas = [record.data for _, record in group]
            parcel.events.append([event for event, _ in group])
            parcel.sizes.append(sum(map(len, datas)))
            parcel.groups += [number] * len(group)
            parcel.ranks += range(len(group))
            parcel.keys += [record.key for _, record in group]
            parcel.types += [record.type for _, record in group]
            parcel.datas += datas
        return parcel

    def floor(self) -> int:
        """The least offset of today."""
        return day_of(self._clock) << DAY_BITS

    def committed(self, parcel: Parcel, heads: Sequence[int], floor: int) -> None:
        """*parcel* is durable, after *heads*: hand it to those who read it."""
        for place, head, events, size in zip(parcel.places, heads, parcel.events, parcel.sizes, strict=True):
            first = max(head + 1, floor)
            self._heads[place] = max(first + len(events) - 1, self._heads.get(place, 0))
            self._feed.appended(place, Appended(head, first, events, size))
        self._notify(parcel.places)

    def settled(self, places: Collection[Place]) -> None:
        """Something is durable in *places*, but where is not known: whoever reads them shall look."""
        for place in places:
            self._feed.reached(place, 1 << 62)
        self._notify(places)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """As ``Bus.publish``: hand to the flusher and wait for it; while too much is in flight, wait before."""
        if not outgoing:
            return
        items, size = self.address(outgoing)
        while self._events and (
            self._events + len(items) > MAX_IN_FLIGHT_EVENTS or self._bytes + size > MAX_IN_FLIGHT_BYTES
        ):
            self._room.clear()
            await self._room.wait()
        self._events += len(items)
        self._bytes += size
        waiting = _Waiting(items, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._bell.set()
        await waiting.done

    async def flush_forever(self) -> None:
        """The flusher: everything that waits is one append."""
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                while self._waiting:
                    self._flushing = batch = self._next_batch()
                    try:
                        await self._flush(batch)
                    finally:
                        for waiting in batch:
                            self._events -= len(waiting.items)
                            self._bytes -= waiting.size
                        self._room.set()
        finally:
            for waiting in self._waiting + self._flushing:
                if not waiting.done.done():
                    waiting.done.set_exception(BusUnavailable("the bus is closed"))

    def _next_batch(self) -> list[_Waiting]:
        events = size = count = 0
        for waiting in self._waiting:
            events += len(waiting.items)
            size += waiting.size
            if count and (events > MAX_FLUSH_EVENTS or size > MAX_FLUSH_BYTES):
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _flush(self, batch: list[_Waiting]) -> None:
        try:
            with self._database.urgent():
                await self._append([item for waiting in batch for item in waiting.items])
        except BusError as error:
            if len(batch) > 1 and not error.retriable:
                # The database refuses somebody's event: the others shall not suffer for it.
                for waiting in batch:
                    await self._flush([waiting])
                return
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_result(None)

    async def _append(self, items: list[tuple[Place, Event, Record]]) -> None:
        """Append for certain or raise; an unknown outcome is looked up, and what is not there tried again."""
        parcel = self.pack(items)
        deadline = asyncio.get_running_loop().time() + self._patience_s
        pause_s = 0.05
        lost_backend: tuple[int, dict[Place, int]] | None = None
        while True:
            try:
                async with self._database.connection() as connection:
                    if lost_backend is not None and await self.arrived(connection, parcel, *lost_backend):
                        self.settled(parcel.places)
                        return
                    lost_backend = None
                    await self._learn_heads(connection, parcel.places)
                    before = {place: self._heads[place] for place in parcel.places}
                    floor = self.floor()
                    try:
                        with mapped():
                            heads = await self.with_day(connection, _APPEND, *parcel.arguments(floor))
                    except BusUnavailable:
                        lost_backend = (connection.get_server_pid(), before)
                        connection.terminate()
                        raise
                self.committed(parcel, heads, floor)
                return
            except BusUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)

    async def with_day(self, connection: Connection, statement: str, *arguments: Any) -> Any:
        """``fetchval``; if there is no table for the day of the new offsets, it is made first."""
        try:
            return await connection.fetchval(statement, *arguments)
        except asyncpg.CheckViolationError as error:
            if error.table_name != "log":
                raise
        await self.ensure_days(connection)
        return await connection.fetchval(statement, *arguments)

    async def arrived(self, connection: Connection, parcel: Parcel, pid: int, before: dict[Place, int]) -> bool:
        """
        Whether an append whose answer never came is in the log: for certain, since its session is ended first. One
        append is one transaction, so its first event speaks for all.
        """
        with mapped():
            await end_session(connection, pid, self._database.name)
            topic, partition = place = parcel.places[0]
            found = await connection.fetchval(
                sql("log.find"), topic, partition, before.get(place, 0), parcel.keys[0], parcel.datas[0]
            )
        return found is not None

    async def _learn_heads(self, connection: Connection, places: Collection[Place]) -> None:
        unknown = [place for place in places if place not in self._heads]
        if unknown:
            found = await self.heads(unknown, connection)
            self._heads.update({place: found.get(place, 0) for place in unknown})

    # --- reading ----------------------------------------------------------------------------------------------------

    async def heads(self, places: Collection[Place], connection: Connection | None = None) -> dict[Place, int]:
        """The last offset of each place that has events."""
        if connection is None:
            async with self._database.connection() as own:
                return await self.heads(places, own)
        with mapped():
            rows = await connection.fetch(_HEADS, [t for t, _ in places], [p for _, p in places])
        return {(row[0], row[1]): row[2] for row in rows}

    async def read(
        self, starts: dict[Place, int], limit: int, max_bytes: int
    ) -> dict[Place, tuple[list[int], list[Event | Undecodable], int]]:
        """Up to *limit* events of each place from an offset on: offsets, events and bytes. Empty ones are left out."""
        async with self._database.connection() as connection:
            with mapped():
                rows = await connection.fetch(
                    _READ, [t for t, _ in starts], [p for _, p in starts], list(starts.values()), limit, max_bytes
                )
        found: dict[Place, tuple[list[int], list[Event | Undecodable], int]] = {}
        for topic, partition, offset, key, type_, data in rows:
            offsets, events, size = found.get((topic, partition)) or ([], [], 0)
            offsets.append(offset)
            events.append(decode(Record(key, type_, data)))
            found[topic, partition] = (offsets, events, size + len(data))
        return found

    # --- days -------------------------------------------------------------------------------------------------------

    async def ensure_days(self, connection: Connection) -> None:
        """Tables for today and tomorrow, and for where the log has already got to (a clock that was set back)."""
        today = day_of(self._clock)
        newest = max((head >> DAY_BITS for head in self._heads.values()), default=0)
        for day in sorted({today, today + 1, max(newest, today)}):
            await connection.execute(sql("log.ensure_day"), day)

    async def retain(self, keep: timedelta) -> list[int]:
        """
        Drop the days that are older than *keep*, read or not; and with them what turns asked the database about events
        of them, and the states that were forgotten then: no event is left whose repeat they could tell. A table that
        somebody reads at the moment stays for the next time, and all that is newer with it: to wait for him would make
        everybody wait.

        Returns: the days dropped, as days since 1970.
        """
        oldest = day_of(self._clock) - keep.days
        dropped = []
        async with self._database.connection() as connection:
            with mapped():
                for row in await connection.fetch(sql("log.days")):
                    day = row["day"]
                    if day >= oldest:
                        break
                    try:
                        async with connection.transaction():
                            await connection.execute("SET LOCAL lock_timeout = '200ms'")
                            await connection.execute(f"DROP TABLE log_{day:d}")
                    except asyncpg.LockNotAvailableError:
                        oldest = day
                        break
                    except asyncpg.UndefinedTableError:
                        continue  # another process was quicker
                    dropped.append(day)
                # In portions, so that no statement takes long.
                while await connection.execute(sql("turn_queries.sweep"), oldest << DAY_BITS) != "DELETE 0":
                    pass
                while await connection.execute(sql("states.forget"), oldest) != "DELETE 0":
                    pass
        return dropped
