"""What people and bots say to each other: between the edges and the session actor."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.envelope import Event, Value

__all__ = [
    "Attachment",
    "ConversationAttached",
    "ConversationClosed",
    "ConversationOpened",
    "ConversationResumed",
    "Message",
    "MessageDelta",
    "MessageReady",
    "MessageReceived",
    "Person",
    "PersonTyping",
    "Source",
    "Suggestion",
    "TypingShown",
]


class Person(Value):
    """Whom a conversation is with, as far as the channel tells."""

    id: str = Field(description="stable within (bot, channel); for an anonymous web visitor the session id")
    name: str = ""
    email: str = ""
    phone: str = ""
    locale: str = Field(default="und", description="BCP 47 language tag; 'und' when the channel does not say")


class Attachment(Value):
    """A file that came with a message or goes out with one."""

    name: str
    url: str
    mime_type: str = "application/octet-stream"
    size: int = Field(default=0, ge=0, description="bytes; 0 when unknown")


class Suggestion(Value):
    """A quick reply: *text* is shown, *value* is sent when it is picked."""

    text: str
    value: str


class Source(Value):
    """Where an answer was found."""

    title: str
    url: str = ""
    excerpt: str = ""


class Message(Value):
    """One entry of a transcript, as a client sees it: the ``message`` frame of the web protocol."""

    seq: int = Field(ge=1, description="place in the conversation: 1, 2, 3 … without gaps")
    id: UUID
    role: Literal["user", "bot", "human"]
    text: str
    suggestions: tuple[Suggestion, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    sources: tuple[Source, ...] = ()
    at: AwareDatetime


# --- to the session actor -------------------------------------------------------------------------------------------


class ConversationOpened(Event):
    """A person opened a conversation, on a channel that tells; ``key`` is the new session's id."""

    type: Literal["conversation.opened.v1"] = "conversation.opened.v1"
    channel: str = Field(description="'web', 'whatsapp' …")
    person: Person
    slot: int | None = Field(default=None, description="partition of channel.web that the person's edge listens on")


class ConversationResumed(Event):
    """A client connected again: from now on its messages go to *slot*."""

    type: Literal["conversation.resumed.v1"] = "conversation.resumed.v1"
    slot: int


class MessageReceived(Event):
    """A person's message reached the edge. It opens the conversation too, if that has not been opened."""

    type: Literal["message.received.v1"] = "message.received.v1"
    message_id: str = Field(description="the client's or provider's id; the same id twice is one message")
    channel: str
    person: Person
    text: str
    attachments: tuple[Attachment, ...] = ()
    slot: int | None = None


class PersonTyping(Event):
    """The person is typing; matters to the ``debounce`` policy and to a human who listens."""

    type: Literal["person.typing.v1"] = "person.typing.v1"


class ConversationClosed(Event):
    """Somebody ended the conversation: what runs is cancelled, what comes later begins afresh."""

    type: Literal["conversation.closed.v1"] = "conversation.closed.v1"
    reason: str = Field(description="'client', 'idle', 'reset', 'operator' …")


# --- from the session actor to channel.* ----------------------------------------------------------------------------


class MessageReady(Event):
    """The next entry of the transcript, for the channel to show. For role ``user`` it is the acknowledgement."""

    type: Literal["message.ready.v1"] = "message.ready.v1"
    message: Message
    client_id: str | None = Field(default=None, description="message_id of the person's message, for role 'user'")
    repeat: bool = Field(default=False, description="a message that was sent twice is acknowledged again with its seq")


class ConversationAttached(Event):
    """The session knows the slot; everything up to *seq* is in the transcript, all later ones come to the slot."""

    type: Literal["conversation.attached.v1"] = "conversation.attached.v1"
    seq: int = Field(ge=0)


class TypingShown(Event):
    """The bot is busy with a turn and nothing is to be shown yet."""

    type: Literal["typing.shown.v1"] = "typing.shown.v1"


class MessageDelta(Event):
    """Words of an answer that is still being written; the message that follows replaces them."""

    type: Literal["message.delta.v1"] = "message.delta.v1"
    index: int = Field(ge=0)
    text: str
