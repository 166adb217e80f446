"""The frames of the web chat protocol: JSON text to what a client wants, and events to JSON text. Pure functions."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from schemas.conversation import Message, MessageDelta
from schemas.envelope import Event

__all__ = [
    "MAX_CLIENT_ID",
    "ClientMessage",
    "ClientTyping",
    "Refusal",
    "ack",
    "check_message",
    "delta",
    "error",
    "message",
    "read",
    "typing",
    "welcome",
]

MAX_CLIENT_ID: Final = 128


class ClientMessage(Struct, frozen=True):
    """A person said something; the same *id* twice is one message."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ClientTyping:
    """A person is typing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A frame that gets an ``error`` frame and nothing else."""

    code: str
    message: str


TYPING: Final = ClientTyping()


def _bad(reason: str) -> Refusal:
    return Refusal("bad_message", reason)


def read(text: str, max_text_chars: int) -> ClientMessage | ClientTyping | Refusal:
    """What a client's frame says."""
    try:
        # Unlike the standard library's parser this one refuses lone surrogates.
        frame = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return _bad("The frame is not JSON.")
    if not isinstance(frame, dict):
        return _bad('The frame is not a JSON object with a "type".')
    kind = frame.get("type")
    if kind == "message":
        return check_message(frame.get("id"), frame.get("text"), max_text_chars)
    if kind == "typing":
        return TYPING
    return _bad('The frame\'s "type" is not one of "message" and "typing".')


def check_message(id_: Any, text: Any, max_text_chars: int) -> ClientMessage | Refusal:
    """A person's message, from fields that may be anything."""
    if not isinstance(id_, str) or not id_ or len(id_) > MAX_CLIENT_ID or "\0" in id_:
        return _bad(f'A message needs an "id": text of 1 to {MAX_CLIENT_ID} characters.')
    if not isinstance(text, str) or not text.strip():
        return _bad('A message needs a "text" that is not empty.')
    if len(text) > max_text_chars:
        return Refusal("too_large", f"A message has at most {max_text_chars} characters; this one has {len(text)}.")
    if "\0" in text:
        return _bad('A message\'s "text" must not contain the character U+0000.')
    return ClientMessage(id_, text)


def welcome(session: str, token: str, bot: str, seq: int) -> str:
    """The first frame of a socket."""
    return json.dumps({"type": "welcome", "session": session, "token": token, "bot": bot, "seq": seq})


def ack(client_id: str, seq: int) -> str:
    """The person's message is durable, and is number *seq* of the conversation."""
    return f'{{"type":"ack","id":{json.dumps(client_id)},"seq":{seq}}}'


def message(entry: Message) -> str:
    """An entry of the transcript. Its fields are the frame's."""
    return '{"type":"message",' + entry.to_json().decode()[1:]


def delta(event: MessageDelta) -> str:
    """Streamed words."""
    return json.dumps({"type": "delta", "turn": _turn(event), "index": event.index, "text": event.text})


def typing(event: Event) -> str:
    """The bot is busy."""
    return f'{{"type":"typing","turn":"{_turn(event)}"}}'


def error(code: str, text: str, retry_after_s: float | None = None) -> str:
    """Something was refused or is not possible now. Waits are told in whole seconds, rounded up."""
    fields: dict[str, object] = {"type": "error", "code": code, "message": text}
    if retry_after_s is not None:
        fields["retry_after_s"] = max(1, math.ceil(retry_after_s))
    return json.dumps(fields)


def _turn(event: Event) -> str:
    return str(event.turn or event.id)
