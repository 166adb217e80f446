"""
What every bus must do. A bus passes by a subclass of ``BusConformance`` beside a fixture ``world``::

    class TestPostgresBus(BusConformance):
        @pytest.fixture
        async def world(self, ...) -> AsyncIterator[World]: ...

A ``World`` is one installation with a log that is empty at first, and the means to do it harm.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import pytest

from bus import codec
from bus.errors import BusUnavailable, PartitionLost, QueryFailed, StateConflict, TooLarge, UnknownTopic
from bus.protocol import (
    Advance,
    Batch,
    Bus,
    Claim,
    Delivery,
    Outgoing,
    Query,
    Record,
    StateWrite,
    Stored,
    Subscription,
    Turns,
    Undecodable,
)
from schemas.conversation import MessageDelta
from schemas.envelope import Event
from schemas.topics import CHANNEL_WEB, SCHEDULE, SESSION, TOPICS, partition_of

__all__ = ["BusConformance", "Victim", "World"]

PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}
PATIENCE_S = 20.0  # an upper bound for what comes at once on a machine that is not busy


class Victim(Protocol):
    """Another process, which owns partitions."""

    owned: list[int]

    async def die(self) -> None:
        """As by ``kill -9``: it releases nothing and says nothing."""
        ...


class World(Protocol):
    """One installation. What it opened is closed at the end of the test."""

    async def open(self) -> Bus:
        """One more process on the same log (or what stands for one)."""
        ...

    async def victim(self, topic: str, group: str) -> Victim:
        """One more process, which has already got all partitions of *topic* as the only one of *group*."""
        ...

    async def append(self, topic: str, partition: int, record: Record) -> None:
        """A stranger writes to the log, and nobody is told."""
        ...

    async def publish_slowly(self, outgoing: Outgoing, hold_s: float) -> None:
        """Publish, and let *hold_s* pass between the append and its commit, where this bus has such a time."""
        ...

    def lose_answer(self, bus: Bus, marker: str, *, durable: bool) -> AbstractAsyncContextManager[None]:
        """
        The connection on which *bus* next sends bytes with *marker* in them to the store (for ``publish``: to the log)
        breaks: before they arrive, or, if *durable*, when they have done their work and only the answer is lost.
        """
        ...

    async def outlive(self) -> None:
        """So much time passes that all that is in the log now is older than it keeps, and is dropped."""
        ...

    holds_the_log: bool  # the log itself is in this process's memory


# --- helpers ----------------------------------------------------------------------------------------------------------


def said(key: str, index: int = 0, text: str = "") -> MessageDelta:
    """Some event; *index* tells it from others of its key."""
    return MessageDelta(
        id=uuid4(), at=datetime(2026, 1, 1, tzinfo=UTC), bot="b", bot_version="", key=key, index=index, text=text
    )


def to(topic: str, *events: Event, partition: int | None = None) -> list[Outgoing]:
    return [Outgoing(topic, event, partition) for event in events]


def key_of(partition: int, topic: str = SESSION) -> str:
    """A key of that partition."""
    return next(key for n in range(100_000) if partition_of(key := f"k{n}", PARTITIONS[topic]) == partition)


class Reading:
    """A subscription, and what it has brought so far."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.deliveries: list[Delivery] = []
        self.claims: dict[int, Claim] = {}
        self.revoked: list[int] = []

    async def take(self, limit: int = 100) -> Batch:
        batch = await self.subscription.take(limit)
        assert len(batch.deliveries) <= limit
        for claim in batch.acquired:
            self.claims[claim.partition] = claim
        for partition in batch.revoked:
            self.claims.pop(partition, None)
        self.revoked += batch.revoked
        assert all(delivery.partition in self.claims for delivery in batch.deliveries)
        self.deliveries += batch.deliveries
        return batch

    async def until_deliveries(self, count: int) -> list[Delivery]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.deliveries) < count:
                await self.take()
        assert len(self.deliveries) == count
        return self.deliveries

    async def until_owned(self, count: int) -> dict[int, Claim]:
        """Own exactly *count*, giving back what is asked back."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.claims) != count:
                await self.take()
                if self.revoked:
                    revoked, self.revoked = self.revoked, []
                    await self.subscription.release(revoked)
        return self.claims

    async def handle_all(self) -> None:
        """Advance over all that was delivered."""
        ends: dict[int, int] = {}
        for delivery in self.deliveries:
            ends[delivery.partition] = max(ends.get(delivery.partition, 0), delivery.offset + 1)
        await self.subscription.advance(ends)

    def events(self) -> list[Any]:
        return [delivery.event for delivery in self.deliveries]


@asynccontextmanager
async def reading(bus: Bus, topic: str = SESSION, group: str = "readers", **options: Any) -> AsyncIterator[Reading]:
    async with bus.subscribe(topic, group=group, **options) as subscription:
        yield Reading(subscription)


async def everything(bus: Bus, topic: str, expected: int) -> list[Delivery]:
    """All that is in *topic*, by a group of its own."""
    async with reading(bus, topic, group=f"all-{uuid4().hex}") as found:
        return await found.until_deliveries(expected)


async def leave_with_an_error(bus: Bus) -> None:
    """Own all of a topic, and then fail."""
    async with reading(bus) as found:
        await found.until_owned(PARTITIONS[SESSION])
        raise ZeroDivisionError


class BusConformance:
    """
    The contract of ``bus.protocol``, as tests.

    Attributes:
        commits_in_order: what two owners of a partition commit one after the other arrives so, even while both take
            themselves for the only one.
    """

    commits_in_order = True

    async def arrived(self, bus: Bus, count: int) -> list[int]:
        """The indices of all that came to the schedule, in order of arrival where that is promised."""
        found = [delivery.event.index for delivery in await everything(bus, SCHEDULE, count)]  # type: ignore[union-attr]
        return found if self.commits_in_order else sorted(found)

    # --- publish and read ---------------------------------------------------------------------------------------------

    async def test_events_of_a_key_come_in_the_order_of_publishing(self, world: World) -> None:
        bus = await world.open()
        events = [said(f"key {n % 7}", n) for n in range(300)]
        for begin in range(0, 300, 30):
            await bus.publish(to(SESSION, *events[begin : begin + 30]))
        async with reading(bus) as found:
            deliveries = await found.until_deliveries(300)
        for key in {event.key for event in events}:
            assert [d.event for d in deliveries if d.event.key == key] == [e for e in events if e.key == key]  # type: ignore[union-attr]
        offsets: dict[int, int] = {}
        for delivery in deliveries:
            assert delivery.topic == SESSION
            assert delivery.offset > offsets.get(delivery.partition, -1)
            offsets[delivery.partition] = delivery.offset

    async def test_what_is_published_later_wakes_the_reader(self, world: World) -> None:
        bus, other = await world.open(), await world.open()
        async with reading(bus) as found:
            await found.until_owned(PARTITIONS[SESSION])
            for n, publisher in enumerate((bus, other, bus, other), 1):
                await publisher.publish(to(SESSION, event := said("a", n)))
                await found.until_deliveries(n)
                assert found.events()[-1] == event

    async def test_concurrent_publishers_lose_nothing_and_keep_their_order(self, world: World) -> None:
        buses = [await world.open(), await world.open()]

        async def publish(writer: int) -> None:
            for n in range(20):
                await buses[writer % 2].publish(to(SESSION, said(f"writer {writer}", n)))

        async with reading(buses[0]) as found, asyncio.TaskGroup() as tasks:
            for writer in range(16):
                tasks.create_task(publish(writer))
            await found.until_deliveries(320)
        for writer in range(16):
            assert [e.index for e in found.events() if e.key == f"writer {writer}"] == list(range(20))

    async def test_late_commits_are_not_skipped(self, world: World) -> None:
        """32 writers at once, each of which holds its commit for up to half a second: a reader sees all, in order."""
        bus = await world.open()
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        keys = [key_of(partition) for partition in range(8)]
        holds = [chance.choice((0, 0, 0, 0.05, 0.1, 0.5)) for _ in range(32)]
        async with reading(bus) as found, asyncio.TaskGroup() as tasks:
            await found.until_owned(PARTITIONS[SESSION])
            for n, hold_s in enumerate(holds):
                tasks.create_task(world.publish_slowly(Outgoing(SESSION, said(keys[n % 8], n)), hold_s))
                tasks.create_task(bus.publish(to(SESSION, said(keys[n % 8], 100 + n))))
            deliveries = await found.until_deliveries(64)
        assert {event.index for event in found.events()} == {*range(32), *range(100, 132)}
        for partition in range(8):
            offsets = [delivery.offset for delivery in deliveries if delivery.partition == partition]
            assert offsets == sorted(set(offsets))

    async def test_a_lost_wake_up_costs_a_quarter_of_a_second(self, world: World) -> None:
        bus = await world.open()
        late = []
        async with reading(bus) as found:
            await found.until_owned(PARTITIONS[SESSION])
            for n in range(1, 6):
                record = codec.encode(said("a", n))
                begun = time.monotonic()
                await world.append(SESSION, partition_of("a", 8), record)
                await found.until_deliveries(n)
                late.append(time.monotonic() - begun)
        assert statistics.median(late) <= 0.25, late

    async def test_a_partition_may_be_named(self, world: World) -> None:
        bus = await world.open()
        await bus.publish(to(CHANNEL_WEB, said("x"), partition=17))
        (delivery,) = await everything(bus, CHANNEL_WEB, 1)
        assert delivery.partition == 17

    async def test_no_more_than_the_limit_is_taken(self, world: World) -> None:
        bus = await world.open()
        await bus.publish(to(SESSION, *(said(f"key {n}", n) for n in range(50))))
        async with reading(bus) as found, asyncio.timeout(PATIENCE_S):
            while len(found.deliveries) < 50:
                await found.take(limit=7)  # which asserts
        assert len({event.index for event in found.events()}) == 50

    async def test_an_unknown_topic_is_refused(self, world: World) -> None:
        bus = await world.open()
        with pytest.raises(UnknownTopic):
            await bus.publish(to("nobody", said("a")))

    async def test_what_is_too_large_is_refused_with_all_that_came_with_it(self, world: World) -> None:
        bus = await world.open()
        huge = said("a", 2, "x" * (1 << 20))
        with pytest.raises(TooLarge) as caught:
            await bus.publish(to(SESSION, said("a", 1), huge))
        assert caught.value.size > caught.value.limit
        with pytest.raises(TooLarge):
            await bus.commit(Turns("actor", SESSION, states=[StateWrite("k", 1, b"{}")], outgoing=to(SESSION, huge)))
        assert await bus.load("actor", ["k"]) == {}
        await bus.publish(to(SESSION, fits := said("a", 3, "x" * 1_000_000)))
        assert [d.event for d in await everything(bus, SESSION, 1)] == [fits]

    async def test_a_cancelled_publish_harms_nobody(self, world: World) -> None:
        bus = await world.open()
        task = asyncio.ensure_future(bus.publish(to(SESSION, said("a", 1))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.publish(to(SESSION, said("a", 2)))
        async with reading(bus) as found, asyncio.timeout(PATIENCE_S):
            while 2 not in [event.index for event in found.events()]:
                await found.take()

    async def test_foreign_bytes_are_delivered_as_such_and_stop_nobody(self, world: World) -> None:
        bus = await world.open()
        good = said("a", 1)
        strangers = [
            Record("a", "nobody.knows.v1", b"{}"),
            Record("a", good.type, b"\xff\x00 no JSON"),
            Record("a", good.type, b"[" * 100_000),
            Record("a", good.type, b'{"type": "message.delta.v1"}'),
        ]
        for stranger in strangers:
            await world.append(SESSION, partition_of("a", 8), stranger)
        await bus.publish(to(SESSION, good))
        async with reading(bus) as found:
            await found.until_deliveries(5)
        *foreign, last = found.events()
        assert last == good
        for event, stranger in zip(foreign, strangers, strict=True):
            assert isinstance(event, Undecodable)
            assert event.record == stranger
            assert event.reason

    async def test_a_slow_reader_does_not_fill_the_memory(self, world: World) -> None:
        """And when it reads at last, it gets everything."""
        bus = await world.open()
        count = 20_000
        async with reading(bus, SCHEDULE) as found:
            await found.until_owned(PARTITIONS[SCHEDULE])
            for begin in range(0, count, 1_000):
                await bus.publish(to(SCHEDULE, *(said(f"key {n % 5}", n) for n in range(begin, begin + 1_000))))
            gc.collect()
            alive = sum(isinstance(thing, MessageDelta) for thing in gc.get_objects())
            assert world.holds_the_log or alive <= count // 2
            seen: dict[str, list[int]] = {}
            total = 0
            async with asyncio.timeout(PATIENCE_S * 2):
                while total < count:
                    for delivery in (await found.subscription.take(500)).deliveries:
                        assert isinstance(delivery.event, MessageDelta)
                        seen.setdefault(delivery.event.key, []).append(delivery.event.index)
                        total += 1
        for n in range(5):
            assert seen[f"key {n}"] == list(range(n, count, 5))

    # --- groups and positions -----------------------------------------------------------------------------------------

    async def test_groups_are_independent(self, world: World) -> None:
        bus = await world.open()
        await bus.publish(to(SESSION, said("a", 1), said("b", 2)))
        async with reading(bus, group="one") as one, reading(bus, group="two") as two:
            await one.until_deliveries(2)
            await one.handle_all()
            await two.until_deliveries(2)
        assert Counter(e.index for e in one.events()) == Counter(e.index for e in two.events())

    async def test_members_of_a_group_share_the_partitions(self, world: World) -> None:
        first, second = await world.open(), await world.open()
        async with reading(first) as one:
            await one.until_owned(8)
            async with reading(second) as two:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(one.until_owned(4))
                    tasks.create_task(two.until_owned(4))
                assert sorted([*one.claims, *two.claims]) == list(range(8))
                await first.publish(to(SESSION, *(said(key_of(n % 8), n) for n in range(80))))
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(one.until_deliveries(40))
                    tasks.create_task(two.until_deliveries(40))
                assert sorted(e.index for e in one.events() + two.events()) == list(range(80))
                await one.handle_all()
                await two.handle_all()
            await one.until_owned(8)
            assert all(claim.clean for claim in one.claims.values())
            assert len(one.deliveries) == 40

    async def test_what_was_not_committed_is_delivered_again(self, world: World) -> None:
        bus = await world.open()
        event = said("a", 1)
        await bus.publish(to(SESSION, event))
        for _ in range(2):
            async with reading(bus) as found:
                assert [d.event for d in await found.until_deliveries(1)] == [event]
        async with reading(bus) as found:
            await found.until_deliveries(1)
            await found.handle_all()
        await bus.publish(to(SESSION, said("a", 2)))
        async with reading(bus) as found:
            await found.until_deliveries(1)
            assert [event.index for event in found.events()] == [2]

    async def test_a_cancelled_reader_loses_nothing(self, world: World) -> None:
        bus = await world.open()
        async with reading(bus) as found:
            await found.until_owned(8)
            for n in range(1, 11):
                taking = asyncio.ensure_future(found.subscription.take(1))
                for _ in range(n % 4):
                    await asyncio.sleep(0)
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)
                if taking.cancelled():
                    await bus.publish(to(SESSION, said("a", n)))
                    await found.take()
        assert [event.index for event in found.events()] == list(range(1, 11))

    async def test_partitions_of_a_dead_owner_pass_to_another(self, world: World) -> None:
        bus = await world.open()
        await bus.publish(to(SESSION, *(said(key_of(n), n) for n in range(8))))
        victim = await world.victim(SESSION, "readers")
        assert sorted(victim.owned) == list(range(8))
        async with reading(bus) as found:
            await victim.die()
            begun = time.monotonic()
            claims = await found.until_owned(8)
            assert time.monotonic() - begun < PATIENCE_S
            assert not any(claim.clean for claim in claims.values())
            await found.until_deliveries(8)
            await found.handle_all()
        async with reading(bus) as found:
            assert all(claim.clean for claim in (await found.until_owned(8)).values())

    async def test_what_was_not_clean_stays_so_until_its_owner_has_handled_it(self, world: World) -> None:
        """Else the event that an owner died of would not be counted when it is tried the next time."""
        bus = await world.open()
        async with reading(bus) as found:
            await found.until_owned(8)  # and leaves in good order, which says nothing of those who come after it
        victim = await world.victim(SESSION, "readers")
        await victim.die()
        async with bus.subscribe(SESSION, group="readers"):
            pass  # and has not even heard of what it got
        with pytest.raises(ZeroDivisionError):
            await leave_with_an_error(bus)
        async with reading(bus) as found:
            claims = await found.until_owned(8)
            assert not any(claim.clean for claim in claims.values())
            for partitions, clean in (([1, 2], False), ([3, 4], True)):
                for partition in partitions:
                    del found.claims[partition]
                await found.subscription.release(partitions, clean=clean)
            claims = await found.until_owned(8)
            assert sorted(partition for partition, claim in claims.items() if claim.clean) == [3, 4]
            await found.subscription.release([1, 2], clean=False)
        with pytest.raises(ZeroDivisionError):
            await leave_with_an_error(bus)
        async with reading(bus) as found:
            claims = await found.until_owned(8)
            assert sorted(partition for partition, claim in claims.items() if not claim.clean) == [1, 2]
        async with reading(bus) as found:
            assert all(claim.clean for claim in (await found.until_owned(8)).values())

    async def test_a_slot_is_one_partition_and_begins_at_the_end(self, world: World) -> None:
        first, second = await world.open(), await world.open()
        await first.publish(to(CHANNEL_WEB, *(said("old") for _ in range(3)), partition=0))
        async with (
            reading(first, CHANNEL_WEB, "edge", start="end", most=1) as one,
            reading(second, CHANNEL_WEB, "edge", start="end", most=1) as two,
        ):
            (mine,) = await one.until_owned(1)
            (other,) = await two.until_owned(1)
            assert mine != other
            for slot, publisher in ((mine, second), (other, first)):
                await publisher.publish(to(CHANNEL_WEB, said("new", slot), partition=slot))
            await one.until_deliveries(1)
            await two.until_deliveries(1)
        assert [event.index for event in one.events()] == [mine]
        assert [event.index for event in two.events()] == [other]

    # --- turns --------------------------------------------------------------------------------------------------------

    async def test_a_commit_is_all_of_it(self, world: World) -> None:
        bus = await world.open()
        event, answer = said("a", 1), said("a", 2)
        await bus.publish(to(SESSION, event))
        async with reading(bus, group="actor") as found:
            (delivery,) = await found.until_deliveries(1)
            claim = found.claims[delivery.partition]
            advance = Advance(delivery.partition, claim.position, delivery.offset + 1)
            await bus.commit(
                Turns("actor", SESSION, [advance], [StateWrite("a", 1, b"one")], outgoing=to(SCHEDULE, answer))
            )
            assert await bus.load("actor", ["a", "b"]) == {"a": Stored(1, b"one")}
        assert [d.event for d in await everything(bus, SCHEDULE, 1)] == [answer]
        async with reading(bus, group="actor") as found:
            claims = await found.until_owned(8)
            assert claims[delivery.partition].position == delivery.offset + 1
            assert not found.deliveries

    async def test_the_newest_state_counts_and_none_may_be_deleted(self, world: World) -> None:
        bus, other = await world.open(), await world.open()
        for version in (1, 2, 3):
            await bus.commit(Turns("actor", SESSION, states=[StateWrite("k", version, b"%d" % version)]))
        assert await other.load("actor", ["k"]) == {"k": Stored(3, b"3")}
        assert await other.load("another", ["k"]) == {}
        await bus.commit(Turns("actor", SESSION, states=[StateWrite("k", 4, None)]))
        assert await other.load("actor", ["k"]) == {}
        await bus.commit(Turns("actor", SESSION, states=[StateWrite("k", 1, b"again")]))
        assert await other.load("actor", ["k"]) == {"k": Stored(1, b"again")}

    async def test_states_of_others_are_written_with_it(self, world: World) -> None:
        bus = await world.open()
        partition = partition_of("a", 8)
        turns = Turns("actor", SESSION, [Advance(partition, 0, 1)], [StateWrite("a", 1, b"mine")])
        turns.others = {
            "one": [StateWrite("a", 1, b"one")],
            "two": [StateWrite("a", 1, b"two"), StateWrite("b", 1, b"b")],
        }
        await bus.commit(turns)
        assert await bus.load("actor", ["a"]) == {"a": Stored(1, b"mine")}
        assert await bus.load("one", ["a"]) == {"a": Stored(1, b"one")}
        assert await bus.load("two", ["a", "b"]) == {"a": Stored(1, b"two"), "b": Stored(1, b"b")}

    @pytest.mark.parametrize("value", [b"newer", None])
    async def test_a_state_that_has_moved_on_is_not_written_over(self, world: World, value: bytes | None) -> None:
        bus, other = await world.open(), await world.open()
        partition = partition_of("a", 8)
        await other.commit(Turns("other", SESSION, states=[StateWrite("a", 1, b"old")]))
        await other.commit(Turns("other", SESSION, states=[StateWrite("a", 2, b"new")]))
        turns = Turns("actor", SESSION, [Advance(partition, 0, 1)], outgoing=to(SCHEDULE, said("a", 1)))
        turns.others = {"other": [StateWrite("a", 2, value)]}
        with pytest.raises(StateConflict):
            await bus.commit(turns)
        assert await bus.load("other", ["a"]) == {"a": Stored(2, b"new")}
        turns.others = {"other": [StateWrite("a", 3, value)]}
        await bus.commit(turns)  # nothing was changed: the position is where it was
        assert await bus.load("other", ["a"]) == ({} if value is None else {"a": Stored(3, value)})
        assert len(await everything(bus, SCHEDULE, 1)) == 1

    async def test_who_lost_a_partition_changes_nothing(self, world: World) -> None:
        bus, other = await world.open(), await world.open()
        partition = partition_of("a", 8)

        def turns(begin: int, end: int, version: int) -> Turns:
            return Turns(
                "actor",
                SESSION,
                [Advance(partition, begin, end)],
                [StateWrite("a", version, b"%d" % end)],
                outgoing=to(SCHEDULE, said("a", end)),
            )

        await bus.commit(turns(0, 5, 1))
        for begin, end in ((0, 5), (0, 7), (4, 6), (6, 9)):
            with pytest.raises(PartitionLost) as caught:
                await other.commit(turns(begin, end, 2))
            assert caught.value.partition == partition
        await other.commit(turns(5, 6, 2))
        with pytest.raises(PartitionLost):
            await bus.commit(turns(5, 6, 2))
        assert await bus.load("actor", ["a"]) == {"a": Stored(2, b"6")}
        assert await self.arrived(bus, 2) == [5, 6]

    async def test_of_two_owners_one_commits(self, world: World) -> None:
        buses = [await world.open(), await world.open()]
        for round_ in range(10):
            event = said("a", round_)
            turns = [
                Turns("actor", SESSION, [Advance(3, round_, round_ + 1)], outgoing=to(SCHEDULE, event)) for _ in buses
            ]
            results = await asyncio.gather(
                *(bus.commit(mine) for bus, mine in zip(buses, turns, strict=True)), return_exceptions=True
            )
            assert Counter(type(result) for result in results) == {type(None): 1, PartitionLost: 1}
        assert await self.arrived(buses[0], 10) == list(range(10))

    @pytest.mark.parametrize("durable", [True, False], ids=["answer lost", "commit lost"])
    async def test_the_outcome_of_a_commit_is_never_guessed(self, world: World, durable: bool) -> None:
        bus = await world.open()
        event = said("a", 1, text=f"marker {uuid4().hex}")
        turns = Turns("actor", SESSION, [Advance(1, 0, 9)], [StateWrite("a", 1, b"x")], outgoing=to(SCHEDULE, event))
        async with world.lose_answer(bus, event.text, durable=durable), asyncio.timeout(PATIENCE_S):
            if durable:
                await bus.commit(turns)
            else:
                with pytest.raises(BusUnavailable):
                    await bus.commit(turns)
                assert await bus.load("actor", ["a"]) == {}
                await bus.commit(turns)
        assert await bus.load("actor", ["a"]) == {"a": Stored(1, b"x")}
        assert [d.event for d in await everything(bus, SCHEDULE, 1)] == [event]

    @pytest.mark.parametrize("durable", [True, False], ids=["answer lost", "append lost"])
    async def test_a_publish_goes_through_a_broken_connection_once(self, world: World, durable: bool) -> None:
        bus = await world.open()
        before, event, after = said("a", 1), said("a", 2, text=f"marker {uuid4().hex}"), said("a", 3)
        await bus.publish(to(SESSION, before))
        async with world.lose_answer(bus, event.text, durable=durable), asyncio.timeout(PATIENCE_S):
            await bus.publish(to(SESSION, event))
        await bus.publish(to(SESSION, after))
        assert [d.event for d in await everything(bus, SESSION, 3)] == [before, event, after]

    async def test_a_transaction_asks_and_commits_as_one(self, world: World) -> None:
        bus = await world.open()
        turns = Turns("actor", SESSION, states=[StateWrite("a", 1, b"x")], outgoing=to(SCHEDULE, said("a", 1)))
        async with bus.transaction() as transaction:
            with pytest.raises(QueryFailed) as caught:
                await transaction.query(Query("no such statement"))
            assert len(caught.value.code) == 5
            async with transaction.savepoint():
                await transaction.query(Query("bot_memory.get", ("b", "n")))
            with pytest.raises(ZeroDivisionError):
                async with transaction.savepoint():
                    raise ZeroDivisionError
            await transaction.commit(turns)
        assert await bus.load("actor", ["a"]) == {"a": Stored(1, b"x")}
        await everything(bus, SCHEDULE, 1)

    async def test_a_failed_commit_of_a_transaction_says_who_lost(self, world: World) -> None:
        bus = await world.open()
        await bus.commit(Turns("actor", SESSION, [Advance(2, 0, 4)]))
        with pytest.raises(PartitionLost):
            async with bus.transaction() as transaction:
                await transaction.commit(Turns("actor", SESSION, [Advance(2, 0, 5)]))
        async with bus.transaction() as transaction:
            pass
        await bus.commit(Turns("actor", SESSION, [Advance(2, 4, 5)]))

    async def test_attempts_are_counted_for_everybody(self, world: World) -> None:
        bus, other = await world.open(), await world.open()
        assert [await bus.count_attempt("actor", SESSION, 1, 5) for _ in range(2)] == [1, 2]
        assert await other.count_attempt("actor", SESSION, 1, 5) == 3
        assert await other.count_attempt("actor", SESSION, 1, 6) == 1
        assert await other.count_attempt("another", SESSION, 1, 5) == 1

    async def test_an_unknown_resource_is_none(self, world: World) -> None:
        bus = await world.open()
        assert await bus.resource("0" * 64) is None

    # --- time ---------------------------------------------------------------------------------------------------------

    async def test_what_is_old_is_dropped_and_offsets_go_on(self, world: World) -> None:
        bus = await world.open()
        await bus.publish(to(SESSION, *(said("a", n) for n in range(10))))
        async with reading(bus) as found:
            old = await found.until_deliveries(10)
            await found.handle_all()
        await world.outlive()
        await bus.publish(to(SESSION, said("a", 10)))
        async with reading(bus) as found:
            (new,) = await found.until_deliveries(1)
        assert new.offset > old[-1].offset
        (only,) = await everything(bus, SESSION, 1)
        assert only.offset == new.offset
