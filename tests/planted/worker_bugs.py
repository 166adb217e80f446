"""
Bugs that a worker could have, each planted for the time of a ``with`` block.

They are here to show that the tests would notice: every one of them must turn something red.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from bus.deciding import DeciderRunner
from bus.memory import Disk
from bus.performing import PerformerRunner
from bus.protocol import Advance, Delivery, Subscription, Turns
from bus.states import Kept
from bus.surroundings import Surroundings
from bus.work import Work
from schemas.envelope import Event

R = TypeVar("R")


@contextmanager
def position_committed_before_the_work() -> Iterator[None]:
    """The batch counts as handled before it is."""
    commit = DeciderRunner._commit

    async def eager(
        self: DeciderRunner, deliveries: Sequence[Delivery], careful: bool, aside: Exception | str | None
    ) -> None:
        ends = {delivery.partition: delivery.offset + 1 for delivery in deliveries}
        moves = [Advance(partition, self.positions[partition], end) for partition, end in ends.items()]
        await self._around.bus.commit(Turns(self.desk.name, self.desk.topic, moves))
        self.positions.update(ends)
        await commit(self, deliveries, careful, aside)

    with patch.object(DeciderRunner, "_commit", eager):
        yield


@contextmanager
def attempt_counted_after_the_try() -> Iterator[None]:
    """A process that dies of an event has not counted it."""

    async def late(self: DeciderRunner, subscription: Subscription, delivery: Delivery) -> None:
        bus, name = self._around.bus, self.desk.name
        await self._settle_when_ready(subscription, [delivery])
        await bus.count_attempt(name, delivery.topic, delivery.partition, delivery.offset)

    with patch.object(DeciderRunner, "_try_alone", late):
        yield


@contextmanager
def repeat_recognised_by_offset_only() -> Iterator[None]:
    """The second event of a turn is taken for a repeat of the first."""

    def by_offset(kept: Kept, event: Event) -> bool:
        if event.origin is None:
            return True
        source = f"{event.origin.actor}/{event.origin.partition}"
        before = kept.seen.get(source, (-1, 0))
        kept.seen[source] = (event.origin.offset, 0)
        return event.origin.offset > before[0]

    with patch.object(Kept, "is_news", by_offset):
        yield


@contextmanager
def repeats_not_recognised() -> Iterator[None]:
    """Whatever comes is new."""
    with patch.object(Kept, "is_news", lambda kept, event: True):
        yield


@contextmanager
def unbounded_mailbox() -> Iterator[None]:
    """A performer takes whatever there is, whether it can work on it or not."""
    with patch.object(PerformerRunner, "_room", lambda self: 1_000_000):
        yield


@contextmanager
def cancelled_error_swallowed() -> Iterator[None]:
    """Whoever waits for the bus takes being cancelled for one more reason to try again."""

    async def stubborn(self: Surroundings, actor: str, call: Callable[[], Awaitable[R]]) -> R:
        while True:
            try:
                return await call()
            except (Exception, asyncio.CancelledError):
                await asyncio.sleep(0.1)

    with patch.object(Surroundings, "insist", stubborn):
        yield


@contextmanager
def lost_partition_still_commits() -> Iterator[None]:
    """A position moves from wherever it is."""
    apply = Disk.apply

    def unfenced(self: Disk, turns: Turns) -> None:
        for advance in turns.advances:
            self.positions[turns.actor, turns.topic, advance.partition] = advance.begin
        for actor, writes in ((turns.actor, turns.states), *turns.others.items()):
            for write in writes:
                stored: Any = self.states.get((actor, write.key))
                if stored is not None:
                    self.states[actor, write.key] = type(stored)(write.version - 1, stored.value)
        apply(self, turns)

    with patch.object(Disk, "apply", unfenced):
        yield


@contextmanager
def states_kept_after_a_failed_commit() -> Iterator[None]:
    """What was decided in vain is still believed."""
    with patch.object(Work, "void", lambda self: None):
        yield


@contextmanager
def decided_before_what_was_emitted_before() -> Iterator[None]:
    """What is decided at once overtakes what is still on its way through the log."""
    with patch.object(Kept, "may_pass", lambda self, topic, receiver: True):
        yield
