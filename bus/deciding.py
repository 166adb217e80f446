"""
How a decider runs: a batch of events is decided in order and committed in one transaction.

States are loaded in one query and kept while the partition is ours. An event that makes the decider raise is set aside
alone. A commit that fails leaves nothing behind: what was decided is thrown away, loaded and decided again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import GeneratorType
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from bus import codec
from bus.actor import Ask, Decider, Resource, Turn
from bus.dead_letters import DISCARDED, dropped, notice, redriven, set_aside
from bus.errors import BusError, BusUnavailable, PartitionLost, QueryFailed, SchemaMismatch
from bus.protocol import (
    Advance,
    Batch,
    DeadLetter,
    Delivery,
    Outgoing,
    Record,
    RecordedQuery,
    Rows,
    StateWrite,
    Stored,
    Subscription,
    Transaction,
    Turns,
    Undecodable,
)
from bus.states import Kept, Parked, StateCache, StateCodec
from bus.surroundings import Surroundings
from schemas.catalog import TOPIC_EVENTS
from schemas.envelope import Event
from schemas.failure import TurnFailed

__all__ = ["DeciderRunner"]

log = structlog.get_logger(__name__)

_NEVER: Final = (-1, -1)


class Listener(Protocol):
    """Works beside a decider, on the partitions that it owns (the timer service)."""

    def owns(self, partitions: Collection[int]) -> None: ...

    def committed(self, turns: Turns) -> None: ...


@dataclass(slots=True)
class _Work:
    """A batch in hand. Its database transaction is opened by the first query in it, if there is one."""

    turns: Turns
    stack: AsyncExitStack
    touched: dict[str, Kept] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    transaction: Transaction | None = None
    notes: list[Turn] = field(default_factory=list)


class DeciderRunner:
    """
    Runs *actor* over the partitions that this process owns.

    Args:
        listener: told what is ours, and of every batch after its commit.
        lanes: so many runners of this actor share the memory for states.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        actor: Decider[Any],
        *,
        listener: Listener | None = None,
        lanes: int = 1,
    ) -> None:
        self.positions: dict[int, int] = {}  # of the partitions that are ours
        self._around = surroundings
        self._actor = actor
        self._listener = listener
        self._codec = StateCodec(actor.state)
        limits = surroundings.options
        self._states = StateCache(limits.max_states // lanes, limits.max_state_bytes // lanes)
        self._suspects: dict[int, tuple[int, datetime]] = {}
        self._tells_itself = TurnFailed in TOPIC_EVENTS.get(actor.topic, (TurnFailed,))

    async def run(self) -> None:
        """Until a stop is requested. Raises the errors of the bus that waiting does not help against."""
        around = self._around
        backoff = around.backoff()
        around.idle.begin()
        try:
            while not around.stop.requested:
                try:
                    async with around.bus.subscribe(self._actor.topic, group=self._actor.name) as subscription:
                        while not around.stop.requested:
                            batch = await self._take(subscription)
                            await self._own(subscription, batch)
                            await self._handle(subscription, batch.deliveries)
                            backoff.reset()
                        with suppress(BusUnavailable):  # then it is left as it is: not clean
                            await self._release(subscription, list(self._suspects), self._suspects)
                except BusUnavailable as error:
                    around.retried(self._actor.name, error)
                    await around.pause(backoff)
                finally:
                    self._forget(list(self.positions))
        finally:
            around.idle.end()

    async def _take(self, subscription: Subscription) -> Batch:
        """The next batch; an empty one when it is time to stop."""
        batch = Batch()
        async with self._around.stop.interrupts():
            if self.positions:
                with self._around.idle.waiting():
                    batch = await subscription.take(self._around.options.batch)
            else:
                batch = await subscription.take(self._around.options.batch)
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
        self._forget(partitions)
        await self._around.insist(self._actor.name, lambda: self._release(subscription, partitions, suspect))

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
            self._states.drop_partition(partition)
        if partitions:
            self._tell_listener()

    def _tell_listener(self) -> None:
        if self._listener is not None:
            self._listener.owns(self.positions)

    # --- Batches and what can befall them -----------------------------------------------------------------------------

    async def _handle(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        if not self._suspects:
            await self._settle(subscription, deliveries)
            return
        ordinary: list[Delivery] = []
        for delivery in deliveries:
            if self._is_suspect(delivery):
                await self._try_alone(subscription, delivery)
            else:
                ordinary.append(delivery)
        await self._settle(subscription, ordinary)

    def _is_suspect(self, delivery: Delivery) -> bool:
        """
        May the owner before us have died of this event? It was in the last batch that owner took, so it is among the
        first *batch* ones, and older than our takeover.
        """
        left, since = self._suspects.get(delivery.partition, (0, None))
        if since is None:
            return False
        if left == 0 or (not isinstance(delivery.event, Undecodable) and delivery.event.at > since):
            del self._suspects[delivery.partition]
            return False
        self._suspects[delivery.partition] = (left - 1, since)
        return True

    async def _try_alone(self, subscription: Subscription, delivery: Delivery) -> None:
        """Counted before it is tried, so that the count outlives the process if it dies of it."""
        if not self._is_ours(delivery):
            return
        bus, name = self._around.bus, self._actor.name
        tries = await self._around.insist(
            name, lambda: bus.count_attempt(name, delivery.topic, delivery.partition, delivery.offset)
        )
        if tries >= self._around.options.max_attempts:
            why = f"its process died {tries} times while it was handled"
            await self._settle(subscription, [delivery], aside=why)
        else:
            await self._settle(subscription, [delivery])

    async def _settle(
        self, subscription: Subscription, deliveries: Sequence[Delivery], aside: Exception | str | None = None
    ) -> None:
        """Decide and commit *deliveries*, as often as it takes; with *aside*, set the one there is aside for that."""
        around = self._around
        backoff = around.backoff()
        while deliveries := [delivery for delivery in deliveries if self._is_ours(delivery)]:
            try:
                await self._commit(deliveries, aside)
            except PartitionLost as lost:
                self._void(deliveries)
                if lost.partition not in self.positions:
                    raise
                log.info("partition_lost", actor=self._actor.name, partition=lost.partition)
                # If the bus takes it for ours all the same, it hands it out again.
                await self._let_go(subscription, (lost.partition,))
            except BusUnavailable as error:
                self._void(deliveries)
                around.retried(self._actor.name, error)
                await around.pause(backoff)
                if around.stop.requested:
                    # Nothing after these may be decided before them.
                    self._forget({delivery.partition for delivery in deliveries})
            except SchemaMismatch:
                raise
            except BusError as error:
                # The bus refuses what was decided: too large, an undeclared topic, a value no column takes.
                self._void(deliveries)
                if aside is not None:
                    raise
                if len(deliveries) == 1:
                    aside = error
                else:
                    for delivery in deliveries:
                        await self._settle(subscription, [delivery])
            except BaseException:
                self._void(deliveries)
                raise

    def _void(self, deliveries: Sequence[Delivery]) -> None:
        """What was decided did not happen: the states in memory are wrong."""
        self._states.drop([_key(delivery) for delivery in deliveries])

    def _is_ours(self, delivery: Delivery) -> bool:
        """Is it on a partition of ours, and not handled yet?"""
        position = self.positions.get(delivery.partition)
        return position is not None and delivery.offset >= position

    async def _commit(self, deliveries: Sequence[Delivery], aside: Exception | str | None) -> None:
        began = time.perf_counter()
        await self._load(deliveries)
        turns = Turns(self._actor.name, self._actor.topic)
        async with AsyncExitStack() as stack:
            work = _Work(turns, stack)
            await self._decide(work, deliveries, aside)
            self._conclude(work, deliveries)
            if work.transaction is None:
                await self._around.bus.commit(turns)
            else:
                await work.transaction.commit(turns)
        for key, kept in work.touched.items():
            size = kept.size
            kept.committed()
            self._states.put(key, kept, size)
        if work.unreadable:
            self._states.drop(work.unreadable)  # they are looked at again each time: somebody may have mended them
        self._states.trim()
        for advance in turns.advances:
            self.positions[advance.partition] = advance.end
        if self._listener is not None:
            self._listener.committed(turns)
        self._tell(deliveries, turns, time.perf_counter() - began)
        for turn in work.notes:
            for what, facts in turn.notes:
                log.warning(what, actor=turn.actor, bot=turn.event.bot, key=turn.event.key, **facts)
                self._around.observer.noted(what)

    def _tell(self, deliveries: Sequence[Delivery], turns: Turns, duration_s: float) -> None:
        name, observer = self._actor.name, self._around.observer
        observer.handled(name, len(deliveries), duration_s)
        last = deliveries[-1].event
        if not isinstance(last, Undecodable):
            observer.lag(name, (self._around.clock.now() - last.at).total_seconds())
        for topic, number in Counter([out.topic for out in turns.outgoing]).items():
            observer.published(topic, number)
        if turns.dead:
            observer.dead_lettered(name, len(turns.dead))
        if self._around.options.log_turns:
            for delivery in deliveries:
                if not isinstance(delivery.event, Undecodable):
                    event = delivery.event
                    log.info("turn_committed", actor=name, type=event.type, event_id=str(event.id), key=event.key)
        log.debug("batch_committed", actor=name, turns=len(deliveries), published=len(turns.outgoing))

    async def _load(self, deliveries: Sequence[Delivery]) -> None:
        """The states of their keys into the cache, under their partitions: with those they are forgotten."""
        missing = {key: each.partition for each in deliveries if self._states.get(key := _key(each)) is None}
        if missing:
            stored = await self._around.bus.load(self._actor.name, missing)
            for key, partition in missing.items():
                self._states.put(key, self._codec.decode(partition, stored.get(key)))

    def _conclude(self, work: _Work, deliveries: Sequence[Delivery]) -> None:
        """The writes and the positions that follow from what was decided."""
        turns = work.turns
        for key, kept in work.touched.items():
            if kept.value is not None or kept.version:
                turns.states.append(StateWrite(key, kept.version + 1, kept.value))
        ends = {delivery.partition: delivery.offset + 1 for delivery in deliveries}
        turns.advances.extend(Advance(partition, self.positions[partition], end) for partition, end in ends.items())

    # --- Turns --------------------------------------------------------------------------------------------------------

    async def _decide(self, work: _Work, deliveries: Sequence[Delivery], aside: Exception | str | None) -> None:
        """
        Decide all in order into *work*; with *aside*, set them aside for that instead.

        The hot path: no task and no log line an event, and no wait for one that asks nothing and fails nothing.
        """
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, Undecodable):
                self._bury(work, set_aside(self._actor.name, delivery, event.reason, self._around.clock))
                continue
            kept = self._states.get(event.key)
            assert kept is not None, "loaded before"
            kept.partition = delivery.partition
            if kept.unreadable is not None:
                self._refuse(work, delivery, event, kept.unreadable)
                continue
            if not _is_news(kept, event):
                continue
            work.touched[event.key] = kept
            emitted: list[Outgoing] = []
            if kept.parked is not None:
                await self._behind(work, kept, kept.parked, delivery, event, emitted)
            elif aside is None:
                await self._turn(work, kept, delivery, event, emitted)
            else:
                await self._fail(work, kept, delivery, event, aside, emitted)
            work.turns.outgoing += emitted

    async def _turn(self, work: _Work, kept: Kept, delivery: Delivery, event: Event, emitted: list[Outgoing]) -> None:
        """
        One turn.

        Args:
            emitted: what this delivery has led to so far; a delivery that ends a block leads to many turns, and what
                they emit is numbered through.
        """
        turn = Turn(self._actor.name, delivery.partition, delivery.offset, event)
        turn.outgoing = emitted
        emitted_before, asked_before = len(emitted), len(work.turns.recorded)
        try:
            found: Any = self._actor.decide(turn, kept.state)
            if isinstance(found, GeneratorType):
                await self._drive(work, found, kept, turn)
            else:
                kept.state = found
                kept.keep()
        except Exception as error:
            if isinstance(error, BusError) and error.retriable:
                raise
            del emitted[emitted_before:]
            del work.turns.recorded[asked_before:]
            await self._fail(work, kept, delivery, event, error, emitted)
        else:
            work.turns.rows += turn.rows
            if turn.notes:
                work.notes.append(turn)

    async def _drive(self, work: _Work, asks: GeneratorType[Ask, Any, Any], kept: Kept, turn: Turn) -> None:
        """A decider that asks: what it changed in the database is undone if its turn fails."""
        async with AsyncExitStack() as stack:
            answer: Rows | bytes | None = None
            refused: QueryFailed | None = None
            queries = 0
            in_savepoint = False
            while True:
                try:
                    ask = asks.send(answer) if refused is None else asks.throw(refused)
                except StopIteration as end:
                    kept.state = end.value
                    kept.keep()
                    return
                answer, refused = None, None
                if isinstance(ask, Resource):
                    answer = await self._around.resources.get(ask.digest)
                    continue
                if work.transaction is None:
                    work.transaction = await work.stack.enter_async_context(self._around.bus.transaction())
                if not in_savepoint:
                    await stack.enter_async_context(work.transaction.savepoint())
                    in_savepoint = True
                try:
                    answer = await work.transaction.query(ask)
                except QueryFailed as error:
                    refused = error
                else:
                    work.turns.recorded.append(RecordedQuery(turn.partition, turn.offset, queries, ask, answer))
                queries += 1

    # --- Events that fail, and what waits behind them -----------------------------------------------------------------

    async def _fail(
        self,
        work: _Work,
        kept: Kept,
        delivery: Delivery,
        event: Event,
        error: Exception | str,
        emitted: list[Outgoing],
    ) -> None:
        """Set *event* aside: its state is as it was before, and its conversation hears of it, or waits for people."""
        name = self._actor.name
        await self._restore(kept, event.key)
        letter = set_aside(name, delivery, error, self._around.clock, event)
        self._bury(work, letter)
        # To tell somebody that being told failed would go on for ever.
        if not isinstance(event, TurnFailed):
            if await self._around.policy(name, event) == "block":
                kept.parked = Parked(behind=letter.id)
            else:
                turn = Turn(name, delivery.partition, delivery.offset, event)
                turn.outgoing = emitted
                if self._tells_itself:
                    self._tell_failure(turn, self._actor.topic, event.id, letter.id, letter.reason)
                self._tell_others(turn, event.id, letter.id, letter.reason)
        kept.keep()
        self._report(event, letter, error)

    def _refuse(self, work: _Work, delivery: Delivery, event: Event, error: Exception) -> None:
        """
        The state of its key cannot be read: *event* is set aside and its conversation hears of it. The state stays as
        it is, for people to mend; so nothing is remembered in it, and each event is set aside by itself.
        """
        letter = set_aside(self._actor.name, delivery, error, self._around.clock, event)
        self._bury(work, letter)
        work.unreadable.append(event.key)
        if not isinstance(event, TurnFailed):
            turn = Turn(self._actor.name, delivery.partition, delivery.offset, event)
            self._tell_others(turn, event.id, letter.id, letter.reason)
            work.turns.outgoing += turn.outgoing
        self._report(event, letter, error)

    def _report(self, event: Event, letter: DeadLetter, error: Exception | str) -> None:
        log.error(
            "event_set_aside",
            actor=self._actor.name,
            type=event.type,
            event_id=str(event.id),
            key=event.key,
            dead_letter=str(letter.id),
            reason=letter.reason,
            exc_info=error if isinstance(error, Exception) else None,
        )

    async def _restore(self, kept: Kept, key: str) -> None:
        """The state as it was before the event in hand: a decider may have changed it in place."""
        if kept.dirty:
            stored = None if kept.value is None else Stored(1, kept.value)
        else:
            stored = (await self._around.bus.load(self._actor.name, (key,))).get(key)
        kept.state = self._codec.decode(kept.partition, stored).state

    def _bury(self, work: _Work, letter: DeadLetter) -> None:
        work.turns.dead.append(letter)
        work.turns.outgoing.append(notice(letter))

    def _tell_failure(self, turn: Turn, topic: str, failed: UUID, letter: UUID, reason: str) -> None:
        turn.emit(
            topic,
            TurnFailed,
            actor=self._actor.name,
            failed=failed,
            dead_letter=letter,
            error=reason.partition(":")[0],
        )

    def _tell_others(self, turn: Turn, failed: UUID, letter: UUID, reason: str) -> None:
        """The session hears of it, if it is not the one that failed."""
        topic = self._around.options.failures_to
        if topic is not None and topic != self._actor.topic:
            self._tell_failure(turn, topic, failed, letter, reason)

    async def _behind(
        self, work: _Work, kept: Kept, parked: Parked, delivery: Delivery, event: Event, emitted: list[Outgoing]
    ) -> None:
        """An event of a blocked conversation: it waits too, or it is what all the others wait for."""
        source = "" if event.origin is None else event.origin.actor
        if source not in (redriven(parked.behind), dropped(parked.behind)):
            self._park(work, kept, parked, delivery, event)
            return
        kept.parked = None
        kept.keep()
        waiting = list(parked.waiting)
        if isinstance(event, TurnFailed) and source == dropped(parked.behind):
            turn = Turn(self._actor.name, delivery.partition, delivery.offset, event)
            turn.outgoing = emitted
            self._tell_others(turn, event.failed, event.dead_letter, event.error)
        if not isinstance(event, TurnFailed) or self._tells_itself:
            await self._turn(work, kept, delivery, event, emitted)
        while waiting and not kept.parked:
            type_, text = waiting.pop(0)
            next_ = codec.decode(Record(event.key, type_, text.encode()))
            if isinstance(next_, Undecodable):
                self._bury(work, set_aside(self._actor.name, delivery, next_.reason, self._around.clock))
            else:
                await self._turn(work, kept, delivery, next_, emitted)
        if kept.parked:
            # One of them has failed in its turn, and the rest waits behind that one.
            kept.parked.waiting.extend(waiting)
            kept.keep()

    def _park(self, work: _Work, kept: Kept, parked: Parked, delivery: Delivery, event: Event) -> None:
        most = self._around.options.max_parked
        if len(parked.waiting) < most:
            record = codec.encode(event)
            parked.waiting.append((record.type, record.data.decode()))
        else:
            why = f"more than {most} events wait in this conversation"
            self._bury(work, set_aside(self._actor.name, delivery, why, self._around.clock))
        kept.keep()


def _key(delivery: Delivery) -> str:
    event = delivery.event
    return event.record.key if isinstance(event, Undecodable) else event.key


def _is_news(kept: Kept, event: Event) -> bool:
    """Is *event* not a repeat? Remembers it."""
    origin = event.origin
    if origin is None:
        return True
    if isinstance(event, TurnFailed) and origin.actor.startswith(DISCARDED):
        # Said to end a block. Where there is none, the conversation was told when the event was set aside.
        blocked_by = None if kept.parked is None else dropped(kept.parked.behind)
        if origin.actor != blocked_by:
            return False
    source = f"{origin.actor}/{origin.partition}"
    place = (origin.offset, origin.index)
    if place <= kept.seen.get(source, _NEVER):
        return False
    kept.seen[source] = place
    return True
