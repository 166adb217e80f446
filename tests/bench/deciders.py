"""Turns of a decider, bus to bus, beside a bare loop over the same database driver."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import psutil
from msgspec import Struct

from bus.actor import Turn
from bus.clock import SystemClock
from bus.postgres import migrate, open_postgres_bus
from bus.protocol import Bus, Outgoing
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.conversation import MessageReceived, Person, TypingShown
from schemas.topics import CHANNEL_WEB, SESSION
from tests.bench.figures import Row, Samples, Scale, Section
from tests.bench.servers import Installation, database, open_folder
from tests.support.postgres import create_database, drop_database

__all__ = ["decider_turns"]

BATCH: Final = 100
KEYS: Final = 1_000
WARM_UP: Final = 0.2  # of the events: partitions are taken over, statements prepared, states loaded


class Count(Struct):
    """How many events a key had."""

    events: int = 0


class Counter:
    """Counts, and says each time that it did: the least that a decider can do with state and bus."""

    name = topic = SESSION
    state = Count

    def __init__(self, expected: int, begin: int) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self._seen = 0
        self._begin = begin
        self._expected = expected

    def decide(self, turn: Turn, state: Count | None) -> Count:
        self._seen += 1
        if self._seen == self._begin:
            self.begun.set()
        elif self._seen == self._expected:
            self.ended.set()
        turn.emit(CHANNEL_WEB, TypingShown, partition=0)
        return Count(events=(state.events if state else 0) + 1)


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement: per second, and microseconds of this process's processor time for each."""

    per_second: float
    process_us: float


class _Stopwatch:
    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._cpu = psutil.Process().cpu_times()

    def found(self, count: int) -> Found:
        cpu = psutil.Process().cpu_times()
        used = cpu.user + cpu.system - self._cpu.user - self._cpu.system
        return Found(count / (time.perf_counter() - self._began), used / count * 1e6)


async def decider_turns(scale: Scale) -> Section:
    """Baseline and ours take turns, each time in a database of its own."""
    section = Section(
        "Turns of a decider, bus to bus",
        "A decider that counts and emits one event a turn, in the real worker on the real bus: event read, state of "
        f"one of {KEYS:,} keys written, event appended, position moved; batches of {BATCH}. Beside it a bare loop over "
        f"asyncpg: {BATCH} rows read, {BATCH} rows written, one transaction.",
    )
    bare, ours = Samples("/s"), Samples("/s")
    bare_us, ours_us = Samples(" µs"), Samples(" µs")
    with open_folder() as folder:
        async with database(Installation.make(folder)) as url:
            for _ in range(scale.rounds):
                for measure, per_second, process_us in ((_bare_loop, bare, bare_us), (_turns, ours, ours_us)):
                    mine = await create_database(url)
                    found = await measure(mine, scale.events)
                    await drop_database(url, mine)
                    per_second.add(found.per_second)
                    process_us.add(found.process_us)
    share = ours.median / bare.median
    section.rows.append(Row("decider turns, bus to bus", str(bare), str(ours), f"{share:.0%}", "≥ 25 %", share >= 0.25))
    section.notes.append(
        f"processor time a turn in the process: {ours_us} against {bare_us} for a row of the bare loop"
    )
    return section


async def _turns(url: str, count: int) -> Found:
    await migrate(url)
    async with open_postgres_bus(url, clock=SystemClock()) as bus:
        await _publish(bus, count)
        counter = Counter(count, int(count * WARM_UP))
        stop = Stop()
        async with asyncio.timeout(300), asyncio.TaskGroup() as group:
            group.create_task(run_worker(bus, [counter], stopping=stop, options=Options(batch=BATCH)))
            await counter.begun.wait()
            watch = _Stopwatch()
            await counter.ended.wait()
            found = watch.found(count - int(count * WARM_UP))
            stop.request()
    return found


async def _publish(bus: Bus, count: int) -> None:
    at = datetime.now(UTC)
    person = Person(id="somebody")
    for begin in range(0, count, 1_000):
        await bus.publish(
            [
                Outgoing(
                    SESSION,
                    MessageReceived(
                        id=UUID(int=n),
                        at=at,
                        bot="echo",
                        bot_version="",
                        key=f"key-{n % KEYS}",
                        message_id=str(n),
                        channel="web",
                        person=person,
                        text="Hello",
                    ),
                )
                for n in range(begin + 1, min(begin + 1_000, count) + 1)
            ]
        )


async def _bare_loop(url: str, count: int) -> Found:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE inbox (id bigint PRIMARY KEY, key text NOT NULL, data bytea NOT NULL)")
        await connection.execute("CREATE TABLE outbox (id bigint PRIMARY KEY, key text NOT NULL, data bytea NOT NULL)")
        await connection.execute(
            "INSERT INTO inbox SELECT n, 'key-' || n % $2::int, $3::bytea FROM generate_series(1, $1::int) AS n",
            count,
            KEYS,
            b"x" * 400,
        )
        await connection.execute("ANALYZE inbox")
        read = await connection.prepare("SELECT id, key, data FROM inbox WHERE id > $1 ORDER BY id LIMIT $2")
        write = await connection.prepare(
            "INSERT INTO outbox SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])"
        )
        watch = _Stopwatch()
        position = 0
        while position < count:
            async with connection.transaction():
                rows = await read.fetch(position, BATCH)
                await write.fetch([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
                position = rows[-1][0]
        return watch.found(count)
    finally:
        await connection.close()
