"""
The schedule actor: which timers of a key are set, and which of them may still fire.

Its rows in ``timers`` are the index by time that the timer service reads; the state is the truth. So a timer that was
moved or forgotten while the service said that it is due does not fire, and one that is said to be due twice fires once.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus import codec
from bus.actor import Turn
from schemas.envelope import Moment
from schemas.schedule import TimerCancelled, TimerDue, TimerFired, TimerRequested
from schemas.topics import SCHEDULE

__all__ = ["ScheduleActor", "Timers"]

_WRITE: Final = "timers.write"


class Timers(Struct, kw_only=True):
    """The timers of one key: inbox that is answered -> name of the timer -> when it is due."""

    due: dict[str, dict[str, Moment]] = {}

    def forget(self, reply_to: str, timer: str) -> bool:
        """False if there was none."""
        timers = self.due.get(reply_to, {})
        if timers.pop(timer, None) is None:
            return False
        if not timers:
            del self.due[reply_to]
        return True


class ScheduleActor:
    """Decides topic ``schedule``."""

    name = topic = SCHEDULE
    state = Timers

    def decide(self, turn: Turn, state: Timers | None) -> Timers | None:
        """Raises ``ValueError`` for a request that does not say whom to answer."""
        state = state or Timers()
        event = turn.event
        if not isinstance(event, TimerRequested | TimerCancelled | TimerDue):
            return state if state.due else None
        if event.reply_to is None:
            raise ValueError(f"{event.type} for timer {event.timer!r} does not say whom to answer")
        row = (turn.partition, event.key, event.reply_to, event.timer)
        match event:
            case TimerRequested():
                state.due.setdefault(event.reply_to, {})[event.timer] = event.due_at
                turn.write(_WRITE, *row, event.due_at, codec.encode(event).data)
            case TimerCancelled():
                if state.forget(event.reply_to, event.timer):
                    turn.write(_WRITE, *row, None, b"")
            case TimerDue():
                if state.due.get(event.reply_to, {}).get(event.timer) == event.due_at:
                    state.forget(event.reply_to, event.timer)
                    turn.write(_WRITE, *row, None, b"")
                    turn.emit(event.reply_to, TimerFired, timer=event.timer, due_at=event.due_at)
        return state if state.due else None
