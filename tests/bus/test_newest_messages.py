"""What a decider is told of a transcript, the same by every bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bus.clock import SystemClock
from bus.memory import Disk, MemoryBus
from bus.postgres import open_postgres_bus
from bus.protocol import Advance, Bus, Query, Row, Turns
from schemas.topics import SESSION

HERE, THERE = str(UUID(int=1)), str(UUID(int=2))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(session: str, seq: int, body: str) -> Row:
    return Row("messages.insert", (session, seq, UUID(int=100 * UUID(session).int + seq), AT, body))


@pytest.fixture(params=["memory", "postgres"])
async def bus(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[Bus]:
    """A bus with two transcripts: of five entries of ten characters, and of one."""
    rows = [*(entry(HERE, seq, f"{seq:010}") for seq in range(1, 6)), entry(THERE, 1, "elsewhere")]
    turns = Turns(SESSION, SESSION, [Advance(0, 0, 1)], rows=rows)
    async with open_postgres_bus(postgres_url, clock=SystemClock()) as postgres:
        bus: Bus = postgres if request.param == "postgres" else MemoryBus(Disk())
        await bus.commit(turns)
        yield bus


@pytest.mark.parametrize(
    ("upto", "most", "room", "expected"),
    [
        (9, 9, 999, [5, 4, 3, 2, 1]),
        (4, 9, 999, [4, 3, 2, 1]),
        (4, 2, 999, [4, 3]),
        (5, 9, 20, [5, 4]),
        (5, 9, 21, [5, 4, 3]),
        (5, 9, 1, [5]),
        (0, 9, 999, []),
    ],
    ids=["all", "up to a number", "so many", "just full", "the last one is whole", "one at least", "none"],
)
async def test_the_newest_come_first_and_no_more_than_fit(
    bus: Bus, upto: int, most: int, room: int, expected: list[int]
) -> None:
    async with bus.transaction() as transaction:
        rows = await transaction.query(Query("messages.newest", (HERE, upto, most, room)))
    assert [(row["seq"], row["body"]) for row in rows] == [(seq, f"{seq:010}") for seq in expected]


async def test_what_was_swept_away_is_not_told(bus: Bus) -> None:
    await bus.commit(Turns(SESSION, SESSION, [Advance(0, 1, 2)], rows=[Row("messages.forget", (HERE,))]))
    async with bus.transaction() as transaction:
        assert not await transaction.query(Query("messages.newest", (HERE, 9, 9, 999)))
        assert len(await transaction.query(Query("messages.newest", (THERE, 9, 9, 999)))) == 1
