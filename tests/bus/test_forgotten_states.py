"""Empty states, of what was forgotten, are kept as long as the log keeps what they could tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
from msgspec import Struct

from bus.postgres import open_postgres_bus
from bus.protocol import Advance, StateWrite, Turns
from bus.states import Kept, Parked
from schemas.topics import SESSION

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
