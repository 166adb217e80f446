"""The helpers that compiled programs call. Nothing else is in their reach: they run without Python's builtins."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from actors.basic import values
from actors.basic.coercion import coerced
from actors.basic.errors import BasicError
from actors.basic.functions import FUNCTIONS
from actors.basic.values import MAX_ITEMS, MAX_TEXT, METERED, grown, to_number, truth, worked

__all__ = ["NAMESPACE"]

Number = int | float


def fit(text: str) -> str:
    """A text that was just made, counted against the limits. Raises: BasicError: E_LIMIT."""
    if len(text) > METERED:
        grown(len(text))
    return text


def copied(text: str) -> int:
    """
    A text was made longer, and not where it lay: all of it was copied, which is counted.

    Returns: its identity. Raises: BudgetSpent.
    """
    if len(text) > METERED:
        worked(len(text) >> 10)
    return id(text)


def counted(value: object) -> object:
    """A value that goes into a list or object, where it lives on: a long text is counted once more."""
    if type(value) is str and len(value) > METERED:
        grown(len(value))
    return value


def push(items: object, new: object) -> None:
    if type(items) is list and len(items) < MAX_ITEMS:
        items.append(counted(new))
        return
    FUNCTIONS["push"].call(items, counted(new))


def push_to(items: object, new: object) -> object:
    """``items.PUSH(new)``."""
    if type(items) is list and len(items) < MAX_ITEMS:
        items.append(counted(new))
        return items
    return values.call_method(items, "push", [counted(new)])


def set_member(subject: object, name: str, value: object) -> None:
    values.set_member(subject, name, counted(value))


def set_index(subject: object, index: object, value: object) -> None:
    if type(subject) is list and type(index) is int and 0 <= index < len(subject):
        subject[index] = counted(value)
        return
    values.set_index(subject, index, counted(value))


def number(value: object) -> Number:
    return value if type(value) is int else to_number(value)


def stride(value: object) -> Number:
    """The step of a FOR. Raises: BasicError: E_VALUE, it is 0."""
    step = number(value)
    if step == 0 or step != step:
        raise BasicError("E_VALUE", "The STEP of a FOR must not be 0.")
    return step


def within(current: Number, limit: Number, step: Number) -> bool:
    """Whether FOR takes a turn with *current*."""
    return current <= limit if step > 0 else current >= limit


def count(start: object, stop: object, step: object) -> Iterable[Number]:
    """The numbers of ``FOR i = start TO stop STEP step``."""
    first, last, by = number(start), number(stop), stride(step)
    if type(first) is int and type(by) is int:
        if isinstance(last, float):
            if last != last:
                return ()
            infinite = math.inf if by > 0 else -math.inf
            if last in (math.inf, -math.inf):
                return range(0) if last != infinite else _counted(first, last, by)
            last = math.floor(last) if by > 0 else math.ceil(last)
        return range(first, last + (1 if by > 0 else -1), by)
    return _counted(first, last, by)


def _counted(current: Number, limit: Number, step: Number) -> Iterable[Number]:
    while within(current, limit, step):
        worked(1)
        yield current
        current += step


def limited(items: list[object], which: str, amount: object) -> list[object]:
    """The FIRST or LAST *amount* of *items*."""
    size = max(0, int(to_number(amount)))
    if which == "first":
        return items[:size]
    return items[len(items) - size :] if size < len(items) else items


def xor(a: object, b: object) -> bool:
    return truth(a) is not truth(b)


_VALUES: Final = (
    "add", "between", "call_method", "concat", "contains", "divide", "ends_with", "equal", "get_index", "get_member",
    "greater", "greater_equal", "in_", "int_divide", "is_null", "iterate", "less", "less_equal", "like", "matches",
    "modulo", "multiply", "negate", "not_equal", "power", "starts_with", "subtract", "to_json", "to_text", "truth",
)  # fmt: skip

NAMESPACE: Final[dict[str, Any]] = {
    **{name: getattr(values, name) for name in _VALUES},
    **{
        each.__name__: each
        for each in (
            coerced,
            fit,
            copied,
            counted,
            push,
            push_to,
            set_member,
            set_index,
            number,
            stride,
            within,
            count,
            limited,
            xor,
        )
    },
    **{each.__name__: each for each in (type, bool, int, str, list, len, id, zip)},
    **{"f_" + name: function.call for name, function in FUNCTIONS.items()},
    "Exception": Exception,
    "MAX_TEXT": MAX_TEXT,
    "MAX_ITEMS": MAX_ITEMS,
    "__builtins__": {},
}
"""Globals of every compiled program."""
