"""Timers: asked of the schedule actor by any decider."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Event

__all__ = ["TimerCancelled", "TimerDue", "TimerFired", "TimerRequested"]


class TimerRequested(Event):
    """Fire *timer* at *due_at* to ``reply_to``. The same (key, reply_to, timer) again moves it."""

    type: Literal["timer.requested.v1"] = "timer.requested.v1"
    timer: str = Field(description="name within (key, reply_to): 'hear', 'idle', a run's id …")
    due_at: AwareDatetime


class TimerCancelled(Event):
    """Forget *timer* of ``reply_to``; nothing happens if there is none."""

    type: Literal["timer.cancelled.v1"] = "timer.cancelled.v1"
    timer: str


class TimerDue(Event):
    """The clock reached *due_at*: said to the schedule actor, which knows whether the timer still counts."""

    type: Literal["timer.due.v1"] = "timer.due.v1"
    timer: str
    due_at: AwareDatetime


class TimerFired(Event):
    """The answer to ``TimerRequested``, once. ``at`` is the due time, so what follows does not depend on lateness."""

    type: Literal["timer.fired.v1"] = "timer.fired.v1"
    timer: str
    due_at: AwareDatetime
