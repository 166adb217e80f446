"""
How a decider runs: a batch of events is decided in order and committed in one transaction.

States are loaded in one query and kept while the partition is ours. What an event leads to in other deciders of this
process is decided with it (``chaining``); where that does not go well, each event is decided by itself (``careful``),
and one that makes the decider raise is set aside alone. A commit that fails leaves nothing behind: what was decided is
thrown away, loaded and decided again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from typing import Final

import structlog

from bus.careful import CarefulPass
from bus.chaining import Unusual, decide_chained
from bus.desk import Desk, Desks
from bus.errors import BusError, BusUnavailable, NotReady, PartitionLost, SchemaMismatch, StateConflict
from bus.protocol import Advance, Batch, Delivery, Subscription, Turns, Undecodable
from bus.surroundings import Surroundings
from bus.work import Work

__all__ = ["DeciderRunner"]

log = structlog.get_logger(__name__)

_PASSED_FOR_S: Final = 1.0  # so long may a position be behind events that were decided before they came


class DeciderRunner:
    """
    Runs the actor of *desk* over the partitions that this process owns.

    Args:
        desks: of all deciders of this process, by topic; this one's own is among them.
    """

    def __init__(self, surroundings: Surroundings, desk: Desk, desks: Desks) -> None:
        self.desk = desk
        self.positions = desk.positions
        self._around = surroundings
        self._desks = desks
        self._suspects: dict[int, tuple[int, datetime]] = {}
        self._passed: dict[int, int] = {}  # {partition: end} of events that need nothing but to be passed over
        self._passed_by = 0.0  # when their positions are to be moved, by the loop's clock

    async def run(self) -> None:
        """Until a stop is requested. Raises the errors of the bus that waiting does not help against."""
        around = self._around
        backoff = around.backoff()
        around.idle.begin()
        try:
            while not around.stop.requested:
                try:
                    async with around.bus.subscribe(self.desk.topic, group=self.desk.name) as subscription:
                        while not around.stop.requested:
                            batch = await self._take(subscription)
                            if batch.acquired or batch.revoked:
                                async with self.desk.mine():
                                    await self._own(subscription, batch)
                            await self._handle(subscription, batch.deliveries)
                            backoff.reset()
                        async with self.desk.mine():
                            await self._leave(subscription, list(self.positions))
                except BusUnavailable as error:
                    around.retried(self.desk.name, error)
                    await around.pause(backoff)
                finally:
                    async with self.desk.mine():
                        self._forget(list(self.positions))
        finally:
            around.idle.end()

    async def _take(self, subscription: Subscription) -> Batch:
        """The next batch; an empty one when it is time to stop, or to move positions past what was passed over."""
        batch = Batch()
        async with self._around.stop.interrupts():
            if self.positions:
                with self._around.idle.waiting(), suppress(TimeoutError):
                    async with asyncio.timeout_at(self._passed_by if self._passed else None):
                        batch = await subscription.take(self._around.options.batch)
            else:
                batch = await subscription.take(self._around.options.batch)
        if self._passed and (not batch.deliveries or asyncio.get_running_loop().time() >= self._passed_by):
            await self._pass(list(self._passed))
        return batch

    async def _own(self, subscription: Subscription, batch: Batch) -> None:
        """Take note of what is ours and what is not any more."""
        acquired = batch.acquired
        if batch.revoked:
            unclean = {claim.partition for claim in acquired if not claim.clean}
            await self._let_go(subscription, batch.revoked, unclean)
            acquired = [claim for claim in acquired if claim.partition not in batch.revoked]
        # What was kept of them from an earlier time is old.
        self._forget([claim.partition for claim in acquired])
        for claim in acquired:
            self.positions[claim.partition] = claim.position
            if not claim.clean:
                self._suspects[claim.partition] = (self._around.options.batch, self._around.clock.now())
        if acquired:
            self._tell_listener()

    async def _let_go(
        self, subscription: Subscription, partitions: Collection[int], unclean: Collection[int] = ()
    ) -> None:
        suspect = {partition for partition in partitions if partition in unclean or partition in self._suspects}
        with suppress(BusUnavailable):
            await self._pass(partitions)
        self._forget(partitions)
        await self._around.insist(self.desk.name, lambda: self._release(subscription, partitions, suspect))

    async def _leave(self, subscription: Subscription, partitions: Collection[int]) -> None:
        """Nothing more is decided of these, by nobody of this process; they pass on when the subscription ends."""
        suspect = [partition for partition in partitions if partition in self._suspects]
        with suppress(BusUnavailable):
            await self._pass(partitions)
        self._forget(partitions)
        with suppress(BusUnavailable):  # the subscription remembers what it was told
            await self._release(subscription, suspect, suspect)

    async def _release(self, subscription: Subscription, partitions: Collection[int], suspect: Collection[int]) -> None:
        """Who gets the *suspect* ones next must still count: the event that an owner died of may be ahead in them."""
        for clean in (True, False):
            some = [partition for partition in partitions if (partition not in suspect) is clean]
            if some:
                await subscription.release(some, clean=clean)

    def _forget(self, partitions: Collection[int]) -> None:
        """What still comes of them is not for us."""
        for partition in partitions:
            self.positions.pop(partition, None)
            self._suspects.pop(partition, None)
            self._passed.pop(partition, None)
            self.desk.states.drop_partition(partition)
        if partitions:
            self._tell_listener()

    def _tell_listener(self) -> None:
        if self.desk.listener is not None:
            self.desk.listener.owns(self.positions)

    async def _pass(self, partitions: Collection[int]) -> None:
        """Move the positions of *partitions* past what was passed over. To do so again later would do no harm."""
        ends = {partition: self._passed.pop(partition) for partition in partitions if partition in self._passed}
        advances = [Advance(partition, self.positions[partition], end) for partition, end in ends.items()]
        if advances:
            with suppress(PartitionLost):  # the subscription says so too
                await self._around.bus.commit(Turns(self.desk.name, self.desk.topic, advances))
                self.positions.update(ends)

    # --- Batches and what can befall them -----------------------------------------------------------------------------

    async def _handle(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        if self.desk.listener is not None:
            for delivery in deliveries:
                if self.desk.passes(delivery.event):
                    self.desk.listener.passed(delivery.event)
        if self._suspects:
            ordinary: list[Delivery] = []
            for delivery in deliveries:
                if self._is_suspect(delivery):
                    await self._try_alone(subscription, delivery)
                else:
                    ordinary.append(delivery)
            await self._settle_when_ready(subscription, ordinary)
        elif all(self.desk.passes(delivery.event) for delivery in deliveries):
            # Nothing is left to do with them, and their positions can wait for company.
            if not self._passed:
                self._passed_by = asyncio.get_running_loop().time() + _PASSED_FOR_S
            self._passed.update({d.partition: d.offset + 1 for d in deliveries if self._is_ours(d)})
        else:
            await self._settle_when_ready(subscription, deliveries)

    async def _settle_when_ready(
        self,
        subscription: Subscription,
        deliveries: Sequence[Delivery],
        *,
        careful: bool = False,
        aside: str | None = None,
    ) -> None:
        """While something is made that takes long, others may have the desk: only what is here waits."""
        most = len(deliveries)
        while deliveries:
            try:
                async with self.desk.mine():
                    await self._settle(subscription, deliveries[:most], careful=careful, aside=aside)
            except NotReady as missing:
                await missing.make()
                most = max(1, most // 2)  # all that many need may be more than can be kept at a time
            else:
                deliveries = deliveries[most:]

    def _is_suspect(self, delivery: Delivery) -> bool:
        """
        May the owner before us have died of this event? It was in the last batch that owner took, so it is among the
        first *batch* ones, and older than our takeover. What was decided before it came does not count: nobody dies of
        it, and any number of it may lie ahead, since positions wait there.
        """
        left, since = self._suspects.get(delivery.partition, (0, None))
        if since is None:
            return False
        if left == 0 or (not isinstance(delivery.event, Undecodable) and delivery.event.at > since):
            del self._suspects[delivery.partition]
            return False
        if self.desk.passes(delivery.event):
            return False
        self._suspects[delivery.partition] = (left - 1, since)
        return True

    async def _try_alone(self, subscription: Subscription, delivery: Delivery) -> None:
        """Counted before it is tried, so that the count outlives the process if it dies of it."""
        if not self._is_ours(delivery):
            return
        bus, name = self._around.bus, self.desk.name
        tries = await self._around.insist(
            name, lambda: bus.count_attempt(name, delivery.topic, delivery.partition, delivery.offset)
        )
        died = f"its process died {tries} times while it was handled"
        aside = died if tries >= self._around.options.max_attempts else None
        await self._settle_when_ready(subscription, [delivery], careful=True, aside=aside)

    async def _settle(
        self,
        subscription: Subscription,
        deliveries: Sequence[Delivery],
        *,
        careful: bool = False,
        aside: Exception | str | None = None,
    ) -> None:
        """
        Decide and commit *deliveries*, as often as it takes; *careful*: each by itself; with *aside*, set the one there
        is aside for that.

        Raises: NotReady: the rest of them must wait.
        """
        around = self._around
        backoff = around.backoff()
        while deliveries := [delivery for delivery in deliveries if self._is_ours(delivery)]:
            try:
                await self._commit(deliveries, careful, aside)
            except Unusual as unusual:
                log.debug("batch_decided_with_care", actor=self.desk.name, reason=repr(unusual.__cause__))
                careful = True
            except PartitionLost as lost:
                if lost.partition not in self.positions:
                    raise
                log.info("partition_lost", actor=self.desk.name, partition=lost.partition)
                # If the bus takes it for ours all the same, it hands it out again.
                await self._let_go(subscription, (lost.partition,))
            except (BusUnavailable, StateConflict) as error:
                around.retried(self.desk.name, error)
                await around.pause(backoff)
                if around.stop.requested:
                    # Nothing after these may be decided before them.
                    await self._leave(subscription, {delivery.partition for delivery in deliveries})
            except (SchemaMismatch, NotReady):
                raise
            except BusError as error:
                # The bus refuses what was decided: too large, an undeclared topic, a value no column takes.
                if aside is not None:
                    raise
                if not careful:
                    careful = True
                elif len(deliveries) == 1:
                    aside = error
                else:
                    for delivery in deliveries:
                        await self._settle(subscription, [delivery], careful=True)

    def _is_ours(self, delivery: Delivery) -> bool:
        """Is it on a partition of ours, and not handled yet?"""
        position = self.positions.get(delivery.partition)
        return position is not None and delivery.offset >= position

    async def _commit(self, deliveries: Sequence[Delivery], careful: bool, aside: Exception | str | None) -> None:
        """
        One try.

        Raises ``Unusual`` and the errors of the bus; nothing was changed, and what was decided is forgotten.
        """
        began = time.perf_counter()
        desk, around = self.desk, self._around
        async with AsyncExitStack() as stack:
            work = Work(desk, Turns(desk.name, desk.topic), stack)
            try:
                await desk.load({delivery.key: delivery.partition for delivery in deliveries})
                if careful or aside is not None:
                    await CarefulPass(around, work).decide(deliveries, aside)
                    work.conclude()
                else:
                    await decide_chained(work, self._desks, around.resources, deliveries)
                    try:
                        work.conclude()
                    except Exception as error:  # a state that cannot be written: whose, the careful way finds out
                        raise Unusual from error
                self._advance(work.turns, deliveries)
                if work.transaction is None:
                    await around.bus.commit(work.turns)
                else:
                    await work.transaction.commit(work.turns)
                work.committed()
            except BaseException:
                work.void()
                raise
            finally:
                work.end()
        for advance in work.turns.advances:
            self._passed.pop(advance.partition, None)
        self._tell(deliveries, work, time.perf_counter() - began)

    def _advance(self, turns: Turns, deliveries: Sequence[Delivery]) -> None:
        """The positions that follow from *deliveries*, with what was passed over before them."""
        ends = {delivery.partition: delivery.offset + 1 for delivery in deliveries}
        for partition, end in ends.items():
            turns.advances.append(Advance(partition, self.positions[partition], end))

    def _tell(self, deliveries: Sequence[Delivery], work: Work, duration_s: float) -> None:
        around, turns = self._around, work.turns
        observer = around.observer
        for actor, number in work.decided.items():
            observer.handled(actor, number, duration_s)
        last = deliveries[-1].event
        if not isinstance(last, Undecodable):
            observer.lag(self.desk.name, (around.clock.now() - last.at).total_seconds())
        for topic, number in Counter([out.topic for out in turns.outgoing]).items():
            observer.published(topic, number)
        if turns.dead:
            observer.dead_lettered(self.desk.name, len(turns.dead))
        for turn in work.notes:
            for what, facts in turn.notes:
                log.warning(what, actor=turn.actor, bot=turn.event.bot, key=turn.event.key, **facts)
                observer.noted(what)
        if around.options.log_turns:
            decided = [(self.desk.name, d.event) for d in deliveries if not self.desk.passes(d.event)]
            decided += [(out.topic, out.event) for out in turns.outgoing if out.event.decided]
            for actor, event in decided:
                if not isinstance(event, Undecodable):
                    log.info("turn_committed", actor=actor, type=event.type, event_id=str(event.id), key=event.key)
        log.debug("batch_committed", actor=self.desk.name, turns=len(deliveries), published=len(turns.outgoing))
