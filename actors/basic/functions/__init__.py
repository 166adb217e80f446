"""
The built-in functions of the language, one module per family: each is a row of name, arity and Python function.

``IIF``, ``IF``, ``FORMAT x AS p`` without parentheses and the functions that ask about the session are not here: the
compiler and the keywords know them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from actors.basic.functions import dates, lists, numbers, tests, text
from actors.basic.functions.table import ANY, Context, Function
from actors.basic.values import MAX_ITEMS, METERED, grown

__all__ = ["ANY", "FUNCTIONS", "Context", "Function"]


def _measured(call: Callable[..., object]) -> Callable[..., object]:
    """*call*, what it makes counted against the limits of the turn."""

    def measured(*arguments: Any) -> object:
        made = call(*arguments)
        kind = type(made)
        if kind is str:
            if len(made) > METERED:  # type: ignore[arg-type]
                grown(len(made))  # type: ignore[arg-type]
        elif kind is list and len(made) > METERED and made is not arguments[0]:  # type: ignore[arg-type]
            grown(len(made), MAX_ITEMS)  # type: ignore[arg-type]
        return made

    return measured


FUNCTIONS: Final[dict[str, Function]] = {
    **{row.name: replace(row, call=_measured(row.call)) for row in (*text.FUNCTIONS, *lists.FUNCTIONS)},
    **{row.name: row for family in (numbers, tests, dates) for row in family.FUNCTIONS},
}
"""By name in lower case."""
