"""How long to wait before trying again."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

__all__ = ["Backoff"]

FIRST_S: Final = 0.05
LONGEST_S: Final = 5.0


class Backoff:
    """
    Exponential waits with full jitter: up to 50 ms at first, doubling to 5 s.

    Sleep and time are the event loop's and the randomness is handed in, so that a run under virtual time can be
    repeated; that is why this is not a library's loop over ``time.monotonic``.
    """

    def __init__(self, random: Random, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._random = random
        self._first_s = first_s
        self._longest_s = longest_s
        self._tries = 0

    def next_s(self) -> float:
        """The next wait, between half and the whole of what doubling has come to."""
        whole: float = min(self._longest_s, self._first_s * 2 ** min(self._tries, 30))
        self._tries += 1
        return whole * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """It worked."""
        self._tries = 0

    async def pause(self) -> None:
        await asyncio.sleep(self.next_s())
