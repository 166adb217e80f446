"""
The built-in functions of the language, one module per family: each is a row of name, arity and Python function.

``IIF``, ``IF``, ``FORMAT x AS p`` without parentheses and the functions that ask about the session are not here: the
compiler and the keywords know them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from actors.basic.functions import dates, lists, numbers, tests, text
from actors.basic.functions.prices import STEPS, USUAL
from actors.basic.functions.table import ANY, Context, Function
from actors.basic.values import MAX_ITEMS, METERED, grown

__all__ = ["ANY", "FUNCTIONS", "Context", "Function"]


def _weighed(made: object, given: object) -> object:
    """*made* counted against the limits of the turn, unless it is what was given."""
    kind = type(made)
    if kind is str:
        if len(made) > METERED:  # type: ignore[arg-type]
            grown(len(made))  # type: ignore[arg-type]
    elif kind is list and len(made) > METERED and made is not given:  # type: ignore[arg-type]
        grown(len(made), MAX_ITEMS)  # type: ignore[arg-type]
    return made


def _measured(row: Function) -> Function:
    """*row*, what it makes counted. (By number of arguments: a tuple of them takes longer than many a function.)"""
    call = row.call
    if row.minimum == row.maximum == 1:
        return replace(row, call=lambda only: _weighed(call(only), only))
    if row.minimum == row.maximum == 2:
        return replace(row, call=lambda first, second: _weighed(call(first, second), first))
    return replace(row, call=lambda *arguments: _weighed(call(*arguments), arguments[0] if arguments else None))


FUNCTIONS: Final[dict[str, Function]] = {
    row.name: replace(row, steps=STEPS.get(row.name, USUAL))
    for row in (
        *map(_measured, (*text.FUNCTIONS, *lists.FUNCTIONS)),
        *numbers.FUNCTIONS,
        *tests.FUNCTIONS,
        *dates.FUNCTIONS,
    )
}
"""By name in lower case."""
