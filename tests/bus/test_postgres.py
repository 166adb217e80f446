"""The bus on PostgreSQL: the contract, and what only PostgreSQL has."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from bus import codec
from bus.errors import BusError, BusUnavailable, PartitionLost, QueryFailed, SchemaMismatch
from bus.postgres import PostgresBus, arrays, migrate, open_postgres_bus
from bus.postgres.database import open_database
from bus.postgres.log import day_of
from bus.postgres.migrate import MIGRATIONS
from bus.postgres.reads import open_reads
from bus.postgres.statements import STATEMENTS, batch_sql, parameters_of, sql
from bus.postgres.store import Store
from bus.postgres.subscription import PostgresSubscription
from bus.protocol import Advance, DeadLetter, Outgoing, Query, Record, RecordedQuery, Row, StateWrite, Stored, Turns
from schemas.conversation import Message
from schemas.envelope import Origin
from schemas.package import BotPackage
from schemas.topics import SCHEDULE, SESSION, TOPICS, partition_of
from tests.bus.conformance import PATIENCE_S, BusConformance, everything, key_of, reading, said, to
from tests.support.breaking import BreakingLine, breaking_line
from tests.support.postgres import hung

ROOT = Path(__file__).parents[2]
KEEP = timedelta(days=3)
AT = datetime(2026, 1, 1, tzinfo=UTC)


class MovedClock:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Process:
    """A member in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, owned: list[int]) -> None:
        self.process = process
        self.owned = owned

    async def die(self) -> None:
        self.process.kill()
        await self.process.wait()


class PostgresWorld:
    """One database. A bus reaches it by a line that can be cut."""

    holds_the_log = False

    def __init__(self, url: str, folder: Path, stack: AsyncExitStack) -> None:
        self.url = url
        self.clock = MovedClock()
        self.buses: list[PostgresBus] = []
        self.lines: dict[int, BreakingLine] = {}
        self._folder = folder
        self._stack = stack

    async def open(self, **options: Any) -> PostgresBus:
        name = f"{len(self.buses)}"
        folder = self._folder / name
        folder.mkdir()
        parts = urlsplit(self.url)
        (host,) = parse_qs(parts.query)["host"]
        socket = ".s.PGSQL.5432"
        line = await self._stack.enter_async_context(breaking_line(Path(host) / socket, folder / socket))
        url = parts._replace(query=f"host={quote(str(folder))}").geturl()
        opened = open_postgres_bus(url, clock=self.clock, keep=KEEP, **{"life_s": 2.0, **options})
        bus = await self._stack.enter_async_context(opened)
        self.lines[id(bus)] = line
        self.buses.append(bus)
        return bus

    async def victim(self, topic: str, group: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "tests/support/member.py"),
            self.url,
            topic,
            group,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._stack.push_async_callback(self._end, process)
        assert process.stdout is not None
        async with asyncio.timeout(30):
            return Process(process, json.loads(await process.stdout.readline()))

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def append(self, topic: str, partition: int, record: Record) -> None:
        async with self.connection() as connection:
            await self._append(connection, topic, partition, record)

    async def publish_slowly(self, outgoing: Outgoing, hold_s: float) -> None:
        async with self.connection() as connection, connection.transaction():
            record = codec.encode(outgoing.event)
            await self._append(connection, outgoing.topic, partition_of(record.key, 8), record)
            await asyncio.sleep(hold_s)  # the commit that is late

    async def _append(
        self, connection: asyncpg.Connection[asyncpg.Record], topic: str, partition: int, record: Record
    ) -> None:
        id_ = await connection.fetchval("SELECT id FROM topics WHERE name = $1", topic)
        floor = day_of(self.clock) << 32
        names = arrays.of_texts([record.key]), arrays.of_texts([record.type])
        place = f"{{{id_}}}", f"{{{partition}}}"
        await connection.execute(sql("log.append"), *place, floor, "{1}", "{0}", *names, *arrays.pieces([record.data]))

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]:
        return _connected(self.url)

    def lose_answer(self, bus: object, marker: str, *, durable: bool) -> AbstractAsyncContextManager[None]:
        return self.lines[id(bus)].armed(marker, durable=durable)

    async def outlive(self) -> None:
        self.clock.ahead += KEEP + timedelta(days=2)
        for bus in self.buses:
            await bus.log.retain(KEEP)


