"""
The contract of the bus: what every log and store keeps, and what actors and edges may rely on.

Guarantees, for every implementation (``tests/bus/conformance.py`` proves them):

- ``publish`` returns when the events are durable; cancelled or failed, they may or may not be in the log.
- Events of one key are in one partition, in the order in which they were published; a reader never skips one, whatever
  order writers commit in.
- Groups are independent. Within a group each partition has one owner at a time; a partition whose owner died or hangs
  passes to another, which starts at the committed position.
- Delivery is at least once; ``commit`` of a turn is exactly once, since it moves the position by compare-and-set.
- Memory is bounded: a slow reader reads later, it does not make a queue grow.
- A record that cannot be decoded is delivered as ``Undecodable``, its bytes kept; it never stops a reader.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from msgspec import Struct

from schemas.envelope import Event

__all__ = [
    "Advance",
    "Batch",
    "Bus",
    "Claim",
    "Clock",
    "DeadLetter",
    "Delivery",
    "Outgoing",
    "Query",
    "Record",
    "RecordedQuery",
    "Row",
    "Rows",
    "StateWrite",
    "Stored",
    "Subscription",
    "Transaction",
    "Turns",
    "Undecodable",
]


class Clock(Protocol):
    """Where processes get the time from; deciders get none, their events carry it."""

    def now(self) -> datetime:
        """The time, UTC."""
        ...


# Made for every event, several times: structs cost a fifth of what frozen data classes do.
# Nothing in them refers back to them, so the garbage collector need not look.


class Record(Struct, frozen=True, gc=False):
    """An event as it travels: *data* is its JSON, whole; *type* and *key* stand beside it for who only passes it on."""

    key: str
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that is no event we know, and why."""

    record: Record
    reason: str


class Outgoing(Struct, frozen=True, gc=False):
    """An event and where it goes; *partition* only where the key does not decide it (an edge's slot)."""

    topic: str
    event: Event
    partition: int | None = None


class Delivery(Struct, frozen=True, gc=False):
    """An event at its place in the log. Offsets of a partition grow; they need not be dense."""

    topic: str
    partition: int
    offset: int
    event: Event | Undecodable

    @property
    def key(self) -> str:
        """What it is in order with."""
        return self.event.record.key if isinstance(self.event, Undecodable) else self.event.key


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A partition that is now ours.

    Args:
        position: the first offset that has not been handled.
        clean: the owner before us let go of it in good order (or there was none). If not, it may have died of one of
            the next events.
    """

    partition: int
    position: int
    clean: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What a subscription has to report: events, in order within each partition, and changes of ownership.

    Args:
        acquired: partitions that are ours from now on; their first deliveries are in this batch or a later one.
        revoked: partitions that others want or have; finish or drop what is in hand and ``release`` them. Nothing of
            them is delivered any more.
    """

    deliveries: Sequence[Delivery] = ()
    acquired: Sequence[Claim] = ()
    revoked: Sequence[int] = ()


class Subscription(Protocol):
    """The share of one process in one group's reading of one topic."""

    async def take(self, limit: int) -> Batch:
        """Wait until there is something to report. At most *limit* deliveries, one batch over all our partitions."""
        ...

    async def advance(self, positions: Mapping[int, int]) -> None:
        """
        Make {partition: first offset not handled} durable; for performers and readers (deciders use ``Bus.commit``).
        A partition that is no longer ours is left out.
        """
        ...

    async def release(self, partitions: Collection[int], *, clean: bool = True) -> None:
        """
        Let go of partitions in good order. Leaving the context releases all that is still held, as clean; but what was
        not clean when it was acquired stays so if the context is left with an error.

        Args:
            clean: what the next owner's ``Claim`` says. Not so, if they were not clean when they were acquired and
                what the owner before may have died of has not been handled since.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A state as it is kept; *version* counts its writes from 1."""

    version: int
    value: bytes


