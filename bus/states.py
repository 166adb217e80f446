"""
The states of deciders as the worker keeps them: on disk with the memory of what was seen, in memory with a bound.

A stored state is ``{"seen": {"actor/partition": [offset, index]}, "sent": {}, "parked": null, "state": …}``. *seen*
has, per origin, the place of the last event handled, so that a repeat is known without a table of ids. *sent* has, per
inbox, the origin of the last event that went there through the log, so that nothing is decided before it that was
emitted after it. *parked* is what waits behind an event that was set aside, in conversations that must not go on
without it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Struct, defstruct
from msgspec.json import Decoder

from bus.dead_letters import DISCARDED, dropped
from bus.protocol import Outgoing, Stored
from schemas.envelope import Event, to_json
from schemas.failure import TurnFailed
from schemas.topics import INBOXES

__all__ = ["Kept", "Parked", "StateCache", "StateCodec"]

# What a decoded state takes in memory beyond its JSON, roughly: Python objects are several times their text.
_MEMORY_PER_BYTE: Final = 5
_MEMORY_PER_STATE: Final = 1000

_NEVER: Final = (-1, -1)


class Parked(Struct, kw_only=True):
    """Events of a key that wait, in order, until the one before them is redriven or discarded."""

    behind: Annotated[UUID, Meta(description="the dead letter they wait for")]
    waiting: Annotated[list[tuple[str, str]], Meta(description="type and JSON of each event")] = []


class Kept:
    """
    The state of one key in memory. *value* is its stored form while it is not committed yet (``dirty``); *unreadable*
    says why this program cannot read what is stored, which then stays as it is.
    """

    __slots__ = (
        "dirty",
        "parked",
        "partition",
        "seen",
        "sent",
        "size",
        "state",
        "unreadable",
        "value",
        "version",
    )

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.version = 0
        self.size = 0
        self.state: Struct | None = None
        self.seen: dict[str, tuple[int, int]] = {}
        self.sent: dict[str, tuple[str, int, int]] = {}
        self.parked: Parked | None = None
        self.value: bytes | None = None
        self.dirty = False
        self.unreadable: Exception | None = None

    @property
    def ordinary(self) -> bool:
        """Nothing is in the way of deciding the next event."""
        return self.unreadable is None and self.parked is None

    def is_news(self, event: Event) -> bool:
        """Is *event* not a repeat? Remembers it."""
        origin = event.origin
        if origin is None:
            return True
        if isinstance(event, TurnFailed) and origin.actor.startswith(DISCARDED):
            # Said to end a block. Where there is none, the conversation was told when the event was set aside.
            blocked_by = None if self.parked is None else dropped(self.parked.behind)
            if origin.actor != blocked_by:
                return False
        source = f"{origin.actor}/{origin.partition}"
        place = (origin.offset, origin.index)
        if place <= self.seen.get(source, _NEVER):
            return False
        self.seen[source] = place
        return True

    def sends(self, key: str, emitted: Iterable[Outgoing]) -> None:
        """Remember which of these go to an inbox through the log, for the same *key*; others always do."""
        for out in emitted:
            origin = out.event.origin
            if out.topic in INBOXES and out.event.key == key and origin is not None:
                self.sent[out.topic] = (f"{origin.actor}/{origin.partition}", origin.offset, origin.index)

    def may_pass(self, topic: str, receiver: Kept) -> bool:
        """Has *receiver* handled all that went to its inbox *topic* through the log? If so, that is forgotten."""
        last = self.sent.get(topic)
        if last is None:
            return True
        source, offset, index = last
        if receiver.seen.get(source, _NEVER) < (offset, index):
            return False
        del self.sent[topic]
        return True

    def encode(self) -> bytes | None:
        """
        The stored form, None to store nothing. A key without a state is still stored while it must know repeats; and
        where there was a state, since versions must go on: were they to begin anew, whoever has an old one in hand
        could write on top of another's, or sweep it away.

        Raises as ``schemas.envelope.to_json``.
        """
        state = self.state
        if state is None and not self.seen and not self.sent and self.parked is None and not self.version:
            return None
        return b'{"seen":%b,"sent":%b,"parked":%b,"state":%b}' % (
            to_json(self.seen),
            to_json(self.sent) if self.sent else b"{}",
            b"null" if self.parked is None else to_json(self.parked),
            b"null" if state is None else to_json(state),
        )

    def keep(self) -> None:
        """What is here is to be stored with the batch. Raises as ``encode``."""
        self.value = self.encode()
        self.dirty = True

    def committed(self) -> None:
        """What is here is what is stored."""
        self.version = 0 if self.value is None else self.version + 1
        self.size = 0 if self.value is None else len(self.value)
        self.value = None
        self.dirty = False


class StateCodec:
    """Stored form to memory, for one class of states."""

    def __init__(self, state: type[Struct]) -> None:
        stored = defstruct(
            "StoredState",
            [
                ("seen", dict[str, tuple[int, int]], {}),
                ("sent", dict[str, tuple[str, int, int]], {}),
                ("parked", Parked | None, None),
                ("state", state | None, None),
            ],
        )
        # Its errors are logged, and what people said is in states: they name places and types, and no values.
        self._decoder: Decoder[Any] = Decoder(stored)

    def decode(self, partition: int, stored: Stored | None) -> Kept:
        """A state that this program cannot read (a newer one wrote it, or it was damaged) is ``unreadable``."""
        kept = Kept(partition)
        if stored is not None:
            try:
                found = self._decoder.decode(stored.value)
            except (ValueError, RecursionError) as error:  # all that a decoder raises
                kept.unreadable = error
                return kept
            kept.version, kept.size = stored.version, len(stored.value)
            kept.state, kept.seen, kept.sent, kept.parked = found.state, found.seen, found.sent, found.parked
        return kept


class StateCache:
    """
    Decoded states of the partitions that are ours, least recently used first.

    Args:
        max_states, max_bytes: above either, ``trim`` forgets; bytes are an estimate of the memory taken.
    """

    def __init__(self, max_states: int, max_bytes: int) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._max_states = max_states
        self._max_bytes = max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Kept | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: str, kept: Kept, size_before: int | None = None) -> None:
        """Keep it, or tell that its size was *size_before* when it was put the last time."""
        if size_before is None:
            self.drop((key,))
            self._bytes += _memory(kept.size)
            self._kept[key] = kept
        else:
            self._bytes += _memory(kept.size) - _memory(size_before)

    def drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            kept = self._kept.pop(key, None)
            if kept is not None:
                self._bytes -= _memory(kept.size)

    def drop_partition(self, partition: int) -> None:
        self.drop([key for key, kept in self._kept.items() if kept.partition == partition])

    def trim(self) -> None:
        """Forget what was not used for longest. Not in the middle of a batch: what it works on must stay."""
        while len(self._kept) > self._max_states or (self._bytes > self._max_bytes and self._kept):
            _, kept = self._kept.popitem(last=False)
            self._bytes -= _memory(kept.size)


def _memory(size: int) -> int:
    return size * _MEMORY_PER_BYTE + _MEMORY_PER_STATE
