"""
``history``: what was said in this conversation, as text.

What a run said in its last step may not be in the transcript yet. So it waits for the session to say that it is, and
up to which number the transcript goes; then it reads that far. The same question has the same answer whenever it is
asked again, however much is said meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from actors.basic import values
from actors.basic.functions.text import format_history
from actors.basic.host import Clauses, Handler, Host, Wait
from bus.protocol import Query, Rows
from schemas.conversation import Message

__all__ = ["HANDLERS", "transcript"]

MESSAGES: Final = 50
CHARS: Final = 20_000
MAX_READ: Final = 10 * CHARS
"""Characters of entries as they are stored, with their buttons and files; the newest entry is read however long."""


def history(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    """A ``Wait`` for the transcript; the value itself where the bot's configuration has one, or nobody talks."""
    configured, value = host.predefined("history")
    if configured:
        return value
    return Wait("history", {}, None) if host.run.trigger.session else ""


def transcript(host: Host, seq: int) -> Generator[Query, Rows, str]:
    """The newest entries up to number *seq*, oldest first: as many as fit."""
    rows = yield Query("messages.newest", (host.run.trigger.session, seq, MESSAGES, MAX_READ))
    room = CHARS
    told: list[object] = []
    for row in rows:
        values.worked(len(row["body"]) >> 3)
        message = Message.from_json(row["body"])
        text = message.text or ", ".join(file.name for file in message.attachments)
        if len(text) > room and told:
            break
        told.append({"role": message.role, "text": text[:room]})
        room -= len(text)
    return format_history(told[::-1])


HANDLERS: Final[dict[str, Handler]] = {"history": history}
