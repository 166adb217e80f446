"""
``kill -9``, again and again, on the real processes, while people talk to them over real web sockets.

How often in all is ``BOTSWAIN_TEST_KILLS`` (100 without it); ``BOTSWAIN_TEST_SEED`` draws the same lots again, as far
as a machine does the same twice.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.crash.crowd import Crowd
from tests.support.botswain_process import BotswainProcess, data_directory, free_port, kill_postmaster

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("BOTSWAIN_TEST_KILLS", "100"))
BOTS = Path(__file__).parent / "bots"
PEOPLE = 6
READY_WITHIN_S = 60

# That somebody is killed while an event is in hand is chance here, however often: it is not the event's fault.
BY_CHANCE = {"BOTSWAIN_WORKER__MAX_ATTEMPTS": "1000000"}


@pytest.fixture
def random() -> Random:
    seed = os.environ.get("BOTSWAIN_TEST_SEED") or secrets.token_hex(4)
    print(f"BOTSWAIN_TEST_SEED={seed}")
    return Random(seed)


@pytest.fixture
def data() -> Iterator[Path]:
    with data_directory() as made:
        yield made


async def the_right_moment(crowd: Crowd, random: Random) -> None:
    """Mostly in the midst of talk, sometimes while a process still starts."""
    if random.random() < 0.3:
        await asyncio.sleep(random.uniform(0, 1))
    else:
        await crowd.sees(random.randint(1, 60))
        await asyncio.sleep(random.uniform(0, 0.02))


async def judge(crowd: Crowd, address: str, kills: int) -> None:
    verdict = await crowd.verdict(address)
    print(f"{kills} kills, {verdict.conversations} conversations, {verdict.messages} messages")
    assert not verdict.faults, "\n".join(verdict.faults[:20])
    assert verdict.messages >= kills / 2, "they hardly talked"


async def kill_up(data: Path, random: Random, kills: int, *, program: bool, database: bool) -> None:
    """Kill ``botswain up`` again and again: its program, its database, or both, one shortly after the other."""
    port = free_port()
    up = BotswainProcess(
        *("up", "--port", str(port), "--data", str(data), "--bots", str(BOTS)),
        log=data.parent / "log",
        port=port,
        settings=BY_CHANCE,
    )

    async def killing() -> None:
        for _ in range(kills):
            await the_right_moment(crowd, random)
            victims = [up.kill] * program + [lambda: kill_postmaster(data)] * database
            for victim in random.sample(victims, len(victims)):
                victim()
            if program:
                up.start()
        await up.ready()

    try:
        up.start()
        async with asyncio.timeout(READY_WITHIN_S):
            await up.ready()
        crowd = Crowd(PEOPLE, lambda: f"127.0.0.1:{port}", random)
        await crowd.during(killing())
        await judge(crowd, f"127.0.0.1:{port}", kills)
    except BaseException:
        print(up.tail())
        raise
    finally:
        up.kill()


async def test_the_program_is_killed_and_its_database_runs_on(data: Path, random: Random) -> None:
    await kill_up(data, random, KILLS * 4 // 10, program=True, database=False)


async def test_the_program_and_its_database_are_killed(data: Path, random: Random) -> None:
    await kill_up(data, random, KILLS * 2 // 10, program=True, database=True)


async def test_the_database_is_killed_under_the_program(data: Path, random: Random) -> None:
    await kill_up(data, random, KILLS // 10, program=False, database=True)


async def test_edges_and_workers_are_killed(postgres_url: str, tmp_path: Path, random: Random) -> None:
    """Two of each on one database: one is killed and comes back while the others go on."""
    kills = KILLS - KILLS * 7 // 10
    settings = {**BY_CHANCE, "BOTSWAIN_POSTGRES_URL": postgres_url}
    ports = [free_port(), free_port()]
    edges = [
        BotswainProcess("edge", "--port", str(port), log=tmp_path / f"edge {port}", port=port, settings=settings)
        for port in ports
    ]
    workers = [BotswainProcess("worker", log=tmp_path / f"worker {n}", settings=settings) for n in range(2)]
    publish = BotswainProcess("publish", str(BOTS / "ledger.gbai"), log=tmp_path / "publish", settings=settings)

    async def killing() -> None:
        for _ in range(kills):
            await the_right_moment(crowd, random)
            victim = random.choice(edges + workers)
            victim.kill()
            victim.start()
        for edge in edges:
            await edge.ready()

    try:
        publish.start()
        assert await publish.exit_code(READY_WITHIN_S) == 0, publish.tail()
        for process in edges + workers:
            process.start()
        async with asyncio.timeout(READY_WITHIN_S):
            await edges[0].ready()
        crowd = Crowd(PEOPLE, lambda: f"127.0.0.1:{random.choice(ports)}", random)
        await crowd.during(killing())
        await judge(crowd, f"127.0.0.1:{ports[0]}", kills)
    except BaseException:
        for process in edges + workers:
            print(process.log.name, process.tail(), sep="\n")
        raise
    finally:
        for process in edges + workers:
            process.kill()
