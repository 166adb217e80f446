"""
One whole conversation, held by the real actors in a process that may end anywhere, and a client that outlives it.

The edge is played: it publishes what the client says, shows it what comes to its slot, and after a restart resumes and
sends again what was not acknowledged, with the same ids. Time stands still, so that what is left is the same each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid5

from msgspec.json import decode

from actors.basic import BasicActor
from actors.schedule import ScheduleActor
from actors.session import SessionActor
from bus.codec import encode
from bus.protocol import Bus, Outgoing, Subscription, Undecodable
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.conversation import (
    ConversationAttached,
    ConversationOpened,
    ConversationResumed,
    Message,
    MessageReady,
    MessageReceived,
    Person,
)
from schemas.envelope import Event
from schemas.package import BotPackage, digest_of
from schemas.topics import CHANNEL_WEB, SESSION

__all__ = ["BOT", "EPOCH", "PACKAGE", "SAYS", "SESSION_ID", "VERSION", "Client", "StandingClock", "life", "normal"]

_NAMES = UUID("1c0ffee0-0000-4000-8000-000000000001")
SESSION_ID = str(uuid5(_NAMES, "session"))
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SAYS = ("one", "two", "three", "four")
ANSWERS_TO_EACH = 2

_BOT = Path(__file__).parent / "bots" / "ledger.gbai"
BOT = BotPackage(name="ledger", scripts={path.stem: path.read_text() for path in sorted(_BOT.glob("*.bas"))})
PACKAGE = BOT.to_bytes()
VERSION = digest_of(PACKAGE)

Transcript = Callable[[int], Awaitable[Sequence[Message]]]


class StandingClock:
    """A little later than all that is said, so that timers of scripts are due at once and patience does not run out."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=100)


@dataclass
class Client:
    """
    What the person's device knows, whatever becomes of the server.

    Args:
        noted: called with what it has just learned, so that it can be kept elsewhere.
    """

    opened: bool = False
    acknowledged: dict[str, int] = field(default_factory=dict)
    shown: list[Message] = field(default_factory=list)
    noted: Callable[[str], None] = lambda _line: None

    def open(self) -> None:
        self.opened = True
        self.noted("opened")

    def acknowledge(self, id_: str, seq: int) -> None:
        assert self.acknowledged.setdefault(id_, seq) == seq, f"{id_} has got another number"
        self.noted(f"acknowledged {seq} {id_}")

    def show(self, message: Message) -> None:
        """What it has is not shown again: the server must not even try to say something else under its number."""
        if message.seq <= len(self.shown):
            assert self.shown[message.seq - 1] == message
            return
        assert message.seq == len(self.shown) + 1
        self.shown.append(message)
        self.noted(f"shown {message.to_json().decode()}")

    def recall(self, lines: Sequence[str]) -> None:
        """Know again what was noted."""
        for line in lines:
            word, _, rest = line.partition(" ")
            match word:
                case "opened":
                    self.opened = True
                case "acknowledged":
                    seq, _, id_ = rest.partition(" ")
                    self.acknowledged[id_] = int(seq)
                case "shown":
                    self.shown.append(Message.from_json(rest))


async def life(bus: Bus, client: Client, transcript: Transcript) -> None:
    """A process from its start to the end of the conversation, where it stops in good order."""
    stop = Stop()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            run_worker(
                bus,
                [SessionActor(), BasicActor(), ScheduleActor()],
                stopping=stop,
                clock=StandingClock(),
                random=Random(0),
                options=Options(lanes=1, max_attempts=1000),
            )
        )
        async with bus.subscribe(CHANNEL_WEB, group="edge", start="end", most=1) as subscription:
            await _Edge(bus, subscription, client, transcript).converse()
        stop.request()


class _Edge:
    """What an edge does for the one conversation there is."""

    def __init__(self, bus: Bus, subscription: Subscription, client: Client, transcript: Transcript) -> None:
        self._bus = bus
        self._subscription = subscription
        self._client = client
        self._transcript = transcript
        self._slot = -1
        self._attached = False

    async def converse(self) -> None:
        client = self._client
        while self._slot < 0:
            await self._take()
        if client.opened:
            await self._publish(0, ConversationResumed, slot=self._slot)
        else:
            await self._publish(0, ConversationOpened, channel="web", person=Person(id=SESSION_ID), slot=self._slot)
            client.open()
        while not self._attached:
            await self._take()
        answers = 1
        for number, text in enumerate(SAYS, 1):
            while self._answers() < answers:
                await self._take()
            answers += ANSWERS_TO_EACH
            if text not in client.acknowledged:
                await self._publish(
                    number,
                    MessageReceived,
                    message_id=text,
                    channel="web",
                    person=Person(id=SESSION_ID),
                    text=text,
                    slot=self._slot,
                )
            while text not in client.acknowledged:
                await self._take()
        while self._answers() < answers:
            await self._take()

    def _answers(self) -> int:
        return sum(message.role == "bot" for message in self._client.shown)

    async def _publish(self, number: int, event: type[Event], **fields: Any) -> None:
        made = event(
            id=uuid5(_NAMES, f"{event.__name__} {number}"),
            at=EPOCH + timedelta(seconds=number),
            bot="ledger",
            bot_version=VERSION,
            key=SESSION_ID,
            **fields,
        )
        await self._bus.publish([Outgoing(SESSION, made)])

    async def _take(self) -> None:
        batch = await self._subscription.take(100)
        for claim in batch.acquired:
            self._slot = claim.partition
        for delivery in batch.deliveries:
            match delivery.event:
                case MessageReady(message=message, client_id=client_id, repeat=repeat):
                    await self._fill(message.seq if repeat else message.seq - 1)
                    if not repeat:
                        self._client.show(message)
                    if client_id is not None:
                        self._client.acknowledge(client_id, message.seq)
                case ConversationAttached(seq=seq):
                    self._attached = True
                    await self._fill(seq)

    async def _fill(self, upto: int) -> None:
        """What did not come to the slot is in the transcript."""
        if len(self._client.shown) < upto:
            for message in await self._transcript(len(self._client.shown)):
                self._client.show(message)


def normal(events: Sequence[Event | Undecodable]) -> list[dict[str, Any]]:
    """
    The events of a topic as they are in every world.

    Left out are what comes of a resume, and what was said again: the same event a second time, and the answer to that.
    Offsets move when something is said again, so they are not compared.
    """
    found: dict[UUID, dict[str, Any]] = {}
    for event in events:
        assert not isinstance(event, Undecodable)
        if isinstance(event, ConversationResumed | ConversationAttached):
            continue
        if isinstance(event, MessageReady) and event.repeat:
            continue
        fields = decode(encode(event).data)
        assert isinstance(fields, dict)
        # Whether an event travelled or was decided with its cause may depend on a crash; what it says does not.
        fields.pop("origin", None)
        fields.pop("decided", None)
        assert found.setdefault(event.id, fields) == fields, "one id, two events"
    return list(found.values())
