"""Ids of what enters from outside: from edges and performers. What a decider emits has ``bus.actor.derived_id``."""

from __future__ import annotations

from collections.abc import Callable
from random import Random, SystemRandom
from uuid import UUID

from bus.protocol import Clock

__all__ = ["Ids", "uuid7"]

Ids = Callable[[], UUID]


def uuid7(clock: Clock, random: Random | None = None) -> Ids:
    """
    A source of UUIDv7 (RFC 9562, section 5.7). Ids of one source grow: within a millisecond, and when the clock steps
    back, the 12 bits after the time count on (RFC 9562, section 6.2, method 1) and then borrow from the future.
    """
    bits = (random or SystemRandom()).getrandbits
    last = 0  # 48 bits of milliseconds, 12 bits of counter

    def make() -> UUID:
        nonlocal last
        chance = bits(73)  # at once: the system's random numbers cost a system call
        # The counter starts in the lower half, which leaves 2,048 ids before it borrows.
        fresh = int(clock.now().timestamp() * 1000) << 12 | chance >> 62
        last = fresh if fresh >> 12 > last >> 12 else last + 1
        return UUID(int=(last >> 12) << 80 | 0x7 << 76 | (last & 0xFFF) << 64 | 0b10 << 62 | chance & (1 << 62) - 1)

    return make
