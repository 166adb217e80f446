"""Timers: fire once, at their time, to whom they belong."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from msgspec import Struct

from actors.schedule import ScheduleActor
from bus.actor import Turn
from bus.clock import LoopClock
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing
from bus.stopping import Stop
from bus.worker import run_worker
from schemas.envelope import Event
from schemas.schedule import TimerCancelled, TimerDue, TimerFired, TimerRequested
from schemas.topics import SCHEDULE, SESSION
from tests.simulation.crew import EPOCH, decoded
from tests.simulation.virtual import virtual_time


class Nothing(Struct):
    """No state."""


class Bell:
    """Takes note of when timers fired."""

    name = topic = SESSION
    state = Nothing

    def __init__(self, clock: LoopClock) -> None:
        self.rang: list[tuple[str, float, float]] = []
        self._clock = clock

    def decide(self, turn: Turn, state: Nothing | None) -> Nothing | None:
        event = turn.event
        assert isinstance(event, TimerFired)
        assert event.at == event.due_at
        late_s = (self._clock.now() - event.due_at).total_seconds()
        self.rang.append((event.timer, (event.due_at - EPOCH).total_seconds(), late_s))
        return None


class Tower:
    """A worker with a bell and timers, and somebody who sets them."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.bus = MemoryBus(self.disk)
        self.clock = LoopClock(EPOCH)
        self.bell = Bell(self.clock)

    async def says(self, event: type[Event], timer: str, **fields: Any) -> None:
        envelope: dict[str, Any] = {"id": uuid4(), "bot": "b", "bot_version": "v1", "key": "a", "reply_to": SESSION}
        made = event(**{**envelope, "at": self.clock.now(), "timer": timer, **fields})
        await self.bus.publish([Outgoing(SCHEDULE, made)])

    async def sets(self, timer: str, after_s: float) -> None:
        await self.says(TimerRequested, timer, due_at=EPOCH + timedelta(seconds=after_s))

    async def works(self, until_s: float) -> None:
        """Until the clock has come to *until_s*."""
        stop = Stop()
        loop = asyncio.get_running_loop()
        loop.call_at(until_s, stop.request)
        await run_worker(self.bus, [self.bell, ScheduleActor()], clock=self.clock, stopping=stop)

    async def sets_while_it_works(self, timer: str, after_s: float, *, at_s: float, until_s: float) -> None:
        """At *at_s* the timer is set, to be due at *after_s*; the worker works until *until_s*."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.works(until_s))
            await asyncio.sleep(at_s)  # virtual time
            await self.sets(timer, after_s)


@virtual_time
async def test_timers_fire_in_order_and_no_later_than_200_ms() -> None:
    tower = Tower()
    await tower.sets("second", 7200.5)
    await tower.sets("first", 3600.25)
    await tower.works(until_s=7300)
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("first", 3600.25), ("second", 7200.5)]
    assert all(0 <= late_s <= 0.2 for _, _, late_s in tower.bell.rang)
    assert not tower.disk.tables["timers"]


@virtual_time
async def test_a_nearer_timer_is_heard_of_at_once() -> None:
    tower = Tower()
    await tower.sets("far", 5000)
    await tower.sets_while_it_works("near", 100.3, at_s=100, until_s=200)
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("near", 100.3)]
    assert tower.bell.rang[0][2] <= 0.2


@virtual_time
async def test_a_timer_that_was_moved_or_cancelled_does_not_fire_at_its_old_time() -> None:
    tower = Tower()
    await tower.sets("moved", 10)
    await tower.sets("moved", 20)
    await tower.sets("cancelled", 10)
    await tower.says(TimerCancelled, "cancelled")
    await tower.says(TimerCancelled, "never set")
    await tower.works(until_s=60)
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("moved", 20)]


@virtual_time
async def test_what_was_due_while_nobody_worked_fires_once_at_the_start() -> None:
    tower = Tower()
    await tower.sets("soon", 10)
    await tower.works(until_s=5)
    await asyncio.sleep(100)
    await tower.works(until_s=200)
    await tower.works(until_s=300)
    assert [(timer, due) for timer, due, _ in tower.bell.rang] == [("soon", 10)]


@virtual_time
async def test_what_was_due_while_another_had_its_partition_fires_when_it_comes_back() -> None:
    tower = Tower()
    for n in range(16):
        await tower.says(TimerRequested, f"{n}", key=f"key {n}", due_at=EPOCH + timedelta(seconds=20))

    async def have_half_of_them() -> None:
        await asyncio.sleep(5)  # virtual time
        async with MemoryBus(tower.disk).subscribe(SCHEDULE, group=SCHEDULE) as subscription:
            await subscription.take(1)
            await asyncio.sleep(25)  # virtual time

    async with asyncio.TaskGroup() as group:
        group.create_task(have_half_of_them())
        await tower.works(until_s=60)
    late = [late_s for _, _, late_s in tower.bell.rang]
    assert len(late) == 16
    assert 0 < sum(late_s > 9 for late_s in late) < 16


@virtual_time
async def test_a_timer_said_to_be_due_twice_fires_once() -> None:
    tower = Tower()
    await tower.sets("soon", 10)
    due_at = EPOCH + timedelta(seconds=10)
    for _ in range(2):
        await tower.says(TimerDue, "soon", due_at=due_at, at=due_at)
    await tower.works(until_s=60)
    (fired,) = (event for event in decoded(tower.disk, SESSION) if isinstance(event, TimerFired))
    assert fired.at == due_at
    assert (fired.key, fired.bot, fired.bot_version) == ("a", "b", "v1")


@virtual_time
async def test_the_same_due_time_makes_the_same_event() -> None:
    async def fired() -> tuple[Any, datetime]:
        tower = Tower()
        await tower.sets("soon", 10)
        await tower.works(until_s=asyncio.get_running_loop().time() + 60)
        (event,) = (event for event in decoded(tower.disk, SESSION) if isinstance(event, TimerFired))
        return event.id, event.at

    assert await fired() == await fired()


@virtual_time
async def test_many_timers_at_once_all_fire() -> None:
    tower = Tower()
    for n in range(1200):
        await tower.says(TimerRequested, "wake", key=f"key {n}", due_at=EPOCH + timedelta(seconds=5))
    await tower.works(until_s=60)
    assert len(tower.bell.rang) == 1200


@virtual_time
async def test_a_request_without_an_inbox_is_set_aside() -> None:
    tower = Tower()
    await tower.says(TimerRequested, "lost", due_at=EPOCH, reply_to=None)
    bell = tower.bell
    bell.decide = lambda turn, state: None  # type: ignore[method-assign] # it hears of the failure
    await tower.works(until_s=5)
    assert [letter.reason.partition(":")[0] for letter in tower.disk.dead.values()] == ["ValueError"]
