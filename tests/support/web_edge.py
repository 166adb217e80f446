"""A whole edge on loopback for tests: the real application under uvicorn, a log, and something that answers."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from bus.actor import derived_id
from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing, Undecodable
from edge.app import Edge, create_app
from edge.settings import EdgeSettings
from schemas.conversation import (
    ConversationAttached,
    ConversationOpened,
    ConversationResumed,
    Message,
    MessageReady,
    MessageReceived,
    Suggestion,
)
from schemas.envelope import Event
from schemas.package import BotPackage, digest_of
from schemas.topics import CHANNEL_WEB, SESSION

KEY = "a signing key for tests only"


@dataclass(frozen=True)
class BotRow:
    name: str
    version: str


@dataclass
class Store:
    """What is read: bots and transcripts. *down* makes every read fail."""

    bots_: dict[str, BotPackage] = field(default_factory=dict)
    transcripts: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    down: bool = False

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the store is down")

    async def transcript(self, session: str, after: int, limit: int) -> Sequence[Message]:
        self._check()
        return self.transcripts[session][after : after + limit]

    async def newest_seq(self, session: str) -> int:
        self._check()
        return len(self.transcripts[session])

    async def bots(self) -> Sequence[BotRow]:
        self._check()
        return [BotRow(name, digest_of(package.to_bytes())) for name, package in sorted(self.bots_.items())]

    async def resource(self, digest: str) -> bytes | None:
        self._check()
        packages = (package.to_bytes() for package in self.bots_.values())
        return next((data for data in packages if digest_of(data) == digest), None)


class Echo:
    """Stands where the session actor stands: greets, says back what it hears, knows a repeated id."""

    def __init__(self, bus: MemoryBus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._slots: dict[str, int | None] = {}
        self._numbers: dict[tuple[str, str], Message] = {}
        self.heard: list[Event] = []
        self.silent = False  # takes what comes, and shows nothing

    async def run(self) -> None:
        async with self._bus.subscribe(SESSION, group="session") as subscription:
            while True:
                batch = await subscription.take(100)
                for delivery in batch.deliveries:
                    assert not isinstance(delivery.event, Undecodable)
                    await self._handle(delivery.event)

    async def _handle(self, event: Event) -> None:
        self.heard.append(event)
        match event:
            case ConversationOpened(slot=slot):
                self._slots[event.key] = slot
                await self.say(event, "Hello!", Suggestion(text="Yes", value="yes"))
            case ConversationResumed(slot=slot):
                self._slots[event.key] = slot
                await self._show(event, ConversationAttached, seq=len(self._store.transcripts[event.key]))
            case MessageReceived(message_id=id_, text=text):
                known = self._numbers.get((event.key, id_))
                if known is None:
                    self._numbers[event.key, id_] = await self._add(event, "user", text, client_id=id_)
                    await self.say(event, f"You said {text}")
                else:
                    await self._show(event, MessageReady, message=known, client_id=id_, repeat=True)

    async def say(self, cause: Event, text: str, *suggestions: Suggestion) -> Message:
        return await self._add(cause, "bot", text, suggestions=suggestions)

    async def _add(
        self,
        cause: Event,
        role: Any,
        text: str,
        *,
        suggestions: tuple[Suggestion, ...] = (),
        client_id: str | None = None,
    ) -> Message:
        transcript = self._store.transcripts[cause.key]
        seq = len(transcript) + 1
        id_ = derived_id(cause.id, f"message/{seq}")
        message = Message(seq=seq, id=id_, role=role, text=text, suggestions=suggestions, at=cause.at)
        transcript.append(message)
        await self._show(cause, MessageReady, message=message, client_id=client_id)
        return message

    async def _show(self, cause: Event, event: type[Event], **fields: Any) -> None:
        if self.silent:
            return
        made = event(
            id=derived_id(cause.id, event.__name__),
            at=cause.at,
            bot=cause.bot,
            bot_version=cause.bot_version,
            key=cause.key,
            turn=cause.id,
            **fields,
        )
        await self._bus.publish([Outgoing(CHANNEL_WEB, made, self._slots.get(cause.key))])


class Client:
    """A web chat client that checks nothing and remembers nothing."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def say(self, id_: str, text: str) -> None:
        await self.send(type="message", id=id_, text=text)

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            frame = json.loads(await self.connection.recv())
        assert isinstance(frame, dict)
        return frame

    async def until(self, type_: str) -> dict[str, Any]:
        while True:
            frame = await self.frame()
            if frame["type"] == type_:
                return frame

    async def frames(self, count: int) -> list[dict[str, Any]]:
        return [await self.frame() for _ in range(count)]


@dataclass
class World:
    """Everything of one test."""

    app: Edge
    bus: MemoryBus
    disk: Disk
    store: Store
    echo: Echo
    port: int
    http: httpx.AsyncClient

    @asynccontextmanager
    async def client(self, bot: str = "shop", query: str = "", **options: Any) -> AsyncIterator[Client]:
        async with connect(f"ws://127.0.0.1:{self.port}/ws/{bot}{query}", compression=None, **options) as connection:
            yield Client(connection)


@asynccontextmanager
async def serve(app: Any) -> AsyncIterator[int]:
    """*app* under uvicorn, set up as the product does it. Yields the port."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        ws="websockets-sansio",
        ws_max_size=1 << 18,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        serving = group.create_task(server._serve())
        while not server.started:
            assert not serving.done(), "the server did not start"
            await asyncio.sleep(0)
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def world(settings: EdgeSettings | None = None, **options: Any) -> AsyncIterator[World]:
    """An edge, a log in memory and an echo."""
    shop = BotPackage(name="shop", scripts={"start": 'TALK "Hello!"'}, config={"title": "The shop"})
    store = Store({"shop": shop, "desk": BotPackage(name="desk", theme=".message { color: teal }")})
    disk = Disk()
    bus = MemoryBus(disk)
    echo = Echo(bus, store)
    app = create_app(bus, store, settings or EdgeSettings(), token_keys=[KEY], **options)
    async with asyncio.TaskGroup() as group:
        echoing = group.create_task(echo.run())
        async with serve(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            yield World(app, bus, disk, store, echo, port, http)
        echoing.cancel()
