"""A decider that needs what takes long to make: others go on meanwhile, and whoever waited gets on."""

from __future__ import annotations

import asyncio
from typing import Any

from bus.actor import Decider, Turn
from bus.clock import LoopClock
from bus.errors import NotReady
from bus.memory import Disk, MemoryBus
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.dialog import AnswerGiven
from schemas.topics import BASIC, SESSION, partition_of
from tests.simulation.crew import (
    EPOCH,
    Counted,
    Counter,
    Echo,
    Echoed,
    Host,
    decoded,
    said,
    shown,
    to_session,
)
from tests.simulation.virtual import virtual_time

MAKES_S = 4.0


class Preparing(Echo):
    """Needs something for the answer 'slow'."""

    def __init__(self) -> None:
        self.ready = False

    def decide(self, turn: Turn, state: Echoed | None) -> Echoed:
        if isinstance(turn.event, AnswerGiven) and turn.event.text == "slow" and not self.ready:
            raise NotReady("not yet", self._make)
        return super().decide(turn, state)

    async def _make(self) -> None:
        await asyncio.sleep(MAKES_S)
        self.ready = True


class Forgetful(Counter):
    """Needs something for each text, and keeps what it needs for one."""

    def __init__(self) -> None:
        self._kept = ""
        self.made = 0

    def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
        text = getattr(turn.event, "text", "")
        if text != self._kept:

            async def make() -> None:
                self._kept = text
                self.made += 1
                assert self.made < 100, "for ever"

            raise NotReady("not yet", make)
        return super().decide(turn, state)


@virtual_time
async def test_others_have_the_desk_while_a_suspect_waits() -> None:
    disk, stop = Disk(), Stop()
    bus = MemoryBus(disk)
    partition = partition_of("b", disk.topics[BASIC].partitions)
    assert partition != partition_of("a", disk.topics[BASIC].partitions)
    await bus.publish(to_session(said("b", "slow")))
    await run_worker(bus, [Host()], until_idle=True, clock=LoopClock(EPOCH))
    disk.group(BASIC, BASIC).clean[partition] = False  # its owner has died
    async with asyncio.TaskGroup() as group:
        options = Options(lanes=1)
        actors: list[Decider[Any]] = [Host(), Preparing()]
        group.create_task(run_worker(bus, actors, stopping=stop, clock=LoopClock(EPOCH), options=options))
        await asyncio.sleep(MAKES_S / 2)  # virtual time
        assert disk.attempts
        await bus.publish(to_session(said("a", "one")))
        await asyncio.sleep(MAKES_S / 4)  # virtual time
        meanwhile = shown(disk, "a"), shown(disk, "b")
        await asyncio.sleep(MAKES_S)  # virtual time
        stop.request()
    assert meanwhile == (["1 one", "2 1 one", "3 2 one"], ["1 slow"])
    assert [event.decided for event in decoded(disk, BASIC) if event.key == "a"] == [True]
    assert shown(disk, "b") == ["1 slow", "2 1 slow", "3 2 slow"]
    assert list(disk.attempts.values()) == [1]


@virtual_time
async def test_what_needs_more_than_can_be_kept_gets_on() -> None:
    disk = Disk()
    bus, actor = MemoryBus(disk), Forgetful()
    texts = [f"text {number}" for number in range(5)]
    await bus.publish(to_session(*(said("a", text, n) for n, text in enumerate(texts, 1))))
    await run_worker(bus, [actor], until_idle=True)
    assert shown(disk, "a") == [f"{n} {text}" for n, text in enumerate(texts, 1)]
    assert not disk.dead
    partition = partition_of("a", disk.topics[SESSION].partitions)
    assert disk.positions[SESSION, SESSION, partition] == len(texts)
