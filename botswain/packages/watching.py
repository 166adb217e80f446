"""Hot reload: a change in the folder of bots is checked, and published if it is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVarTuple

import structlog
from watchfiles import Change, DefaultFilter, awatch

from botswain.packages.publishing import Workshop
from botswain.packages.reading import SUFFIX, find_packages, name_of
from bus.errors import BusUnavailable

__all__ = ["keep_published"]

log = structlog.get_logger(__name__)

DEBOUNCE_MS: Final = 300  # editors write a file in several steps
QUIET_MS: Final = 1_000  # after it, we look for what no notification told of
# A look at all files takes at most a fiftieth of the time, however many bots there are.
SHARE: Final = 50
LONGEST_REST_S: Final = 10.0
RETRY_S: Final = 1.0
Given = TypeVarTuple("Given")
# A package that is gone may be on its way back: a checkout of another branch deletes before it writes.
GONE_FOR_S: Final = 2.0


async def keep_published(workshop: Workshop) -> None:
    """
    Watch the folder until cancelled. A package whose folder goes away while we watch is withdrawn, unless the whole
    folder of bots went away: then somebody moved it, and nothing is changed. Nor is it while the folder cannot be read.
    """
    seen = set(workshop.drafts)
    trouble = ""
    while True:
        try:
            if workshop.folder.is_dir():
                await _watch(workshop, seen, told=not trouble)
                seen = set()
        except FileNotFoundError:
            log.warning("bots_folder_gone", folder=str(workshop.folder))
            seen = set()
        except OSError as error:
            if str(error) != trouble:
                trouble = str(error)
                log.warning("bots_folder_not_watched", folder=str(workshop.folder), error=trouble)
        await asyncio.sleep(RETRY_S)


async def _watch(workshop: Workshop, seen: set[str], *, told: bool) -> None:
    """
    Until the folder is gone. A bot that was *seen* and has no package any more is withdrawn. Raises ``OSError`` when
    the folder cannot be read or watched.

    Whenever nothing happened for a while, all files are looked at: there are changes without a notification, such as
    those made just before the watch began, or on a file system that has none.
    """
    root, clock = workshop.folder, asyncio.get_running_loop().time
    rests_until = 0.0
    async for changes in _changes(root) if told else _nothing_told():
        if not changes and clock() < rests_until:
            continue
        if not root.is_dir():
            return
        for name in sorted({_package_of(root, Path(path)) for _, path in changes} - {""}):
            folder = root / name
            if folder.is_dir():
                await _until_done(workshop.publish, folder)
        if not changes:
            begin = clock()
            changed = await asyncio.to_thread(workshop.changed)
            rests_until = clock() + min(SHARE * (clock() - begin), LONGEST_REST_S)
            for folder in changed:
                await _until_done(workshop.publish, folder)
        present = {name_of(folder): folder for folder in find_packages(root)}
        missing = seen - present.keys()
        seen |= present.keys()
        if missing:
            await asyncio.sleep(GONE_FOR_S)
            if not root.is_dir():
                return
            present = {name_of(folder): folder for folder in find_packages(root)}
            for name in sorted(missing):
                if name not in present:
                    seen.discard(name)
                    await _until_done(workshop.withdraw, name)
                else:
                    await _until_done(workshop.publish, present[name])


async def _changes(root: Path) -> AsyncIterator[set[tuple[Change, str]]]:
    """What the system tells of, an empty set when it is quiet. Raises ``OSError`` when it will not tell."""
    try:
        async for changes in awatch(
            root,
            watch_filter=_Relevant(),
            debounce=DEBOUNCE_MS,
            step=50,
            rust_timeout=QUIET_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,  # a folder in it that is closed to us: its bot says so, the others go on
        ):
            yield changes
    except ExceptionGroup as errors:  # so the watcher's own errors come, in the midst of watching
        raise OSError(str(errors.exceptions[0])) from errors


async def _nothing_told() -> AsyncIterator[set[tuple[Change, str]]]:
    """Where the system does not tell (it has only so many watches to give): it is always quiet, and we look."""
    while True:
        await asyncio.sleep(QUIET_MS / 1000)
        yield set()


def _package_of(root: Path, path: Path) -> str:
    """The package folder that *path* is in, '' if it is in none."""
    try:
        first = path.relative_to(root.absolute()).parts[0]
    except (ValueError, IndexError):
        return ""
    return first if first.lower().endswith(SUFFIX) else ""


class _Relevant(DefaultFilter):
    """What editors leave beside a file is not looked at."""

    def __call__(self, change: Change, path: str) -> bool:
        return super().__call__(change, path) and not Path(path).name.startswith(".")


async def _until_done(action: Callable[[*Given], Awaitable[None]], *given: *Given) -> None:
    """Until the database takes it."""
    while True:
        try:
            await action(*given)
            return
        except BusUnavailable as error:
            log.warning("bot_not_published", error=str(error), again_in_s=RETRY_S)
            await asyncio.sleep(RETRY_S)
