"""Every event there is, by its type string, and the way from an old version to the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from schemas import conversation, dialog, failure, schedule
from schemas.envelope import Event

__all__ = ["EVENTS", "TOPIC_EVENTS", "upcast"]

# Which events an inbox takes. The current versions only: what is older is lifted before anybody sees it.
TOPIC_EVENTS: Final[dict[str, tuple[type[Event], ...]]] = {
    "session": (
        conversation.ConversationOpened,
        conversation.ConversationResumed,
        conversation.MessageReceived,
        conversation.PersonTyping,
        conversation.ConversationClosed,
        dialog.RunAdvanced,
        schedule.TimerFired,
        failure.TurnFailed,
    ),
    "basic": (
        dialog.RunRequested,
        dialog.AnswerGiven,
        dialog.AnswerOverdue,
        dialog.TranscriptWritten,
        dialog.RunCancelled,
        schedule.TimerFired,
        failure.TurnFailed,
    ),
    "schedule": (schedule.TimerRequested, schedule.TimerCancelled, schedule.TimerDue),
    "channel.web": (
        conversation.MessageReady,
        conversation.ConversationAttached,
        conversation.TypingShown,
        conversation.MessageDelta,
    ),
    "dead": (failure.DeadLettered,),
}


EVENTS: Final[dict[str, type[Event]]] = {event.type: event for events in TOPIC_EVENTS.values() for event in events}

# An old version's class -> the function that makes the next version of it. Old classes stay, with their golden files.
_LIFTS: Final[dict[type[Event], Callable[[Any], Event]]] = {}


def upcast(event: Event) -> Event:
    """*event* in its newest version."""
    while lift := _LIFTS.get(type(event)):
        event = lift(event)
    return event
