"""Timers that are set while the timer service waits for an answer of the database, or gets none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bus.errors import BusUnavailable
from bus.memory import STATEMENTS, Disk, MemoryBus, _MemoryTransaction
from bus.protocol import Outgoing, Query, Rows, Transaction
from schemas.schedule import TimerDue
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


class AwayOnce(MemoryBus):
    """Is away when a timer is due: when it is asked for what is, or when it is to say so."""

    def __init__(self, disk: Disk, asked: bool) -> None:
        super().__init__(disk)
        self.asked = asked
        self.was_away = False

    def away(self) -> None:
        if not self.was_away:
            self.was_away = True
            raise BusUnavailable("away")

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if not self.asked and any(isinstance(out.event, TimerDue) for out in outgoing):
            self.away()
        await super().publish(outgoing)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        bus = self

        class Asked(_MemoryTransaction):
            async def query(self, query: Query) -> Rows:
                rows = await super().query(query)
                if bus.asked and query.sql == "timers.due" and rows:
                    bus.away()
                return rows

        yield Asked(self)


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "told"])
@virtual_time
async def test_a_timer_fires_though_the_database_was_away_when_it_was_due(asked: bool) -> None:
    tower = Tower()
    tower.bus = bus = AwayOnce(tower.disk, asked)
    await tower.sets("due", 20)
    await tower.works(until_s=60)
    assert bus.was_away
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("due", 20)]
