"""Which bots there are, and which version of each is in force."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import structlog

from bus.errors import BusError, BusUnavailable
from edge.reading import Reader
from edge.theme import safe_css
from schemas.package import BotPackage

__all__ = ["BotDirectory", "BotFace"]

log = structlog.get_logger()

_KEPT_FACES: Final = 256
_NAME: Final = re.compile(r"[a-z0-9_-]{1,100}")
_PAGE: Final = 1_000
_SHARE: Final = 50  # looking takes at most a fiftieth of the time, however many bots there are
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class BotFace:
    """What a visitor sees of a bot before it says anything."""

    name: str
    version: str
    title: str
    about: str
    theme: str


class BotDirectory:
    """
    The bots by name, kept up to date by looking at the store every *poll_s* seconds.

    Names and versions of all bots are kept in memory (some hundred bytes each); titles and themes are read from the
    package when asked for, and the newest 256 are kept.
    """

    def __init__(self, reader: Reader, poll_s: float = 1.0) -> None:
        self._reader = reader
        self._poll_s = poll_s
        self._versions: dict[str, str] = {}
        self._faces: OrderedDict[str, BotFace] = OrderedDict()
        self._nudged = asyncio.Event()
        self.loaded = False
        self._trouble = "the list of bots has not been read yet"

    async def check(self) -> str:
        """For ``/health/ready``."""
        return self._trouble

    def version_of(self, bot: str) -> str:
        """The version in force; '' if there is no such bot."""
        return self._versions.get(bot, "")

    async def find(self, bot: str) -> str:
        """
        The version in force, '' if there is no such bot. One that was published a moment ago is found as well.

        Raises:
            BusUnavailable: the store cannot be reached, so it is not known which bots there are.
        """
        version = self._versions.get(bot, "")
        if not version and _NAME.fullmatch(bot):
            row = await self._reader.bot(bot)
            if row is not None:
                version = self._versions[bot] = row.version
        return version

    def names(self) -> list[str]:
        """All bots, in alphabetical order."""
        return sorted(self._versions)

    def nudge(self) -> None:
        """Look at once: something was published."""
        self._nudged.set()

    async def refresh(self) -> None:
        """Look now. Raises ``BusUnavailable``."""
        found: dict[str, str] = {}
        after = ""
        while True:
            page = await self._reader.bots(after, _PAGE)
            found.update((bot.name, bot.version) for bot in page)
            if len(page) < _PAGE:
                break
            after = page[-1].name
        for bot, version in found.items():
            if self.loaded and self._versions.get(bot) != version:
                log.info("bot_version_in_force", bot=bot, version=version)
        self._versions = found
        self.loaded = True
        self._trouble = ""

    async def face(self, bot: str) -> BotFace | None:
        """Title and theme of the version in force, None if there is no such bot. Raises ``BusUnavailable``."""
        version = await self.find(bot)
        if not version:
            return None
        face = self._faces.get(version)
        if face is None or face.name != bot:
            data = await self._reader.resource(version)
            try:
                package = BotPackage.from_bytes(data) if data is not None else BotPackage(name=bot)
            except ValueError:  # its conversations apologise; here it is just without a face
                package = BotPackage(name=bot)
            face = BotFace(
                name=bot,
                version=version,
                title=package.setting("title").strip()[:100] or _title_of(bot),
                about=package.setting("description").strip()[:300],
                theme=safe_css(package.theme),
            )
            self._faces[version] = face
            if len(self._faces) > _KEPT_FACES:
                self._faces.popitem(last=False)
        self._faces.move_to_end(version)
        return face

    async def run(self) -> None:
        """Keep up to date until cancelled. While the store is away, what is known stays."""
        clock = asyncio.get_running_loop().time
        while True:
            self._nudged.clear()
            begin, pause_s = clock(), self._poll_s
            try:
                await self.refresh()
                pause_s = min(max(pause_s, _SHARE * (clock() - begin)), _LONGEST_PAUSE_S)
            except BusUnavailable as failure:
                self._trouble = f"the list of bots cannot be read: {failure}"
            except BusError as failure:
                self._trouble = f"the list of bots cannot be read: {failure}"
                log.exception("bots_not_read")
            try:
                async with asyncio.timeout(pause_s):
                    await self._nudged.wait()
            except TimeoutError:
                continue


def _title_of(bot: str) -> str:
    """A name for people: ``pizza-order`` is 'Pizza order'."""
    words = re.sub(r"[-_]+", " ", bot).strip()
    return words[:1].upper() + words[1:]
