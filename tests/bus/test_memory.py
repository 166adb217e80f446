"""The bus in memory keeps what every bus keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bus import codec
from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing, Record, Turns
from tests.bus.conformance import BusConformance, Reading


class _Forgetful(MemoryBus):
    """Loses the connection in the next commit that says *marker*."""

    marker: str | None = None

    async def commit(self, turns: Turns) -> None:
        if self.marker and any(self.marker.encode() in codec.encode(out.event).data for out in turns.outgoing):
            self.marker = None
            raise BusUnavailable("the connection broke before anything was sent")
        await super().commit(turns)


class _Victim:
    def __init__(self, bus: MemoryBus, owned: list[int]) -> None:
        self.owned = owned
        self._bus = bus

    async def die(self) -> None:
        self._bus.crash()


class MemoryWorld:
    """One disk."""

    holds_the_log = True

    def __init__(self, stack: AsyncExitStack) -> None:
        self.disk = Disk()
        self._stack = stack

    async def open(self) -> _Forgetful:
        return _Forgetful(self.disk)

    async def victim(self, topic: str, group: str) -> _Victim:
        bus = MemoryBus(self.disk)
        subscription = await self._stack.enter_async_context(bus.subscribe(topic, group=group))
        found = Reading(subscription)
        await found.until_owned(self.disk.topics[topic].partitions)
        return _Victim(bus, list(found.claims))

    async def append(self, topic: str, partition: int, record: Record) -> None:
        self.disk.log[topic][partition].append(record)

    async def publish_slowly(self, outgoing: Outgoing, hold_s: float) -> None:
        # An append in memory is its own commit: there is no time between.
        await MemoryBus(self.disk).publish([outgoing])

    @asynccontextmanager
    async def lose_answer(self, bus: _Forgetful, marker: str, *, durable: bool) -> AsyncIterator[None]:
        bus.marker = None if durable else marker
        yield

    async def outlive(self) -> None:
        self.disk.drop_old()


class TestMemoryBus(BusConformance):
    @pytest.fixture
    async def world(self) -> AsyncIterator[MemoryWorld]:
        async with AsyncExitStack() as stack:
            yield MemoryWorld(stack)
