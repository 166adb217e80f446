"""What the edge reads: transcripts, bots, dead letters. Whoever composes an edge hands in something that can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from schemas.conversation import Message

__all__ = ["BotRow", "Reader"]


class BotRow(Protocol):
    """A bot and its version in force."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


class Reader(Protocol):
    """The read side of the store. Every method may raise ``bus.errors.BusUnavailable``."""

    async def transcript(self, session: str, after: int, limit: int) -> Sequence[Message]:
        """At most *limit* entries of the conversation with ``seq > after``, in order."""
        ...

    async def newest_seq(self, session: str) -> int:
        """The newest entry's number; 0 for a conversation without entries, or none."""
        ...

    async def bots(self) -> Sequence[BotRow]:
        """All bots."""
        ...

    async def resource(self, digest: str) -> bytes | None:
        """The package of a bot version, None if there is none."""
        ...
