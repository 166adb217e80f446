"""
The built-in functions of the language, one module per family: each is a row of name, arity and Python function.

``IIF``, ``IF``, ``FORMAT x AS p`` without parentheses and the functions that ask about the session are not here: the
compiler and the keywords know them.
"""

from __future__ import annotations

from typing import Final

from actors.basic.functions import dates, lists, numbers, tests, text
from actors.basic.functions.table import ANY, Context, Function

__all__ = ["ANY", "FUNCTIONS", "Context", "Function"]

FUNCTIONS: Final[dict[str, Function]] = {
    function.name: function for family in (text, numbers, lists, tests, dates) for function in family.FUNCTIONS
}
"""By name in lower case."""
