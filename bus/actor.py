"""
What an actor is: a decider or a performer, in a few lines.

A decider has no I/O: told an event and its state it answers with a new state, and says through its ``Turn`` what else
follows. The same event on the same state gives the same answer, byte for byte, whenever it is asked::

    class Greeter:
        name = topic = "greeter"
        state = Greeted  # a msgspec.Struct

        def decide(self, turn: Turn, state: Greeted | None) -> Greeted | None:
            count = (state.count if state else 0) + 1
            turn.emit(SESSION, Said, text=f"Hello, for the {count}th time")
            return Greeted(count=count)
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from bus.protocol import Outgoing, Query, Row, Rows
from schemas.envelope import Event, Origin

__all__ = ["Ask", "Decider", "Job", "Performer", "Resource", "Turn", "derived_id"]

_sha1 = hashlib.sha1
_NOT_FIXED: Final = ~(0xF << 76 | 0x3 << 62)
_VERSION_5: Final = 0x5 << 76 | 0x2 << 62

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Struct)


def derived_id(cause: UUID, name: str) -> UUID:
    """UUIDv5 (RFC 9562 section 5.5) of *name* in the namespace *cause*."""
    return _uuid5(cause.bytes, name)


def _uuid5(namespace: bytes, name: str) -> UUID:
    number = int.from_bytes(_sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16], "big")
    return UUID(int=number & _NOT_FIXED | _VERSION_5)


@dataclass(frozen=True, slots=True)
class Resource:
    """A decider needs the immutable thing called *digest*; it is sent its bytes, None if there is no such thing."""

    digest: str


Ask = Query | Resource


class Turn:
    """
    The event in hand and what has been decided on it so far.

    Args:
        partition: of the actor's topic, where the event is.
        emitted: what was emitted with the same delivery before; this turn adds to it, and is numbered on.
        before: how much of it is not of the event in hand; without it, all of it.
        source: the delivery that this turn is decided with, as (actor, partition, offset), where that is not the event
            in hand: an event that was emitted a moment ago and is decided in the transaction of its cause.
    """

    __slots__ = ("_before", "_namespace", "actor", "event", "notes", "outgoing", "partition", "rows", "source")

    def __init__(
        self,
        actor: str,
        partition: int,
        offset: int,
        event: Event,
        *,
        emitted: list[Outgoing] | None = None,
        before: int | None = None,
        source: tuple[str, int, int] | None = None,
    ) -> None:
        self.actor = actor
        self.partition = partition
        self.event = event
        self.source = source or (actor, partition, offset)
        self.outgoing: list[Outgoing] = [] if emitted is None else emitted
        # Ids count what was emitted on this event alone, so that they are the same whatever it was decided with.
        self._before = len(self.outgoing) if before is None else before
        self._namespace = event.id.bytes
        self.rows: list[Row] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def emit(
        self,
        topic: str,
        event: type[E],
        *,
        partition: int | None = None,
        key: str | None = None,
        bot: str | None = None,
        bot_version: str | None = None,
        reply_to: str | None = None,
        event_id: UUID | None = None,
        **fields: Any,
    ) -> E:
        """
        Publish an event of that class with the turn. The envelope follows from the event in hand; ``at`` is its time,
        ``id`` and ``origin`` are made of its place, so a repeat of the turn makes the same event. *event_id* is for an
        id of ``new_id`` that stands elsewhere too.
        """
        cause = self.event
        index = len(self.outgoing)
        made = event(
            id=_uuid5(self._namespace, f"{self.actor}/{index - self._before}") if event_id is None else event_id,
            at=cause.at,
            tenant=cause.tenant,
            bot=cause.bot if bot is None else bot,
            bot_version=cause.bot_version if bot_version is None else bot_version,
            key=cause.key if key is None else key,
            cause=cause.id,
            turn=cause.turn or cause.id,
            reply_to=reply_to,
            trace=cause.trace,
            origin=Origin(*self.source, index),
            **fields,
        )
        self.outgoing.append(Outgoing(topic, made, partition))
        return made

    def write(self, statement: str, *values: Any) -> None:
        """Execute a named statement with the turn (one row of a batch)."""
        self.rows.append(Row(statement, values))

    def note(self, what: str, **facts: Any) -> None:
        """
        Something that whoever runs the installation should read: a warning in the log, once the turn is committed.

        Args:
            what: a constant in snake case.
            facts: plain values; never what people said.
        """
        self.notes.append((what, facts))

    def new_id(self, name: str) -> UUID:
        """An id that is the same whenever this turn is repeated; *name* tells it from others of the turn."""
        return _uuid5(self._namespace, f"{self.actor}:{name}")


class Decider(Protocol[S]):
    """
    An actor without I/O.

    ``decide`` returns the new state, None to have none. It may change the old one in place: after a failure the worker
    throws away what it has and loads what is stored. It may be a generator, which yields a ``Query`` or ``Resource``
    and is sent what was found (``rows = yield Query(...)``), and returns the state at the end.

    What it raises sets its event aside as a dead letter; the state stays as it was before that event. All but
    ``bus.errors.NotReady``: then it is asked anew when that is made, and other conversations do not wait for it.
    """

    name: str
    topic: str
    state: type[S]

    def decide(self, turn: Turn, state: S | None) -> S | Generator[Ask, Rows | bytes | None, S | None] | None: ...


class Job(Protocol):
    """One event in the hands of a performer."""

    event: Event

    def answer(self, event: type[E], **fields: Any) -> E:
        """The answer, to the inbox in ``reply_to``; published when ``perform`` returns."""
        ...

    def emit(self, topic: str, event: type[E], **fields: Any) -> E:
        """Another event, published when ``perform`` returns."""
        ...


class Performer(Protocol):
    """
    An actor that touches the world: many keys at once, in order within a key.

    A ``perform`` that raises is tried again with back-off and jitter if the error says ``retriable``, within
    ``budget_s``; after that, or at once for other errors, ``failed`` says what to answer, and the event is set aside.
    """

    name: str
    topic: str
    concurrency: int
    budget_s: float

    async def perform(self, job: Job) -> None: ...

    def failed(self, job: Job, error: Exception) -> None:
        """Answer with a failure event, so that nobody waits for ever."""
        ...
