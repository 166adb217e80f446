"""
Records that were set aside, and the ways back: ``redrive`` has one decided anew, ``discard`` goes on without it.

Both may be repeated, and cut short, at will. A redriven event carries an origin made of its dead letter, so that the
worker decides it once however often it is published. In a conversation that is blocked by a dead letter, its worker
goes on with what waits behind: after a redrive with the event itself, after a discard with ``TurnFailed``.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final, Literal, Protocol
from uuid import UUID

from msgspec.structs import replace

from bus import codec
from bus.actor import derived_id
from bus.errors import BusError
from bus.protocol import Bus, Clock, DeadLetter, Delivery, Outgoing, Undecodable
from schemas.envelope import Event, Origin
from schemas.failure import DeadLettered, TurnFailed
from schemas.topics import DEAD

__all__ = [
    "DISCARDED",
    "DeadLetters",
    "NotDecodable",
    "discard",
    "dropped",
    "notice",
    "redrive",
    "redriven",
    "set_aside",
]

DISCARDED: Final = "discarded:"

_NAMESPACE: Final = UUID("5d9f31c6-6c1b-5f0e-9d0e-3f6f3c1c7a52")


class NotDecodable(BusError):  # says what is the case, as all of ours do
    """A dead letter cannot be redriven, since this program cannot read it either."""


class DeadLetters(Protocol):
    """Where dead letters are kept; ``Turns.dead`` puts them there."""

    async def letters(self, *, limit: int, after: UUID | None = None) -> Sequence[DeadLetter]:
        """Oldest first, those that come after the letter *after*."""
        ...

    async def letter(self, id_: UUID) -> DeadLetter | None: ...

    async def settle(self, id_: UUID, fate: Literal["redriven", "discarded"]) -> bool:
        """It is no dead letter any more. False if it was none, or is unknown."""
        ...


def set_aside(
    group: str, delivery: Delivery, error: BaseException | str, clock: Clock, event: Event | None = None
) -> DeadLetter:
    """
    The dead letter of *delivery*.

    Args:
        event: another event that was decided in the delivery's place (it had waited behind a dead letter).
    """
    what = event or delivery.event
    record = what.record if isinstance(what, Undecodable) else codec.encode(what)
    place = f"{group}/{delivery.topic}/{delivery.partition}/{delivery.offset}"
    if event is not None and event is not delivery.event:
        place += f"/{event.id}"
    if isinstance(error, str):
        reason, trace = error, ""
    else:
        reason, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
    return DeadLetter(
        id=derived_id(_NAMESPACE, place),
        group=group,
        topic=delivery.topic,
        partition=delivery.partition,
        offset=delivery.offset,
        record=record,
        reason=reason,
        traceback=trace,
        at=clock.now(),
    )


def notice(letter: DeadLetter) -> Outgoing:
    """What is said on topic ``dead`` of *letter*."""
    return Outgoing(
        DEAD,
        DeadLettered(
            id=derived_id(letter.id, "notice"),
            at=letter.at,
            bot="",
            bot_version="",
            key=letter.record.key,
            dead_letter=letter.id,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            reason=letter.reason,
        ),
    )


def redriven(letter: UUID) -> str:
    """The actor in the origin of an event that was redriven."""
    return f"redriven:{letter}"


def dropped(letter: UUID) -> str:
    """The actor in the origin of the ``TurnFailed`` that says that *letter* was discarded."""
    return f"{DISCARDED}{letter}"


async def redrive(bus: Bus, letters: DeadLetters, id_: UUID) -> bool:
    """
    Publish the event of a dead letter again. False if there is no such letter (any more).

    Raises:
        NotDecodable: this program cannot read it; the letter stays.
        BusUnavailable: try again.
    """
    letter = await letters.letter(id_)
    if letter is None:
        return False
    event = codec.decode(letter.record)
    if isinstance(event, Undecodable):
        raise NotDecodable(event.reason)
    again = replace(event, origin=Origin(redriven(id_), 0, 0, 0))
    await bus.publish([Outgoing(letter.topic, again)])
    await letters.settle(id_, "redriven")
    return True


async def discard(bus: Bus, letters: DeadLetters, id_: UUID) -> bool:
    """
    Drop a dead letter for good; what waits behind it goes on. False if there is no such letter (any more).

    Raises:
        BusUnavailable: try again.
    """
    letter = await letters.letter(id_)
    if letter is None:
        return False
    event = codec.decode(letter.record)
    if not isinstance(event, Undecodable):
        failed = TurnFailed(
            id=derived_id(id_, "discarded"),
            at=event.at,
            tenant=event.tenant,
            bot=event.bot,
            bot_version=event.bot_version,
            key=event.key,
            cause=event.id,
            turn=event.turn or event.id,
            origin=Origin(dropped(id_), 0, 0, 0),
            actor=letter.group,
            failed=event.id,
            failed_type=event.type,
            dead_letter=id_,
            error=letter.reason.partition(":")[0],
        )
        await bus.publish([Outgoing(letter.topic, failed)])
    await letters.settle(id_, "discarded")
    return True
