"""
The worker: runs actors over the bus until it is told to stop.

::

    async with stop_signals() as stopping:
        await run_worker(bus, [SessionActor(), BasicActor(), ScheduleActor()], stopping=stopping)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from random import Random, SystemRandom
from typing import Any, cast

import structlog

from bus.actor import Decider, Performer
from bus.clock import SystemClock
from bus.deciding import DeciderRunner
from bus.desk import Desk, Desks
from bus.ids import uuid7
from bus.observe import SILENT, Observer
from bus.performing import PerformerRunner
from bus.protocol import Bus, Clock
from bus.resources import ResourceCache
from bus.stopping import Stop
from bus.surroundings import Idle, Options, Policy, Surroundings, always_skip
from bus.timers import TimerService
from schemas.topics import SCHEDULE

__all__ = ["Options", "run_worker"]

log = structlog.get_logger(__name__)

Run = Coroutine[Any, Any, None]


async def run_worker(
    bus: Bus,
    actors: Sequence[Decider[Any] | Performer],
    *,
    stopping: Stop | None = None,
    until_idle: bool = False,
    clock: Clock | None = None,
    random: Random | None = None,
    options: Options | None = None,
    observer: Observer = SILENT,
    policy: Policy = always_skip,
) -> None:
    """
    Run *actors* until *stopping* asks to stop, or with *until_idle* until there is nothing left to do.

    Then nothing more is taken, and what is in hand may finish within ``options.drain_s``; what does not is cancelled,
    and comes again wherever its partition goes. While the bus is away the worker waits and tries again.

    Args:
        random: of back-off and of the ids of performers.
        policy: what becomes of a conversation when one of its events is set aside.

    Raises:
        ExceptionGroup: errors that waiting does not help against.
    """
    options = options or Options()
    clock = clock or SystemClock()
    random = random or SystemRandom()
    stop = stopping or Stop()
    around = Surroundings(
        bus=bus,
        clock=clock,
        ids=uuid7(clock, random),
        stop=stop,
        idle=Idle(stop, options.idle_s if until_idle else None),
        options=options,
        observer=observer,
        policy=policy,
        resources=ResourceCache(bus, options.max_resource_bytes),
        random=random,
    )
    loop = asyncio.get_running_loop()
    drain = asyncio.timeout(None)

    def begin_drain() -> None:
        drain.reschedule(loop.time() + options.drain_s)

    try:
        async with drain:
            with stop.calls(begin_drain):
                async with asyncio.TaskGroup() as group:
                    for name, run in _runs(around, actors):
                        group.create_task(run, name=name)
    except TimeoutError:
        if not drain.expired():
            raise
        log.warning("drain_overrun", drain_s=options.drain_s)


def _runs(around: Surroundings, actors: Sequence[Decider[Any] | Performer]) -> list[tuple[str, Run]]:
    """What runs for *actors*, with names. Beside the actor of timers there is the service that calls it."""
    runs: list[tuple[str, Run]] = []
    desks = Desks()
    for actor in actors:
        if not hasattr(actor, "decide"):
            runs.append((actor.name, PerformerRunner(around, actor).run()))
            continue
        decider = cast("Decider[Any]", actor)
        timers = TimerService(around) if actor.topic == SCHEDULE else None
        if timers is not None:
            runs.append(("timers", timers.run()))
        # Several members of the group share the partitions: while the batch of one is committed, another decides.
        lanes = 1 if timers is not None else min(around.options.lanes, around.bus.partitions(actor.topic))
        for _ in range(lanes):
            desk = Desk(around, decider, timers, lanes=lanes)
            if around.bus.log_commits:
                desks.add(desk)
            runs.append((actor.name, DeciderRunner(around, desk, desks).run()))
    return runs
