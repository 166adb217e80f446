"""Performers: many keys at once, in order within a key, tried again, and never silent."""

from __future__ import annotations

import asyncio

import pytest

from bus.clock import LoopClock
from bus.memory import MemoryBus, MemorySubscription
from bus.protocol import Batch, Record
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.topics import BASIC, DEAD, SESSION, partition_of
from tests.simulation.crew import decoded
from tests.simulation.office import Model, Office
from tests.simulation.virtual import virtual_time


@virtual_time
async def test_keys_run_side_by_side_and_a_key_in_order() -> None:
    office, model = Office(), Model(concurrency=3)
    for key in "abcde":
        await office.hears("takes 10", "takes 1", key=key)
    began = asyncio.get_running_loop().time()
    await office.works(model)
    assert model.most == 3
    assert asyncio.get_running_loop().time() - began < 31
    assert sorted(office.answers()) == ["takes 1"] * 5 + ["takes 10"] * 5
    assert all(event.id.version == 7 for event in decoded(office.disk, BASIC))


@virtual_time
async def test_order_within_a_key_is_kept_through_retries() -> None:
    office, model = Office(), Model()
    await office.hears("busy", "second", "third")
    await office.works(model)
    assert model.ended == ["busy", "second", "third"]
    assert model.began == ["busy"] * 3 + ["second", "third"]
    assert office.answers() == model.ended


@virtual_time
async def test_what_always_fails_is_answered_in_its_budget() -> None:
    office, model = Office(), Model(budget_s=20)
    await office.hears("always-busy", "after")
    began = asyncio.get_running_loop().time()
    await office.works(model)
    assert office.answers() == ["Overloaded", "after"]
    assert asyncio.get_running_loop().time() - began <= 20.5
    assert model.began.count("always-busy") > 5
    assert len(office.disk.dead) == len(decoded(office.disk, DEAD)) == 1


@virtual_time
async def test_what_cannot_succeed_is_not_tried_again() -> None:
    office, model = Office(), Model()
    await office.hears("broken", "after")
    await office.works(model)
    assert model.began == ["broken", "after"]
    assert office.answers() == ["ValueError", "after"]
    (letter,) = office.disk.dead.values()
    assert letter.reason == "ValueError: cannot be done"


@virtual_time
async def test_a_call_that_takes_too_long_is_cut_short() -> None:
    office, model = Office(), Model(budget_s=5)
    await office.hears("takes 1000")
    await office.works(model)
    assert office.answers() == ["TimeoutError"]


@virtual_time
async def test_the_position_is_the_lowest_that_is_not_finished() -> None:
    """What a crash repeats is what was in hand, and what came after it."""
    office, model = Office(), Model()
    other = next(key for n in range(100) if partition_of(key := f"k{n}", 8) == partition_of("a", 8))
    await office.hears("first")
    await office.hears("takes 50")
    await office.hears("quick", key=other)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(office.works(model))
        await asyncio.sleep(10)
        assert sorted(office.answers()) == ["first", "quick"]
        assert office.position() == 1
        await working
    assert office.position() == 3


@virtual_time
async def test_intake_is_bounded() -> None:
    office, model = Office(), Model(concurrency=2)
    await office.hears(*("takes 1" for _ in range(100)))
    await office.hears(*("takes 1" for _ in range(100)), key="b")
    in_hand: list[int] = []

    class Watched(MemorySubscription):
        async def take(self, limit: int) -> Batch:
            batch = await super().take(limit)
            in_hand.append(sum(in_hand_now) + len(batch.deliveries) - len(model.ended))
            in_hand_now.append(len(batch.deliveries))
            return batch

    in_hand_now: list[int] = []
    office.bus.subscriptions = Watched
    await office.works(model, Options(intake=10))
    assert len(model.ended) == 200
    assert 5 <= max(in_hand) <= 10


@virtual_time
async def test_a_stop_lets_calls_finish_and_begins_no_more() -> None:
    office, model, stop = Office(), Model(), Stop()
    await office.hears("takes 5", "takes 6")
    asyncio.get_running_loop().call_later(1, stop.request)
    await run_worker(office.bus, [model], stopping=stop, clock=LoopClock())
    assert office.answers() == ["takes 5"]
    assert office.position() == 1


@virtual_time
async def test_a_call_that_outlasts_the_drain_is_cancelled_and_comes_again() -> None:
    office, model, stop = Office(), Model(), Stop()
    await office.hears("takes 50")
    loop = asyncio.get_running_loop()
    loop.call_later(1, stop.request)
    await run_worker(office.bus, [model], stopping=stop, clock=LoopClock())
    assert loop.time() == pytest.approx(11, abs=0.5)
    assert not office.answers()
    assert not office.disk.dead
    await office.works(Model())
    assert office.answers() == ["takes 50"]


@virtual_time
async def test_a_partition_that_others_want_is_given_back_when_its_calls_are_done() -> None:
    office, one, two = Office(), Model(), Model()
    for n in range(16):
        await office.hears("takes 5", key=f"key {n}")
    stop = Stop()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(office.bus, [one], stopping=stop, clock=LoopClock()))
        await asyncio.sleep(1)
        group.create_task(run_worker(MemoryBus(office.disk), [two], stopping=stop, clock=LoopClock()))
        await asyncio.sleep(60)
        stop.request()
    assert one.ended
    assert two.ended
    answered = [event.key for event in decoded(office.disk, BASIC)]
    assert set(answered) == {f"key {n}" for n in range(16)}
    # An event may be repeated that was finished before an older one of its partition; no more than were in hand.
    assert len(answered) <= 16 + one.concurrency


@virtual_time
async def test_an_event_that_cannot_be_decoded_is_set_aside() -> None:
    office, model = Office(), Model()
    office.disk.log[SESSION][partition_of("a", 8)].append(Record("a", "unknown.v1", b"?"))
    await office.hears("after")
    await office.works(model)
    assert office.answers() == ["after"]
    assert [letter.record.data for letter in office.disk.dead.values()] == [b"?"]
