"""The bus on PostgreSQL: the contract, and what only PostgreSQL has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import asyncpg
import pytest

from bus import codec
from bus.errors import BusError, BusUnavailable, PartitionLost, SchemaMismatch
from bus.postgres import PostgresBus, migrate, open_postgres_bus
from bus.postgres.database import open_database
from bus.postgres.log import Log, day_of
from bus.postgres.migrate import MIGRATIONS
from bus.postgres.reads import open_reads
from bus.postgres.statements import STATEMENTS, sql
from bus.postgres.store import Store
from bus.protocol import Advance, DeadLetter, Outgoing, Query, Record, RecordedQuery, Row, StateWrite, Stored, Turns
from schemas.conversation import Message
from schemas.envelope import Origin
from schemas.package import BotPackage
from schemas.topics import SCHEDULE, SESSION, TOPICS, partition_of
from tests.bus.conformance import BusConformance, everything, key_of, reading, said, to
from tests.support.breaking import BreakingLine, breaking_line

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
        await connection.execute(
            sql("log.append"), [id_], [partition], floor, [1], [0], [record.key], [record.type], [record.data]
        )

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]:
        return _connected(self.url)

    def lose_answer(self, bus: object, marker: str, *, durable: bool) -> AbstractAsyncContextManager[None]:
        return self.lines[id(bus)].armed(marker, durable=durable)

    async def outlive(self) -> None:
        self.clock.ahead += KEEP + timedelta(days=2)
        for bus in self.buses:
            await bus.log.retain(KEEP)


class _connected:  # noqa: N801 # reads as the function that it stands for
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
