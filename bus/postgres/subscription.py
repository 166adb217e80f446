"""One process's share in one group's reading of one topic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bus.cleanness import Cleanness
from bus.errors import BusUnavailable
from bus.postgres.feed import Feed, Reader, Room
from bus.postgres.leases import Members
from bus.postgres.log import Log
from bus.postgres.store import Store
from bus.protocol import Batch, Claim, Delivery

__all__ = ["PostgresSubscription"]

MAX_BUFFERED_EVENTS: Final = 4_096
MAX_BUFFERED_BYTES: Final = 16 * 1024 * 1024
READ_EVENTS: Final = 512
READ_BYTES: Final = 2 * 1024 * 1024


@dataclass(slots=True)
class _Holding:
    """A partition of ours. *position* is where its next ``advance`` begins."""

    reader: Reader
    position: int
    revoked: bool = False


class PostgresSubscription:
    """As ``bus.protocol.Subscription``; for one task."""

    def __init__(
        self,
        store: Store,
        log: Log,
        feed: Feed,
        members: Members,
        topic: str,
        *,
        group: str,
        start: Literal["committed", "end"],
        most: int | None,
    ) -> None:
        self.topic = topic
        self.topic_id, self.partitions = log.topics.find(topic)
        self.group = group
        self.most = most
        self.id = 0
        self.closed = False
        self._start = start
        self._store = store
        self._log = log
        self._feed = feed
        self._members = members
        self._room = Room(MAX_BUFFERED_EVENTS, MAX_BUFFERED_BYTES)
        self._holdings: dict[int, _Holding] = {}
        self._cleanness = Cleanness()
        self._acquired: list[Claim] = []
        self._revoked: list[int] = []
        self._turn = 0

    # --- what the reader calls --------------------------------------------------------------------------------------

    async def take(self, limit: int) -> Batch:
        """As ``Subscription.take``. While the database is away it waits, and goes on by itself."""
        pause_s = 0.05
        while True:
            self._room.bell.clear()
            try:
                await self._catch_up()
            except BusUnavailable:
                if not self._ready():
                    await asyncio.sleep(pause_s)
                    pause_s = min(1.0, pause_s * 2)
                    continue
            if self._ready():
                return self._collect(limit)
            await self._room.bell.wait()

    async def advance(self, positions: Mapping[int, int]) -> None:
        """As ``Subscription.advance``."""
        ends = {p: end for p, end in positions.items() if p in self._holdings and end > self._holdings[p].position}
        if not ends:
            return
        begins = {partition: self._holdings[partition].position for partition in ends}
        moved = await self._store.advance(self.group, self.topic, ends, begins)
        for partition in moved:
            if (holding := self._holdings.get(partition)) is not None:
                holding.position = ends[partition]
        if refused := ends.keys() - moved:
            self.give_back(refused)

    async def release(self, partitions: Collection[int], *, clean: bool = True) -> None:
        """As ``Subscription.release``."""
        held = {p: self._holdings[p] for p in partitions if p in self._holdings}
        for partition, holding in held.items():
            holding.revoked = True
            self._feed.remove(holding.reader)
            self._cleanness.released(partition, clean)
        if held:
            await self._members.release(self, held, clean)
        for partition, holding in held.items():
            if self._holdings.get(partition) is holding:
                del self._holdings[partition]

    async def close(self, *, failed: bool) -> None:
        """Release all that is held; *failed*: the reader leaves with an error."""
        self.closed = True
        for holding in self._holdings.values():
            self._feed.remove(holding.reader)
        await self._members.leave(self, self._cleanness.clean(self._holdings, failed=failed))
        self._holdings.clear()

    # --- what the leases call ---------------------------------------------------------------------------------------

    def owned(self) -> Collection[int]:
        """As ``leases.Subscriber``."""
        return list(self._holdings)

    async def take_over(self, claimed: dict[int, bool]) -> None:
        """As ``leases.Subscriber``."""
        if self._start == "end":
            heads = await self._log.heads([(self.topic_id, p) for p in claimed])
            positions = {p: heads.get((self.topic_id, p), -1) + 1 for p in claimed}
        else:
            positions = await self._store.positions(self.group, self.topic, list(claimed))
        if self.closed:
            return
        for partition, clean in sorted(claimed.items()):
            if (old := self._holdings.get(partition)) is not None:
                self._feed.remove(old.reader)
            position = positions[partition]
            reader = Reader(self.topic, (self.topic_id, partition), position, self._room)
            self._holdings[partition] = _Holding(reader, position)
            self._feed.add(reader)
            self._acquired.append(Claim(partition, position, clean))
            self._cleanness.claimed(partition, clean)
        self._room.bell.set()

    def give_back(self, partitions: Collection[int]) -> None:
        """As ``leases.Subscriber``."""
        for partition in sorted(partitions):
            holding = self._holdings.get(partition)
            if holding is not None and not holding.revoked:
                holding.revoked = True
                self._feed.remove(holding.reader)
                self._revoked.append(partition)
                self._room.bell.set()

    # --- gathering --------------------------------------------------------------------------------------------------

    def _readers(self) -> list[Reader]:
        return [holding.reader for holding in self._holdings.values() if not holding.revoked]

    def _ready(self) -> bool:
        return bool(self._acquired or self._revoked or self._room.events)

    async def _catch_up(self) -> None:
        """Read from the table what memory has not brought."""
        behind = [reader for reader in self._readers() if not reader.pieces and reader.known >= reader.next]
        if not behind:
            return
        if any(reader.early for reader in behind):
            # The answer of an earlier append is probably on its way to us in this very moment.
            await asyncio.sleep(0)
            behind = [reader for reader in behind if not reader.pieces]
            if not behind:
                return
        starts = {reader.place: reader.next for reader in behind}
        known = {reader.place: reader.known for reader in behind}
        found = await self._log.read(starts, READ_EVENTS, READ_BYTES)
        still = self._readers()
        for reader in behind:
            if reader not in still:
                continue  # released meanwhile: what it took now would be counted for ever, and delivered by nobody
            offsets, events, size = found.get(reader.place, ((), (), 0))
            whole = len(offsets) < READ_EVENTS and size < READ_BYTES // 2
            reader.read(offsets, events, size, all_of=known[reader.place] if whole else -1)

    def _collect(self, limit: int) -> Batch:
        deliveries: list[Delivery] = []
        readers = self._readers()
        if readers:
            # Begin with another partition each time, so that a busy one does not starve the rest.
            self._turn = (self._turn + 1) % len(readers)
            for reader in readers[self._turn :] + readers[: self._turn]:
                if reader.pieces and limit > len(deliveries):
                    reader.take(limit - len(deliveries), deliveries)
        acquired, self._acquired = self._acquired, []
        self._cleanness.told([claim.partition for claim in acquired])
        revoked, self._revoked = self._revoked, []
        return Batch(deliveries, acquired, revoked)
