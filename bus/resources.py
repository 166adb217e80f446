"""Immutable, content-addressed things (bot packages) that deciders ask for, kept in memory with a bound."""

from __future__ import annotations

from collections import OrderedDict

from bus.protocol import Bus

__all__ = ["ResourceCache"]


class ResourceCache:
    """The *max_bytes* of resources that were used last. What is not there is asked for again each time."""

    def __init__(self, bus: Bus, max_bytes: int) -> None:
        self._bus = bus
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, digest: str) -> bytes | None:
        """Raises ``BusUnavailable``."""
        data = self._kept.get(digest)
        if data is not None:
            self._kept.move_to_end(digest)
            return data
        data = await self._bus.resource(digest)
        if data is not None and digest not in self._kept:
            self._kept[digest] = data
            self._bytes += len(data)
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)
        return data
