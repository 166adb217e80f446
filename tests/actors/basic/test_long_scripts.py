"""A long script takes seconds to compile: it is compiled apart, and only who needs it waits."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.basic import BasicActor, Limits
from actors.basic.apart import NotDone, apart, compile_apart
from actors.basic.compiler import Program, compile_tree, program_hash
from actors.basic.parser import parse
from actors.basic.programs import Bot, Bots
from actors.schedule import ScheduleActor
from actors.session import SessionActor
from bus.actor import Decider
from bus.errors import NotReady
from schemas.conversation import ConversationOpened, Person
from schemas.package import BotPackage, digest_of
from tests.simulation.faults import NO_FAULTS, Faults
from tests.simulation.virtual import virtual_time
from tests.simulation.world import World, check, simulate

TALK = 'TALK "What is your name?"\nHEAR name\nCALL greeting(name)\nSUB greeting(who)\nTALK "Hello " + who\nEND SUB\n'
LONG = TALK + "REM " + "-" * 8_000 + "\n"
COMPILES_S = 4.0


def compiled(source: str, name: str) -> Program:
    return compile_tree(parse(source, name), program_hash(source))


class Slow:
    """Compiles in virtual time."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, source: str, name: str) -> Program | None:
        self.asked.append(name)
        await asyncio.sleep(COMPILES_S)
        return compiled(source, name)


async def test_a_program_that_was_made_apart_is_the_same() -> None:
    apart, here = await compile_apart(LONG, "start"), compiled(LONG, "start")
    assert apart is not None
    assert apart.factory.__code__ == here.factory.__code__
    for field in set(Program.__slots__) - {"factory", "__weakref__"}:
        assert getattr(apart, field) == getattr(here, field)


