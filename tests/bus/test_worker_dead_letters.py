"""Events that fail are set aside, the rest goes on, and people can have them back."""

from __future__ import annotations

import asyncio
from typing import Literal
from uuid import UUID

import pytest

from bus import codec
from bus.actor import Turn
from bus.clock import LoopClock
from bus.dead_letters import NotDecodable, discard, redrive
from bus.memory import Disk, MemoryBus
from bus.protocol import Record
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.envelope import Event
from schemas.failure import DeadLettered, TurnFailed
from schemas.topics import BASIC, DEAD, SESSION, partition_of
from tests.simulation.crew import (
    Counted,
    Counter,
    Echo,
    Host,
    deaths_until_it_lives,
    decoded,
    said,
    shown,
    stored,
    to_session,
)
from tests.simulation.virtual import virtual_time


async def block(actor: str, event: Event) -> Literal["skip", "block"]:
    return "block"


class Mended(Counter):
    """The next release: it does not fail."""

    def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
        if getattr(turn.event, "text", "") == "fail":
            state = state or Counted()
            state.heard.append("mended")
            self.answer(turn, len(state.heard), "mended")
            return state
        return super().decide(turn, state)


class Failing(Echo):
    """An actor that is not the session and fails."""

    def decide(self, turn: Turn, state: object) -> None:  # type: ignore[override]
        if not isinstance(turn.event, TurnFailed):
            raise LookupError("nothing there")


