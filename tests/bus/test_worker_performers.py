"""Performers: many keys at once, in order within a key, tried again, and never silent."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bus.clock import LoopClock
from bus.memory import MemoryBus, MemorySubscription
from bus.protocol import Batch, Record
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.topics import BASIC, DEAD, SESSION, partition_of
from tests.simulation.crew import decoded, said, to_session
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


async def die_with_all_in_hand(office: Office) -> None:
    """A process takes what there is, and is dead before it has finished any of it."""
    bus = MemoryBus(office.disk)
    working = asyncio.ensure_future(run_worker(bus, [Model()], clock=LoopClock()))
    await asyncio.sleep(1)
    bus.crash()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def unclean(office: Office) -> list[int]:
    """What the next owner would be told of the partitions, with nothing changed by asking."""
    async with office.bus.subscribe(SESSION, group="model") as subscription:
        claims = (await subscription.take(1)).acquired
        found = [claim.partition for claim in claims if not claim.clean]
        await subscription.release(found, clean=False)
    return found


@virtual_time
@pytest.mark.parametrize("drained", [True, False], ids=["stopped", "cancelled"])
async def test_who_leaves_before_it_has_tried_what_may_be_deadly_says_so(drained: bool) -> None:
    office, stop = Office(), Stop()
    await office.hears("takes 5", "takes 6" if drained else "takes 60")
    await die_with_all_in_hand(office)
    asyncio.get_running_loop().call_later(1 if drained else 6, stop.request)
    await run_worker(office.bus, [Model()], stopping=stop, clock=LoopClock())
    assert office.answers() == ["takes 5"]
    assert partition_of("a", 8) in await unclean(office)


@virtual_time
async def test_what_was_tried_and_lived_through_is_clean_again() -> None:
    office = Office()
    await office.hears("takes 5")
    await die_with_all_in_hand(office)
    later = LoopClock().now() + timedelta(days=1)
    await office.bus.publish(to_session(said("a", "newer", 2, at=later, reply_to=BASIC)))
    await office.works(Model())
    assert partition_of("a", 8) not in await unclean(office)


@virtual_time
async def test_a_partition_given_back_with_suspects_in_it_is_not_clean() -> None:
    office, stop = Office(), Stop()
    wanted = next(key for n in range(100) if partition_of(key := f"k{n}", 8) == 7)
    await office.hears("takes 5", "takes 6", key=wanted)
    await die_with_all_in_hand(office)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(office.bus, [Model()], stopping=stop, clock=LoopClock()))
        await asyncio.sleep(1)
        async with MemoryBus(office.disk).subscribe(SESSION, group="model") as subscription:
            claims = {claim.partition: claim for claim in (await subscription.take(1)).acquired}
            while 7 not in claims:
                claims |= {claim.partition: claim for claim in (await subscription.take(1)).acquired}
        stop.request()
    assert office.answers() == ["takes 5"]
    assert not claims[7].clean


@virtual_time
async def test_a_suspect_is_counted_though_something_newer_was_begun_before_it() -> None:
    office = Office()
    other = next(key for n in range(100) if partition_of(key := f"k{n}", 8) == partition_of("a", 8))
    await office.hears("takes 5", "behind")
    await die_with_all_in_hand(office)
    later = LoopClock().now() + timedelta(days=1)
    await office.bus.publish(to_session(said(other, "newer", 1, at=later, reply_to=BASIC)))
    await office.works(Model())
    assert sorted(office.disk.attempts.values()) == [1, 1]
