"""What went wrong and was set aside."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from schemas.envelope import Event

__all__ = ["DeadLettered", "TurnFailed"]


class TurnFailed(Event, tag="turn.failed.v1"):
    """An event of this conversation was set aside as a dead letter; the conversation can go on without it."""

    actor: str
    failed: Annotated[UUID, Meta(description="id of the event that was set aside")]
    failed_type: Annotated[str, Meta(description="its type")] = ""
    dead_letter: Annotated[UUID, Meta(description="id for `botswain dead show`")]
    error: Annotated[str, Meta(description="class of the error; the details stay with the dead letter")]


class DeadLettered(Event, tag="dead.lettered.v1"):
    """A record was set aside: it could not be decoded, or its actor failed on it. On topic ``dead``."""

    dead_letter: UUID
    topic: str
    partition: int
    offset: int
    reason: str