class Process:
    """One installation, and what its people do."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.bus = MemoryBus(self.disk)

    async def hears(self, *texts: str, key: str = "a", begin: int = 1) -> None:
        await self.bus.publish(to_session(*(said(key, text, n) for n, text in enumerate(texts, begin))))

    async def works(self, actor: Counter | None = None, *, blocks: bool = False) -> None:
        actors = [actor or Counter()]
        if blocks:
            await run_worker(self.bus, actors, until_idle=True, clock=LoopClock(), policy=block)
        else:
            await run_worker(self.bus, actors, until_idle=True, clock=LoopClock())

    def letter(self) -> UUID:
        (id_,) = self.disk.dead
        return id_


@virtual_time
async def test_one_bad_event_is_set_aside_and_the_rest_goes_on() -> None:
    process = Process()
    await process.hears("one", "fail", "three")
    await process.hears("two", key="b")
    await process.works()
    assert shown(process.disk, "a") == ["1 one", "2 three"]
    assert shown(process.disk, "b") == ["1 two"]
    assert stored(process.disk, "a") == {"heard": ["one", "three"], "failures": 1, "ids": ["a/1", "a/3"]}
    letter = process.disk.dead[process.letter()]
    assert letter.reason == "ValueError: asked to fail"
    assert "raise ValueError" in letter.traceback
    assert codec.decode(letter.record) == said("a", "fail", 2)
    (told,) = decoded(process.disk, DEAD)
    assert isinstance(told, DeadLettered)
    assert (told.dead_letter, told.reason, told.key) == (letter.id, letter.reason, "a")


@virtual_time
async def test_what_a_failed_event_spoiled_is_restored_from_the_store() -> None:
    """The state was in memory from an earlier batch; the decider changes it before it raises."""
    process = Process()
    await process.hears("one")
    await process.works()
    await process.hears("fail", "fail", "two", begin=2)
    await process.works()
    assert shown(process.disk, "a") == ["1 one", "2 two"]
    assert stored(process.disk, "a")["failures"] == 2


@virtual_time
async def test_the_session_hears_of_what_failed_elsewhere() -> None:
    process = Process()
    await process.hears("one")
    await run_worker(process.bus, [Host(), Failing()], until_idle=True)
    (session,) = (event for event in decoded(process.disk, SESSION) if isinstance(event, TurnFailed))
    (basic,) = (event for event in decoded(process.disk, BASIC) if isinstance(event, TurnFailed))
    assert session.actor == basic.actor == BASIC
    assert session.key == "a"
    assert session.error == "LookupError"
    assert session.dead_letter == process.letter()
    assert session.id != basic.id


@virtual_time
async def test_an_event_that_cannot_be_decoded_is_set_aside_with_its_bytes() -> None:
    process = Process()
    record = Record("a", "message.received.v9", b"\x00\xff")
    process.disk.log[SESSION][partition_of("a", 8)].append(record)
    await process.hears("one")
    await process.works()
    assert shown(process.disk, "a") == ["1 one"]
    assert process.disk.dead[process.letter()].record == record
    with pytest.raises(NotDecodable):
        await redrive(process.bus, process.bus, process.letter())
    assert await discard(process.bus, process.bus, process.letter())
    assert not process.disk.dead


@virtual_time
async def test_what_was_loaded_for_an_event_that_cannot_be_decoded_is_forgotten_with_its_partition() -> None:
    """Another owner changes those states before the partitions come back."""
    disk = Disk()
    keys = {partition_of(f"{n}", 8): f"{n}" for n in range(100)}
    assert len(keys) == 8

    async def all_say(bus: MemoryBus, text: str, number: int) -> None:
        await bus.publish(to_session(*(said(key, text, number) for key in keys.values())))
        while not all(f"{number} {text}" in shown(disk, key) for key in keys.values()):
            await asyncio.sleep(0.1)

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:

        def works(bus: MemoryBus) -> Stop:
            stop, options = Stop(), Options(lanes=1)
            group.create_task(run_worker(bus, [Counter()], stopping=stop, clock=LoopClock(), options=options))
            return stop

        one, two = MemoryBus(disk), MemoryBus(disk)
        stop_one = works(one)
        for partition, key in keys.items():
            disk.log[SESSION][partition].append(Record(key, "message.received.v9", b""))
        while len(disk.dead) < 8:
            await asyncio.sleep(0.1)
        stop_two = works(two)
        while not any(subscription.owned for subscription in two._subscriptions):
            await asyncio.sleep(0.1)
        await all_say(one, "one", 1)
        stop_two.request()
        while two._subscriptions:
            await asyncio.sleep(0.1)
        await all_say(one, "two", 2)
        stop_one.request()


@virtual_time
async def test_a_redriven_event_is_decided_anew_and_once() -> None:
    process = Process()
    await process.hears("one", "fail")
    await process.works()
    letter = process.disk.dead[process.letter()]
    assert await redrive(process.bus, process.bus, letter.id)
    assert not await redrive(process.bus, process.bus, letter.id)
    process.disk.dead[letter.id] = letter  # as when the process died before it was settled
    assert await redrive(process.bus, process.bus, letter.id)
    await process.works(Mended())
    assert shown(process.disk, "a") == ["1 one", "2 mended"]


@virtual_time
async def test_a_redriven_event_that_fails_again_is_another_dead_letter() -> None:
    process = Process()
    await process.hears("fail")
    await process.works()
    before = process.letter()
    await redrive(process.bus, process.bus, before)
    await process.works()
    assert process.letter() != before


@virtual_time
async def test_a_blocked_conversation_waits_and_others_do_not() -> None:
    process = Process()
    await process.hears("one", "fail", "two")
    await process.hears("one", key="b")
    await process.works(blocks=True)
    await process.hears("three", begin=4)
    await process.works(blocks=True)
    assert shown(process.disk, "a") == ["1 one"]
    assert shown(process.disk, "b") == ["1 one"]
    assert not [event for event in decoded(process.disk, SESSION) if isinstance(event, TurnFailed)]
    assert len(process.disk.dead) == 1


@virtual_time
async def test_after_a_redrive_what_waited_follows_in_order() -> None:
    process = Process()
    await process.hears("one", "fail", "two")
    await process.works(blocks=True)
    await process.hears("three", begin=4)
    await process.works(blocks=True)
    await redrive(process.bus, process.bus, process.letter())
    await process.hears("four", begin=5)
    await process.works(Mended(), blocks=True)
    assert shown(process.disk, "a") == ["1 one", "2 mended", "3 two", "4 three", "5 four"]
    ids = [event.id for event in decoded(process.disk, "channel.web")]
    assert len(set(ids)) == len(ids)


@virtual_time
async def test_after_a_discard_what_waited_follows_in_order() -> None:
    process = Process()
    await process.hears("one", "fail", "two")
    await process.works(blocks=True)
    letter = process.disk.dead[process.letter()]
    await discard(process.bus, process.bus, letter.id)
    process.disk.dead[letter.id] = letter  # as when the process died before it was settled
    await discard(process.bus, process.bus, letter.id)
    await process.hears("three", begin=4)
    await process.works(blocks=True)
    assert shown(process.disk, "a") == ["1 one", "2 two", "3 three"]
    assert stored(process.disk, "a")["failures"] == 1
    assert not await discard(process.bus, process.bus, letter.id)


@virtual_time
async def test_one_that_waited_may_fail_and_block_again() -> None:
    process = Process()
    await process.hears("one", "fail", "two", "fail", "three")
    await process.works(blocks=True)
    first = process.letter()
    await discard(process.bus, process.bus, first)
    await process.works(blocks=True)
    assert shown(process.disk, "a") == ["1 one", "2 two"]
    second = process.letter()
    assert second != first
    await redrive(process.bus, process.bus, second)
    await process.works(Mended(), blocks=True)
    assert shown(process.disk, "a") == ["1 one", "2 two", "3 mended", "4 three"]


@virtual_time
async def test_a_discard_without_a_block_says_nothing_twice() -> None:
    process = Process()
    await process.hears("fail", "one")
    await process.works()
    assert stored(process.disk, "a")["failures"] == 1
    await discard(process.bus, process.bus, process.letter())
    await process.works()
    assert stored(process.disk, "a")["failures"] == 1
    assert not process.disk.dead


@virtual_time
async def test_an_event_that_kills_its_process_three_times_is_set_aside() -> None:
    process = Process()
    await process.hears("one", "kill", "two")
    await process.hears("one", key="b")
    assert await deaths_until_it_lives(process.disk) == 3
    assert shown(process.disk, "a") == ["1 one", "2 two"]
    assert shown(process.disk, "b") == ["1 one"]
    (letter,) = process.disk.dead.values()
    assert codec.decode(letter.record) == said("a", "kill", 2)
    assert "died" in letter.reason


class Refusing(Counter):
    """Fails where a ``Killer`` dies."""

    def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
        if getattr(turn.event, "text", "") == "kill":
            raise LookupError("nothing there")
        return super().decide(turn, state)


@virtual_time
async def test_what_kills_its_process_when_it_is_redriven_is_set_aside_again_and_others_wait_on() -> None:
    process = Process()
    await process.hears("kill", "two")
    await process.works(Refusing(), blocks=True)
    assert await redrive(process.bus, process.bus, process.letter())
    assert await deaths_until_it_lives(process.disk) == 3
    assert shown(process.disk, "a") == []
    assert "died" in process.disk.dead[process.letter()].reason
    process.bus = MemoryBus(process.disk)
    assert await redrive(process.bus, process.bus, process.letter())
    await process.works()
    assert shown(process.disk, "a") == ["1 kill", "2 two"]
    assert not process.disk.dead


@virtual_time
async def test_what_may_have_killed_its_process_does_not_wait_in_a_blocked_conversation() -> None:
    process = Process()
    await process.hears("fail")
    await process.works(blocks=True)
    first = process.letter()
    await process.hears("two", "three", begin=2)
    partition = partition_of("a", 8)
    process.disk.group(SESSION, SESSION).clean[partition] = False  # its owner has died
    process.disk.attempts[SESSION, SESSION, partition, 1] = 2
    await process.works(blocks=True)
    assert [letter.reason.partition(":")[0] for letter in process.disk.dead.values()] == [
        "ValueError",
        "its process died 3 times while it was handled",
    ]
    assert await redrive(process.bus, process.bus, first)
    await process.works(Mended())
    assert shown(process.disk, "a") == ["1 mended", "2 three"]


@virtual_time
async def test_without_suspicion_nothing_is_counted() -> None:
    process = Process()
    await process.hears("one", "two")
    await process.works()
    assert not process.disk.attempts
