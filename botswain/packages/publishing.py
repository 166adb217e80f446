"""The bots in the database: published, withdrawn, and kept as their folders are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from botswain.installation import open_store
from botswain.packages.reading import Draft, Stamp, find_packages, name_of, stamp_of
from botswain.settings import Settings
from bus.clock import SystemClock
from bus.postgres.database import Database, mapped, open_database
from bus.postgres.migrate import check_schema
from bus.postgres.reads import Reads
from bus.protocol import Clock
from schemas.package import BotPackage

__all__ = ["Shelf", "Workshop", "open_shelf"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The bots that the database knows. Every method may raise ``BusUnavailable``."""

    database: Database
    clock: Clock

    async def publish(self, package: BotPackage) -> bool:
        """
        Put *package* in force; open conversations finish what they are in on their version. False if it already was.

        The package and the word that it is in force are one transaction.
        """
        return await Reads(self.database).publish_bot(package, self.clock.now()) is not None

    async def names(self) -> list[str]:
        """The bots on the list, in order."""
        return [row.name for row in await Reads(self.database).bots()]

    async def withdraw(self, name: str) -> bool:
        """Take the bot off the list; its versions stay for open conversations. False if it was not there."""
        async with self.database.connection() as connection:
            with mapped():
                return bool(await connection.fetchval("DELETE FROM bots WHERE name = $1 RETURNING true", name))


@asynccontextmanager
async def open_shelf(settings: Settings, note: str) -> AsyncIterator[Shelf]:
    """
    The bots of an installation, for a command.

    Raises: SchemaMismatch: the database must be migrated first, or is newer than the program.
    """
    async with (
        open_store(settings, note=note, share=True) as store,
        open_database(store.url, note, size=1) as database,
    ):
        async with database.connection() as connection:
            await check_schema(connection)
        yield Shelf(database, SystemClock())


@dataclass(slots=True)
class Workshop:
    """
    A folder of packages and what became of each: published if it is right, else its faults, for its author.

    Args:
        read: reads and compiles the package in a folder; a long one takes seconds.
        report: told of every draft that was looked at, and whether it is a new version in force.
    """

    folder: Path
    shelf: Shelf
    read: Callable[[Path], Awaitable[Draft]]
    report: Callable[[Draft, bool], None]
    drafts: dict[str, Draft] = field(default_factory=dict)
    _stamps: dict[Path, Stamp] = field(default_factory=dict)

    async def publish_changed(self) -> None:
        """Look at every package of the folder whose files are not as they were when it was last read."""
        for folder in await asyncio.to_thread(self.changed):
            await self.publish(folder)

    def changed(self) -> list[Path]:
        """Those packages. It blocks: every file is looked at."""
        return [folder for folder in find_packages(self.folder) if self._stamps.get(folder) != stamp_of(folder)]

    async def publish(self, folder: Path) -> None:
        """Look at one package: put it in force if it is right; if not, the version in force stays."""
        stamp = stamp_of(folder)  # before it is read: what changes meanwhile is a change
        draft = await self.read(folder)
        before = self.drafts.get(draft.name)
        self.drafts[draft.name] = draft
        fresh = False
        if draft.publishable:
            fresh = await self.shelf.publish(draft.package)
            if fresh:
                log.info("bot_published", bot=draft.name, version=draft.version[:12])
        else:
            log.debug("bot_not_published", bot=draft.name, faults=len(draft.faults))
        if before is None or before.faults != draft.faults or fresh:
            self.report(draft, fresh)
        self._stamps[folder] = stamp

    async def withdraw(self, name: str) -> None:
        """Its folder is gone: so is the bot, from the list."""
        self.drafts.pop(name, None)
        self._stamps = {folder: stamp for folder, stamp in self._stamps.items() if name_of(folder) != name}
        if await self.shelf.withdraw(name):
            log.info("bot_withdrawn", bot=name)

    def problems_of(self, bot: str) -> list[str]:
        """What is wrong with the newest edit of *bot*, for its author; nothing if it is in force."""
        draft = self.drafts.get(bot)
        return [] if draft is None else [fault.text for fault in draft.faults if not fault.warning]

    def unpublished(self) -> list[str]:
        """The bots whose newest edit has mistakes, in order."""
        return sorted(draft.name for draft in self.drafts.values() if not draft.publishable)

    def hint(self) -> str:
        """What to tell somebody who sees no bots; '' when there are some."""
        if not self.folder.is_dir():
            return f"There is no folder {self.folder.absolute()}. Make it, or name another one with --bots DIR."
        if broken := self.unpublished():
            return f"Not published, because of errors: {', '.join(broken)}. `botswain check` shows them."
        if not self.drafts:
            return f"The folder {self.folder.absolute()} is watched and has no package (a folder NAME.gbai) in it."
        return ""