class _connected:  # noqa: N801 # reads as the function that it stands for  # reads as the function that it stands for
    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> asyncpg.Connection[asyncpg.Record]:
        self._connection = await asyncpg.connect(self._url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


@pytest.fixture
async def world(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresWorld]:
    async with AsyncExitStack() as stack:
        yield PostgresWorld(postgres_url, tmp_path_factory.mktemp("w"), stack)


class TestPostgresBus(BusConformance):
    """``world`` is the module's."""


# --- when the database goes away, and when an owner hangs -------------------------------------------------------------


async def cut_all(world: PostgresWorld) -> None:
    """End every session of every bus, as a restart of the server does."""
    async with world.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_all_goes_on_after_every_connection_was_lost(world: PostgresWorld) -> None:
    bus = await world.open()
    async with reading(bus) as found:
        await found.until_owned(8)
        for n in range(1, 6):
            await cut_all(world)
            await bus.publish(to(SESSION, said("a", n)))
            await found.until_deliveries(n)
            await bus.commit(Turns("actor", SESSION, states=[StateWrite("a", n, b"x")]))
        assert [event.index for event in found.events()] == [1, 2, 3, 4, 5]
        await found.handle_all()
    async with reading(bus) as found:
        assert sorted(await found.until_owned(8)) == list(range(8))
        assert not found.deliveries


async def test_without_a_database_publish_says_so_and_readers_wait(world: PostgresWorld) -> None:
    bus = await world.open(patience_s=0.2)
    async with reading(bus) as found:
        await found.until_owned(8)
        line = world.lines[id(bus)]
        async with line.down():
            with pytest.raises(BusUnavailable):
                await bus.publish(to(SESSION, said("a", 1)))
            with pytest.raises(BusUnavailable):
                await bus.commit(Turns("actor", SESSION, [Advance(1, 0, 1)]))
            with pytest.raises(BusUnavailable):
                await bus.load("actor", ["a"])
        await bus.publish(to(SESSION, said("a", 2)))
        assert (await found.until_deliveries(1))[0].event.index == 2  # type: ignore[union-attr]


def there_after_the_process_died(url: str) -> int:
    """How much is in the log of what a process published that ended as soon as it was told that it is durable."""

    async def publish() -> None:
        async with open_postgres_bus(url, clock=MovedClock()) as bus:
            await bus.publish(to(SESSION, said("a", 1), said("b", 2)))
            os._exit(0)

    async def count() -> int:
        async with _connected(url) as connection:
            return int(await connection.fetchval("SELECT count(*) FROM log"))

    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(publish())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return asyncio.run(count())


def test_what_was_acknowledged_is_there_whatever_becomes_of_the_process(postgres_url: str) -> None:
    assert there_after_the_process_died(postgres_url) == 2


async def test_a_session_that_ends_within_a_transaction_is_the_databases_fault(world: PostgresWorld) -> None:
    """Also if the driver has seen its last words only, and not that the connection is closed."""
    bus = await world.open()
    line = world.lines[id(bus)]
    async with line.last_words("SAVEPOINT"), asyncio.timeout(20), bus.transaction() as transaction:
        with pytest.raises(BusUnavailable):
            await transaction.query(Query("bot_memory.get", ("b", "n")))
    assert await bus.load("actor", ["a"]) == {}


async def test_a_session_that_does_not_answer_is_waited_for_once(world: PostgresWorld) -> None:
    """Neither whoever has its connection next, nor the end of a transaction, waits for it again."""
    bus = await world.open()
    wait_s = 2.0
    async with open_database(world.url, "test", size=2, command_timeout_s=wait_s) as database:
        store = Store(database, bus.log.topics, None, max_event_bytes=1000)
        async with database.connection() as connection:
            pid = connection.get_server_pid()
        with hung(pid), no_longer_than(1.8 * wait_s):
            with pytest.raises(BusUnavailable):
                await store.load("actor", ["a"])
            assert await store.load("actor", ["a"]) == {}
        with no_longer_than(1.8 * wait_s), pytest.raises(BusUnavailable):
            await ask_one_that_hangs(store)


async def ask_one_that_hangs(store: Store) -> None:
    with ExitStack() as stack:
        async with store.transaction() as transaction:
            (row,) = await transaction.query(Query("SELECT pg_backend_pid() AS pid"))
            stack.enter_context(hung(row["pid"]))
            await transaction.query(Query("bot_memory.get", ("b", "n")))


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


async def test_a_hung_owner_loses_its_partitions_and_its_commits(world: PostgresWorld) -> None:
    bus = await world.open()
    victim = await world.victim(SESSION, "readers")
    async with reading(bus) as found:
        victim.process.send_signal(signal.SIGSTOP)
        try:
            assert not any(claim.clean for claim in (await found.until_owned(8)).values())
        finally:
            victim.process.send_signal(signal.SIGCONT)


async def test_a_second_database_session_cannot_guess_an_outcome(world: PostgresWorld) -> None:
    """A commit whose connection broke while it waited for a lock is ended before anybody says what became of it."""
    bus = await world.open()
    event = said("a", 1, text=f"marker {uuid4().hex}")
    turns = Turns("actor", SESSION, [Advance(1, 0, 9)], outgoing=to(SCHEDULE, event))
    async with world.connection() as connection:
        holding = connection.transaction()
        await holding.start()
        await connection.execute("SELECT position_move('actor', 1::smallint, 1, 0, 0, gen_random_uuid(), false)")
        committing = asyncio.ensure_future(bus.commit(turns))
        async with asyncio.timeout(10), world.connection() as watching:
            waiting: list[asyncpg.Record] = []
            while not waiting:
                waiting = await watching.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
                )
            await watching.execute("SELECT pg_terminate_backend($1)", waiting[0]["pid"])
        with pytest.raises(BusUnavailable):
            await committing
        await holding.rollback()
    await bus.commit(turns)
    assert len(await everything(bus, SCHEDULE, 1)) == 1


