"""The edge's place on the log: slots that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus import codec
from bus.clock import SystemClock
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing, Record
from edge.hub import Hub
from edge.metrics import Metrics
from schemas.conversation import ConversationResumed, TypingShown
from schemas.envelope import Event
from schemas.topics import CHANNEL_WEB, SESSION

SESSION_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class Shown:
    """A listener that keeps what it is told."""

    bot = "shop"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.told = asyncio.Event()

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.told.set()


@asynccontextmanager
async def running(bus: MemoryBus) -> AsyncIterator[Hub]:
    hub = Hub(bus, SystemClock(), lambda _: "v1", Metrics())
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        listening = group.create_task(hub.run())
        await hub.wait_slot(5)
        yield hub
        listening.cancel()


def resumed(disk: Disk) -> list[Event]:
    """What was told to the session actor about where people are."""
    found = [codec.decode(record) for partition in disk.log[SESSION] for record in partition]
    return [event for event in found if isinstance(event, ConversationResumed)]


async def show(bus: MemoryBus, hub: Hub) -> None:
    event = hub.make(TypingShown, SESSION_ID, "shop")
    await bus.publish([Outgoing(CHANNEL_WEB, event, hub.slot)])


async def test_two_edges_have_two_slots() -> None:
    disk = Disk()
    async with running(MemoryBus(disk)) as one, running(MemoryBus(disk)) as two:
        assert one.slot != two.slot


async def test_a_lost_slot_is_replaced_and_open_conversations_are_announced_again() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    shown = Shown()
    async with running(bus) as hub:
        with hub.listen(SESSION_ID, shown):
            bus.expire()
            while not resumed(disk):
                await asyncio.sleep(0)
            event = resumed(disk)[-1]
            assert isinstance(event, ConversationResumed)
            assert (event.key, event.bot, event.bot_version) == (SESSION_ID, "shop", "v1")
            while hub.slot != event.slot:
                await asyncio.sleep(0)
            await show(bus, hub)
            await shown.told.wait()
        await show(bus, hub)
    assert len(shown.events) == 1


async def test_an_edge_whose_log_fails_begins_anew() -> None:
    class Fragile(Shown):
        def put(self, event: Event) -> None:
            super().put(event)
            if len(self.events) == 1:
                raise RuntimeError("a listener must not do this")

    disk = Disk()
    bus = MemoryBus(disk)
    shown = Fragile()
    async with running(bus) as hub:
        with hub.listen(SESSION_ID, shown):
            await show(bus, hub)
            await shown.told.wait()
            while not resumed(disk):
                await asyncio.sleep(0)
            await hub.wait_slot(5)
            await show(bus, hub)
            while len(shown.events) < 2:
                await asyncio.sleep(0)


async def test_what_cannot_be_decoded_is_passed_over() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    shown = Shown()
    async with running(bus) as hub:
        assert hub.slot is not None
        disk.log[CHANNEL_WEB][hub.slot].append(Record(SESSION_ID, "message.ready.v99", b"?"))
        with hub.listen(SESSION_ID, shown):
            await show(bus, hub)
            await shown.told.wait()
    assert [event.type for event in shown.events] == ["typing.shown.v1"]
