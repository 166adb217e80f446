"""What the HTTP API takes and gives."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from edge.frames import MAX_CLIENT_ID
from schemas.conversation import Message

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


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bot(_Shape):
    """A bot that can be talked to."""

    name: str
    version: str = Field(description="SHA-256 of the package in force")
    title: str
    description: str = ""


class BotList(_Shape):
    """Bots, in alphabetical order."""

    bots: list[Bot]
    next: str | None = Field(default=None, description="cursor of the next page; null on the last one")


class Version(_Shape):
    """A version of a bot."""

    id: str = Field(description="SHA-256 of the package")
    published_at: AwareDatetime


class VersionList(_Shape):
    """The newest versions of a bot, the newest first."""

    versions: list[Version]
    next: str | None = Field(default=None, description="always null: there is one page")


class NewConversation(_Input):
    """A conversation to open."""

    locale: str = Field(default="und", max_length=35, pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")
    name: str = Field(default="", max_length=200, description="what the person is called", pattern=r"^[^\x00]*$")
    wait_s: float = Field(default=0, ge=0, description="seconds to wait for the bot's first words")


class OpenConversation(_Shape):
    """A conversation that was opened. The token is the only key to it: keep it."""

    id: UUID
    token: str
    bot: str
    messages: list[Message]


class Conversation(_Shape):
    """A conversation."""

    id: UUID
    bot: str
    seq: int = Field(description="number of its newest message; 0 when there is none")


class ConversationRow(_Shape):
    """A conversation, as an operator sees it."""

    id: UUID
    bot: str
    channel: str
    opened_at: AwareDatetime
    seq: int = Field(description="number of its newest message; 0 when there is none")


class ConversationList(_Shape):
    """Conversations, the newest first."""

    conversations: list[ConversationRow]
    next: str | None = Field(default=None, description="cursor of the next page; null on the last one")


class MessageList(_Shape):
    """A part of a transcript, in order."""

    messages: list[Message]
    next: int | None = Field(default=None, description="`after` of the next page; null on the last one")


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


class Answer(_Shape):
    """What came of a message."""

    id: str
    seq: int | None = Field(description="number of the message; null if that was not known in time")
    messages: list[Message] = Field(description="what the bot answered in time")
    complete: bool = Field(description="the bot answered and then fell silent; if false, more may follow")


class DeadLetterRow(_Shape):
    """An event that was set aside."""

    id: UUID
    at: AwareDatetime
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
    data: str = Field(description="the record, with what is no UTF-8 replaced")


class DeadLetterList(_Shape):
    """Dead letters that wait, the oldest first."""

    dead_letters: list[DeadLetterRow]
    next: str | None = Field(default=None, description="cursor of the next page; null on the last one")


class Issue(_Shape):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a query parameter")
    detail: str


class ProblemDetails(_Shape):
    """RFC 9457."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Issue] | None = None
    retry_after_s: int | None = None
