"""What executes each keyword, by its phrase. A phrase of the table that is not here is known by name only."""

from __future__ import annotations

from typing import Final

from actors.basic.host import Handler
from actors.basic.keywords import conversation, history, lists, memory, session, time

__all__ = ["HANDLERS"]

HANDLERS: Final[dict[str, Handler]] = {
    phrase: handler
    for family in (conversation, history, lists, memory, session, time)
    for phrase, handler in family.HANDLERS.items()
}
