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
    "COUNTED_BY_HAND",
    "FRAMED_TURN",
    "OWN_FUNCTION",
    "PART",
    "STEP",
    "TEXT_GROWN",
    "TRIED",
    "paced",
    "price_of",
]

STEP: Final = 8
"""Parts of a step that prices are given in."""

ASSIGNED: Final = 8
"""Writing a member or an element."""

COUNTED_BY_HAND: Final = 24
"""The head of a FOR whose body changes the counter."""

TEXT_GROWN: Final = 6
"""Something put behind a text in its variable."""

TRIED: Final = 4
"""TRY, where nothing goes wrong."""

AT_ONCE: Final = 16
"""Steps of straight code that are counted together, before any of it runs."""

FRAMED_TURN: Final = 4
"""Steps of a turn of a loop that may suspend."""

_NAMED: Final = 32
OWN_FUNCTION: Final = 48
PART: Final = 4
"""A part of a text that is put together."""

_KEYWORD: Final = 48
_LITTLE: Final = 4

_NODES: Final[dict[type, int]] = {
    nodes.Literal_: 1,
    nodes.Name: 1,
    nodes.Template: 8,
    nodes.Member: 8,
    nodes.Index: 8,
    nodes.Method: 32,
    nodes.Object_: 8,
    nodes.Between: 20,
    nodes.Format: 24,
}
_OPERATORS: Final = {
    "/": 12, "\\": 16, "%": 16, "^": 32, "&": 8, "like": 80, "matches": 80, "contains": 32, "starts": 24, "ends": 24,
    "in": 24, "xor": 12,
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
