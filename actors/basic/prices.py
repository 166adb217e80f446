"""
What a piece of a script costs, in steps: a step is about what one turn of a short loop takes.

The compiler adds up what it writes, in eighths of a step, and has the sum counted at the head of the loop, branch or
procedure that it belongs to. What depends on the size of values is counted by ``worked`` when they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.basic import nodes

__all__ = [
    "ASSIGNED",
    "AT_ONCE",
    "BRANCHED",
    "COERCED",
    "COERCED_BY_PATTERN",
    "COUNTED_BY_HAND",
    "FRAMED_TURN",
    "OWN_FUNCTION",
    "PART",
    "STEP",
    "TESTED",
    "TEXT_GROWN",
    "TRIED",
    "paced",
    "price_of",
]

STEP: Final = 8
"""Parts of a step that prices are given in."""

ASSIGNED: Final = 16
"""Writing a member or an element."""

COUNTED_BY_HAND: Final = 24
"""The head of a FOR whose body changes the counter."""

TEXT_GROWN: Final = 8
"""Something put behind a text in its variable."""

TRIED: Final = 4
"""TRY, where nothing goes wrong."""

AT_ONCE: Final = 16
"""Steps of straight code that are counted together, before any of it runs."""

FRAMED_TURN: Final = 7
"""Steps of a turn of a loop that may suspend, besides its condition."""

BRANCHED: Final = 32
"""Going on with one of two blocks of a body that may suspend: a block is found by halving."""

_NAMED: Final = 32
OWN_FUNCTION: Final = 48
COERCED: Final = 64
"""A parameter with a type."""

COERCED_BY_PATTERN: Final = 400
"""One of a type that reads texts as HEAR does, or of a date."""

TESTED: Final = 8
"""A condition that is not known to be a boolean."""

PART: Final = 6
"""A part of a text that is put together."""

_KEYWORD: Final = 80
_LITTLE: Final = 5

_NODES: Final[dict[type, int]] = {
    nodes.Literal_: 1,
    nodes.Name: 1,
    nodes.Template: 8,
    nodes.Member: 8,
    nodes.Index: 12,
    nodes.Method: 64,
    nodes.List_: 14,
    nodes.Object_: 14,
    nodes.Between: 32,
    nodes.Format: 24,
}
_OPERATORS: Final = {
    "/": 16, "\\": 20, "%": 20, "^": 64, "&": 16, "like": 160, "matches": 120, "contains": 48, "starts": 40, "ends": 40,
    "in": 40, "xor": 16, "<=": 7, ">": 7, ">=": 7, "=": 7, "<>": 7,
}  # fmt: skip


def price_of(node: nodes.Node, is_variable: Callable[[str], bool]) -> int:
    """What *node* costs, without its parts and the function that it calls."""
    match node:
        case nodes.Name(name=name) if not is_variable(name):
            return _NAMED
        case nodes.Binary(operator=operator):
            return _OPERATORS.get(operator, _LITTLE)
        case nodes.Keyword():
            return _KEYWORD
    return _NODES.get(type(node), _LITTLE)


def paced(steps: int) -> int:
    """*steps*, or somewhat more: few different numbers, for a program has a counter for each of them."""
    grain = 1 << max(0, steps.bit_length() - 4)
    return min(4_096, -(-steps // grain) * grain)
