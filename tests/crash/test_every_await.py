"""
A conversation is repeated once for every point at which its process waits, and the process ends there.

What is left at the end, in the hands of the client and in every table, is what a conversation without a crash leaves.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import secrets
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import pytest
import structlog
from msgspec.json import decode

from bus import codec
from bus.memory import Disk, MemoryBus
from bus.postgres import open_postgres_bus
from bus.postgres.reads import open_reads
from bus.protocol import Record, Undecodable
from schemas.conversation import Message
from schemas.envelope import Event
from tests.crash.conversation import BOT, PACKAGE, SESSION_ID, VERSION, Client, StandingClock, life, normal
from tests.crash.steps import Point, stepping
from tests.simulation import virtual
from tests.support.postgres import create_database, drop_database

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]


PATIENCE_S = 600.0  # of virtual time
REAL_PATIENCE_S = 30.0

# On PostgreSQL a conversation takes a while. `each`: every kind of point once, drawn by lot from its repetitions; a
# number: so many kinds only, drawn by lot as well; `all`: every repetition of every kind.
CRASHES: Final = os.environ.get("BOTSWAIN_TEST_CRASHES", "120")

DONE, FAILED, ENDED = 0, 1, 9

_UNREAD: Final = """
SELECT p.grp, p.topic, p.partition, (
    SELECT max(l."offset") + 1 FROM log AS l WHERE l.topic = p.topic AND l.partition = p.partition
) - max(p."end") AS unread
FROM positions AS p GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_CLEARED: Final = (
    *("log", "positions", "states", "outbox", "attempts", "dead_letters", "turn_queries"),
    *("members", "subscribers", "leases", "messages", "conversations", "timers", "bot_memory", "user_memory"),
)
_TABLES: Final = {
    "messages": "SELECT * FROM messages ORDER BY session, seq",
    "conversations": "SELECT * FROM conversations",
    "memory of bots": "SELECT * FROM bot_memory ORDER BY bot, name",
    "memory of users": "SELECT * FROM user_memory ORDER BY bot, person, name",
    "queries": 'SELECT actor, index, asked, rows FROM turn_queries ORDER BY actor, partition, "offset", index',
    "dead letters": "SELECT * FROM dead_letters",
    "outbox": "SELECT * FROM outbox",
    "unread": _UNREAD,
}


@dataclass(frozen=True, slots=True)
class Left:
    """What a conversation leaves: what the client has, and all that is durable."""

    shown: Sequence[Message]
    acknowledged: dict[str, int]
    tables: dict[str, Any]


# --- in memory: at each point ----------------------------------------------------------------------------------------


async def one_life(disk: Disk, client: Client, crash_at: int | None) -> int:
    """A process, ended at that point if it comes so far. Returns: the points passed."""
    bus = MemoryBus(disk)
    loop = asyncio.get_running_loop()
    died: asyncio.Future[None] = loop.create_future()
    passed = 0

    def step(_: object) -> None:
        nonlocal passed
        if passed == crash_at:
            bus.crash()
            died.set_result(None)
        passed += 1

    async def transcript(after: int) -> Sequence[Message]:
        await bus.breathe()
        rows = disk.tables.get("messages", {}).values()
        return [Message.from_json(body) for _, seq, _, _, body in rows if seq > after]

    stepping(loop, step)
    living = asyncio.ensure_future(life(bus, client, transcript))
    await asyncio.wait([living, died], return_when=asyncio.FIRST_COMPLETED)
    loop.set_task_factory(None)
    if died.done() and not living.done():
        # Nothing of what its tasks do while they are thrown away reaches the disk.
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
    else:
        await living
    return passed


def in_memory(crash_at: int | None) -> tuple[int, Left]:
    """The conversation with a crash at that point. Returns: the points passed before or without it, what is left."""
    disk, client = Disk(resources={VERSION: PACKAGE}), Client()

    async def lives() -> int:
        async with asyncio.timeout(PATIENCE_S):
            passed = await one_life(disk, client, crash_at)
            if crash_at is not None:
                await one_life(disk, client, None)
        return passed

    with structlog.testing.capture_logs():
        passed = virtual.run(0, lives())
    return passed, Left(client.shown, client.acknowledged, left_on(disk))


def left_on(disk: Disk) -> dict[str, Any]:
    logs = {
        topic: normal([codec.decode(record) for records in partitions for record in records])
        for topic, partitions in disk.log.items()
    }
    return {
        "log": logs,
        "states": {place: decode(stored.value)["state"] for place, stored in disk.states.items()},
        "rows": disk.rows,
        "messages": disk.tables["messages"],
        "queries": [(each.index, each.query, each.rows) for each in disk.recorded],
        "memory": disk.tables["bot_memory"],
        "timers": normal([_request(row[1], row[5]) for row in disk.tables["timers"].values()]),
        "dead": disk.dead,
        "unread": {
            (actor, topic, partition): disk.end_of(topic, partition) - position
            for (actor, topic, partition), position in disk.positions.items()
            if actor != "edge"
        },
    }


def _request(key: str, request: bytes) -> Event | Undecodable:
    return codec.decode(Record(key, "timer.requested.v1", request))


def test_in_memory_a_crash_at_any_point_changes_nothing() -> None:
    points, calm = in_memory(None)
    assert len(calm.shown) == 1 + 4 * 3
    assert calm.tables["dead"] == {}
    for point in range(points):
        try:
            _, left = in_memory(point)
            assert left == calm
        except BaseException as error:
            error.add_note(f"the process ended at point {point} of {points}")
            raise
    print(f"{points} points")


# --- on PostgreSQL: at each kind of point ----------------------------------------------------------------------------


