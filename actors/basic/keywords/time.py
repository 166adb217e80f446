"""WAIT and DELAY: a timer that outlives the process."""

from __future__ import annotations

from typing import Any, Final

from actors.basic.errors import BasicError
from actors.basic.host import Clauses, Handler, Host, Wait
from actors.basic.values import to_number, to_text

__all__ = ["HANDLERS"]

MAX_SECONDS: Final = 10 * 366 * 86_400


def wait(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Wait:
    """Raises: BasicError: E_VALUE, no time, a negative one or one of more than ten years."""
    # A sum takes what is not there for 0. Nobody asked for a sum here: a misspelt name would be no wait at all.
    seconds = to_number(arguments[0]) if to_text(arguments[0]).strip() else -1
    if not 0 <= seconds <= MAX_SECONDS:
        raise BasicError("E_VALUE", "WAIT needs a number of seconds from 0 up to ten years.")
    return Wait("timer", {}, host.after(seconds))


HANDLERS: Final[dict[str, Handler]] = {"wait": wait, "delay": wait}
