"""What a conversation is between two events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from schemas.conversation import Attachment, Person, Suggestion

__all__ = ["Held", "OpenRun", "Quick", "SessionState"]


class Held(Struct, kw_only=True, omit_defaults=True):
    """A message of the person that is in the transcript and not yet routed."""

    text: str
    attachments: tuple[Attachment, ...] = ()


class OpenRun(Struct, kw_only=True, omit_defaults=True):
    """
    The run in the foreground.

    It is the person's turn while *heard* is False and *asked* is True; the bot's turn is open otherwise. *asked* stays
    True while an answer is being worked on: if that fails, the question still stands.
    """

    id: UUID
    asked: bool = False
    heard: bool = False
    deadline_at: datetime | None = None
    secret: bool = False


class Quick(Struct, kw_only=True, omit_defaults=True):
    """A quick reply on offer."""

    suggestion: Suggestion
    context: str | None = None
    until_answered: bool = False


class SessionState(Struct, kw_only=True, omit_defaults=True):
    """
    One conversation.

    Args:
        seq: number of the newest transcript entry; 0 before the first.
        received: the newest message ids -> their seq, oldest first: a repeat is recognised by it.
        started: ``start`` has run, or there is none.
        held: messages that wait: for the open turn to end, or for the pause that ``debounce`` waits for.
        opener: the message that opened the conversation, answered if ``start`` ends without asking.
        timer_at: the one timer of the session, never later than the nearest deadline.
    """

    bot: str
    bot_version: str
    channel: str
    person: Person
    slot: int | None = None
    opened_at: datetime
    last_at: Annotated[datetime, Meta(description="when the person last did something")]
    seq: int = 0
    received: dict[str, int] = {}
    spoken: bool = False
    started: bool = False
    run: OpenRun | None = None
    held: list[Held] = []
    held_until: datetime | None = None
    opener: Held | None = None
    quick: list[Quick] = []
    contexts: dict[str, str] = {}
    active_contexts: list[str] = []
    system_prompt: str = ""
    timer_at: datetime | None = None

    @property
    def busy(self) -> bool:
        """The bot's turn is open."""
        return self.run is not None and (self.run.heard or not self.run.asked)
