"""
What edges and the command line read: transcripts, bots, dead letters, overviews; and the few things that they write
outside of turns. It needs no membership, and works beside any bus whose states are in PostgreSQL.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from bus.postgres.database import Database, mapped, open_database
from bus.postgres.migrate import check_schema
from bus.postgres.statements import sql
from bus.protocol import DeadLetter, Record
from schemas.conversation import Message
from schemas.package import BotPackage, digest_of

__all__ = [
    "BotRow",
    "BotVersion",
    "ConversationRow",
    "GroupRow",
    "Reads",
    "TopicRow",
    "open_reads",
]

_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class BotRow:
    """A bot and its version in force."""

    name: str
    version: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class BotVersion:
    """A version that is or was in force from *published_at* on."""

    version: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation; *newest_seq* is 0 and *last_at* None while its transcript is empty."""

    id: UUID
    bot: str
    channel: str
    person: str
    opened_at: datetime
    newest_seq: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A partition and its newest offset, 0 when it is empty."""

    topic: str
    partition: int
    head: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Where a group stands in a partition. *lag* counts unread events, no further than ``Reads.groups`` is told."""

    group: str
    topic: str
    partition: int
    position: int
    lag: int
    owned: bool


class Reads:
    """Made by ``open_reads`` or over a database that is open. Every method may raise ``BusUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- conversations ------------------------------------------------------------------------------------------------

    async def transcript(self, session: str | UUID, after: int, limit: int) -> list[Message]:
        """At most *limit* entries of a conversation with ``seq > after``, in order; none for an id that is no UUID."""
        id_ = _uuid(session)
        if id_ is None:
            return []
        rows = await self._fetch("transcript", id_, after, limit)
        return [Message.from_json(row["body"]) for row in rows]

    async def newest_seq(self, session: str | UUID) -> int:
        """The newest entry's number; 0 for a conversation without entries, or none."""
        id_ = _uuid(session)
        rows = [] if id_ is None else await self._fetch("transcript.newest", id_)
        return int(rows[0]["seq"]) if rows else 0

    async def conversations(
        self, bot: str | None = None, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
    ) -> list[ConversationRow]:
        """Newest first; *before* is (opened_at, id) of the last one of the page before."""
        rows = await self._fetch("conversations", bot, *(before or (_END_OF_TIME, _LAST_ID)), limit)
        return [
            ConversationRow(
                row["id"], row["bot"], row["channel"], row["person"], row["opened_at"], row["seq"] or 0, row["at"]
            )
            for row in rows
        ]

    # --- bots ---------------------------------------------------------------------------------------------------------

    async def bots(self, after: str = "", limit: int = 10_000) -> list[BotRow]:
        """Bots by name, those after *after*."""
        return [BotRow(**row) for row in await self._fetch("bots", after, limit)]

    async def bot(self, name: str) -> BotRow | None:
        """The bot *name*, None if there is none."""
        rows = await self._fetch("bot", name)
        return BotRow(**rows[0]) if rows else None

    async def versions(self, name: str, limit: int = 100) -> list[BotVersion]:
        """The versions of a bot, newest first."""
        return [BotVersion(**row) for row in await self._fetch("bot.versions", name, limit)]

    async def resource(self, digest: str) -> bytes | None:
        """An immutable thing by the hash of its content, None if there is none."""
        rows = await self._fetch("resource", digest)
        return rows[0]["data"] if rows else None

    async def keep_resource(self, data: bytes) -> str:
        """Keep *data*; returns its digest."""
        digest = digest_of(data)
        await self._fetch("resource.keep", digest, data)
        return digest

    async def publish_bot(self, package: BotPackage, at: datetime) -> str | None:
        """Put a version of a bot in force. Returns its digest, None if it already was in force."""
        data = package.to_bytes()
        digest = digest_of(data)
        rows = await self._fetch("bot.publish", package.name, digest, data, at)
        return digest if rows[0][0] else None

    # --- dead letters -------------------------------------------------------------------------------------------------

    async def letters(self, *, limit: int, after: UUID | None = None) -> list[DeadLetter]:
        """As ``bus.dead_letters.DeadLetters``."""
        return [_letter(row) for row in await self._fetch("dead_letters", after, limit)]

    async def letter(self, id_: UUID) -> DeadLetter | None:
        """As ``bus.dead_letters.DeadLetters``."""
        rows = await self._fetch("dead_letter", id_)
        return _letter(rows[0]) if rows else None

    async def settle(self, id_: UUID, fate: Literal["redriven", "discarded"]) -> bool:
        """As ``bus.dead_letters.DeadLetters``. The letter itself is kept."""
        return bool(await self._fetch("dead_letter.settle", id_, fate))

    # --- overviews ----------------------------------------------------------------------------------------------------

    async def topics(self) -> list[TopicRow]:
        """Every partition of the log in this database."""
        return [TopicRow(**row) for row in await self._fetch("topics.overview")]

    async def groups(self, *, most: int = 100_000) -> list[GroupRow]:
        """Every partition that a group reads, with its lag, counted to *most*."""
        rows = await self._fetch("groups.overview", most)
        return [
            GroupRow(row["grp"], row["topic"], row["partition"], row["position"], row["lag"], row["owner"] is not None)
            for row in rows
        ]

    # --- the rest -----------------------------------------------------------------------------------------------------

    async def secret(self, name: str, size: int = 32) -> bytes:
        """The random key called *name*; made when it is first asked for, the same for every process from then on."""
        await self._fetch("secret.keep", name, secrets.token_bytes(size))
        rows = await self._fetch("secret", name)
        return bytes(rows[0]["value"])

    async def ping(self) -> None:
        """Raises ``BusUnavailable`` unless the database answers."""
        async with self._database.connection() as connection:
            with mapped():
                await connection.execute("SELECT 1")

    async def _fetch(self, name: str, *values: Any) -> Sequence[asyncpg.Record]:
        async with self._database.connection() as connection:
            with mapped():
                return await connection.fetch(sql(name), *values)


@asynccontextmanager
async def open_reads(url: str, *, connections: int = 4) -> AsyncIterator[Reads]:
    """
    The read side of the database at *url*.

    Raises:
        SchemaMismatch: the database must be migrated first, or is newer than the program.
        BusUnavailable: it cannot be reached.
    """
    async with open_database(url, "botswain reads", size=connections) as database:
        async with database.connection() as connection:
            await check_schema(connection)
        yield Reads(database)


def _uuid(text: str | UUID) -> UUID | None:
    if isinstance(text, UUID):
        return text
    try:
        return UUID(text)
    except ValueError:
        return None


def _letter(row: asyncpg.Record) -> DeadLetter:
    id_, group, topic, partition, offset, key, type_, data, reason, traceback, at = row
    return DeadLetter(id_, group, topic, partition, offset, Record(key, type_, data), reason, traceback, at)