async def one_real_life(url: str, notes: Path, passed: Callable[[Point], None]) -> None:
    """A process over the database at *url*, whose client has its notes in a file."""
    client = Client()
    if notes.exists():
        client.recall(notes.read_text().splitlines())
    file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(line: str) -> None:
        os.write(file, f"{line}\n".encode())

    client.noted = note
    stepping(asyncio.get_running_loop(), lambda point: passed(point()))

    async def main() -> None:
        async with open_postgres_bus(url, clock=StandingClock()) as bus, open_reads(url) as reads:
            await life(bus, client, lambda after: reads.transcript(SESSION_ID, after, 1000))

    async with asyncio.timeout(REAL_PATIENCE_S):
        # in a task of its own, so that its points are passed as well
        await asyncio.ensure_future(main())


def in_a_child(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run *main* in a process of its own, a copy of this one. Returns: its exit code."""
    pid = os.fork()
    if pid == 0:
        code = FAILED
        try:
            with structlog.testing.capture_logs():
                asyncio.run(main())
            code = DONE
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def left_in(url: str, notes: Path) -> Left:
    client = Client()
    client.recall(notes.read_text().splitlines())
    connection = await asyncpg.connect(url)
    try:
        names = {row["id"]: row["name"] for row in await connection.fetch("SELECT id, name FROM topics")}
        log: dict[str, list[Event | Undecodable]] = {name: [] for name in names.values()}
        for topic, key, type_, data in await connection.fetch(
            'SELECT topic, key, type, data FROM log ORDER BY topic, partition, "offset"'
        ):
            log[names[topic]].append(codec.decode(Record(key, type_, data)))
        states = await connection.fetch(
            "SELECT DISTINCT ON (actor, key) actor, key, value FROM states ORDER BY actor, key, version DESC"
        )
        timers = await connection.fetch(
            "SELECT key, request FROM timers WHERE due_at <> 'infinity' ORDER BY key, timer"
        )
        tables = {
            "log": {name: normal(events) for name, events in log.items()},
            "states": {(actor, key): decode(value)["state"] for actor, key, value in states},
            "timers": normal([_request(key, request) for key, request in timers]),
        }
        for name, query in _TABLES.items():
            tables[name] = [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
    return Left(client.shown, client.acknowledged, tables)


@dataclass(frozen=True, slots=True)
class Stage:
    """A database with the bot in it and nothing else; *folder* is for notes."""

    url: str
    folder: Path

    def play(self, target: tuple[Point, int] | None) -> tuple[bool, Left]:
        """
        The conversation, from an empty database on.

        Args:
            target: a point, and the how-manieth time it is passed.

        Returns: whether the process was ended there; what is left.
        """
        asyncio.run(_clear(self.url))
        notes = self.folder / secrets.token_hex(8)
        ended = target is not None and self._in_a_child(notes, target) == ENDED
        if target is None or ended:
            assert self._in_a_child(notes, None) == DONE
        return ended, asyncio.run(left_in(self.url, notes))

    def points(self) -> Counter[Point]:
        """Every point that a conversation passes, and how often."""
        asyncio.run(_clear(self.url))
        notes = self.folder / secrets.token_hex(8)
        assert self._in_a_child(notes, None) == DONE
        found: Counter[Point] = pickle.loads(notes.with_suffix(".points").read_bytes())
        return found

    def _in_a_child(self, notes: Path, target: tuple[Point, int] | None) -> int:
        passed: Counter[Point] = Counter()

        def step(point: Point) -> None:
            passed[point] += 1
            if target == (point, passed[point]):
                os._exit(ENDED)

        async def main() -> None:
            await one_real_life(self.url, notes, step)
            if target is None:
                notes.with_suffix(".points").write_bytes(pickle.dumps(passed))

        return in_a_child(main)


async def _clear(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("; ".join(f"DELETE FROM {table}" for table in _CLEARED))
    finally:
        await connection.close()


@pytest.fixture
def stage(postgres_server: str, postgres_template: str, tmp_path: Path) -> Iterator[Stage]:
    async def make() -> str:
        url = await create_database(postgres_server, template=postgres_template)
        async with open_reads(url) as reads:
            await reads.publish_bot(BOT, StandingClock().now())
        return url

    url = asyncio.run(make())
    yield Stage(url, tmp_path)
    asyncio.run(drop_database(postgres_server, url))


def drawn(points: Counter[Point], random: Random) -> list[tuple[Point, int]]:
    if CRASHES == "all":
        return [(point, number) for point, times in points.items() for number in range(1, times + 1)]
    found = [(point, random.randint(1, times)) for point, times in points.items()]
    random.shuffle(found)
    return found if CRASHES == "each" else found[: int(CRASHES)]


def test_on_postgresql_a_crash_at_a_point_changes_nothing(stage: Stage) -> None:
    seed = os.environ.get("BOTSWAIN_TEST_SEED") or secrets.token_hex(4)
    print(f"BOTSWAIN_TEST_SEED={seed}")
    points = stage.points()
    _, calm = stage.play(None)
    assert len(calm.shown) == 1 + 4 * 3
    assert not calm.tables["dead letters"]
    crashes, targets = 0, drawn(points, Random(seed))
    for target in targets:
        try:
            ended, left = stage.play(target)
            assert left == calm
        except BaseException as error:
            error.add_note(f"the process ended at {target}")
            raise
        crashes += ended
    print(f"{len(points)} kinds of points, {points.total()} in all, {crashes} crashes")
    # What a process does beside the conversation (looking for others, sweeping) is a matter of time: not all of it
    # comes again.
    assert crashes >= len(targets) * 0.7
