"""Timers that are set while the timer service waits for an answer of the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.memory import STATEMENTS, MemoryBus, _MemoryTransaction
from bus.protocol import Query, Rows, Transaction
from tests.bus.test_worker_timers import Tower
from tests.simulation.virtual import virtual_time


class _Slow(_MemoryTransaction):
    async def query(self, query: Query) -> Rows:
        rows = STATEMENTS[query.sql](self._disk.tables, query.values)
        await asyncio.sleep(5)
        return rows


class SlowBus(MemoryBus):
    """What it answers is five seconds old, and others are not kept waiting for it."""

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        yield _Slow(self)


@virtual_time
async def test_a_timer_that_is_overdue_when_it_is_set_fires_though_others_are_being_asked_for() -> None:
    tower = Tower()
    tower.bus = SlowBus(tower.disk)
    await tower.sets("first", 20)
    await tower.sets_while_it_works("overdue", 19, at_s=22, until_s=120)
    assert sorted(timer for timer, _, _ in tower.bell.rang) == ["first", "overdue"]


@virtual_time
async def test_a_timer_that_is_moved_while_it_is_said_to_be_due_fires_at_its_new_time() -> None:
    tower = Tower()
    tower.bus = SlowBus(tower.disk)
    await tower.sets("moved", 20)
    await tower.sets_while_it_works("moved", 40, at_s=22, until_s=120)
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("moved", 40)]
