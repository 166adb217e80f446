"""What the HTTP API takes and gives."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field

from edge.frames import MAX_CLIENT_ID
from schemas.conversation import Message
from schemas.envelope import Moment, Value

__all__ = [
    "Answer",
    "Bot",
    "BotList",
    "Conversation",
    "ConversationList",
    "ConversationRow",
    "DeadLetterDetail",
    "DeadLetterList",
    "DeadLetterRow",
    "Issue",
    "MessageList",
    "NewConversation",
    "NewMessage",
    "OpenConversation",
    "ProblemDetails",
    "Version",
    "VersionList",
]


class _Input(BaseModel):
    """What clients send: it is checked field by field, and they are told of each that is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bot(Value):
    """A bot that can be talked to."""

    name: str
    version: Annotated[str, Meta(description="SHA-256 of the package in force")]
    title: str
    description: str = ""


class BotList(Value):
    """Bots, in alphabetical order."""

    bots: list[Bot]
    next: Annotated[str | None, Meta(description="cursor of the next page; null on the last one")] = None


class Version(Value):
    """A version of a bot."""

    id: Annotated[str, Meta(description="SHA-256 of the package")]
    published_at: Moment


class VersionList(Value):
    """The newest versions of a bot, the newest first."""

    versions: list[Version]
    next: Annotated[str | None, Meta(description="always null: there is one page")] = None


class NewConversation(_Input):
    """A conversation to open."""

    locale: str = Field(default="und", max_length=35, pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")
    name: str = Field(default="", max_length=200, description="what the person is called", pattern=r"^[^\x00]*$")
    wait_s: float = Field(default=0, ge=0, description="seconds to wait for the bot's first words")


class OpenConversation(Value):
    """A conversation that was opened. The token is the only key to it: keep it."""

    id: UUID
    token: str
    bot: str
    messages: list[Message]


class Conversation(Value):
    """A conversation."""

    id: UUID
    bot: str
    seq: Annotated[int, Meta(description="number of its newest message; 0 when there is none")]


class ConversationRow(Value):
    """A conversation, as an operator sees it."""

    id: UUID
    bot: str
    channel: str
    opened_at: Moment
    seq: Annotated[int, Meta(description="number of its newest message; 0 when there is none")]


class ConversationList(Value):
    """Conversations, the newest first."""

    conversations: list[ConversationRow]
    next: Annotated[str | None, Meta(description="cursor of the next page; null on the last one")] = None


class MessageList(Value):
    """A part of a transcript, in order."""

    messages: list[Message]
    next: Annotated[int | None, Meta(description="`after` of the next page; null on the last one")] = None


class NewMessage(_Input):
    """Something that the person says."""

    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CLIENT_ID,
        description="the client's id of the message: the same id twice is one message; without it the server makes one",
    )
    text: str
    wait_s: float = Field(default=10, ge=0, description="seconds to wait for answers, at most")


class Answer(Value):
    """What came of a message."""

    id: str
    seq: Annotated[int | None, Meta(description="number of the message; null if that was not known in time")]
    messages: Annotated[list[Message], Meta(description="what the bot answered in time")]
    complete: Annotated[bool, Meta(description="the bot answered and then fell silent; if false, more may follow")]


class DeadLetterRow(Value):
    """An event that was set aside."""

    id: UUID
    at: Moment
    actor: str
    topic: str
    partition: int
    offset: int
    type: str
    key: str
    reason: str


class DeadLetterDetail(DeadLetterRow):
    """An event that was set aside, whole."""

    traceback: str
    data: Annotated[str, Meta(description="the record, with what is no UTF-8 replaced")]


class DeadLetterList(Value):
    """Dead letters that wait, the oldest first."""

    dead_letters: list[DeadLetterRow]
    next: Annotated[str | None, Meta(description="cursor of the next page; null on the last one")] = None


class Issue(Value):
    """One thing that is wrong with a request."""

    pointer: Annotated[str, Meta(description="JSON pointer into the body, or the name of a query parameter")]
    detail: str


class ProblemDetails(Value):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Issue] | None = None
    retry_after_s: int | None = None
