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
from typing import Any, Final, cast

import structlog

from bus.actor import Decider, Performer
from bus.clock import SystemClock
from bus.deciding import DeciderRunner
from bus.ids import uuid7
from bus.observe import SILENT, Observer
from bus.performing import PerformerRunner
from bus.protocol import Bus, Clock
from bus.resources import ResourceCache
from bus.stopping import Stop
from bus.surroundings import Idle, Options, Policy, Surroundings, always_skip
from bus.timers import TimerService
from schemas.topics import SCHEDULE, TOPICS

__all__ = ["Options", "run_worker"]

log = structlog.get_logger(__name__)

_PARTITIONS: Final = {topic.name: topic.partitions for topic in TOPICS}


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
                    for actor in actors:
                        for run in _runs(around, actor):
                            group.create_task(run, name=actor.name)
    except TimeoutError:
        if not drain.expired():
            raise
        log.warning("drain_overrun", drain_s=options.drain_s)


def _runs(around: Surroundings, actor: Decider[Any] | Performer) -> list[Coroutine[Any, Any, None]]:
    """What runs for *actor*. Beside the actor of timers, whichever that is, there is the service that calls it."""
    if not hasattr(actor, "decide"):
        return [PerformerRunner(around, actor).run()]
    decider = cast("Decider[Any]", actor)
    if decider.topic == SCHEDULE:
        timers = TimerService(around)
        return [DeciderRunner(around, decider, listener=timers).run(), timers.run()]
    # Several members of the group, which share the partitions: while the batch of one is committed, another decides.
    lanes = min(around.options.lanes, _PARTITIONS.get(decider.topic, 1))
    return [DeciderRunner(around, decider, lanes=lanes).run() for _ in range(lanes)]
