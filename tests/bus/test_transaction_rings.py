"""Two transactions that wait for each other: the database ends one of them, and that one is simply done again."""

from __future__ import annotations

import asyncio

from bus.clock import SystemClock
from bus.errors import BusUnavailable
from bus.postgres import open_postgres_bus
from bus.protocol import Query


def remember(name: str) -> Query:
    return Query("bot_memory.set", ("bot", name, b"1"))


async def test_a_ring_of_waiting_transactions_is_no_fault_of_their_queries(postgres_url: str) -> None:
    async with open_postgres_bus(postgres_url, clock=SystemClock()) as bus:
        both_have_begun = asyncio.Barrier(2)

        async def turn(first: str, second: str) -> bool:
            try:
                async with bus.transaction() as transaction:
                    await transaction.query(remember(first))
                    await both_have_begun.wait()
                    await transaction.query(remember(second))
            except BusUnavailable:  # which whoever decides takes for a reason to do it again
                return False
            return True

        async with asyncio.timeout(30):
            done = await asyncio.gather(turn("a", "b"), turn("b", "a"))
        assert sorted(done) == [False, True]