async def test_what_is_released_while_it_is_read_leaves_nothing_behind(world: PostgresWorld) -> None:
    """Otherwise the subscription would take itself for one that has something, and report nothing, without end."""
    bus = await world.open()
    await bus.publish(to(SESSION, said("a", 1)))
    async with bus.subscribe(SESSION, group="readers") as subscription, asyncio.timeout(20):
        assert isinstance(subscription, PostgresSubscription)
        async with world.connection() as connection, world.connection() as watching:
            locked = connection.transaction()
            await locked.start()
            await connection.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
            taking = asyncio.ensure_future(subscription.take(10))
            while not await watching.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND query LIKE '%octet_length%'"
            ):
                await asyncio.sleep(0)
            await subscription.release(range(8))
            await locked.rollback()
        batch = await taking
        while not batch.deliveries:
            batch = await subscription.take(10)
            assert batch.acquired or batch.deliveries, "it reported nothing"
        assert len(batch.deliveries) == 1


# --- the log ----------------------------------------------------------------------------------------------------------


async def test_the_clock_may_jump(world: PostgresWorld) -> None:
    """Into a day for which there is no table yet, and back."""
    bus = await world.open()
    offsets = []
    for n, days in enumerate((0, 400, -30, 1)):
        world.clock.ahead += timedelta(days=days)
        await bus.publish(to(SESSION, said("a", 2 * n)))
        async with bus.transaction() as transaction:
            await transaction.commit(Turns("actor", SESSION, outgoing=to(SESSION, said("a", 2 * n + 1))))
        offsets = [delivery.offset for delivery in await everything(bus, SESSION, 2 * n + 2)]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] >> 32 == day_of(world.clock) + 29


async def test_retention_does_not_wait_for_a_reader(world: PostgresWorld) -> None:
    """Who waited for the lock would make every append wait behind it."""
    bus = await world.open()
    await bus.publish(to(SESSION, said("a", 1)))
    world.clock.ahead += KEEP + timedelta(days=2)
    async with world.connection() as connection:
        reader = connection.transaction(isolation="repeatable_read")
        await reader.start()
        await connection.fetch("SELECT * FROM log")
        assert await bus.log.retain(KEEP) == []
        await bus.publish(to(SESSION, said("a", 2)))
        await reader.rollback()
    await bus.log.retain(KEEP)
    assert [d.event.index for d in await everything(bus, SESSION, 1)] == [2]  # type: ignore[union-attr]


