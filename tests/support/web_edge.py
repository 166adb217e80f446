"""A whole edge on loopback for tests: the real application under uvicorn, a log, and something that answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
import uvicorn
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect

from bus.actor import Turn
from bus.clock import SystemClock
from bus.errors import BusUnavailable
from bus.postgres import open_postgres_bus
from bus.postgres.reads import Reads, open_reads
from bus.protocol import Bus, Outgoing
from bus.worker import run_worker
from edge.app import Edge, create_app
from edge.corked import CorkedWebSocket
from edge.metrics import Metrics
from edge.settings import EdgeSettings
from schemas.conversation import (
    ConversationAttached,
    ConversationOpened,
    ConversationResumed,
    Message,
    MessageDelta,
    MessageReady,
    MessageReceived,
    Suggestion,
    TypingShown,
)
from schemas.envelope import Event
from schemas.package import BotPackage
from schemas.topics import CHANNEL_WEB, SESSION

KEY = "a signing key for tests only"


class EchoState(Struct):
    """What the echo knows of a conversation."""

    slot: int | None = None
    seq: int = 0
    numbers: dict[str, int] = {}


class Echo:
    """
    Stands where the session actor stands: greets, says back what it hears, knows a repeated id. Words it acts on:
    ``quiet`` (no answer), ``typing``, ``delta``, ``poison`` (raises).
    """

    name = topic = SESSION
    state = EchoState

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.silent = False  # takes what comes and writes it down, but shows nothing

    def decide(self, turn: Turn, state: EchoState | None) -> EchoState | None:
        state = state or EchoState()
        event = turn.event
        self.heard.append(event)
        match event:
            case ConversationOpened(slot=slot):
                state.slot = slot
                turn.write("conversations.insert", event.key, event.bot, event.channel, event.person.id, event.at)
                self.say(turn, state, "bot", "Hello!", suggestions=(Suggestion(text="Yes", value="yes"),))
            case ConversationResumed(slot=slot):
                state.slot = slot
                self.show(turn, state, ConversationAttached, seq=state.seq)
            case MessageReceived(message_id=id_, text=text, slot=slot):
                state.slot = slot
                self.receive(turn, state, id_, text)
        return state

    def receive(self, turn: Turn, state: EchoState, id_: str, text: str) -> None:
        if text == "poison":
            raise ValueError("this echo cannot stomach that")
        if id_ in state.numbers:
            known = Message(seq=state.numbers[id_], id=turn.new_id("repeat"), role="user", text="", at=turn.event.at)
            self.show(turn, state, MessageReady, message=known, client_id=id_, repeat=True)
            return
        self.say(turn, state, "user", text, client_id=id_)
        state.numbers[id_] = state.seq
        if text == "typing":
            self.show(turn, state, TypingShown)
        elif text == "delta":
            self.show(turn, state, MessageDelta, index=0, text="You ")
            self.show(turn, state, MessageDelta, index=1, text="said")
        elif text.startswith("say "):
            for word in text.split()[1:]:
                self.say(turn, state, "bot", word)
        elif text != "quiet":
            self.say(turn, state, "bot", f"You said {text}")

    def say(
        self,
        turn: Turn,
        state: EchoState,
        role: Literal["user", "bot"],
        text: str,
        *,
        suggestions: tuple[Suggestion, ...] = (),
        client_id: str | None = None,
    ) -> None:
        state.seq += 1
        id_ = turn.new_id(f"message/{state.seq}")
        message = Message(seq=state.seq, id=id_, role=role, text=text, suggestions=suggestions, at=turn.event.at)
        body = message.to_json().decode()
        turn.write("messages.insert", turn.event.key, message.seq, message.id, message.at, body)
        self.show(turn, state, MessageReady, message=message, client_id=client_id)

    def show(self, turn: Turn, state: EchoState, event: type[Event], **fields: Any) -> None:
        if not self.silent:
            turn.emit(CHANNEL_WEB, event, partition=state.slot, **fields)


class Faulty:
    """
    A bus whose ``publish`` fails while it is *down*, as it does when the database is away for long; or with another
    *failure*.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.down = False
        self.failure: Exception = BusUnavailable("the test says so")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if self.down:
            raise self.failure
        await self._bus.publish(outgoing)


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
    bus: Faulty
    reads: Reads
    echo: Echo
    metrics: Metrics
    port: int
    http: httpx.AsyncClient
    stop_serving: Callable[[], Awaitable[None]]
    new_app: Callable[[], Edge]

    async def publish(self, package: BotPackage) -> None:
        """Put a bot in force, and wait until the edge knows it."""
        await self.reads.publish_bot(package, datetime.now(UTC))
        await self.app.directory.refresh()

    def figure(self, name: str) -> float:
        """A figure of ``/metrics``."""
        return self.metrics.registry.get_sample_value(name) or 0

    @asynccontextmanager
    async def client(self, bot: str = "shop", query: str = "", **options: Any) -> AsyncIterator[Client]:
        async with connect(f"ws://127.0.0.1:{self.port}/ws/{bot}{query}", compression=None, **options) as connection:
            yield Client(connection)


@dataclass
class Serving:
    """A server at work."""

    port: int
    server: uvicorn.Server
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """As SIGTERM does it."""
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def serve(app: Any, *, port: int = 0) -> AsyncIterator[Serving]:
    """*app* under uvicorn, set up as the product does it."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        ws=CorkedWebSocket,
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
        running = Serving(server.servers[0].sockets[0].getsockname()[1], server, serving)
        try:
            yield running
        finally:
            await running.stop()


SHOP = BotPackage(name="shop", config={"title": "The shop", "description": "Sells things"})
DESK = BotPackage(name="desk", theme=".bubble { color: teal }")


@asynccontextmanager
async def world(
    url: str, settings: EdgeSettings | None = None, bots: Sequence[BotPackage] = (SHOP, DESK), **options: Any
) -> AsyncIterator[World]:
    """An edge, a log and a worker with an echo, over the migrated database at *url*."""
    echo = Echo()
    async with open_postgres_bus(url, clock=SystemClock()) as real, open_reads(url) as reads:
        bus = Faulty(real)
        metrics = Metrics()
        settings = settings or EdgeSettings()

        def new_app(figures: Metrics | None = None) -> Edge:
            return create_app(bus, reads, settings, token_keys=[KEY], metrics=figures, **options)

        app = new_app(metrics)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(run_worker(real, [echo]))
            async with serve(app) as serving, httpx.AsyncClient(base_url=f"http://127.0.0.1:{serving.port}") as http:
                here = World(app, bus, reads, echo, metrics, serving.port, http, serving.stop, new_app)
                for bot in bots:
                    await here.publish(bot)
                yield here
            working.cancel()
