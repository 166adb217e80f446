"""
The database hangs, is away, or has no room left, while people talk: nothing is acknowledged that is not durable, health
says what is wrong, and everything goes on by itself.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.crash.crowd import Crowd
from tests.support.botswain_process import (
    BotswainProcess,
    data_directory,
    free_port,
    kill_postmaster,
    postmaster_of,
)

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

BOTS = Path(__file__).parent / "bots"
PEOPLE = 4
AWAY_S = 60.0
FULL_S = 5.0


@pytest.fixture
def data() -> Iterator[Path]:
    with data_directory() as made:
        yield made


@asynccontextmanager
async def talking(data: Path) -> AsyncIterator[tuple[BotswainProcess, Crowd]]:
    """``botswain up`` on *data*, and people who do not talk yet."""
    port = free_port()
    up = BotswainProcess(
        *("up", "--port", str(port), "--data", str(data), "--bots", str(BOTS)), log=data.parent / "log", port=port
    )
    up.start()
    try:
        await up.ready()
        yield up, Crowd(PEOPLE, lambda: f"127.0.0.1:{port}", Random(port))
        assert up.ended is None, "it was to go on by itself"
    except BaseException:
        print(up.tail())
        raise
    finally:
        up.kill()


async def check(crowd: Crowd, up: BotswainProcess) -> None:
    verdict = await crowd.verdict(f"127.0.0.1:{up.port}")
    assert not verdict.faults, "\n".join(verdict.faults[:20])


async def silent(crowd: Crowd, seconds: float) -> None:
    """Nobody sees an acknowledgement or an answer for so long."""
    before = crowd.durable_frames
    await asyncio.sleep(seconds)  # that nothing happens can only be waited for
    assert crowd.durable_frames == before, "something was acknowledged that nobody can have kept"


async def test_a_database_that_hangs(data: Path) -> None:
    async with talking(data) as (up, crowd):

        async def hang() -> None:
            await crowd.sees(30)
            postmaster = psutil.Process(postmaster_of(data))
            server = [postmaster, *postmaster.children(recursive=True)]
            for process in server:
                process.send_signal(signal.SIGSTOP)
            try:
                reason = await up.until_health(503, within_s=20)
                assert "database" in reason
                await silent(crowd, AWAY_S)
            finally:
                for process in server:
                    process.send_signal(signal.SIGCONT)
            await up.until_health(200)
            await crowd.sees(30)

        await crowd.during(hang())
        await check(crowd, up)


async def test_a_database_that_is_away(data: Path) -> None:
    """Killed, and not able to start as long as its files are gone."""
    async with talking(data) as (up, crowd):

        async def vanish() -> None:
            await crowd.sees(30)
            place = data / "postgresql" / "data"
            assert kill_postmaster(data)
            hidden = place.rename(place.with_name("hidden"))
            try:
                reason = await up.until_health(503, within_s=20, mentions="PostgreSQL")
                assert "database" in reason
                await silent(crowd, AWAY_S)
            finally:
                hidden.rename(place)
            await up.until_health(200)
            await crowd.sees(30)

        await crowd.during(vanish())
        await check(crowd, up)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A disk of its own; only root can make one."""
    folder = Path(tempfile.mkdtemp(prefix="botswain-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        if made.returncode != 0:
            pytest.skip(f"a small disk to fill cannot be mounted here: {made.stderr.strip()}")
        try:
            yield folder
        finally:
            kill_postmaster(folder / "data", signal.SIGQUIT)
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        folder.rmdir()


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("wb", buffering=0) as ballast:
        block = bytes(1 << 16)
        while block:
            try:
                ballast.write(block)
            except OSError:
                block = block[: len(block) // 2]


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(200) as disk:
        async with talking(disk / "data") as (up, crowd):

            async def fill_up() -> None:
                await crowd.sees(30)
                ballast = disk / "ballast"
                fill(ballast)
                reason = await up.until_health(503, within_s=60)
                assert "database" in reason or "No space left on device" in reason
                # Here and there a page has room for something small: that is kept, and may be acknowledged.
                await asyncio.sleep(FULL_S)
                ballast.unlink()
                await up.until_health(200, within_s=60)
                await crowd.sees(30)

            await crowd.during(fill_up())
            await check(crowd, up)
