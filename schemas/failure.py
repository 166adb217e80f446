"""What went wrong and was set aside."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from schemas.envelope import Event

__all__ = ["DeadLettered", "TurnFailed"]


class TurnFailed(Event):
    """An event of this conversation was set aside as a dead letter; the conversation can go on without it."""

    type: Literal["turn.failed.v1"] = "turn.failed.v1"
    actor: str
    failed: UUID = Field(description="id of the event that was set aside")
    dead_letter: UUID = Field(description="id for `botswain dead show`")
    error: str = Field(description="class of the error; the details stay with the dead letter")


class DeadLettered(Event):
    """A record was set aside: it could not be decoded, or its actor failed on it. On topic ``dead``."""

    type: Literal["dead.lettered.v1"] = "dead.lettered.v1"
    dead_letter: UUID
    topic: str
    partition: int
    offset: int
    reason: str
