"""
Where a decider of this process sits: its states, the partitions that are ours, and who works there now.

Mostly it is the actor's own runner that works. For the time of a batch another runner may borrow the desk, to have what
its own actor emits decided at once and committed in the same transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Protocol

from bus.actor import Decider
from bus.protocol import Turns, Undecodable
from bus.states import Kept, StateCache, StateCodec
from bus.surroundings import Surroundings
from schemas.envelope import Event
from schemas.topics import INBOXES, partition_of

__all__ = ["Desk", "Desks", "Listener"]


class Listener(Protocol):
    """Works beside a decider, on the partitions that it owns (the timer service)."""

    def owns(self, partitions: Collection[int]) -> None: ...

    def committed(self, turns: Turns) -> None: ...

    def passed(self, event: Event | Undecodable) -> None:
        """*event* was decided before it came, perhaps by a process that took a partition for its own that is ours."""
        ...


class Desk:
    """
    The desk of *actor*.

    Args:
        listener: told what is ours, and of every batch in which the actor had a part, after its commit.
        lanes: so many desks of this actor share the memory for states.
    """

    def __init__(
        self, surroundings: Surroundings, actor: Decider[Any], listener: Listener | None = None, *, lanes: int = 1
    ) -> None:
        self.actor = actor
        self.name = actor.name
        self.topic = actor.topic
        self.listener = listener
        self.is_inbox = self.topic in INBOXES and self.name == self.topic
        self.partitions = surroundings.bus.partitions(actor.topic)
        self.positions: dict[int, int] = {}  # of the partitions that are ours: the first offset not handled
        self._bus = surroundings.bus
        limits = surroundings.options
        self.states = StateCache(limits.max_states // lanes, limits.max_state_bytes // lanes)
        self.codec = StateCodec(actor.state)
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def passes(self, event: Event | Undecodable) -> bool:
        """Has this actor decided *event* before it came here?"""
        return self.is_inbox and not isinstance(event, Undecodable) and event.decided

    async def load(self, partitions: dict[str, int]) -> None:
        """The states of {key: partition} that are not here or not readable; with their partition they are forgotten."""
        missing = {key: partition for key, partition in partitions.items() if not self._has(key)}
        if missing:
            stored = await self._bus.load(self.name, missing)
            for key, partition in missing.items():
                self.states.put(key, self.codec.decode(partition, stored.get(key)))

    def _has(self, key: str) -> bool:
        kept = self.states.get(key)
        return kept is not None and kept.unreadable is None  # what is not readable may have been mended since

    async def stored(self, key: str, partition: int) -> Kept:
        """The state of *key* as it is in the database now."""
        return self.codec.decode(partition, (await self._bus.load(self.name, (key,))).get(key))

    # --- who works here -----------------------------------------------------------------------------------------------

    def borrow(self) -> bool:
        """Take the desk if nobody works there or waits to; then ``give`` it back."""
        if self._taken or self._waiting:
            return False
        self._taken = True
        return True

    def give(self) -> None:
        """Whoever waits first is next."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._taken = False

    @asynccontextmanager
    async def mine(self) -> AsyncIterator[None]:
        """Work here, as soon as whoever does now has ended."""
        if not self.borrow():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give()
                raise
        try:
            yield
        finally:
            self.give()


class Desks:
    """The desks of this process whose topic is their own inbox."""

    def __init__(self) -> None:
        self._by_topic: dict[str, list[Desk]] = {}

    def add(self, desk: Desk) -> None:
        if desk.is_inbox:
            self._by_topic.setdefault(desk.topic, []).append(desk)

    def find(self, topic: str, key: str, first: Desk) -> tuple[Desk, int] | None:
        """
        Where what goes to the inbox *topic* for *key* is decided, and its partition; None if not in this process.

        Args:
            first: while a partition changes hands within the process, two desks may take it for theirs; it is this
                one's then, if it is one of them.
        """
        desks = self._by_topic.get(topic)
        if desks is None:
            return None
        partition = partition_of(key, desks[0].partitions)
        if first.topic == topic and partition in first.positions:
            return first, partition
        for desk in desks:
            if partition in desk.positions:
                return desk, partition
        return None