async def test_the_process_does_not_take_for_ours_what_lies_in_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "actors").mkdir()
    (tmp_path / "actors" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert await compile_apart(LONG, "start") is not None


async def test_a_script_of_the_greatest_size_is_compiled_by_nobody_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long others wait meanwhile is measured elsewhere; that nothing is compiled here is what it comes from."""
    monkeypatch.setattr("actors.basic.apart.parse", _never)
    monkeypatch.setattr("actors.basic.apart.compile_tree", _never)
    lines = "".join(
        f'x{n % 50} = {n} + LEN("abc{n}")\nIF x{n % 50} > 10 THEN TALK "it is " + x{n % 50}\n' for n in range(4_000)
    )
    assert await compile_apart(lines[:249_000].rpartition("\n")[0], "start") is not None


def _never(*_: object) -> None:
    raise AssertionError("it is compiled in this process")


async def test_who_does_not_wait_any_more_leaves_no_process_behind() -> None:
    def children() -> list[psutil.Process]:
        return [each for each in psutil.Process().children() if "actors.basic.apart" in " ".join(each.cmdline())]

    compiling = asyncio.ensure_future(compile_apart("x = 1\n" * 20_000, "start"))
    async with asyncio.timeout(20):
        while not children():
            await asyncio.sleep(0.01)
    compiling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await compiling
    assert not children()


@virtual_time
async def test_a_long_script_is_compiled_once_however_many_need_it() -> None:
    slow = Slow()
    bots = Bots(Limits(), apart=slow)
    first, second = (bots.put(name, BotPackage(name=name, scripts={"start": LONG})) for name in ("one", "two"))
    waits = []
    for bot in (first, first, second):
        with pytest.raises(NotReady) as missing:
            bot.program("start")
        waits.append(missing.value.make())
    await asyncio.gather(*waits)
    assert slow.asked == ["start"]
    assert first.program("start") is second.program("start") is not None
    assert asyncio.get_running_loop().time() == COMPILES_S


@virtual_time
async def test_who_is_cancelled_while_a_script_is_compiled_takes_nobody_with_it() -> None:
    bot = Bots(Limits(), apart=Slow()).put("one", BotPackage(name="one", scripts={"start": LONG}))
    makes = []
    for _ in range(2):
        with pytest.raises(NotReady) as missing:
            bot.program("start")
        makes.append(asyncio.ensure_future(missing.value.make()))
    await asyncio.sleep(1)  # virtual time
    makes[0].cancel()
    await makes[1]
    assert bot.program("start") is not None


async def test_what_cannot_be_compiled_apart_is_compiled_here() -> None:
    async def never(_source: str, _name: str) -> None:
        return None

    bot = Bots(Limits(), apart=never).put("one", BotPackage(name="one", scripts={"start": LONG}))
    with pytest.raises(NotReady) as missing:
        bot.program("start")
    await missing.value.make()
    assert bot.program("start") is not None


def test_a_short_script_is_not_worth_a_process() -> None:
    bot = Bots(Limits(), apart=Slow()).put("one", BotPackage(name="one", scripts={"start": TALK}))
    assert bot.program("start") is not None


async def test_a_process_that_cannot_be_started_is_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", os.devnull)
    assert await compile_apart(LONG, "start") is None


@pytest.fixture
def installed_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a process that begins now finds our code."""
    for package in ("actors", "bus", "schemas"):
        shutil.copytree(
            Path(__file__).parents[3] / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "actors" / "basic"


async def test_a_compiler_that_was_installed_since_we_began_is_not_asked(installed_since: Path) -> None:
    assert await compile_apart(LONG, "start") is not None
    with (installed_since / "runtime.py").open("a") as file:
        file.write("# helpers have other names now\n")
    assert await compile_apart(LONG, "start") is None


async def test_a_program_of_another_layout_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.basic.compiler.LAYOUT", 0)
    assert await compile_apart(LONG, "start") is None


async def test_a_result_that_cannot_be_read_is_not_done() -> None:
    assert await apart(eval, "6 * 7") == 42
    with pytest.raises(NotDone, match="ValueError"):
        await apart(eval, "type('Odd', (), {'__reduce__': lambda self: (int, ('x',))})()")


async def test_ctrl_c_is_not_for_the_process() -> None:
    assert await apart(os.getpgrp) != os.getpgrp()


async def test_the_process_ends_in_its_time_though_nobody_waits_for_it_any_more() -> None:
    left, _ = await apart(signal.getitimer, signal.ITIMER_REAL)
    assert 0 < left <= 60


# --- a cache of bots that is too small --------------------------------------------------------------------------------


async def has_it_made(bot: Bot) -> None:
    with pytest.raises(NotReady) as missing:
        bot.program("start")
    await missing.value.make()


@virtual_time
async def test_a_program_is_there_though_its_bot_was_forgotten_while_it_was_compiled() -> None:
    slow = Slow()
    bots = Bots(Limits(), max_bytes=1, apart=slow)
    package = BotPackage(name="one", scripts={"start": LONG})
    waiting = asyncio.ensure_future(has_it_made(bots.put("one", package)))
    await asyncio.sleep(1)  # virtual time
    bots.put("two", BotPackage(name="two"))
    await waiting
    del waiting
    gc.collect()
    assert bots.get("one") is None
    assert bots.put("one", package).program("start") is not None
    assert slow.asked == ["start"]


async def test_what_cannot_be_compiled_apart_is_not_tried_again_for_a_bot_that_was_forgotten() -> None:
    async def never(_source: str, _name: str) -> None:
        return None

    bots = Bots(Limits(), max_bytes=1, apart=never)
    package = BotPackage(name="one", scripts={"start": LONG})
    await has_it_made(bots.put("one", package))
    bots.put("two", BotPackage(name="two"))
    assert bots.get("one") is None
    assert bots.put("one", package).program("start") is not None


def test_a_bot_that_two_have_waited_for_is_one_bot_of_one_weight() -> None:
    package = BotPackage(name="one", scripts={"start": TALK})
    bot = Bots(Limits()).put("one", package)
    bots = Bots(Limits(), max_bytes=2 * bot.weight)
    first = bots.put("one", package)
    for _ in range(3):
        assert bots.put("one", package) is first
    bots.put("two", package)
    assert bots.get("one") is first


# --- conversations meanwhile ------------------------------------------------------------------------------------------

PACKAGES = {
    digest_of(data): data
    for data in (BotPackage(name=n, scripts={"start": s}).to_bytes() for n, s in (("long", LONG), ("short", TALK)))
}
LONG_VERSION, SHORT_VERSION = PACKAGES


async def _dialog(world: World, name: str, bot: str, version: str) -> timedelta:
    """How long its bot took to say something."""
    client = world.client(name, bot=bot, bot_version=version)
    began: datetime = world.clock.now()
    await client.publish(ConversationOpened, channel="web", person=Person(id=client.key), slot=0)
    await client.hears(1)
    took = world.clock.now() - began
    await client.say(name)
    await client.hears(2)
    return took


def expected(*names: str) -> dict[str, list[str]]:
    return {name: ["What is your name?", f"Hello {name}"] for name in names}


def test_who_talks_to_others_does_not_wait() -> None:
    took: dict[str, timedelta] = {}

    async def people(world: World) -> None:
        async def one(name: str, bot: str, version: str) -> None:
            took[name] = await _dialog(world, name, bot, version)

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(one(f"long {number}", "long", LONG_VERSION))
            await asyncio.sleep(COMPILES_S / 2)  # in the middle of it
            for number in range(20):  # on all partitions
                group.create_task(one(f"short {number}", "short", SHORT_VERSION))

    def actors() -> Sequence[Decider[Any]]:
        return [SessionActor(), BasicActor(apart=Slow()), ScheduleActor()]

    check(simulate(1, actors, people, NO_FAULTS, resources=PACKAGES, processes=1), expected(*took))
    assert len(took) == 23
    slow = timedelta(seconds=COMPILES_S)
    assert {name for name, time_ in took.items() if time_ >= slow} == {f"long {number}" for number in range(3)}
    assert max(time_ for name, time_ in took.items() if name.startswith("short")) < timedelta(seconds=0.5)


def test_the_worlds_that_fail_are_the_same_again_when_scripts_are_long() -> None:
    async def people(world: World) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(_dialog(world, f"long {number}", "long", LONG_VERSION))

    def actors() -> Sequence[Decider[Any]]:
        return [SessionActor(), BasicActor(apart=Slow()), ScheduleActor()]

    names = [f"long {number}" for number in range(3)]
    for seed in range(10):
        once, again = (simulate(seed, actors, people, Faults(), resources=PACKAGES, patience_s=600) for _ in range(2))
        check(once, expected(*names))
        assert once.log == again.log
