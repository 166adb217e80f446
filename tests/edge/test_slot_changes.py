"""An edge's slot may change at any moment, also while a client connects: its conversation must be told the new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from bus import codec
from bus.memory import Disk, MemoryBus
from bus.postgres.reads import BotRow
from edge.app import Edge, create_app
from edge.reading import Reader
from edge.settings import EdgeSettings
from edge.tokens import Ticket, Tokens
from schemas.conversation import ConversationResumed, Message
from schemas.topics import CHANNEL_WEB, SESSION, TOPICS
from tests.support.web_edge import KEY

SESSION_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
TOKEN = Tokens([KEY], 3600).sign(Ticket(SESSION_ID, "shop"))


class Shelf:
    """A store with one bot and no transcript; something may happen while it is asked for one."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def bot(self, name: str) -> BotRow:
        return BotRow(name, "v1", datetime.now(UTC))

    async def newest_seq(self, session: str) -> int:
        if self.meanwhile is not None:
            await self.meanwhile()
        return 0

    async def transcript(self, session: str, after: int, limit: int) -> list[Message]:
        return []


class Place:
    """An edge beside another one that has all other slots, and takes and gives them as the log wants it."""

    def __init__(self, disk: Disk, bus: MemoryBus, shelf: Shelf, app: Edge) -> None:
        self.shelf = shelf
        self.app = app
        self._disk = disk
        self._bus = bus

    @property
    def slot(self) -> int | None:
        return self.app._chat.hub.slot

    async def move(self) -> None:
        """The edge loses its slot, and gets another one."""
        before = self.slot
        assert before is not None
        self._bus.expire()
        while self.slot in (None, before):
            await asyncio.sleep(0)

    async def told(self) -> int | None:
        """Where the session was told last that its person is."""
        while True:
            found = [codec.decode(record) for partition in self._disk.log[SESSION] for record in partition]
            if found:
                assert isinstance(found[-1], ConversationResumed)
                return found[-1].slot
            await asyncio.sleep(0)


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    disk = Disk([replace(topic, partitions=2) if topic.name == CHANNEL_WEB else topic for topic in TOPICS])
    bus, shelf = MemoryBus(disk), Shelf()
    app = create_app(bus, cast("Reader", shelf), EdgeSettings(), token_keys=[KEY])

    async def neighbour() -> None:
        async with MemoryBus(disk).subscribe(CHANNEL_WEB, group="edge", start="end") as subscription:
            while True:
                await subscription.release((await subscription.take(1)).revoked)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group, app._chat.open():
        tasks = [group.create_task(app._chat.hub.run())]
        await app._chat.hub.wait_slot(5)
        tasks.append(group.create_task(neighbour()))
        yield Place(disk, bus, shelf, app)
        for task in tasks:
            task.cancel()


class Caller:
    """The client's side of ASGI."""

    def __init__(self, first: dict[str, Any], gone: str) -> None:
        self._received = [first]
        self._gone = gone
        self._left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._received:
            return self._received.pop()
        await self._left.wait()
        return {"type": self._gone}

    def leave(self) -> None:
        self._left.set()


async def test_a_socket_tells_the_slot_that_came_while_it_connected() -> None:
    scope = {
        "type": "websocket",
        "path": "/ws/shop",
        "query_string": f"token={TOKEN}".encode(),
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    caller = Caller({"type": "websocket.connect"}, "websocket.disconnect")

    async def send(_: Any) -> None:
        await asyncio.sleep(0)

    async with place() as here, asyncio.TaskGroup() as group:
        here.shelf.meanwhile = here.move
        group.create_task(here.app(scope, cast("Any", caller.receive), send))
        assert await here.told() == here.slot
        caller.leave()


async def test_a_stream_tells_the_slot_that_came_while_it_began() -> None:
    path = f"/api/v1/conversations/{SESSION_ID}/events"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {TOKEN}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    caller = Caller({"type": "http.request", "body": b"", "more_body": False}, "http.disconnect")

    async with place() as here, asyncio.TaskGroup() as group:

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                await here.move()

        group.create_task(here.app(scope, cast("Any", caller.receive), send))
        assert await here.told() == here.slot
        caller.leave()
