"""What people and bots say to each other: between the edges and the session actor."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta
from msgspec.json import Decoder

from schemas.envelope import Event, Moment, Value, to_json

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

    id: Annotated[str, Meta(description="stable within (bot, channel); for an anonymous web visitor the session id")]
    name: str = ""
    email: str = ""
    phone: str = ""
    locale: Annotated[str, Meta(description="BCP 47 language tag; 'und' when the channel does not say")] = "und"


class Attachment(Value):
    """A file that came with a message or goes out with one."""

    name: str
    url: str
    mime_type: str = "application/octet-stream"
    size: Annotated[int, Meta(ge=0, description="bytes; 0 when unknown")] = 0


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

    seq: Annotated[int, Meta(ge=1, description="place in the conversation: 1, 2, 3 … without gaps")]
    id: UUID
    role: Literal["user", "bot", "human"]
    text: str
    suggestions: tuple[Suggestion, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    sources: tuple[Source, ...] = ()
    at: Moment

    def to_json(self) -> bytes:
        """The entry as it is stored and shown. Raises ``UnicodeEncodeError`` for half of a surrogate pair."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Message:
        """Raises ``ValueError`` for what is no entry."""
        return _MESSAGES.decode(data)


_MESSAGES: Final = Decoder(Message)


# --- to the session actor -------------------------------------------------------------------------------------------


class ConversationOpened(Event, tag="conversation.opened.v1"):
    """A person opened a conversation, on a channel that tells; ``key`` is the new session's id."""

    channel: Annotated[str, Meta(description="'web', 'whatsapp' …")]
    person: Person
    slot: Annotated[int | None, Meta(description="partition of channel.web that the person's edge listens on")] = None


class ConversationResumed(Event, tag="conversation.resumed.v1"):
    """A client connected again: from now on its messages go to *slot*."""

    slot: int


class MessageReceived(Event, tag="message.received.v1"):
    """A person's message reached the edge. It opens the conversation too, if that has not been opened."""

    message_id: Annotated[str, Meta(description="the client's or provider's id; the same id twice is one message")]
    channel: str
    person: Person
    text: str
    attachments: tuple[Attachment, ...] = ()
    slot: int | None = None


class PersonTyping(Event, tag="person.typing.v1"):
    """The person is typing; matters to the ``debounce`` policy and to a human who listens."""


class ConversationClosed(Event, tag="conversation.closed.v1"):
    """Somebody ended the conversation: what runs is cancelled, what comes later begins afresh."""

    reason: Annotated[str, Meta(description="'client', 'idle', 'reset', 'operator' …")]


# --- from the session actor to channel.* ----------------------------------------------------------------------------


class MessageReady(Event, tag="message.ready.v1"):
    """The next entry of the transcript, for the channel to show. For role ``user`` it is the acknowledgement."""

    message: Message
    client_id: Annotated[str | None, Meta(description="message_id of the person's message, for role 'user'")] = None
    repeat: Annotated[bool, Meta(description="a message that was sent twice is acknowledged again with its seq")] = (
        False
    )


class ConversationAttached(Event, tag="conversation.attached.v1"):
    """The session knows the slot; everything up to *seq* is in the transcript, all later ones come to the slot."""

    seq: Annotated[int, Meta(ge=0)]


class TypingShown(Event, tag="typing.shown.v1"):
    """The bot is busy with a turn and nothing is to be shown yet."""


class MessageDelta(Event, tag="message.delta.v1"):
    """Words of an answer that is still being written; the message that follows replaces them."""

    index: Annotated[int, Meta(ge=0)]
    text: str
