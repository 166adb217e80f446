"""Small actors for tests of the worker: they say what the real ones say, and do little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from bus import codec
from bus.actor import Turn
from bus.clock import LoopClock
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing
from bus.worker import run_worker
from schemas.conversation import Message, MessageReady, MessageReceived, Person
from schemas.dialog import AnswerGiven, Ended, RunAdvanced, Said
from schemas.envelope import Event
from schemas.failure import TurnFailed
from schemas.schedule import TimerFired, TimerRequested
from schemas.topics import BASIC, CHANNEL_WEB, SCHEDULE, SESSION

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_NAMES = UUID("00000000-0000-0000-0000-000000000001")


def said(key: str, text: str, number: int = 1, at: datetime = EPOCH, **fields: Any) -> MessageReceived:
    """What a person says: the *number*-th message of *key*."""
    name = f"{key}/{number}"
    return MessageReceived(
        id=uuid5(_NAMES, name),
        at=at,
        bot="test",
        bot_version="",
        key=key,
        message_id=name,
        channel="web",
        person=Person(id=key),
        text=text,
        **fields,
    )


def to_session(*events: Event) -> list[Outgoing]:
    return [Outgoing(SESSION, event) for event in events]


def decoded(disk: Disk, topic: str) -> list[Event]:
    """All events of *topic*, partition by partition."""
    found = [codec.decode(record) for partition in disk.log[topic] for record in partition]
    return [event for event in found if isinstance(event, Event)]


def shown(disk: Disk, key: str) -> list[str]:
    """What was said to the person of *key*, with its number."""
    events = decoded(disk, CHANNEL_WEB)
    return [f"{e.message.seq} {e.message.text}" for e in events if isinstance(e, MessageReady) and e.key == key]


def stored(disk: Disk, key: str, actor: str = SESSION) -> Any:
    """The state of *key* as JSON has it, None if there is none."""
    found = disk.states.get((actor, key))
    return msgspec.json.decode(found.value)["state"] if found else None


class Counted(Struct):
    """What a counter knows: how often it was told something, and what."""

    heard: list[str] = []
    failures: int = 0
    ids: list[str] = []


class Counter:
    """Answers each message with its number. It fails on 'fail', after it has spoiled its state."""

    name = topic = SESSION
    state = Counted

    def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
        state = state or Counted()
        match turn.event:
            case MessageReceived() as event:
                if event.message_id in state.ids:
                    return state
                state.ids.append(event.message_id)
                state.heard.append(event.text)
                self.answer(turn, len(state.heard), event.text)
                if event.text == "fail":
                    raise ValueError("asked to fail")
            case TurnFailed():
                state.failures += 1
            case _:
                pass
        return state

    def answer(self, turn: Turn, seq: int, text: str) -> None:
        turn.write("messages.add", turn.event.key, seq, text)
        turn.emit(
            CHANNEL_WEB,
            MessageReady,
            message=Message(seq=seq, id=turn.new_id("answer"), role="bot", text=text, at=turn.event.at),
        )


class Hosted(Struct):
    """A conversation: its next number, and which messages of the person are known."""

    seq: int = 0
    ids: list[str] = []


class Host:
    """
    A session in small: numbers what both sides say, has ``Echo`` answer, and answers 'later …' after half a minute.
    """

    name = topic = SESSION
    state = Hosted

    def decide(self, turn: Turn, state: Hosted | None) -> Hosted:
        state = state or Hosted()
        event = turn.event
        match event:
            case MessageReceived() if event.message_id not in state.ids:
                state.ids.append(event.message_id)
                self.show(turn, state, "user", event.text)
                if event.text.startswith("later "):
                    turn.emit(
                        SCHEDULE,
                        TimerRequested,
                        timer=event.text,
                        due_at=event.at + timedelta(seconds=30),
                        reply_to=SESSION,
                    )
                else:
                    turn.emit(BASIC, AnswerGiven, run=turn.new_id("run"), text=event.text, reply_to=SESSION)
            case RunAdvanced(acts=acts):
                for act in acts:
                    assert isinstance(act, Said)
                    self.show(turn, state, "bot", act.text)
            case TimerFired(timer=timer):
                self.show(turn, state, "bot", timer)
            case _:
                pass
        return state

    def show(self, turn: Turn, state: Hosted, role: Literal["user", "bot"], text: str) -> None:
        state.seq += 1
        turn.emit(
            CHANNEL_WEB,
            MessageReady,
            partition=0,
            message=Message(
                seq=state.seq, id=turn.new_id(f"{role}/{state.seq}"), role=role, text=text, at=turn.event.at
            ),
        )


class Echoed(Struct):
    """How many answers were given."""

    count: int = 0


class Echo:
    """Says everything twice, in two events, and counts."""

    name = topic = BASIC
    state = Echoed

    def decide(self, turn: Turn, state: Echoed | None) -> Echoed:
        state = state or Echoed()
        if isinstance(turn.event, AnswerGiven):
            for _ in range(2):
                state.count += 1
                turn.emit(
                    turn.event.reply_to or SESSION,
                    RunAdvanced,
                    run=turn.event.run,
                    script="echo",
                    acts=(Said(text=f"{state.count} {turn.event.text}"),),
                    outcome=Ended(),
                )
        return state


class Death(BaseException):
    """Nothing in the process goes on after this."""


class Killer(Counter):
    """Ends its process when it hears 'kill'."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
        if getattr(turn.event, "text", "") == "kill":
            self._bus.crash()
            raise Death
        return super().decide(turn, state)


async def deaths_until_it_lives(disk: Disk, most: int = 6) -> int:
    """How often a process dies before one is done with all there is."""
    for deaths in range(most):
        bus = MemoryBus(disk)
        try:
            await run_worker(bus, [Killer(bus)], until_idle=True, clock=LoopClock())
            return deaths
        except BaseExceptionGroup as group:
            if not group.subgroup(Death):
                raise
    return most