class StateWrite(Struct, frozen=True, gc=False):
    """The state of (actor, key) from *version* on; ``value=None`` deletes it."""

    key: str
    version: int
    value: bytes | None


class Advance(Struct, frozen=True, gc=False):
    """The position of a partition moves from *begin* to *end* (first offset not handled), if it still is at *begin*."""

    partition: int
    begin: int
    end: int


class Row(Struct, frozen=True, gc=False):
    """One execution of a named statement (``bus/postgres/sql/``); rows of one statement are written as one batch."""

    statement: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """
    A decider asks the database. Either a named statement, or SQL with positional ``$1`` parameters; the worker runs it
    inside the transaction of the turn and sends back the rows.
    """

    sql: str
    values: tuple[Any, ...] = ()


Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """What a turn asked and was told, kept so that a replay needs no database."""

    partition: int
    offset: int
    index: int
    query: Query
    rows: Rows


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was set aside. *id* is made of its place, so setting it aside twice is once."""

    id: UUID
    group: str
    topic: str
    partition: int
    offset: int
    record: Record
    reason: str
    traceback: str
    at: datetime


@dataclass(slots=True)
class Turns:
    """
    What a batch of turns changes: all of it or nothing.

    Args:
        actor, topic: whose positions and states these are.
        others: states of other actors, by actor, which decided in the same turns what *actor* emitted.
    """

    actor: str
    topic: str
    advances: list[Advance] = field(default_factory=list)
    states: list[StateWrite] = field(default_factory=list)
    others: dict[str, list[StateWrite]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    recorded: list[RecordedQuery] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


class Transaction(Protocol):
    """An open transaction of a batch of turns."""

    async def query(self, query: Query) -> Rows:
        """Rows in order. Raises ``bus.errors.QueryFailed``; the transaction survives it."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """What happens inside is undone if it raises."""
        ...

    async def commit(self, turns: Turns) -> None:
        """As ``Bus.commit``, together with what the queries changed."""
        ...


class Bus(Protocol):
    """
    A log, the states of its actors, and the transaction that ties them together.

    Args:
        log_commits: events are in the log when the commit of their turn returns. Where it is elsewhere they follow,
            each partition's in an order of its own; then no actor may emit in the turn of another.
    """

    log_commits: bool

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """
        Append, in order; durable when it returns.

        Raises:
            TooLarge: an event is over the limit; nothing was appended.
            BusUnavailable: the log cannot be reached now; try again.
        """
        ...

    def subscribe(
        self, topic: str, *, group: str, start: Literal["committed", "end"] = "committed", most: int | None = None
    ) -> AbstractAsyncContextManager[Subscription]:
        """
        Read *topic* as a member of *group*.

        Args:
            start: ``committed`` goes on where the group stopped (at first: the beginning); ``end`` sees only what is
                published from now on (an edge's slot).
            most: own at most this many partitions; without it, the fair share.
        """
        ...

    async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
        """The newest states of *keys*; a key without one is left out."""
        ...

    async def commit(self, turns: Turns) -> None:
        """
        Apply *turns* in one transaction. When it returns, all is durable, and the events are in the log (or, where the
        log is elsewhere, in the outbox and on their way).

        Raises:
            PartitionLost: a position was not where *turns* begin: another owner has gone on. Nothing was changed.
            StateConflict: a state was not at the version before the one to write. Nothing was changed.
            BusUnavailable: it is certain that nothing was changed. (An unknown outcome is looked up, not reported.)
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction for turns that ask the database; without ``commit`` it is rolled back."""
        ...

    def partitions(self, topic: str) -> int:
        """Into how many partitions *topic* is divided. Raises ``UnknownTopic``."""
        ...

    async def resource(self, digest: str) -> bytes | None:
        """An immutable, content-addressed thing (a bot package), None if there is none."""
        ...

    async def count_attempt(self, group: str, topic: str, partition: int, offset: int) -> int:
        """Count one more try of this event, durably, before it is made. Returns the number of this try, from 1."""
        ...
