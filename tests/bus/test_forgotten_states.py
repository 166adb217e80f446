"""Empty states, of what was forgotten, are kept as long as the log keeps what they could tell."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from msgspec import Struct

from bus.errors import SchemaMismatch
from bus.postgres import migrate, open_postgres_bus
from bus.postgres.log import day_of
from bus.postgres.migrate import MIGRATIONS
from bus.protocol import Advance, Query, RecordedQuery, StateWrite, Turns
from bus.states import Kept, Parked
from schemas.topics import SESSION
from tests.bus.conformance import key_of, reading, said, to
from tests.support.postgres import create_database, drop_database

KEEP = timedelta(days=3)


class MovedClock:
    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Note(Struct):
    text: str = '"parked":null,"state":null}'  # as an empty one ends


async def test_what_was_forgotten_is_kept_as_long_as_the_log(postgres_url: str) -> None:
    clock = MovedClock()
    connection = await asyncpg.connect(postgres_url)
    async with open_postgres_bus(postgres_url, clock=clock, keep=KEEP) as bus:
        position = 0

        async def store(**states: Struct | None) -> None:
            """Write the states as one batch does; whoever has them in memory keeps them there."""
            nonlocal position
            writes = []
            for key, state in states.items():
                kept[key].seen["session/1"] = (position, 0)
                kept[key].state = state
                kept[key].keep()
                writes.append(StateWrite(key, kept[key].version + 1, kept[key].value))
            await bus.commit(Turns("actor", SESSION, [Advance(1, position, position + 1)], writes))
            position += 1
            for key in states:
                kept[key].committed()

        async def left() -> dict[str, int]:
            rows = await connection.fetch("SELECT key, max(version) AS newest FROM states GROUP BY key")
            return {row["key"]: row["newest"] for row in rows}

        keys = ["ended", "again", "parked", "open", *(f"many {n}" for n in range(1_500))]  # more than one delete takes
        kept = {key: Kept(1) for key in keys}
        kept["parked"].parked = Parked(behind=uuid4())
        await store(**dict.fromkeys(keys, Note()))
        await store(**dict.fromkeys([key for key in keys if key != "open"]))
        await store(again=Note())
        await bus.log.retain(KEEP)
        assert await left() == {**dict.fromkeys(keys, 2), "again": 3, "open": 1}  # not yet

        clock.ahead = KEEP + timedelta(days=2)
        await bus.log.retain(KEEP)
        assert await left() == {"again": 3, "parked": 2, "open": 1}
        assert await bus.load("actor", ["ended"]) == {}  # nothing older came to light

        await store(ended=Note())  # its owner had it in memory all the time
        kept["many 1"] = Kept(1)  # and this one has another owner since
        await store(**{"many 1": Note()})
        assert await left() == {"again": 3, "parked": 2, "open": 1, "ended": 3, "many 1": 1}
    await connection.close()


async def test_a_day_that_is_being_read_stays_with_the_answers_and_the_forgotten_states(postgres_url: str) -> None:
    """Who is behind still gets its events."""
    clock = MovedClock()
    today = day_of(clock)
    connection, reader = await asyncpg.connect(postgres_url), await asyncpg.connect(postgres_url)
    async with open_postgres_bus(postgres_url, clock=clock, keep=KEEP) as bus:
        await bus.publish(to(SESSION, said(key_of(1))))
        forgotten = Kept(1)
        forgotten.seen["session/1"] = (1, 0)
        forgotten.keep()
        async with reading(bus, group="actor") as found:
            (delivery,) = await found.until_deliveries(1)
            advance = Advance(1, found.claims[1].position, delivery.offset + 1)
            writes = [StateWrite("ended", 1, forgotten.value)]
            recorded = [RecordedQuery(1, delivery.offset, 0, Query("SELECT 1"), [])]
            await bus.commit(Turns("actor", SESSION, [advance], writes, recorded=recorded))

        async def left() -> tuple[int, int]:
            answers = await connection.fetchval("SELECT count(*) FROM turn_queries")
            return answers, await connection.fetchval("SELECT count(*) FROM states")

        clock.ahead = KEEP + timedelta(days=2)
        async with reader.transaction():
            await reader.fetch("SELECT * FROM log")
            assert await bus.log.retain(KEEP) == []
            assert await left() == (1, 1)
        assert today in await bus.log.retain(KEEP)
        assert await left() == (0, 0)
    await connection.close()
    await reader.close()


async def test_workers_go_on_while_the_table_of_states_is_migrated(postgres_server: str, tmp_path: Path) -> None:
    """A commit waits behind whoever waits for a table to himself, and he waits for every reader."""
    for number in ("0001", "0002"):
        for file in MIGRATIONS.glob(f"{number}_*.sql"):
            shutil.copy(file, tmp_path)
    url = await create_database(postgres_server)
    await migrate(url, folder=tmp_path)
    reader = await asyncpg.connect(url)
    forgotten, kept = Kept(1), Kept(1)
    forgotten.seen["session/1"] = (1, 0)
    kept.state = Note()
    for key, state in {"ended": forgotten, "open": kept}.items():
        state.keep()
        await reader.execute("INSERT INTO states VALUES ('actor', $1, 1, $2)", key, state.value)
    async with asyncio.timeout(30):
        async with reader.transaction():
            await reader.fetch("SELECT key FROM states")
            with pytest.raises(SchemaMismatch, match=r"0003_forgotten_states\.sql must .* run `botswain migrate` when"):
                await migrate(url)
        shutil.copy(MIGRATIONS / "0003_forgotten_states.sql", tmp_path)
        assert await migrate(url, folder=tmp_path) == ["0003_forgotten_states.sql"]
        async with reader.transaction():  # what looks at every state waits for nobody who reads them
            await reader.fetch("SELECT key FROM states")
            assert [name[:4] for name in await migrate(url)] == ["0004", "0005"]
    rows = await reader.fetch("SELECT key FROM states WHERE forgotten_on IS NOT NULL")
    assert [row["key"] for row in rows] == ["ended"]
    await reader.close()
    await drop_database(postgres_server, url)
