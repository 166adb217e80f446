"""What can befall a process at the seams of its bus: every call may be late, refused, repeated, or its last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus, MemorySubscription
from bus.protocol import Outgoing, Turns

PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each is, at each call of the bus where it can be."""

    crash: float = 0.01
    delay: float = 0.1
    longest_delay_s: float = 0.5
    unavailable: float = 0.02
    unknown_outcome: float = 0.02
    duplicate: float = 0.05
    pause: float = 0.003
    lost_wake_up: float = 0.3


NO_FAULTS = Faults(0, 0, 0, 0, 0, 0, 0, 0)


class FaultySubscription(MemorySubscription):
    """Wake-ups get lost."""

    def wake(self) -> None:
        bus = self.bus
        if not (isinstance(bus, FaultyBus) and bus.happens(bus.faults.lost_wake_up)):
            super().wake()


class FaultyBus(MemoryBus):
    """
    A process that *faults* befall.

    Attributes:
        died: set when it crashes; whoever runs it cancels it then.
    """

    subscriptions = FaultySubscription

    def __init__(self, disk: Disk, random: Random, faults: Faults) -> None:
        super().__init__(disk)
        self.died = asyncio.Event()
        self.faults = faults
        self._random = random

    def happens(self, likely: float) -> bool:
        return likely > 0 and self._random.random() < likely

    async def breathe(self) -> None:
        if self.happens(self.faults.unavailable):
            raise BusUnavailable("refused")
        await self.live_on()

    async def live_on(self) -> None:
        """What may happen even where the call itself cannot fail any more."""
        faults = self.faults
        if self.happens(faults.crash):
            self.die()
        if self.happens(faults.pause):
            self.expire()
            await asyncio.sleep(self._random.uniform(0, PAUSE_S))
        if self.happens(faults.delay):
            await asyncio.sleep(self._random.uniform(0, faults.longest_delay_s))
        await super().breathe()

    def die(self) -> None:
        self.crash()
        self.died.set()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await super().publish(outgoing)
        if self.happens(self.faults.duplicate):
            await super().publish(outgoing)
        await self.live_on()
        if self.happens(self.faults.unknown_outcome):
            raise BusUnavailable("nobody knows whether it was appended")

    async def commit(self, turns: Turns) -> None:
        await super().commit(turns)
        if self.happens(self.faults.duplicate):
            # As an outbox does that was not cleared before its process died.
            self.disk.append(self.disk.checked(turns.outgoing))
        # From here on the outcome is unknown to the process until it hears of it, if it lives to.
        await self.live_on()
