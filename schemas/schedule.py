"""Timers: asked of the schedule actor by any decider."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from schemas.envelope import Event, Moment

__all__ = ["TimerCancelled", "TimerDue", "TimerFired", "TimerRequested"]


class TimerRequested(Event, tag="timer.requested.v1"):
    """Fire *timer* at *due_at* to ``reply_to``. The same (key, reply_to, timer) again moves it."""

    timer: Annotated[str, Meta(description="name within (key, reply_to): 'hear', 'idle', a run's id …")]
    due_at: Moment


class TimerCancelled(Event, tag="timer.cancelled.v1"):
    """Forget *timer* of ``reply_to``; nothing happens if there is none."""

    timer: str


class TimerDue(Event, tag="timer.due.v1"):
    """The clock reached *due_at*: said to the schedule actor, which knows whether the timer still counts."""

    timer: str
    due_at: Moment


class TimerFired(Event, tag="timer.fired.v1"):
    """The answer to ``TimerRequested``, once. ``at`` is the due time, so what follows does not depend on lateness."""

    timer: str
    due_at: Moment
