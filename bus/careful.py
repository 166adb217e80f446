"""
The careful way through a batch: one event after the other, and what fails is set aside alone.

Nothing is decided ahead of its place in the log here. It is taken where an event may have killed its owner, where a
turn fails or asks the database, and where a conversation is blocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import GeneratorType
from typing import Any
from uuid import UUID

import structlog

from bus import codec
from bus.actor import Ask, Resource, Turn
from bus.dead_letters import dropped, notice, redriven, set_aside
from bus.errors import BusError, QueryFailed
from bus.protocol import DeadLetter, Delivery, Outgoing, Record, RecordedQuery, Rows, Stored, Undecodable
from bus.states import Kept, Parked
from bus.surroundings import Surroundings
from bus.work import Work
from schemas.catalog import TOPIC_EVENTS
from schemas.envelope import Event
from schemas.failure import TurnFailed

__all__ = ["CarefulPass"]

log = structlog.get_logger(__name__)


class CarefulPass:
    """Decides into *work*, whose states are loaded."""

    def __init__(self, surroundings: Surroundings, work: Work) -> None:
        self._around = surroundings
        self._work = work
        self._desk = work.desk
        self._actor = work.desk.actor
        self._tells_itself = TurnFailed in TOPIC_EVENTS.get(work.desk.topic, (TurnFailed,))

    async def decide(self, deliveries: Sequence[Delivery], aside: Exception | str | None = None) -> None:
        """
        Decide all in order; with *aside*, set them aside for that instead.

        Raises: BusError: one that trying again may help against.
        """
        work = self._work
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, Undecodable):
                self._bury(set_aside(self._desk.name, delivery, event.reason, self._around.clock))
                continue
            if self._desk.passes(event):
                continue
            kept = self._desk.states.get(event.key)
            assert kept is not None, "loaded before"
            kept.partition = delivery.partition
            if kept.unreadable is not None:
                self._refuse(delivery, event, kept.unreadable)
                continue
            if not kept.is_news(event):
                continue
            work.touched[kept] = (self._desk, event.key)
            emitted: list[Outgoing] = []
            if aside is not None:
                await self._fail(kept, delivery, event, aside, emitted)
            elif kept.parked is not None:
                await self._behind(kept, kept.parked, delivery, event, emitted)
            else:
                await self._turn(kept, delivery, event, emitted)
            work.turns.outgoing += emitted

    async def _turn(self, kept: Kept, delivery: Delivery, event: Event, emitted: list[Outgoing]) -> None:
        """
        One turn.

        Args:
            emitted: what this delivery has led to so far; a delivery that ends a block leads to many turns, and what
                they emit is numbered through.
        """
        work = self._work
        others = sum(out.event.cause != event.id for out in emitted)
        turn = Turn(self._desk.name, delivery.partition, delivery.offset, event, emitted=emitted, before=others)
        emitted_before, asked_before = len(emitted), len(work.turns.recorded)
        try:
            found: Any = self._actor.decide(turn, kept.state)
            if isinstance(found, GeneratorType):
                await self._drive(found, kept, turn)
            else:
                self._keep(kept, event.key, found, emitted[emitted_before:])
        except Exception as error:
            if isinstance(error, BusError) and error.retriable:
                raise
            del emitted[emitted_before:]
            del work.turns.recorded[asked_before:]
            await self._fail(kept, delivery, event, error, emitted)
        else:
            work.decided[self._desk.name] += 1
            work.take(turn)

    @staticmethod
    def _keep(kept: Kept, key: str, state: Any, emitted: Sequence[Outgoing]) -> None:
        kept.state = state
        kept.sends(key, emitted)
        kept.keep()

    async def _drive(self, asks: GeneratorType[Ask, Any, Any], kept: Kept, turn: Turn) -> None:
        """A decider that asks: what it changed in the database is undone if its turn fails."""
        work = self._work
        emitted_before = len(turn.outgoing)
        async with AsyncExitStack() as stack:
            answer: Rows | bytes | None = None
            refused: QueryFailed | None = None
            queries = 0
            in_savepoint = False
            while True:
                try:
                    ask = asks.send(answer) if refused is None else asks.throw(refused)
                except StopIteration as end:
                    self._keep(kept, turn.event.key, end.value, turn.outgoing[emitted_before:])
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
                    work.turns.recorded.append(RecordedQuery(turn.partition, turn.source[2], queries, ask, answer))
                queries += 1

    # --- Events that fail, and what waits behind them -----------------------------------------------------------------

    async def _fail(
        self, kept: Kept, delivery: Delivery, event: Event, error: Exception | str, emitted: list[Outgoing]
    ) -> None:
        """Set *event* aside: its state is as it was before, and its conversation hears of it, or waits for people."""
        name = self._desk.name
        await self._restore(kept, event.key)
        letter = set_aside(name, delivery, error, self._around.clock, event)
        self._bury(letter)
        if kept.parked is not None:
            # Nothing of a blocked conversation is decided here. What all the others wait for, they go on to wait for.
            if _ends(kept.parked, event):
                kept.parked.behind = letter.id
        # To tell somebody that being told failed would go on for ever.
        elif not isinstance(event, TurnFailed):
            if await self._around.policy(name, event) == "block":
                kept.parked = Parked(behind=letter.id)
            else:
                turn = Turn(name, delivery.partition, delivery.offset, event, emitted=emitted)
                if self._tells_itself:
                    self._tell_failure(turn, self._desk.topic, event.id, event.type, letter.id, letter.reason)
                self._tell_others(turn, event.id, event.type, letter.id, letter.reason)
                kept.sends(event.key, emitted)
        kept.keep()
        self._report(event, letter, error)

    def _refuse(self, delivery: Delivery, event: Event, error: Exception) -> None:
        """
        The state of its key cannot be read: *event* is set aside and its conversation hears of it. The state stays as
        it is, for people to mend; so nothing is remembered in it, and each event is set aside by itself.
        """
        letter = set_aside(self._desk.name, delivery, error, self._around.clock, event)
        self._bury(letter)
        if not isinstance(event, TurnFailed):
            turn = Turn(self._desk.name, delivery.partition, delivery.offset, event)
            self._tell_others(turn, event.id, event.type, letter.id, letter.reason)
            self._work.turns.outgoing += turn.outgoing
        self._report(event, letter, error)

    def _report(self, event: Event, letter: DeadLetter, error: Exception | str) -> None:
        log.error(
            "event_set_aside",
            actor=self._desk.name,
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
            before = self._desk.codec.decode(kept.partition, None if kept.value is None else Stored(1, kept.value))
        else:
            before = await self._desk.stored(key, kept.partition)
        kept.state = before.state

    def _bury(self, letter: DeadLetter) -> None:
        self._work.turns.dead.append(letter)
        self._work.turns.outgoing.append(notice(letter))

    def _tell_failure(self, turn: Turn, topic: str, failed: UUID, type_: str, letter: UUID, reason: str) -> None:
        turn.emit(
            topic,
            TurnFailed,
            actor=self._desk.name,
            failed=failed,
            failed_type=type_,
            dead_letter=letter,
            error=reason.partition(":")[0],
        )

    def _tell_others(self, turn: Turn, failed: UUID, type_: str, letter: UUID, reason: str) -> None:
        """The session hears of it, if it is not the one that failed."""
        topic = self._around.options.failures_to
        if topic is not None and topic != self._desk.topic:
            self._tell_failure(turn, topic, failed, type_, letter, reason)

    async def _behind(
        self, kept: Kept, parked: Parked, delivery: Delivery, event: Event, emitted: list[Outgoing]
    ) -> None:
        """An event of a blocked conversation: it waits too, or it is what all the others wait for."""
        if not _ends(parked, event):
            self._park(kept, parked, delivery, event)
            return
        kept.parked = None
        kept.keep()
        waiting = list(parked.waiting)
        if isinstance(event, TurnFailed) and _source(event) == dropped(parked.behind):
            turn = Turn(self._desk.name, delivery.partition, delivery.offset, event, emitted=emitted)
            self._tell_others(turn, event.failed, event.failed_type, event.dead_letter, event.error)
            kept.sends(event.key, emitted)
            kept.keep()
        if not isinstance(event, TurnFailed) or self._tells_itself:
            await self._turn(kept, delivery, event, emitted)
        while waiting and not kept.parked:
            type_, text = waiting.pop(0)
            next_ = codec.decode(Record(event.key, type_, text.encode()))
            if isinstance(next_, Undecodable):
                self._bury(set_aside(self._desk.name, delivery, next_.reason, self._around.clock))
            else:
                await self._turn(kept, delivery, next_, emitted)
        if kept.parked:
            # One of them has failed in its turn, and the rest waits behind that one.
            kept.parked.waiting.extend(waiting)
            kept.keep()

    def _park(self, kept: Kept, parked: Parked, delivery: Delivery, event: Event) -> None:
        most = self._around.options.max_parked
        if len(parked.waiting) < most:
            record = codec.encode(event)
            parked.waiting.append((record.type, record.data.decode()))
        else:
            why = f"more than {most} events wait in this conversation"
            self._bury(set_aside(self._desk.name, delivery, why, self._around.clock))
        kept.keep()


def _ends(parked: Parked, event: Event) -> bool:
    """Is it what a blocked conversation waits for?"""
    return _source(event) in (redriven(parked.behind), dropped(parked.behind))


def _source(event: Event) -> str:
    return "" if event.origin is None else event.origin.actor
