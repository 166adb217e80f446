"""The worker runs deciders: what a batch of turns leaves behind, and what a fault does not."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from bus.actor import Turn
from bus.clock import LoopClock
from bus.errors import BusUnavailable, SchemaMismatch
from bus.memory import Disk, MemoryBus
from bus.observe import Observer
from bus.protocol import Outgoing, Stored, Turns
from bus.states import Kept, StateCache
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.dialog import AnswerGiven, RunAdvanced
from schemas.envelope import Origin
from schemas.topics import BASIC, CHANNEL_WEB, SESSION, partition_of
from tests.simulation.crew import EPOCH, Counted, Counter, Echo, decoded, said, shown, stored, to_session
from tests.simulation.virtual import virtual_time


class Recorder(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def handled(self, actor: str, count: int, duration_s: float) -> None:
        self.told.append(("handled", actor, count))

    def published(self, topic: str, count: int) -> None:
        self.told.append(("published", topic, count))

    def retried(self, actor: str, reason: str) -> None:
        self.told.append(("retried", actor, reason))

    def lag(self, actor: str, seconds: float) -> None:
        self.told.append(("lag", actor))


@virtual_time
async def test_until_idle_answers_everything_once_and_in_order() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("b", "two", 1), said("a", "three", 2)))
    for _ in range(2):
        await run_worker(bus, [Counter()], until_idle=True)
        assert shown(disk, "a") == ["1 one", "2 three"]
        assert shown(disk, "b") == ["1 two"]
        assert stored(disk, "a")["heard"] == ["one", "three"]


@virtual_time
async def test_a_batch_over_all_partitions_is_one_commit() -> None:
    disk, recorder = Disk(), Recorder()
    bus = MemoryBus(disk)
    await bus.publish(to_session(*(said(f"key {n}", "x") for n in range(50))))
    await run_worker(bus, [Counter()], until_idle=True, observer=recorder, options=Options(lanes=1))
    assert recorder.told == [("handled", SESSION, 50), ("lag", SESSION), ("published", CHANNEL_WEB, 50)]


@virtual_time
async def test_a_repeat_is_known_by_its_origin_whole() -> None:
    """Two answers of one turn differ in the index alone."""
    disk = Disk()
    bus = MemoryBus(disk)
    one, two, later = (
        AnswerGiven(
            id=said("a", "x", n).id,
            at=EPOCH,
            bot="b",
            bot_version="",
            key="a",
            run=said("a", "x").id,
            text=f"{n}",
            origin=Origin(SESSION, 3, *place),
        )
        for n, place in enumerate(((7, 0), (7, 1), (9, 0)), 1)
    )
    await bus.publish([Outgoing(BASIC, event) for event in (one, two, one, two, later, two)])
    await run_worker(bus, [Echo()], until_idle=True)
    said_back = [e.acts[0].text for e in decoded(disk, SESSION) if isinstance(e, RunAdvanced)]  # type: ignore[union-attr]
    assert said_back == ["1 1", "2 1", "3 2", "4 2", "5 3", "6 3"]


@virtual_time
async def test_a_state_that_is_gone_still_knows_repeats() -> None:
    class Forgetful(Echo):
        def decide(self, turn: Turn, state: Any) -> Any:
            super().decide(turn, state)

    disk = Disk()
    bus = MemoryBus(disk)
    event = AnswerGiven(
        id=said("a", "x").id,
        at=EPOCH,
        bot="b",
        bot_version="",
        key="a",
        run=said("a", "x").id,
        text="x",
        origin=Origin(SESSION, 3, 7, 0),
    )
    for _ in range(2):
        await bus.publish([Outgoing(BASIC, event)])
        await run_worker(bus, [Forgetful()], until_idle=True)
    assert len(decoded(disk, SESSION)) == 2
    assert stored(disk, "a", BASIC) is None


@virtual_time
async def test_an_actor_that_wants_no_state_any_more_leaves_an_empty_one() -> None:
    class Forgetful(Counter):
        def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
            kept = super().decide(turn, state)
            return None if kept and kept.heard[-1] == "forget" else kept

    disk = Disk()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("b", "one", 1)))
    await run_worker(bus, [Forgetful()], until_idle=True)
    await bus.publish(to_session(said("a", "forget", 2)))
    await run_worker(bus, [Forgetful()], until_idle=True)
    assert b'"state":null' in disk.states[SESSION, "a"].value
    assert stored(disk, "b")["heard"] == ["one"]
    await bus.publish(to_session(said("a", "again", 3)))
    await run_worker(bus, [Forgetful()], until_idle=True)
    assert shown(disk, "a")[-1] == "1 again"


@pytest.mark.parametrize(
    ("shouted", "reason"),
    [("x" * 2_000_000, "TooLarge"), ("half a pair: \ud83d", "NotEncodable"), (object(), "NotEncodable")],
    ids=["too large", "no text", "no value"],
)
@virtual_time
async def test_what_the_bus_refuses_is_set_aside_alone(shouted: Any, reason: str) -> None:
    class Shouting(Counter):
        def answer(self, turn: Turn, seq: int, text: str) -> None:
            super().answer(turn, seq, shouted if text == "shout" else text)

    disk = Disk()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("a", "shout", 2), said("a", "two", 3), said("b", "one", 1)))
    await run_worker(bus, [Shouting()], until_idle=True)
    assert shown(disk, "a") == ["1 one", "2 two"]
    assert shown(disk, "b") == ["1 one"]
    assert [letter.reason.partition(":")[0] for letter in disk.dead.values()] == [reason]


class _Flaky(MemoryBus):
    """Refuses its first calls."""

    refusals = 5

    async def breathe(self) -> None:
        await super().breathe()
        if self.refusals:
            self.refusals -= 1
            raise BusUnavailable("not now")


@virtual_time
async def test_it_waits_for_the_bus_and_goes_on_by_itself() -> None:
    disk, recorder = Disk(), Recorder()
    await MemoryBus(disk).publish(to_session(said("a", "one", 1)))
    began = asyncio.get_running_loop().time()
    await run_worker(_Flaky(disk), [Counter()], until_idle=True, observer=recorder)
    assert shown(disk, "a") == ["1 one"]
    assert recorder.told[:5] == [("retried", SESSION, "BusUnavailable")] * 5
    assert 0.1 < asyncio.get_running_loop().time() - began < 5


@virtual_time
async def test_what_waiting_does_not_help_against_stops_it_loudly() -> None:
    class Old(MemoryBus):
        async def commit(self, turns: Turns) -> None:
            raise SchemaMismatch("the database is newer")

    disk = Disk()
    bus = Old(disk)
    await bus.publish(to_session(said("a", "one", 1)))
    with pytest.raises(ExceptionGroup) as caught:
        await run_worker(bus, [Counter()])
    assert caught.group_contains(SchemaMismatch)


@virtual_time
async def test_a_lost_partition_changes_nothing_and_the_others_go_on() -> None:
    disk = Disk()

    class Overtaken(MemoryBus):
        """Somebody else handles what was taken, just before it is committed."""

        async def commit(self, turns: Turns) -> None:
            if not overtaken:
                overtaken.append(True)
                self.expire()
                await run_worker(MemoryBus(disk), [Counter()], until_idle=True)
            await super().commit(turns)

    overtaken: list[bool] = []
    bus = Overtaken(disk)
    await bus.publish(to_session(*(said(f"key {n}", "x") for n in range(20))))
    # The other one takes all but what has an owner: expire() gives the partitions back to the only member there is.
    await run_worker(bus, [Counter()], until_idle=True, clock=LoopClock(EPOCH))
    for n in range(20):
        assert shown(disk, f"key {n}") == ["1 x"]


@virtual_time
async def test_what_is_left_of_a_batch_that_another_began_is_decided() -> None:
    disk = Disk()
    place = (SESSION, SESSION, partition_of("a", disk.topics[SESSION].partitions))

    class Overtaken(MemoryBus):
        """Somebody else handles the first event of the batch, just before it is committed."""

        async def commit(self, turns: Turns) -> None:
            disk.positions.setdefault(place, 1)
            await super().commit(turns)

    bus = Overtaken(disk)
    await bus.publish(to_session(*(said("a", text, n) for n, text in enumerate(("one", "two", "three")))))
    await run_worker(bus, [Counter()], until_idle=True)
    assert shown(disk, "a") == ["1 two", "2 three"]


@virtual_time
async def test_a_stop_finishes_what_is_in_hand_and_takes_no_more() -> None:
    disk, stop = Disk(), Stop()

    class Stopping(Counter):
        def decide(self, turn: Turn, state: Counted | None) -> Counted | None:
            stop.request()
            return super().decide(turn, state)

    bus = MemoryBus(disk)
    await bus.publish(to_session(*(said("a", f"{n}", n) for n in range(1, 10))))
    await run_worker(bus, [Stopping()], stopping=stop, options=Options(batch=4))
    assert len(shown(disk, "a")) == 4


@virtual_time
async def test_what_does_not_end_in_time_is_cancelled_and_comes_again() -> None:
    disk, stop = Disk(), Stop()

    class Stuck(MemoryBus):
        async def commit(self, turns: Turns) -> None:
            stop.request()
            await asyncio.get_running_loop().create_future()

    await MemoryBus(disk).publish(to_session(said("a", "one", 1)))
    began = asyncio.get_running_loop().time()
    await run_worker(Stuck(disk), [Counter()], stopping=stop)
    assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
    await run_worker(MemoryBus(disk), [Counter()], until_idle=True)
    assert shown(disk, "a") == ["1 one"]


@virtual_time
async def test_states_in_memory_are_bounded() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    for n in range(3):
        await bus.publish(to_session(*(said(f"key {key}", f"{n}", n) for key in range(40))))
    await run_worker(bus, [Counter()], until_idle=True, options=Options(batch=7, max_states=5))
    assert all(shown(disk, f"key {key}") == ["1 0", "2 1", "3 2"] for key in range(40))


@virtual_time
async def test_states_that_were_forgotten_are_loaded_again() -> None:
    loaded: list[str] = []

    class Loading(MemoryBus):
        async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
            loaded.extend(keys)
            return await super().load(actor, keys)

    bus, stop = Loading(Disk()), Stop()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(bus, [Counter()], options=Options(batch=7, max_states=5), stopping=stop))
        for n in range(2):
            await bus.publish(to_session(*(said(f"key {key}", f"{n}", n) for key in range(40))))
            await asyncio.sleep(5)  # virtual time
        stop.request()
    assert len(loaded) >= 40 + 35


def test_the_cache_forgets_what_was_used_last_of_all() -> None:
    def kept(size: int) -> Kept:
        made = Kept(0)
        made.size = size
        return made

    cache = StateCache(max_states=3, max_bytes=100_000)
    for key in "abcd":
        cache.put(key, kept(10))
    assert cache.get("a") is not None
    cache.trim()
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    cache.put("e", kept(19_750))
    cache.trim()
    assert [key for key in "acde" if cache.get(key)] == ["e"]
    cache.drop("e")
    assert len(cache) == 0
