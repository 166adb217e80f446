"""
The ordinary way through a batch: each event, and with it at once what follows from it.

What a turn emits to another decider of this process is decided in the same pass and committed in the same transaction:
a question's answer, the script's next step and what the person is told are one commit, not three, and the log has all
of them. Such an event is marked ``decided``, and its inbox passes over it.

An event goes through the log instead where its receiver is not ours or is at work, or has something before it: per
sender, receiver and key the order is that of emission, however the events travel.

This way assumes that all goes well. Where something does not, ``Unusual`` is raised, and the batch is decided anew and
with care.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import GeneratorType
from typing import Any, Final

from bus.actor import Resource, Turn
from bus.desk import Desk, Desks
from bus.errors import BusError, NotReady
from bus.protocol import Delivery, Outgoing, Undecodable
from bus.resources import ResourceCache
from bus.states import Kept
from bus.work import Work
from schemas.topics import INBOXES, partition_of

__all__ = ["Unusual", "decide_chained"]

_MOST_EMITTED: Final = 64
"""Of what follows from one delivery, no more is decided at once: actors that keep each other busy hold up nobody."""


class Unusual(Exception):  # says what is the case, as all of ours do
    """Something of this batch needs care: a failure, a query, a conversation that is blocked."""


async def decide_chained(work: Work, desks: Desks, resources: ResourceCache, deliveries: Sequence[Delivery]) -> None:
    """
    Decide all in order into *work*, whose states are loaded.

    The hot path: no task, no savepoint and no log line an event, and no wait for one that asks nothing.

    Raises:
        Unusual: what is in *work* is void.
        BusUnavailable: a resource could not be fetched.
    """
    desk = work.desk
    name, get = desk.name, desk.states.get
    outgoing = work.turns.outgoing
    chain = _Chain(work, desks, resources, {delivery.key: None for delivery in deliveries})
    for delivery in deliveries:
        event = delivery.event
        if isinstance(event, Undecodable):
            raise Unusual
        if desk.passes(event):
            continue
        kept = get(event.key)
        assert kept is not None, "loaded before"
        if not kept.ordinary:
            raise Unusual
        kept.partition = delivery.partition
        if not kept.is_news(event):
            continue
        emitted: list[Outgoing] = []
        turn = Turn(name, delivery.partition, delivery.offset, event, emitted=emitted)
        if not await chain.turn(desk, kept, turn):
            raise Unusual
        if emitted:
            await chain.follow(kept, turn)
            outgoing += emitted


class _Chain:
    """The turns of a batch."""

    def __init__(self, work: Work, desks: Desks, resources: ResourceCache, keys: Mapping[str, None]) -> None:
        self._work = work
        self._desks = desks
        self._resources = resources
        self._keys = keys

    async def turn(self, desk: Desk, kept: Kept, turn: Turn) -> bool:
        """One turn. False if it asks the database or has to wait, which is for the runner of that actor to do."""
        work = self._work
        known = kept in work.touched
        work.touched[kept] = (desk, turn.event.key)
        try:
            found: Any = desk.actor.decide(turn, kept.state)
            if isinstance(found, GeneratorType):
                found = await self._supply(found)
        except (_AsksDatabase, NotReady):
            if known:
                raise Unusual from None
            return False
        except (BusError, Unusual) as error:
            if isinstance(error, Unusual) or error.retriable:
                raise
            raise Unusual from error
        except Exception as error:
            raise Unusual from error
        kept.state = found
        work.decided[desk.name] += 1
        work.take(turn)
        return True

    async def _supply(self, asks: GeneratorType[Any, Any, Any]) -> Any:
        """Drive a decider that asks for resources."""
        answer: bytes | None = None
        while True:
            try:
                ask = asks.send(answer)
            except StopIteration as end:
                return end.value
            if not isinstance(ask, Resource):
                asks.close()
                raise _AsksDatabase
            answer = await self._resources.get(ask.digest)

    async def follow(self, sender: Kept, turn: Turn) -> None:
        """Decide what *turn* emitted, and what follows from that, as far as it can be decided here."""
        emitted, source, key = turn.outgoing, turn.source, turn.event.key
        senders = [sender] * len(emitted)
        for index, out in enumerate(emitted):  # it grows while we walk
            topic = out.topic
            event, sender = out.event, senders[index]
            if topic not in INBOXES or event.key != key:
                continue
            place = await self._place(sender, out) if index < _MOST_EMITTED else None
            if place is not None:
                desk, receiver = place
                before = len(emitted)
                next_turn = Turn(desk.name, receiver.partition, source[2], event, emitted=emitted, source=source)
                if await self.turn(desk, receiver, next_turn):
                    event.mark_decided()
                    senders += [receiver] * (len(emitted) - before)
                    continue
                # It is to be asked anew, on its state as it was.
                del emitted[before:]
                del self._work.touched[receiver]
                desk.states.drop((key,))
            sender.sends(key, (out,))

    async def _place(self, sender: Kept, out: Outgoing) -> tuple[Desk, Kept] | None:
        """Where the event can be decided now."""
        key = out.event.key
        found = self._desks.find(out.topic, key, self._work.desk)
        if found is None or not self._works_for_us(found[0]):
            return None
        desk, partition = found
        kept = desk.states.get(key)
        if kept is None:
            await self._load(desk, key)
            kept = desk.states.get(key)
        if kept is None or not kept.ordinary or not sender.may_pass(out.topic, kept):
            return None
        kept.partition = partition
        return desk, kept

    def _works_for_us(self, desk: Desk) -> bool:
        work = self._work
        if desk is work.desk or desk in work.borrowed:
            return True
        if not desk.borrow():
            return False
        work.borrowed[desk] = None
        return True

    async def _load(self, desk: Desk, key: str) -> None:
        """Its state at that desk; and since the whole batch will be of its kind, those of the other keys as well."""
        partitions = {key: partition_of(key, desk.partitions) for key in (key, *self._keys)}
        await desk.load({key: partition for key, partition in partitions.items() if partition in desk.positions})


class _AsksDatabase(Exception):  # says what is the case, as all of ours do
    """A decider has asked a query."""
