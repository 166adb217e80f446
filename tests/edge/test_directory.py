"""The list of bots is kept up to date, also after the store was away or slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from bus.errors import BusUnavailable
from edge.directory import BotDirectory
from edge.reading import BotRow, Reader
from tests.simulation.virtual import virtual_time


class Slow:
    """A store that hangs for *hangs_s* before it says that it is away, so many times; after that it answers."""

    def __init__(self, hangs_s: float, times: int, answers_s: float = 0.0) -> None:
        self._hangs_s = hangs_s
        self._times = times
        self._answers_s = answers_s
        self.looks: list[float] = []

    async def bots(self, after: str = "", limit: int = 1) -> Sequence[BotRow]:
        self.looks.append(asyncio.get_running_loop().time())
        if len(self.looks) <= self._times:
            await asyncio.sleep(self._hangs_s)  # virtual time
            raise BusUnavailable("away")
        await asyncio.sleep(self._answers_s)
        return []


async def watched(store: Slow, seconds: float) -> BotDirectory:
    directory = BotDirectory(cast("Reader", cast("Any", store)))
    task = asyncio.ensure_future(directory.run())
    await asyncio.sleep(seconds)  # virtual time
    task.cancel()
    await asyncio.wait([task])
    return directory


@virtual_time
async def test_a_store_that_hung_is_looked_at_again_at_once() -> None:
    store = Slow(hangs_s=35, times=1)
    directory = await watched(store, 38)
    assert not await directory.check()
    assert store.looks[1] <= 37


@virtual_time
async def test_a_slow_store_is_not_asked_all_the_time_and_never_forgotten() -> None:
    store = Slow(hangs_s=0, times=0, answers_s=0.1)
    await watched(store, 30)
    assert 5 <= len(store.looks) <= 7
    store = Slow(hangs_s=0, times=0, answers_s=20)
    await watched(store, 70)
    assert len(store.looks) == 3


async def test_more_bots_than_a_page_has() -> None:
    names = [f"bot{number:04}" for number in range(2_001)]

    class Many:
        async def bots(self, after: str, limit: int) -> Sequence[BotRow]:
            there = [name for name in names if name > after][:limit]
            return [cast("BotRow", SimpleNamespace(name=name, version="v")) for name in there]

    directory = BotDirectory(cast("Reader", cast("Any", Many())))
    await directory.refresh()
    assert directory.names() == names


@virtual_time
async def test_a_nudge_is_heard_at_once() -> None:
    store = Slow(hangs_s=0, times=0)
    directory = BotDirectory(cast("Reader", cast("Any", store)), poll_s=10)
    task = asyncio.ensure_future(directory.run())
    await asyncio.sleep(1)  # virtual time
    directory.nudge()
    await asyncio.sleep(1)  # virtual time
    task.cancel()
    await asyncio.wait([task])
    assert store.looks == [0, 1]
