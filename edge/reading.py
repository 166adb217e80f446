"""What the edge reads: transcripts, bots, dead letters. Whoever composes an edge hands in something that can."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bus.dead_letters import DeadLetters
from schemas.conversation import Message

__all__ = ["BotRow", "ConversationRow", "Reader", "VersionRow"]


class BotRow(Protocol):
    """A bot and its version in force."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


class VersionRow(Protocol):
    """A version of a bot and when it was put in force."""

    @property
    def version(self) -> str: ...
    @property
    def published_at(self) -> datetime: ...


class ConversationRow(Protocol):
    """A conversation that was opened."""

    @property
    def id(self) -> UUID: ...
    @property
    def bot(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def newest_seq(self) -> int: ...


class Reader(DeadLetters, Protocol):
    """The read side of the store. Every method may raise ``bus.errors.BusUnavailable``."""

    async def transcript(self, session: str, after: int, limit: int) -> Sequence[Message]:
        """At most *limit* entries of the conversation with ``seq > after``, in order."""
        ...

    async def newest_seq(self, session: str) -> int:
        """The newest entry's number; 0 for a conversation without entries, or none."""
        ...

    async def conversations(
        self, bot: str | None = None, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
    ) -> Sequence[ConversationRow]:
        """Newest first; *before* is (opened_at, id) of the last one of the page before."""
        ...

    async def bots(self, after: str = "", limit: int = 10_000) -> Sequence[BotRow]:
        """Bots by name, those after *after*."""
        ...

    async def bot(self, name: str) -> BotRow | None:
        """The bot *name*, None if there is none."""
        ...

    async def versions(self, name: str, limit: int = 100) -> Sequence[VersionRow]:
        """The versions of a bot, newest first."""
        ...

    async def resource(self, digest: str) -> bytes | None:
        """The package of a bot version, None if there is none."""
        ...
