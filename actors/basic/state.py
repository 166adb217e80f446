"""What the basic actor keeps of a conversation."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from schemas.conversation import Person

__all__ = ["BasicState", "OpenRun"]


class OpenRun(Struct, kw_only=True, omit_defaults=True):
    """
    A run that waits.

    Args:
        bot_version: it goes on with the scripts that it began with.
        frames: the run as ``frames.dump`` gives it.
    """

    bot: str
    bot_version: str
    script: str
    trigger: str
    channel: str
    person: Person
    message: str = ""
    frames: dict[str, Any]


class BasicState(Struct, kw_only=True, omit_defaults=True):
    """
    The state of one key, mostly a session.

    Args:
        runs: those that wait, by id.
        session: values of the session, as ``values.dump`` gives them.
    """

    runs: dict[str, OpenRun] = {}
    session: dict[str, Any] = {}
