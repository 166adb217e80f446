"""What every event carries, whatever it says."""

from __future__ import annotations

from typing import ClassVar, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["Event", "Origin", "Value"]


class Value(BaseModel):
    """A frozen part of an event. Unknown fields are ignored, since old code meets newer events in a rollout."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Origin(NamedTuple):
    """
    Where a decider-made event comes from: the delivery it was decided with, and its place among what was decided.

    For one (actor, partition) the pair (offset, index) only grows, so a receiver that keeps the last one it has seen
    knows a repeat without a table of ids.
    """

    actor: str
    partition: int
    offset: int
    index: int  # type: ignore[assignment]  # hides tuple.index(), which nobody needs here

    def __str__(self) -> str:
        return f"{self.actor}/{self.partition}/{self.offset}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read what ``str()`` wrote. Raises ``ValueError`` for anything else."""
        actor, partition, offset, index = text.split("/")
        return cls(actor, int(partition), int(offset), int(index))


class Event(BaseModel):
    """
    A frozen, versioned record of something said, asked or done: the only thing that crosses between actors.

    A subclass names its kind and version in ``type`` (``message.received.v1``) and adds fields. A new optional field
    keeps the version; any other change is a new class with a function in ``schemas.upcast`` that lifts the old one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    ENVELOPE: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "type",
            "at",
            "tenant",
            "bot",
            "bot_version",
            "key",
            "cause",
            "turn",
            "reply_to",
            "trace",
            "origin",
            "decided",
        }
    )

    type: str
    id: UUID = Field(description="UUIDv7 from an edge or a performer; UUIDv5 of what it was decided on from a decider")
    at: AwareDatetime = Field(description="UTC; what a decider emits carries the time of what it decided on")
    tenant: str = "default"
    bot: str
    bot_version: str = Field(description="content hash of the bot package in force when the turn began; '' if none")
    key: str = Field(description="ordering key, mostly the session id")
    cause: UUID | None = Field(default=None, description="the event that led to this one")
    turn: UUID | None = Field(default=None, description="the inbound event that opened the turn")
    reply_to: str | None = Field(default=None, description="the inbox that wants the answer")
    trace: str | None = Field(default=None, description="W3C traceparent")
    origin: Origin | None = Field(default=None, description="set on what a decider emits")
    decided: bool = Field(
        default=False,
        description="its inbox's actor has decided it already, in the transaction of its cause and right after it",
    )

    def mark_decided(self) -> None:
        """Set ``decided``, before anybody else has seen the event."""
        object.__setattr__(self, "decided", True)
