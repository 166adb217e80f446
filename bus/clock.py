"""Where a process gets the time from. Deciders have no clock: what they know of time, their events carry."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["LoopClock", "SystemClock"]

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class LoopClock:
    """*epoch* plus the time of the running event loop: under a loop with virtual time, virtual time."""

    def __init__(self, epoch: datetime = _EPOCH) -> None:
        self._epoch = epoch

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=asyncio.get_running_loop().time())
