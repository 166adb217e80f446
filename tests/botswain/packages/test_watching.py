"""The folder of bots is watched: what changes in it is in force soon, whether or not a notification told of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from botswain.packages.checking import check_package
from botswain.packages.publishing import Shelf, Workshop
from botswain.packages.reading import Draft
from botswain.packages.watching import keep_published
from bus.clock import SystemClock
from bus.postgres.database import open_database
from bus.postgres.reads import Reads
from tests.support.permissions import held_to_permissions


class Place:
    """A workshop on a real database, and what it looked at."""

    def __init__(self, bots: Path, shelf: Shelf) -> None:
        self.bots = bots
        self.looked: list[str] = []
        self.workshop = Workshop(bots, shelf, self._read, lambda draft, fresh: None)
        self._reads = Reads(shelf.database)

    async def _read(self, folder: Path) -> Draft:
        self.looked.append(folder.name)
        return check_package(folder, 100_000)

    def write(self, bot: str, script: str) -> None:
        folder = self.bots / f"{bot}.gbai"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "start.bas").write_text(script, "utf-8")

    async def in_force(self) -> dict[str, str]:
        """The bots and the digests of their versions."""
        return {bot.name: bot.version for bot in await self._reads.bots()}

    async def until(self, bots: Callable[[dict[str, str]], bool]) -> None:
        async with asyncio.timeout(30):
            while not bots(await self.in_force()):
                await asyncio.sleep(0.02)


@pytest.fixture
async def place(postgres_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with open_database(postgres_url, "watching", size=2) as database:
        yield Place(tmp_path / "bots", Shelf(database, SystemClock()))


async def watched(place: Place, changes: Callable[[], Awaitable[None]]) -> None:
    """Make *changes* while the folder is watched."""
    watching = asyncio.create_task(keep_published(place.workshop))
    try:
        await changes()
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_what_changed_just_before_the_watch_began_is_found(place: Place) -> None:
    place.write("shop", 'TALK "one"\n')
    await place.workshop.publish_changed()
    before = await place.in_force()
    place.write("shop", 'TALK "two"\n')
    place.write("fresh", 'TALK "new"\n')

    async def changes() -> None:
        await place.until(lambda bots: "fresh" in bots and bots["shop"] != before["shop"])

    await watched(place, changes)


async def test_a_folder_that_comes_later_is_watched_from_its_first_file_on(place: Place) -> None:
    async def changes() -> None:
        assert await place.in_force() == {}  # the watcher has seen that there is none
        place.write("shop", 'TALK "one"\n')
        await place.until(lambda bots: "shop" in bots)
        before = await place.in_force()
        place.write("shop", 'TALK "two"\n')
        await place.until(lambda bots: bots != before)

    await watched(place, changes)


async def test_what_did_not_change_is_not_read_again(place: Place) -> None:
    place.write("shop", 'TALK "one"\n')
    place.write("other", 'TALK "one"\n')
    await place.workshop.publish_changed()
    await place.workshop.publish_changed()
    assert place.looked == ["other.gbai", "shop.gbai"]
    place.write("shop", 'TALK "two!"\n')
    await place.workshop.publish_changed()
    assert place.looked[2:] == ["shop.gbai"]


async def test_an_edit_is_seen_whatever_time_its_file_is_given(place: Place) -> None:
    """An archive that is unpacked, or a copy, has files of an older time."""
    place.write("shop", 'TALK "one"\n')
    await place.workshop.publish_changed()
    before = await place.in_force()
    file = place.bots / "shop.gbai" / "start.bas"
    status = file.stat()
    place.write("shop", 'TALK "two"\n')
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    await place.workshop.publish_changed()
    assert await place.in_force() != before


async def test_what_cannot_be_read_ends_nothing(place: Place) -> None:
    place.write("shop", 'TALK "one"\n')
    place.write("closed", 'TALK "one"\n')
    (place.bots / "shop.gbai" / "shop.gbkb").mkdir(mode=0)
    (place.bots / "closed.gbai").chmod(0)

    async def changes() -> None:
        await place.until(lambda bots: set(bots) == {"shop"})
        before = await place.in_force()
        place.write("shop", 'TALK "two"\n')
        await place.until(lambda bots: bots["shop"] != before["shop"])
        (place.bots / "closed.gbai").chmod(0o755)
        await place.until(lambda bots: set(bots) == {"shop", "closed"})
        (place.bots / "closed.gbai" / "closed.gbkb").mkdir(mode=0)  # under the eyes of the watch
        place.write("closed", 'TALK "two"\n')
        closed = (await place.in_force())["closed"]
        await place.until(lambda bots: bots["closed"] != closed)
        with capture_logs() as logs:
            place.bots.chmod(0)
            async with asyncio.timeout(30):
                while not logs:
                    await asyncio.sleep(0.02)
        assert [entry["event"] for entry in logs] == ["bots_folder_not_watched"]
        assert set(await place.in_force()) == {"shop", "closed"}
        place.bots.chmod(0o755)
        place.write("late", 'TALK "one"\n')
        await place.until(lambda bots: set(bots) == {"shop", "closed", "late"})

    database = place.workshop.shelf.database
    async with database.connection(), database.connection():
        pass  # the way to the server may be one of those that are closed to us from here on
    with held_to_permissions():
        await watched(place, changes)


async def test_a_bot_that_is_gone_and_comes_back_as_it_was_is_in_force_again(place: Place, tmp_path: Path) -> None:
    place.write("shop", 'TALK "one"\n')
    place.write("other", 'TALK "one"\n')
    await place.workshop.publish_changed()

    async def changes() -> None:
        (place.bots / "shop.gbai").rename(tmp_path / "shop.gbai")
        await place.until(lambda bots: set(bots) == {"other"})
        (tmp_path / "shop.gbai").rename(place.bots / "shop.gbai")
        await place.until(lambda bots: set(bots) == {"other", "shop"})

    await watched(place, changes)
