"""
The share of one process in one group's reading of one topic on Kafka.

Partitions come and go as the members of the installation are told (``take_over``, ``give_back``). A new one is not
begun before its position is known and what its last owner left in the outbox is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any, Final

import structlog

from bus.cleanness import Cleanness
from bus.errors import BusUnavailable
from bus.kafka.outbox import Outbox
from bus.kafka.reader import Reader
from bus.postgres.store import Store
from bus.protocol import Batch, Claim

__all__ = ["KafkaSubscription"]

log = structlog.get_logger(__name__)

RETRY_S: Final = 0.25
SETTLE_S: Final = 5.0
LATE_S: Final = 30.0


class KafkaSubscription:
    """
    Made by ``KafkaBus.subscribe``; as ``bus.protocol.Subscription``, and as the leases want their subscribers.

    Args:
        most: own no more than so many.
        from_end: begin at the end of a partition.
        let_go: gives partitions back to the leases, in good order; the last argument is ``clean``.
    """

    def __init__(
        self,
        topic: str,
        topic_id: int,
        partitions: int,
        group: str,
        *,
        store: Store,
        outbox: Outbox,
        make_reader: Callable[[Callable[[], None]], Reader],
        most: int | None,
        from_end: bool,
        let_go: Callable[[KafkaSubscription, Collection[int], bool], Awaitable[None]],
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partitions = partitions
        self.group = group
        self.most = most
        self.id = 0
        self.closed = False
        self._store = store
        self._outbox = outbox
        self._from_end = from_end
        self._let_go = let_go
        self._bell = asyncio.Event()
        self._reader = make_reader(self._bell.set)
        self._coming: dict[int, bool] = {}  # ours by the lease, not yet begun: {partition: clean}
        self._coming_bell = asyncio.Event()
        self._coming_since = 0.0
        self._owned: dict[int, int] = {}  # begun: {partition: where the next ``advance`` begins}
        self._leaving: set[int] = set()  # of those: asked back
        self._cleanness = Cleanness()
        self._acquired: dict[int, Claim] = {}
        self._revoked: list[int] = []

    # --- what the process asks ----------------------------------------------------------------------------------------

    async def take(self, limit: int) -> Batch:
        """As ``Subscription.take``. Nothing is lost when it is cancelled."""
        while True:
            self._bell.clear()
            deliveries = self._reader.take_nowait(limit)
            if deliveries or self._acquired or self._revoked:
                acquired, self._acquired = self._acquired, {}
                self._cleanness.told(acquired)
                revoked, self._revoked = self._revoked, []
                return Batch(deliveries, tuple(acquired.values()), revoked)
            await self._bell.wait()

    async def advance(self, positions: Mapping[int, int]) -> None:
        """As ``Subscription.advance``."""
        ends = {p: end for p, end in positions.items() if p in self._owned and end > self._owned[p]}
        if not ends:
            return
        begins = {partition: self._owned[partition] for partition in ends}
        moved = await self._store.advance(self.group, self.topic, ends, begins)
        self._owned.update({partition: ends[partition] for partition in moved & self._owned.keys()})
        if refused := ends.keys() - moved:
            self.give_back(refused)

    async def release(self, partitions: Collection[int], *, clean: bool = True) -> None:
        """As ``Subscription.release``. What their turns decided is in the log before anybody else has them."""
        ours = self._owned.keys() & set(partitions)
        self._reader.drop(partitions)
        for partition in partitions:
            self._acquired.pop(partition, None)
        self._revoked = [partition for partition in self._revoked if partition not in partitions]
        if not ours:
            return
        for partition in ours:
            self._cleanness.released(partition, clean)
        await self._outbox.settle(self.group, self.topic, SETTLE_S)
        # Not before the lease is given back: else the members would find a lease that nobody here knows of.
        await self._let_go(self, ours, clean)
        for partition in ours:
            self._owned.pop(partition, None)
        self._leaving -= ours

    # --- what the members tell ----------------------------------------------------------------------------------------

    def owned(self) -> Collection[int]:
        """As ``Subscriber.owned``."""
        return self._owned.keys() | self._coming.keys()

    def clean(self, *, failed: bool) -> Collection[int]:
        """Those that are clean if it leaves now; *failed*: the process leaves with an error."""
        return self._cleanness.clean(self.owned(), failed=failed)

    async def take_over(self, claimed: dict[int, bool]) -> None:
        """As ``Subscriber.take_over``; returns at once, since the members must go on living."""
        if not self._coming:
            self._coming_since = asyncio.get_running_loop().time()
        self._coming.update(claimed)
        for partition, clean in claimed.items():
            self._cleanness.claimed(partition, clean)
        self._coming_bell.set()

    def give_back(self, partitions: Collection[int]) -> None:
        """As ``Subscriber.give_back``; the process is told, and lets go when it has finished."""
        for partition in partitions:
            if self._coming.pop(partition, None) is not None:
                self._owned[partition] = 0  # it goes the way of all others: the process lets go of it
        self._reader.drop(partitions)
        for partition in sorted((self._owned.keys() & set(partitions)) - self._leaving):
            self._leaving.add(partition)
            self._acquired.pop(partition, None)
            self._revoked.append(partition)
            self._bell.set()

    # --- what goes on beside ------------------------------------------------------------------------------------------

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside whoever takes."""
        return [self._reader.run(), self._begin_forever()]

    @property
    def stalled(self) -> bool:
        """Does something that should come not come?"""
        waits = bool(self._coming) and asyncio.get_running_loop().time() - self._coming_since > LATE_S
        return waits or self._reader.stalled

    async def _begin_forever(self) -> None:
        while True:
            await self._coming_bell.wait()
            self._coming_bell.clear()
            try:
                while self._coming:
                    await self._begin(list(self._coming))
            except BusUnavailable as error:
                log.warning("partitions_not_begun", topic=self.topic, group=self.group, reason=str(error))
                self._coming_bell.set()
                await asyncio.sleep(RETRY_S)

    async def _begin(self, partitions: list[int]) -> None:
        # The position is read first. A commit of the last owner that comes after that makes our first one fail, and
        # everything begins anew; a commit before it has its events in the outbox, where they are found next.
        if self._from_end:
            positions = await self._reader.ends(partitions)
        else:
            positions = await self._store.positions(self.group, self.topic, partitions)
            await self._outbox.publish_leftovers(self.group, self.topic, partitions)
        ours = {partition: clean for partition, clean in self._coming.items() if partition in positions}
        for partition, clean in ours.items():
            del self._coming[partition]
            self._owned[partition] = positions[partition]
            self._acquired[partition] = Claim(partition, positions[partition], clean)
        self._reader.begin({partition: positions[partition] for partition in ours})
        self._bell.set()
