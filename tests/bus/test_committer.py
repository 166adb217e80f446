"""Commits that share a transaction: each of them is told what became of it alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bus.clock import SystemClock
from bus.errors import BusError, PartitionLost
from bus.postgres import PostgresBus, open_postgres_bus
from bus.protocol import Advance, Row, StateWrite, Turns
from schemas.topics import BASIC, SESSION


@pytest.fixture
async def bus(postgres_url: str) -> AsyncIterator[PostgresBus]:
    async with open_postgres_bus(postgres_url, clock=SystemClock()) as opened:
        yield opened


def turns(actor: str, topic: str, partition: int, *, begin: int = 0, end: int = 1, key: str = "a") -> Turns:
    return Turns(actor, topic, advances=[Advance(partition, begin, end)], states=[StateWrite(key, 1, b"{}")])


async def commit_all(bus: PostgresBus, *group: Turns) -> list[BaseException | None]:
    """All at the same moment: the first is under way when the others come, so they wait and go together."""
    async with asyncio.timeout(20):
        return await asyncio.gather(*(bus.commit(one) for one in group), return_exceptions=True)


async def test_several_actors_and_lanes_in_one_transaction(bus: PostgresBus) -> None:
    first = turns("one", SESSION, 0)
    group = [turns("one", SESSION, 1, key="b"), turns("two", BASIC, 0), turns("one", SESSION, 2, key="c")]
    assert await commit_all(bus, first, *group) == [None] * 4
    assert set(await bus.load("one", "abc")) == set("abc")
    assert await bus.store.positions("one", SESSION, [0, 1, 2]) == {0: 1, 1: 1, 2: 1}
    assert await bus.store.positions("two", BASIC, [0]) == {0: 1}


async def test_who_lost_its_partition_is_told_and_the_others_are_committed(bus: PostgresBus) -> None:
    lost = turns("one", SESSION, 1, begin=5, end=6, key="b")
    results = await commit_all(bus, turns("one", SESSION, 0), lost, turns("two", BASIC, 3))
    assert [type(result) for result in results] == [type(None), PartitionLost, type(None)]
    assert isinstance(results[1], PartitionLost)
    assert (results[1].topic, results[1].partition) == (SESSION, 1)
    assert set(await bus.load("one", "ab")) == {"a"}
    assert await bus.store.positions("two", BASIC, [3]) == {3: 1}


async def test_what_the_database_refuses_spoils_nobody_elses_commit(bus: PostgresBus) -> None:
    bad = turns("one", SESSION, 1, key="b")
    bad.rows.append(Row("no such statement", ()))
    results = await commit_all(bus, turns("one", SESSION, 0), turns("two", BASIC, 3), bad, turns("three", BASIC, 4))
    assert [result is None for result in results] == [True, True, False, True]
    assert isinstance(results[2], BusError)


async def test_cancelled_while_it_waits_is_not_committed(bus: PostgresBus) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(bus.commit(turns("one", SESSION, 0)))
        await asyncio.sleep(0)
        leaving = group.create_task(bus.commit(turns("one", SESSION, 1, key="b")))
        group.create_task(bus.commit(turns("two", BASIC, 0)))
        await asyncio.sleep(0)
        leaving.cancel()
    assert set(await bus.load("one", "ab")) == {"a"}
    assert set(await bus.load("two", "a")) == {"a"}
