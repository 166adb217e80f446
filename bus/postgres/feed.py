"""
The shortest way from an append to the readers in the same process: through memory, the event objects themselves.

A reader takes what was appended if nothing that it has not seen lies before it, which the append tells (it returns the
last offset before). Otherwise, or when it is full, it only notes how far the log reaches and reads the table later. So
memory is an acceleration and nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bus.protocol import Delivery, Undecodable
from schemas.envelope import Event

__all__ = ["Appended", "Feed", "Place", "Reader", "Room"]

Place = tuple[int, int]  # id of a topic, partition

MOST_EARLY: Final = 8


@dataclass(slots=True)
class Appended:
    """A contiguous piece of a partition: *events* from offset *first* on; nothing lies between *head* and *first*."""

    head: int
    first: int
    events: Sequence[Event | Undecodable]
    size: int

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1


class Room:
    """What the readers of one subscription may hold in memory together, and the bell that wakes their subscription."""

    __slots__ = ("bell", "events", "max_bytes", "max_events", "size")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self.max_events = max_events
        self.max_bytes = max_bytes
        self.events = 0
        self.size = 0
        self.bell = asyncio.Event()


class Reader:
    """Where one subscription stands in one partition, and the pieces of it that wait in memory."""

    __slots__ = ("early", "known", "next", "partition", "pieces", "place", "room", "taken", "topic")

    def __init__(self, topic: str, place: Place, start: int, room: Room) -> None:
        self.topic = topic
        self.place = place
        self.partition = place[1]
        self.room = room
        self.next = start  # the first offset that is neither delivered nor in ``pieces``
        self.known = start  # how far the log reaches, as far as we know; the first look is into the table
        self.pieces: deque[Appended] = deque()
        self.taken = 0  # how many events of the first piece have been delivered
        self.early: list[Appended] = []

    @property
    def behind(self) -> bool:
        """The table has something that memory has not."""
        return self.known >= self.next

    def feed(self, piece: Appended) -> None:
        """Take an append of this process; in any order, since the answers of two connections may arrive in either."""
        last = piece.last
        if last >= self.known:
            self.known = last
            self.room.bell.set()
        if not self._keep(piece):
            room = self.room
            if room.events >= room.max_events or room.size >= room.max_bytes:
                self.early.clear()  # the table has them
            elif piece.head >= self.next and len(self.early) < MOST_EARLY:
                self.early.append(piece)
        elif self.early:
            self.settle()

    def settle(self) -> None:
        """Take the early pieces that now follow on."""
        self.early.sort(key=lambda piece: piece.first)
        self.early = [piece for piece in self.early if not self._keep(piece) and piece.last >= self.next]

    def _keep(self, piece: Appended) -> bool:
        room = self.room
        if piece.head >= self.next or piece.first < self.next:
            return False
        if room.events >= room.max_events or room.size >= room.max_bytes:
            return False
        self.pieces.append(piece)
        self.next = piece.last + 1
        room.events += len(piece.events)
        room.size += piece.size
        return True

    def read(self, offsets: Sequence[int], events: Sequence[Event | Undecodable], size: int, *, all_of: int) -> None:
        """
        Take rows of the table from ``next`` (as it was when they were asked for) on.

        Args:
            all_of: how far the log was known to reach then, if these are all the rows there were; -1 if not.
        """
        skip = 0
        while skip < len(offsets) and offsets[skip] < self.next:
            skip += 1
        for offset, event in zip(offsets[skip:], events[skip:], strict=True):
            self.pieces.append(Appended(offset - 1, offset, (event,), size // len(offsets)))
            self.next = offset + 1
            self.room.events += 1
            self.room.size += size // len(offsets)
        if all_of >= 0 and self.known <= all_of:
            self.known = min(self.known, self.next - 1)
        if self.early:
            self.settle()

    def take(self, limit: int, into: list[Delivery]) -> int:
        """Move up to *limit* deliveries to *into*; returns how many."""
        count = 0
        topic, partition = self.topic, self.partition
        while self.pieces and count < limit:
            piece = self.pieces[0]
            part = piece.events[self.taken : self.taken + limit - count]
            offset = piece.first + self.taken
            into += [Delivery(topic, partition, offset + i, event) for i, event in enumerate(part)]
            count += len(part)
            if self.taken + len(part) == len(piece.events):
                self.pieces.popleft()
                self.taken = 0
                self.room.size -= piece.size
            else:
                self.taken += len(part)
        self.room.events -= count
        return count

    def drop(self) -> None:
        """Forget what waits in memory."""
        for piece in self.pieces:
            self.room.size -= piece.size
            self.room.events -= len(piece.events)
        self.room.events += self.taken
        self.pieces.clear()
        self.early.clear()
        self.taken = 0


class Feed:
    """The readers of this process by place."""

    def __init__(self) -> None:
        self._readers: dict[Place, list[Reader]] = {}

    def add(self, reader: Reader) -> None:
        self._readers.setdefault(reader.place, []).append(reader)
        reader.room.bell.set()

    def remove(self, reader: Reader) -> None:
        rest = [other for other in self._readers.get(reader.place, ()) if other is not reader]
        if rest:
            self._readers[reader.place] = rest
        else:
            self._readers.pop(reader.place, None)
        reader.drop()

    def places(self) -> list[Place]:
        """Where somebody reads."""
        return list(self._readers)

    def appended(self, place: Place, piece: Appended) -> None:
        """This process has appended *piece*."""
        for reader in self._readers.get(place, ()):
            reader.feed(piece)

    def reached(self, place: Place, head: int) -> None:
        """The log reaches *head*, whoever wrote it."""
        for reader in self._readers.get(place, ()):
            if head > reader.known:
                reader.known = head
                if reader.behind:
                    reader.room.bell.set()