_WAITING_TO_DROP = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DROP TABLE log_%'
"""


async def test_several_processes_may_drop_the_same_day(world: PostgresWorld) -> None:
    buses = [await world.open() for _ in range(3)]
    await buses[0].publish(to(SESSION, said("a", 1)))
    world.clock.ahead += KEEP + timedelta(days=2)
    async with world.connection() as connection:
        reader = connection.transaction()
        await reader.start()
        await connection.fetch("SELECT * FROM log")
        dropping = asyncio.gather(*(bus.log.retain(KEEP) for bus in buses))
        async with world.connection() as watching, asyncio.timeout(10):
            while not dropping.done() and await watching.fetchval(_WAITING_TO_DROP) < len(buses):
                await asyncio.sleep(0)
        await reader.rollback()  # while all of them wait for it
    await dropping
    await asyncio.gather(*(bus.log.retain(KEEP) for bus in buses))
    await buses[0].publish(to(SESSION, said("a", 2)))
    assert [d.event.index for d in await everything(buses[0], SESSION, 1)] == [2]  # type: ignore[union-attr]


async def test_who_waits_to_say_that_it_leaves_is_not_taken_for_lost(world: PostgresWorld) -> None:
    bus = await world.open()
    leaver = reading(bus)
    await (await leaver.__aenter__()).until_owned(8)
    async with AsyncExitStack() as all_connections:
        for _ in range(bus.database.size):
            await all_connections.enter_async_context(bus.database.connection())
        leaving = asyncio.ensure_future(leaver.__aexit__(None, None, None))
        while bus._members._subscribers:
            await asyncio.sleep(0)
        async with world.connection() as own:
            await bus._members._tick(own)
    await leaving
    async with reading(bus) as found:
        assert all(claim.clean for claim in (await found.until_owned(8)).values())


async def test_who_is_killed_is_dead_with_its_connection_and_not_when_its_time_is_up(world: PostgresWorld) -> None:
    victim = await world.victim(SESSION, "readers")
    async with world.connection() as connection:
        assert await connection.fetch(sql("subscribers.living"))
        await victim.die()
        await connection.execute("UPDATE members SET until = clock_timestamp() + interval '1 hour'")
        async with asyncio.timeout(PATIENCE_S):
            while await connection.fetch(sql("subscribers.living")):
                await asyncio.sleep(0)


async def test_what_passed_on_without_us_is_given_back(world: PostgresWorld) -> None:
    bus = await world.open()
    async with reading(bus, most=1) as found, world.connection() as connection:
        (ours,) = await found.until_owned(1)
        await connection.execute("UPDATE leases SET owner = NULL")
        async with asyncio.timeout(PATIENCE_S):
            while ours not in found.revoked:
                await found.take()


async def test_what_is_ours_and_we_never_heard_of_is_not_clean(world: PostgresWorld) -> None:
    """The answer of the claim was lost: somebody may have died of what is there."""
    bus = await world.open()
    async with reading(bus, most=1) as found, world.connection() as connection:
        await found.until_owned(1)
        (ours,) = found.claims
        other = (ours + 1) % 8
        await connection.execute(
            "INSERT INTO leases (grp, topic, partition, owner, clean) SELECT grp, topic, $1, owner, false FROM leases "
            "WHERE owner IS NOT NULL",
            other,
        )
        async with asyncio.timeout(PATIENCE_S):
            while not (claims := [claim for claim in (await found.take()).acquired if claim.partition == other]):
                pass
        assert not any(claim.clean for claim in claims)


async def test_one_event_that_the_database_refuses_harms_no_other(world: PostgresWorld) -> None:
    bus = await world.open()
    results = await asyncio.gather(
        bus.publish(to(SESSION, said("a", 1))),
        bus.publish(to(SESSION, said("nul \0", 2))),
        bus.publish(to(SESSION, said("a", 3))),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), BusError, type(None)]
    assert [d.event.index for d in await everything(bus, SESSION, 2)] == [1, 3]  # type: ignore[union-attr]


# --- the store --------------------------------------------------------------------------------------------------------


async def test_many_transactions_do_not_wait_for_each_others_connections(world: PostgresWorld) -> None:
    """A turn with a transaction of its own loads states and packages beside it, on other connections."""
    bus = await world.open(connections=2)
    many = 5
    begun = 0

    async def turns() -> None:
        nonlocal begun
        begun += 1
        async with bus.transaction() as transaction:
            while begun < many:  # all of them want to begin before anybody goes on
                await asyncio.sleep(0)
            await transaction.query(Query("bot_memory.get", ("b", "n")))
            assert await bus.load("actor", ["nobody"]) == {}
            assert await bus.resource("0" * 64) is None

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for _ in range(many):
            tasks.create_task(turns())


async def test_what_is_not_the_fault_of_a_query_is_tried_again(world: PostgresWorld) -> None:
    """A full disk among them. What takes too long (57014), or more than it may have (53400), would fail for ever."""
    bus = await world.open()
    retriable = {}
    codes = "53100 53200 53300 57P01 57P03 58000 58030 40P01 57014 53400 22012 23505"
    async with bus.transaction() as transaction:
        for code in codes.split():
            raising = f"DO $$ BEGIN RAISE EXCEPTION 'as it happens' USING ERRCODE = '{code}'; END $$"
            with pytest.raises((BusUnavailable, QueryFailed)) as caught:
                await transaction.query(Query(raising))
            retriable[code] = caught.value.retriable
            assert getattr(caught.value, "code", code) == code
    assert [code for code, again in retriable.items() if not again] == ["57014", "53400", "22012", "23505"]


async def test_superseded_rows_are_swept(world: PostgresWorld) -> None:
    bus = await world.open()
    for n in range(20):
        await bus.commit(Turns("actor", SESSION, [Advance(1, n, n + 1)], [StateWrite("k", n + 1, b"x")]))
    await bus.store.superseded.sweep(bus.database)
    async with world.connection() as connection:
        assert [row["version"] for row in await connection.fetch("SELECT version FROM states")] == [20]
        assert [row["end"] for row in await connection.fetch('SELECT "end" FROM positions')] == [20]
    assert await bus.load("actor", ["k"]) == {"k": Stored(20, b"x")}
    with pytest.raises(PartitionLost):
        await bus.commit(Turns("actor", SESSION, [Advance(1, 3, 4)]))


async def test_what_begins_anew_after_it_was_forgotten_is_swept_again(world: PostgresWorld) -> None:
    bus = await world.open()
    for _ in range(2):
        for n in range(5):
            await bus.commit(Turns("actor", SESSION, states=[StateWrite("k", n + 1, b"x")]))
            await bus.store.superseded.sweep(bus.database)
        async with world.connection() as connection:
            assert [row["version"] for row in await connection.fetch("SELECT version FROM states")] == [5]
            await connection.execute("DELETE FROM states")


@pytest.mark.parametrize(
    ("name", "values"), [("states.load", "'actor', '{1}'"), ("positions.newest", "'actor', 1, '{1}'")]
)
async def test_the_newest_is_found_without_a_look_at_what_it_superseded(
    world: PostgresWorld, name: str, values: str
) -> None:
    """While a reader holds a snapshot dead rows stay, and the statistics that plans are made by do not count them."""
    bus = await world.open()
    async with world.connection() as reader, world.connection() as connection:
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM states")
        await connection.execute("""
            INSERT INTO states SELECT 'actor', k::text, n, 'x' FROM generate_series(1, 5) k, generate_series(1, 5000) n;
            INSERT INTO positions SELECT 'actor', 1, k, n, n + 1, gen_random_uuid()
            FROM generate_series(1, 5) k, generate_series(1, 5000) n;
            DELETE FROM states WHERE version < 5000;
            DELETE FROM positions WHERE "begin" < 5000;
        """)
        await connection.execute("VACUUM ANALYZE states, positions")
        async with bus.database.connection() as ours:
            await ours.execute(f"PREPARE probe AS {sql(name)}")
            plan = "\n".join(row[0] for row in await ours.fetch(f"EXPLAIN EXECUTE probe ({values})"))
        await reader.execute("ROLLBACK")
    assert "Index Scan Backward" in plan
    assert "Sort" not in plan


async def test_rows_of_named_statements_come_with_the_turn(world: PostgresWorld) -> None:
    bus = await world.open()
    session, due = uuid4(), AT + timedelta(hours=1)
    messages = [Message(seq=n, id=uuid4(), role="user", text=f"text {n} \0", at=AT) for n in (1, 2, 3)]
    rows = [Row("messages.insert", (str(session), m.seq, m.id, m.at, m.to_json().decode())) for m in messages]
    rows += [
        Row("conversations.insert", (session, "pizza", "web", "somebody", AT)),
        Row("timers.write", (1, "k", "session", "hear", AT, b"one")),
        Row("timers.write", (1, "k", "session", "hear", due, b"two")),
        Row("timers.write", (1, "k", "session", "idle", due, b"three")),
        Row("timers.write", (1, "k", "session", "idle", None, b"")),
    ]
    await bus.commit(Turns("actor", SESSION, [Advance(1, 0, 1)], rows=rows))
    async with bus.transaction() as transaction:
        found = await transaction.query(Query("timers.due", ([1, 2], due, AT, 10)))
        assert [(row["timer"], row["due_at"], row["request"]) for row in found] == [("hear", due, b"two")]
        assert (await transaction.query(Query("timers.next", ([1], AT))))[0]["due_at"] == due
    async with open_reads(world.url) as reads:
        assert await reads.transcript(str(session), 1, 10) == messages[1:]
        assert await reads.newest_seq(session) == 3
        (conversation,) = await reads.conversations("pizza")
        assert (conversation.id, conversation.newest_seq, conversation.last_at) == (session, 3, AT)
        assert await reads.conversations("pizza", before=(conversation.opened_at, conversation.id)) == []
        await bus.commit(Turns("actor", SESSION, rows=[Row("messages.forget", (str(session),))]))
        assert await reads.newest_seq(session) == 0
        assert await reads.transcript("no uuid", 0, 10) == []


async def test_a_transcript_written_by_another_owner_means_the_partition_is_lost(world: PostgresWorld) -> None:
    bus = await world.open()
    row = Row("messages.insert", (uuid4(), 1, uuid4(), AT, "{}"))
    await bus.commit(Turns("actor", SESSION, [Advance(1, 0, 1)], rows=[row]))
    with pytest.raises(PartitionLost):
        await bus.commit(Turns("actor", SESSION, [Advance(1, 0, 1)], rows=[row]))
    with pytest.raises(BusError) as caught:
        await bus.commit(Turns("actor", SESSION, [Advance(1, 1, 2)], rows=[row]))
    assert not caught.value.retriable
    with pytest.raises(BusError, match=r"no statement 'messages\.nope'"):
        await bus.commit(Turns("actor", SESSION, rows=[Row("messages.nope", (1,))]))


async def test_dead_letters_and_recorded_queries_are_kept(world: PostgresWorld) -> None:
    bus = await world.open()
    letter = DeadLetter(uuid4(), "actor", SESSION, 1, 5, Record("k", "t", b"\xff\0"), "why", "trace", AT)
    recorded = RecordedQuery(1, 5, 0, Query("SELECT $1", (uuid4(),)), [{"a": AT, "b": b"x", "c": None}])
    for end in (1, 2):
        await bus.commit(Turns("actor", SESSION, [Advance(1, end - 1, end)], dead=[letter], recorded=[recorded]))
    async with open_reads(world.url) as reads:
        assert await reads.letters(limit=10) == [letter]
        assert await reads.letters(limit=10, after=letter.id) == []
        assert await reads.letter(letter.id) == letter
        assert await reads.settle(letter.id, "discarded")
        assert not await reads.settle(letter.id, "redriven")
        assert await reads.letter(letter.id) is None


async def test_what_turns_asked_is_kept_as_long_as_the_log(world: PostgresWorld) -> None:
    bus = await world.open()

    async def ask(times: int) -> int:
        """Handle one event, with so many questions about it; its offset."""
        await bus.publish(to(SESSION, said(key_of(1))))
        async with reading(bus, group="actor") as found:
            (delivery,) = await found.until_deliveries(1)
            recorded = [RecordedQuery(1, delivery.offset, n, Query("SELECT 1"), []) for n in range(times)]
            advance = Advance(1, found.claims[1].position, delivery.offset + 1)
            await bus.commit(Turns("actor", SESSION, [advance], recorded=recorded))
        return delivery.offset

    await ask(1_200)  # more than a sweep takes at once
    await world.outlive()
    kept = await ask(2)
    await bus.log.retain(KEEP)
    async with world.connection() as connection:
        rows = await connection.fetch('SELECT "offset", index FROM turn_queries ORDER BY index')
    assert [tuple(row) for row in rows] == [(kept, 0), (kept, 1)]


async def test_where_the_log_is_elsewhere_events_stay_in_the_outbox(world: PostgresWorld) -> None:
    bus = await world.open()
    origins = [Origin("actor", partition, 1, 0) for partition in (3, 1, 3)]
    events = [replace(said("a", n), origin=origin) for n, origin in enumerate(origins)]
    async with open_database(world.url, "outbox", size=2) as database:
        store = Store(database, bus.log.topics, None, max_event_bytes=1000)
        turns = Turns("actor", SESSION, [Advance(1, 0, 2), Advance(3, 0, 2)], outgoing=to(SCHEDULE, *events))
        kept = await store.commit(turns)
        assert [item.record for item in kept] == [codec.encode(event) for event in events]
        assert [item.source for item in kept] == [3, 1, 3]
        assert await store.outbox_of("actor", SESSION, [3]) == [kept[0], kept[2]]
        await store.clear_outbox("actor", SESSION, kept[:2])
        assert await store.outbox_of("actor", SESSION, [1, 3]) == [kept[2]]
        with pytest.raises(PartitionLost):
            await store.commit(turns)
        assert await store.positions("actor", SESSION, [1, 2, 3]) == {1: 2, 2: 0, 3: 2}


# --- bots, overviews, secrets -----------------------------------------------------------------------------------------


async def test_a_bot_is_published_in_versions(world: PostgresWorld) -> None:
    bus = await world.open()
    first, second = BotPackage(name="pizza"), BotPackage(name="pizza", scripts={"start": 'TALK "hi"'})
    async with open_reads(world.url) as reads:
        one = await reads.publish_bot(first, AT)
        two = await reads.publish_bot(second, AT)
        assert one
        assert two
        assert await reads.publish_bot(second, AT) is None
        assert await reads.publish_bot(first, AT) == one
        assert [version.version for version in await reads.versions("pizza")] == [one, two, one]
        assert await reads.bots() == [await reads.bot("pizza")]
        assert await reads.bot("nobody") is None
        assert await bus.resource(two) == await reads.resource(two) == second.to_bytes()


async def test_overviews_and_secrets(world: PostgresWorld) -> None:
    bus = await world.open()
    await bus.publish(to(SESSION, *(said(key_of(2), n) for n in range(5))))
    async with open_reads(world.url) as reads:
        async with reading(bus) as found:
            await found.until_deliveries(5)
            (row,) = [row for row in await reads.groups() if row.partition == 2]
            assert (row.group, row.topic, row.lag, row.owned) == ("readers", SESSION, 5, True)
        assert {row.topic for row in await reads.topics()} == {topic.name for topic in TOPICS}
        assert [row.partition for row in await reads.topics() if row.head] == [2]
        assert await reads.secret("tokens") == await reads.secret("tokens") != await reads.secret("other")


# --- migrations -------------------------------------------------------------------------------------------------------


async def test_migrating_twice_is_migrating_once(postgres_url: str) -> None:
    assert await migrate(postgres_url) == []


async def test_a_database_of_another_program_is_refused_in_plain_words(postgres_url: str, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    for file in [*MIGRATIONS.glob("*.sql")]:
        (newer / file.name).write_bytes(file.read_bytes())
    (newer / "0999_next.sql").write_text("CREATE TABLE next (a int)")
    assert await migrate(postgres_url, folder=newer) == ["0999_next.sql"]
    with pytest.raises(SchemaMismatch, match="newer than this program"):
        await migrate(postgres_url)
    with pytest.raises(SchemaMismatch, match="newer than this program"):
        async with open_postgres_bus(postgres_url, clock=MovedClock()):
            pass
    (newer / "0001_begin.sql").write_text("-- other")
    with pytest.raises(SchemaMismatch, match=r"another 0001_begin\.sql"):
        await migrate(postgres_url, folder=newer)


async def test_an_empty_database_says_what_to_do(postgres_server: str) -> None:
    with pytest.raises(SchemaMismatch, match="run `botswain migrate`"):
        async with open_reads(postgres_server):
            pass


# --- statements -------------------------------------------------------------------------------------------------------


async def test_every_statement_fits_the_schema(world: PostgresWorld) -> None:
    async with world.connection() as connection:
        for name in STATEMENTS:
            for text in (sql(name), batch_sql(name)):
                assert len((await connection.prepare(text)).get_parameters()) == parameters_of(name)


def test_every_statement_is_used_by_the_program() -> None:
    folders = ("bus", "actors", "edge", "botswain")
    files = {file for folder in folders for file in (ROOT / folder).rglob("*.py")} - {ROOT / "bus/memory.py"}
    program = "\n".join(file.read_text("utf-8") for file in files)
    # A name without a dot is a word that may stand anywhere; there it has to be what is asked for.
    asked = r'(?:sql|_fetch|Query)\(\s*"{}"'
    unused = [n for n in STATEMENTS if not re.search((f'"{re.escape(n)}"' if "." in n else asked.format(n)), program)]
    assert not unused
