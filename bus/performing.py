"""
How a performer runs: many keys at once, in order within a key.

A partition's position is its lowest event that is not finished, so a crash repeats what was in hand and nothing else.
A call that takes long holds up its own key only; what waits for a key is bounded by the intake.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from bus.actor import Performer
from bus.dead_letters import notice, set_aside
from bus.errors import BusError, BusUnavailable
from bus.protocol import Batch, Delivery, Outgoing, Subscription, Turns, Undecodable
from bus.surroundings import Surroundings
from schemas.envelope import Event

__all__ = ["PerformerRunner"]

log = structlog.get_logger(__name__)

E = TypeVar("E", bound=Event)
R = TypeVar("R")


class JobInHand:
    """``bus.actor.Job``: what is said is published when the work is done, all of it or nothing."""

    def __init__(self, surroundings: Surroundings, event: Event) -> None:
        self.event = event
        self.outgoing: list[Outgoing] = []
        self._around = surroundings

    def answer(self, event: type[E], **fields: Any) -> E:
        """Raises ``ValueError`` when nobody asked for an answer."""
        if self.event.reply_to is None:
            raise ValueError(f"{self.event.type} does not say whom to answer")
        return self.emit(self.event.reply_to, event, **fields)

    def emit(self, topic: str, event: type[E], **fields: Any) -> E:
        """An event of that class; what of the envelope is not given follows from the event in hand."""
        cause = self.event
        envelope: dict[str, Any] = {
            "id": self._around.ids(),
            "at": self._around.clock.now(),
            "tenant": cause.tenant,
            "bot": cause.bot,
            "bot_version": cause.bot_version,
            "key": cause.key,
            "cause": cause.id,
            "turn": cause.turn or cause.id,
            "trace": cause.trace,
        }
        made = event(**{**envelope, **fields})
        self.outgoing.append(Outgoing(topic, made))
        return made


@dataclass(slots=True)
class _Held:
    """
    What is in hand of one partition: the offsets that are not finished, in order, and where reading stands.

    Args:
        suspects: the owner before us may have died of so many of the next events, if they are not newer than *since*.
        unfinished: {offset: whether it is a suspect}.
    """

    since: datetime
    suspects: int
    end: int
    advanced: int
    unfinished: dict[int, bool] = field(default_factory=dict)
    running: int = 0
    leaving: bool = False

    def can_move(self) -> bool:
        return self.reached() > self.advanced

    def is_suspect(self, delivery: Delivery) -> bool:
        """May the owner before us have died of it? To be asked once for each, in order."""
        if self.suspects and not isinstance(delivery.event, Undecodable) and delivery.event.at > self.since:
            self.suspects = 0
        if not self.suspects:
            return False
        self.suspects -= 1
        return True

    def is_clean(self) -> bool:
        """Has all been handled that the owner before us may have died of?"""
        return not self.suspects and not any(self.unfinished.values())

    def reached(self) -> int:
        """The position that may be made durable."""
        return next(iter(self.unfinished), self.end)


class PerformerRunner:
    """Runs *actor* over the partitions that this process owns."""

    def __init__(self, surroundings: Surroundings, actor: Performer) -> None:
        self._around = surroundings
        self._actor = actor
        self._held: dict[int, _Held] = {}
        self._queues: dict[str, deque[tuple[Delivery, _Held]]] = {}
        self._in_hand = 0
        self._slots = asyncio.Semaphore(actor.concurrency)
        self._alone = asyncio.Lock()
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Until a stop is requested and what is in hand is finished."""
        around = self._around
        backoff = around.backoff()
        around.idle.begin()
        try:
            while not around.stop.requested:
                try:
                    async with around.bus.subscribe(self._actor.topic, group=self._actor.name) as subscription:
                        await self._serve(subscription)
                except BusUnavailable as error:
                    around.retried(self._actor.name, error)
                    await around.pause(backoff)
        finally:
            around.idle.end()

    async def _serve(self, subscription: Subscription) -> None:
        self._held.clear()
        async with asyncio.TaskGroup() as group:
            advancing = group.create_task(self._advance(subscription), name=f"{self._actor.name}/advance")
            backoff = self._around.backoff()
            while not self._around.stop.requested:
                try:
                    batch = await self._take(subscription)
                    backoff.reset()
                except BusUnavailable as error:
                    self._around.retried(self._actor.name, error)
                    await self._around.pause(backoff)
                    continue
                self._own(subscription, batch, group)
                for delivery in batch.deliveries:
                    self._accept(delivery, group)
            async with self._changed:
                await self._changed.wait_for(lambda: not self._in_hand)
            advancing.cancel()
        await self._move(subscription, self._held)
        unclean = [partition for partition, held in self._held.items() if not held.is_clean()]
        if unclean:
            with suppress(BusUnavailable):  # the subscription remembers what it was told
                await subscription.release(unclean, clean=False)

    async def _take(self, subscription: Subscription) -> Batch:
        """The next batch, as much as there is room for; an empty one when it is time to stop."""
        options = self._around.options
        batch = Batch()
        async with self._around.stop.interrupts():
            async with self._changed:
                await self._changed.wait_for(lambda: self._room() > 0)
            limit = min(options.batch, self._room())
            if self._held:
                with self._around.idle.waiting():
                    batch = await subscription.take(limit)
            else:
                batch = await subscription.take(limit)
        return batch

    def _room(self) -> int:
        """How many more events may be taken."""
        return self._around.options.intake - self._in_hand

    def _own(self, subscription: Subscription, batch: Batch, group: asyncio.TaskGroup) -> None:
        unclean = {claim.partition for claim in batch.acquired if not claim.clean}
        for partition in batch.revoked:
            held = self._held.pop(partition, None)
            if held is not None:
                held.leaving = True
            group.create_task(
                self._give_back(subscription, partition, held, partition not in unclean),
                name=f"{self._actor.name}/give_back",
            )
        for claim in batch.acquired:
            if claim.partition in batch.revoked:
                continue
            suspects = 0 if claim.clean else self._around.options.intake
            self._held[claim.partition] = _Held(self._around.clock.now(), suspects, claim.position, claim.position)

    async def _give_back(self, subscription: Subscription, partition: int, held: _Held | None, clean: bool) -> None:
        """Nothing more of it is begun; what runs is finished first, since whoever is next would do it again."""
        if held is not None:
            async with self._changed:
                await self._changed.wait_for(lambda: not held.running)
            await self._insist(lambda: self._move(subscription, {partition: held}))
            clean = clean and held.is_clean()
        await self._insist(lambda: subscription.release((partition,), clean=clean))

    def _accept(self, delivery: Delivery, group: asyncio.TaskGroup) -> None:
        held = self._held.get(delivery.partition)
        if held is None or delivery.offset < held.end:
            return
        held.end = delivery.offset + 1
        held.unfinished[delivery.offset] = held.is_suspect(delivery)
        self._in_hand += 1
        self._around.idle.begin()
        key = delivery.key
        if key in self._queues:
            self._queues[key].append((delivery, held))
        else:
            self._queues[key] = deque([(delivery, held)])
            group.create_task(self._work_on(key), name=f"{self._actor.name}/key")

    # --- One key ------------------------------------------------------------------------------------------------------

    async def _work_on(self, key: str) -> None:
        """All there is for *key*, in order; other keys have their turn after each event."""
        queue = self._queues[key]
        while queue:
            delivery, held = queue.popleft()
            try:
                async with self._slots:
                    if not held.leaving and not self._around.stop.requested:
                        held.running += 1
                        try:
                            await self._work(delivery, held)
                            del held.unfinished[delivery.offset]
                        finally:
                            held.running -= 1
            finally:
                self._in_hand -= 1
                self._around.idle.end()
            async with self._changed:
                self._changed.notify_all()
        del self._queues[key]

    async def _work(self, delivery: Delivery, held: _Held) -> None:
        event = delivery.event
        if isinstance(event, Undecodable):
            await self._bury(delivery, event.reason, [])
            return
        tries = await self._tries(delivery) if held.unfinished[delivery.offset] else 0
        if tries >= self._around.options.max_attempts:
            await self._fail(delivery, event, RuntimeError(f"its process died {tries} times while it was handled"))
        elif tries > 1:
            # It was in hand twice when a process died. Alone, so that nobody else is suspected the third time.
            async with self._alone:
                await self._perform(delivery, event)
        else:
            await self._perform(delivery, event)

    async def _tries(self, delivery: Delivery) -> int:
        """The number of this try; counted before it is made, since the owner before us may have died of it."""
        bus, name = self._around.bus, self._actor.name
        return await self._insist(lambda: bus.count_attempt(name, delivery.topic, delivery.partition, delivery.offset))

    async def _perform(self, delivery: Delivery, event: Event) -> None:
        """Try, within the budget; then publish what was said, or say that it failed."""
        around, actor = self._around, self._actor
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + actor.budget_s
        backoff = around.backoff()
        while True:
            job = JobInHand(around, event)
            try:
                async with asyncio.timeout_at(deadline):
                    await actor.perform(job)
                break
            except Exception as error:
                wait_s = backoff.next_s()
                if not getattr(error, "retriable", False) or loop.time() + wait_s >= deadline:
                    await self._fail(delivery, event, error)
                    return
                around.retried(actor.name, error)
                await asyncio.sleep(wait_s)
        try:
            if job.outgoing:
                await self._insist(lambda: around.bus.publish(job.outgoing))
        except BusError as error:
            # The bus refuses what was said: too large, an undeclared topic.
            await self._fail(delivery, event, error)
            return
        around.observer.handled(actor.name, 1, time.perf_counter() - began)
        around.observer.lag(actor.name, (around.clock.now() - event.at).total_seconds())
        if around.options.log_turns:
            log.info("performed", actor=actor.name, type=event.type, event_id=str(event.id), key=event.key)

    async def _fail(self, delivery: Delivery, event: Event, error: Exception) -> None:
        """Nobody waits for ever: the answer is a failure, and the event is set aside."""
        job = JobInHand(self._around, event)
        try:
            self._actor.failed(job, error)
        except Exception as worse:
            log.exception("failure_not_told", actor=self._actor.name, event_id=str(event.id))
            worse.add_note(f"while it was to tell of {error!r}")
            error, job.outgoing = worse, []
        await self._bury(delivery, error, job.outgoing)

    async def _bury(self, delivery: Delivery, error: Exception | str, outgoing: list[Outgoing]) -> None:
        letter = set_aside(self._actor.name, delivery, error, self._around.clock)
        turns = Turns(self._actor.name, self._actor.topic, outgoing=[*outgoing, notice(letter)], dead=[letter])
        await self._insist(lambda: self._around.bus.commit(turns))
        self._around.observer.dead_lettered(self._actor.name, 1)
        log.error(
            "event_set_aside",
            actor=self._actor.name,
            dead_letter=str(letter.id),
            reason=letter.reason,
            exc_info=error if isinstance(error, Exception) else None,
        )

    async def _insist(self, call: Callable[[], Awaitable[R]]) -> R:
        return await self._around.insist(self._actor.name, call)

    # --- Positions ----------------------------------------------------------------------------------------------------

    async def _advance(self, subscription: Subscription) -> None:
        """Positions follow what is finished: at once when one is, many together when they are many."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: any(held.can_move() for held in self._held.values()))
            await self._insist(lambda: self._move(subscription, self._held))

    async def _move(self, subscription: Subscription, partitions: Mapping[int, _Held]) -> None:
        moved = {partition: (held, held.reached()) for partition, held in partitions.items() if held.can_move()}
        if moved:
            await subscription.advance({partition: reached for partition, (_, reached) in moved.items()})
            for held, reached in moved.values():
                held.advanced = reached
