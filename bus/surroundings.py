"""What the parts of a worker share: the bus, time, randomness, limits, and how to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Final, Literal, TypeVar

import structlog

from bus.backoff import Backoff
from bus.errors import BusUnavailable
from bus.ids import Ids
from bus.observe import Observer
from bus.protocol import Bus, Clock
from bus.resources import ResourceCache
from bus.stopping import Stop
from schemas.envelope import Event
from schemas.topics import SESSION

__all__ = ["Idle", "Options", "Policy", "Surroundings", "always_skip"]

T = TypeVar("T")

log = structlog.get_logger(__name__)

MIB: Final = 1 << 20

# What becomes of a conversation when an event of it fails in the actor of that name.
Policy = Callable[[str, Event], Awaitable[Literal["skip", "block"]]]


async def always_skip(actor: str, event: Event) -> Literal["skip", "block"]:
    """The conversation hears of it and goes on."""
    return "skip"


@dataclass(frozen=True, slots=True)
class Options:
    """
    The limits of a worker.

    Args:
        batch: most events in one transaction.
        lanes: how many batches of a decider are under way at once, on different partitions: one decides while another
            is committed.
        max_states, max_state_bytes: decoded states kept in memory, per decider.
        max_resource_bytes: bot packages and programs kept in memory.
        max_attempts: an event that was tried this often in a process that then died is set aside.
        max_parked: most events that wait in one blocked conversation; what is beyond is set aside.
        intake: most events in the hands of a performer, running or waiting for their key.
        drain_s: after a stop is requested, what is in hand may take this long.
        idle_s: a worker that runs until idle ends when nothing has come for so long.
        failures_to: the inbox that is told of turns that failed in other actors, None to tell nobody.
        log_turns: one line per event at level info.
    """

    batch: int = 256
    lanes: int = 2
    max_states: int = 10_000
    max_state_bytes: int = 128 * MIB
    max_resource_bytes: int = 64 * MIB
    max_attempts: int = 3
    max_parked: int = 1000
    intake: int = 1000
    drain_s: float = 10.0
    idle_s: float = 0.3
    failures_to: str | None = SESSION
    log_turns: bool = False


class Idle:
    """Asks to stop when every part of the worker has waited for *idle_s* with nothing to do; without it, never."""

    def __init__(self, stop: Stop, idle_s: float | None) -> None:
        self._stop = stop
        self._idle_s = idle_s
        self._busy = 0
        self._handle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """One more part of the worker is busy."""
        self._busy += 1
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def end(self) -> None:
        """One less."""
        self._busy -= 1
        if self._busy == 0 and self._idle_s is not None:
            self._handle = asyncio.get_running_loop().call_later(self._idle_s, self._stop.request)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A part that has begun waits for something to do."""
        self.end()
        try:
            yield
        finally:
            self.begin()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Handed to every part of the worker."""

    bus: Bus
    clock: Clock
    ids: Ids
    stop: Stop
    idle: Idle
    options: Options
    observer: Observer
    policy: Policy
    resources: ResourceCache
    random: Random = field(default_factory=SystemRandom)

    def backoff(self) -> Backoff:
        return Backoff(self.random)

    async def insist(self, actor: str, call: Callable[[], Awaitable[T]]) -> T:
        """*call* again and again until the bus is there."""
        backoff = self.backoff()
        while True:
            try:
                return await call()
            except BusUnavailable as error:
                self.retried(actor, error)
                await backoff.pause()

    def retried(self, actor: str, error: Exception) -> None:
        """Something is about to be tried again."""
        self.observer.retried(actor, type(error).__name__)
        log.warning("retried", actor=actor, error=repr(error))

    async def pause(self, backoff: Backoff) -> None:
        """Wait before trying again; a stop ends the wait."""
        async with self.stop.interrupts():
            await backoff.pause()
