"""What the basic actor keeps of a conversation."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from schemas.conversation import Person
from schemas.envelope import Moment

__all__ = ["BasicState", "OpenRun", "Talked"]


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


class Talked(Struct, kw_only=True):
    """
    A conversation in which much was said.

    Args:
        messages: of late, those that count less and less as time goes by left out.
        at: when that was so.
    """

    messages: float
    at: Moment


class BasicState(Struct, kw_only=True, omit_defaults=True):
    """
    The state of one key, mostly a session.

    Args:
        runs: those that wait, by id.
        session: values of the session, as ``values.dump`` gives them.
        talked: how much the runs have said of late, if it is much.
    """

    runs: dict[str, OpenRun] = {}
    session: dict[str, Any] = {}
    talked: Talked | None = None
