"""Small actors for tests of the worker: they say what the real ones say, and do little."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel

from bus.actor import Turn
from bus.protocol import Outgoing
from schemas.conversation import Message, MessageReady, MessageReceived, Person
from schemas.envelope import Event
from schemas.failure import TurnFailed
from schemas.topics import CHANNEL_WEB, SESSION

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


class Counted(BaseModel):
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
