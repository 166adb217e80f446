"""Operators. Numbers first: the usual case leaves at the first test."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values.conversion import is_null, numeric, to_number, to_text, truth, unwrap
from actors.basic.values.kinds import (
    MAX_BITS,
    MAX_ITEMS,
    METERED,
    ErrorValue,
    File,
    Rows,
    grown,
    read,
    type_name,
    worked,
)
from actors.basic.values.moments import as_datetime, instant, parse_moment, plus_seconds, seconds_between

__all__ = [
    "COMPARISONS",
    "add",
    "between",
    "compare",
    "concat",
    "contains",
    "divide",
    "ends_with",
    "equal",
    "greater",
    "greater_equal",
    "in_",
    "int_divide",
    "less",
    "less_equal",
    "modulo",
    "multiply",
    "negate",
    "not_equal",
    "power",
    "starts_with",
    "subtract",
    "xor",
]

Number = int | float
_HUGE: Final = 1 << MAX_BITS
_LOW: Final = -_HUGE
_LONG: Final = 1 << 512
"""Arithmetic beyond this takes long enough to be counted."""


_MIXED: Final = 16
"""Steps of an operation on two values that are not both numbers, nor both texts."""
_DATES: Final = 60
_COMPARED: Final = 3
"""Steps for comparing an element of a list with something."""


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _bounded(number: Number) -> Number:
    if type(number) is int and not -_LONG < number < _LONG:
        if number >= _HUGE or number <= _LOW:
            raise BasicError("E_LIMIT", "This number has too many digits.")
        worked(1 + (number.bit_length() >> 5))
    return number


def _too_large() -> BasicError:
    return BasicError("E_LIMIT", "The result is too large for a number.")


def _by_zero() -> BasicError:
    return BasicError("E_DIV0", "Division by zero.")


def add(a: object, b: object) -> object:
    """
    ``+``: a text on either side joins texts, lists are joined, a number moves a date by seconds, numbers are added.

    Raises: BasicError: E_TYPE, E_LIMIT.
    """
    kind, other = type(a), type(b)
    if kind is str and other is str:
        text: str = a + b  # type: ignore[operator]
        if len(text) > METERED:
            grown(len(text))
        return text
    if kind is float and other is float:
        return a + b  # type: ignore[operator]
    if (kind is int or kind is float) and (other is int or other is float):
        return _sum(a, b)  # type: ignore[arg-type]
    if kind is str or other is str:
        return concat(a, b)
    return _add_others(a, b)


def _sum(a: Number, b: Number) -> Number:
    try:
        return _bounded(a + b)
    except OverflowError:  # a whole number that no double holds
        raise _too_large() from None


def _add_others(a: object, b: object) -> object:
    worked(_MIXED)
    a, b = unwrap(a), unwrap(b)
    if isinstance(a, str) or isinstance(b, str):
        return concat(a, b)
    if a is None and b is None:
        return None
    if (isinstance(a, list) and (b is None or isinstance(b, list))) or (a is None and isinstance(b, list)):
        left, right = a or [], b or []
        assert isinstance(left, list)
        assert isinstance(right, list)
        grown(len(left) + len(right), MAX_ITEMS)
        both = [*left, *right]
        return Rows(both) if all(part is None or isinstance(part, Rows) for part in (a, b)) else both
    if isinstance(a, date) or isinstance(b, date):
        worked(_DATES)
    if isinstance(a, date) and not isinstance(b, date):
        return plus_seconds(a, to_number(b))
    if isinstance(b, date) and not isinstance(a, date):
        return plus_seconds(b, to_number(a))
    if isinstance(a, date):
        raise BasicError("E_TYPE", "Two dates cannot be added.")
    if isinstance(a, list | dict | File | ErrorValue) or isinstance(b, list | dict | File | ErrorValue):
        raise BasicError("E_TYPE", f"A {type_name(a)} and a {type_name(b)} cannot be added.")
    return _sum(to_number(a), to_number(b))


def concat(a: object, b: object) -> str:
    """``&``: the texts of both, joined. Raises: BasicError: E_LIMIT."""
    left = a if type(a) is str else to_text(a)
    right = b if type(b) is str else to_text(b)
    size = len(left) + len(right)
    if size > METERED:
        grown(size)
    return left + right


def subtract(a: object, b: object) -> object:
    """
    ``-``: numbers; a date and seconds; two dates, whose difference is in seconds.

    Raises: BasicError: E_TYPE, E_LIMIT.
    """
    kind, other = type(a), type(b)
    if (kind is int or kind is float) and (other is int or other is float):
        return _difference(a, b)  # type: ignore[arg-type]
    if isinstance(a, date):
        worked(_DATES)
        if isinstance(b, str) and numeric(b) is None:
            b = parse_moment(b) or b
        if isinstance(b, date):
            return seconds_between(b, a)
        return plus_seconds(a, -to_number(b))
    if isinstance(b, date) and isinstance(a, str):
        moment = parse_moment(a)
        if moment is not None:
            return seconds_between(b, moment)
    return _difference(to_number(a), to_number(b))


def _difference(a: Number, b: Number) -> Number:
    try:
        return _bounded(a - b)
    except OverflowError:
        raise _too_large() from None


def multiply(a: object, b: object) -> Number:
    """``*``. Raises: BasicError: E_TYPE, E_LIMIT."""
    kind, other = type(a), type(b)
    if kind is float and other is float:
        return a * b  # type: ignore[operator, no-any-return]
    x: Number = a if kind is int else to_number(a)  # type: ignore[assignment]
    y: Number = b if other is int else to_number(b)  # type: ignore[assignment]
    try:
        return _bounded(x * y)  # each has at most MAX_BITS, so the product is still small
    except OverflowError:
        raise _too_large() from None


def divide(a: object, b: object) -> float:
    """``/``, always real. Raises: BasicError: E_DIV0, E_TYPE, E_LIMIT."""
    x, y = to_number(a), to_number(b)
    if y == 0:
        raise _by_zero()
    try:
        return x / y
    except OverflowError:
        raise _too_large() from None


def _long_division(x: int, y: int) -> None:
    if not -_LONG < x < _LONG:
        worked(1 + (x.bit_length() * y.bit_length() >> 17))


def int_divide(a: object, b: object) -> int:
    r"""
    ``\``: the quotient without its fraction, towards zero: ``-7 \ 2`` is -3.

    Raises: BasicError: E_DIV0, E_TYPE, E_LIMIT.
    """
    x, y = to_number(a), to_number(b)
    if y == 0:
        raise _by_zero()
    if type(x) is int and type(y) is int:
        _long_division(x, y)
        quotient = abs(x) // abs(y)
        return quotient if (x < 0) == (y < 0) else -quotient
    try:
        return math.trunc(x / y)
    except (OverflowError, ValueError):
        raise _too_large() from None


def modulo(a: object, b: object) -> Number:
    r"""
    ``%`` and MOD: what ``\`` leaves, with the sign of the left side: ``-7 MOD 2`` is -1.

    Raises: BasicError: E_DIV0, E_TYPE, E_LIMIT.
    """
    x, y = to_number(a), to_number(b)
    if y == 0:
        raise _by_zero()
    if type(x) is int and type(y) is int:
        _long_division(x, y)
        rest = abs(x) % abs(y)
        return -rest if x < 0 else rest
    try:
        return math.fmod(x, y)
    except (OverflowError, ValueError):
        raise _too_large() from None


def power(a: object, b: object) -> Number:
    """``^``. Raises: BasicError: E_DIV0 (0 to a negative power), E_VALUE (no real result), E_TYPE, E_LIMIT."""
    x, y = to_number(a), to_number(b)
    if x == 0 and y < 0:
        raise _by_zero()
    if type(x) is int and type(y) is int and y >= 0 and x.bit_length() * y > 2 * MAX_BITS and abs(x) > 1:
        raise _too_large()  # before it is computed, which could take for ever
    try:
        result = x**y
    except OverflowError:
        raise _too_large() from None
    if isinstance(result, complex):
        raise BasicError("E_VALUE", "A negative number has no real root.")
    if type(result) is int and not -_LONG < result < _LONG:
        worked(result.bit_length() >> 4)
    return _bounded(result)


def negate(a: object) -> Number:
    """Unary ``-``. Raises: BasicError: E_TYPE."""
    return -to_number(a)


# --- equality -------------------------------------------------------------------------------------------------------


def equal(a: object, b: object) -> bool:
    """``=``. Never an error: what cannot be compared is unequal. Texts are compared with regard to case."""
    kind, other = type(a), type(b)
    if kind is other and (kind is str or kind is int or kind is float or kind is bool):
        if kind is str and len(a) > METERED:  # type: ignore[arg-type]
            worked(len(a) >> 10)  # type: ignore[arg-type]
        return a == b
    if (kind is int or kind is float) and (other is int or other is float):
        return a == b
    worked(_MIXED)
    return _Equality().equal(a, b)


def not_equal(a: object, b: object) -> bool:
    """``<>``."""
    return not equal(a, b)


class _Equality:
    """
    One deep comparison. Pairs that are being compared, or were, are not compared again: a difference anywhere ends the
    whole comparison, so this is right, and lists that contain themselves or share parts cost no more than others.
    """

    def __init__(self) -> None:
        self.seen: dict[tuple[int, int], tuple[object, object]] = {}  # the values too, so that no id is used again
        self.pairs: list[tuple[object, object]] = []

    def equal(self, a: object, b: object) -> bool:
        self.pairs.append((a, b))
        while self.pairs:
            if not self._level(*self.pairs.pop()):
                return False
        return True

    def _level(self, a: object, b: object) -> bool:
        """Whether *a* and *b* may be equal; their parts are put on the pile."""
        a, b = unwrap(a), unwrap(b)
        if _nothing(a) or _nothing(b):
            return _nothing(a) and _nothing(b)
        if isinstance(a, list | dict) and isinstance(b, list | dict):
            return self._containers(a, b)
        if isinstance(a, bool) or isinstance(b, bool):
            return _equal_boolean(a, b)
        if isinstance(a, int | float):
            return _equal_number(a, b)
        if isinstance(b, int | float):
            return _equal_number(b, a)
        if isinstance(a, date) or isinstance(b, date):
            return _order_moments(a, b) == 0
        return type(a) is type(b) and a == b

    def _containers(self, a: list[object] | dict[str, object], b: list[object] | dict[str, object]) -> bool:
        if isinstance(a, list) is not isinstance(b, list):
            a, b = _only_row(a), _only_row(b)
        if a is b or (id(a), id(b)) in self.seen:
            return True
        self.seen[id(a), id(b)] = (a, b)
        if len(a) != len(b):
            return False
        worked(1 + 10 * len(a))
        if isinstance(a, list) and isinstance(b, list):
            self.pairs.extend(zip(a, b, strict=True))
            return True
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            self.pairs.extend((item, b[key]) for key, item in a.items())
            return True
        return False


def _only_row(value: list[object] | dict[str, object]) -> list[object] | dict[str, object]:
    if isinstance(value, Rows) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return value


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, str | Rows) and not value)


def _equal_boolean(a: object, b: object) -> bool:
    if isinstance(b, bool):
        a, b = b, a
    if isinstance(b, str):
        return b.lower() == ("true" if a else "false")
    return isinstance(b, int | float) and a == b


def _equal_number(number: Number, other: object) -> bool:
    if isinstance(other, int | float):
        return number == other
    if isinstance(other, str):
        value = _numeric_or_none(other)
        return number == value if value is not None else to_text(number) == other
    return False


def _numeric_or_none(text: str) -> Number | None:
    try:
        return numeric(text)
    except BasicError:  # a comparison is never an error, not even with thousands of digits
        return None


# --- order ----------------------------------------------------------------------------------------------------------


def _order_moments(a: object, b: object) -> int | None:
    """-1, 0, 1; None if either is no date and spells none."""
    worked(_DATES)
    x = parse_moment(a) if isinstance(a, str) else a
    y = parse_moment(b) if isinstance(b, str) else b
    if not isinstance(x, date) or not isinstance(y, date):
        return None
    if isinstance(x, datetime) or isinstance(y, datetime):
        x = as_datetime(x, y.tzinfo if isinstance(y, datetime) else None)
        y = as_datetime(y, x.tzinfo)
        return _order(instant(x), instant(y))
    return _order(x, y)


def _order(a: object, b: object) -> int:
    if a < b:  # type: ignore[operator]
        return -1
    return 1 if a > b else 0  # type: ignore[operator]


def _compare(a: object, b: object) -> int | None:
    """-1, 0, 1; None where every comparison is false: with null, with empty rows, with what is not a number (NaN)."""
    worked(_MIXED)
    a, b = unwrap(a), unwrap(b)
    if is_null(a) or is_null(b):
        return None
    if isinstance(a, date) or isinstance(b, date):
        order = _order_moments(a, b)
        if order is not None:
            return order
    elif not isinstance(a, bool) and not isinstance(b, bool) and not (isinstance(a, str) and isinstance(b, str)):
        x = _numeric_or_none(a) if isinstance(a, str) else a
        y = _numeric_or_none(b) if isinstance(b, str) else b
        if isinstance(x, int | float) and isinstance(y, int | float):
            return None if x != x or y != y else _order(x, y)
    return _order(to_text(a), to_text(b))


def less(a: object, b: object) -> bool:
    """``<``: numbers, numeric text with a number, dates, texts by code point, else as texts. FALSE with null."""
    kind, other = type(a), type(b)
    if ((kind is int or kind is float) and (other is int or other is float)) or (kind is str and other is str):
        if kind is str and len(a) > METERED:  # type: ignore[arg-type]
            worked(len(a) >> 10)  # type: ignore[arg-type]
        return a < b  # type: ignore[operator, no-any-return]
    return _compare(a, b) == -1


def less_equal(a: object, b: object) -> bool:
    """``<=``, by the rules of ``<``."""
    kind, other = type(a), type(b)
    if ((kind is int or kind is float) and (other is int or other is float)) or (kind is str and other is str):
        if kind is str and len(a) > METERED:  # type: ignore[arg-type]
            worked(len(a) >> 10)  # type: ignore[arg-type]
        return a <= b  # type: ignore[operator, no-any-return]
    return _compare(a, b) in (-1, 0)


def greater(a: object, b: object) -> bool:
    """``>``, by the rules of ``<``."""
    kind, other = type(a), type(b)
    if ((kind is int or kind is float) and (other is int or other is float)) or (kind is str and other is str):
        if kind is str and len(a) > METERED:  # type: ignore[arg-type]
            worked(len(a) >> 10)  # type: ignore[arg-type]
        return a > b  # type: ignore[operator, no-any-return]
    return _compare(a, b) == 1


def greater_equal(a: object, b: object) -> bool:
    """``>=``, by the rules of ``<``."""
    kind, other = type(a), type(b)
    if ((kind is int or kind is float) and (other is int or other is float)) or (kind is str and other is str):
        if kind is str and len(a) > METERED:  # type: ignore[arg-type]
            worked(len(a) >> 10)  # type: ignore[arg-type]
        return a >= b  # type: ignore[operator, no-any-return]
    return _compare(a, b) in (0, 1)


def between(value: object, low: object, high: object) -> bool:
    """BETWEEN, inclusive."""
    return greater_equal(value, low) and less_equal(value, high)


def compare(a: object, b: object) -> int:
    """-1, 0 or 1 by the rules of ``<``, where what these leave open is settled too: for sorting. Null comes first."""
    order = _compare(a, b)
    return order if order is not None else int(not is_null(a)) - int(not is_null(b))


def xor(a: object, b: object) -> bool:
    """XOR: whether one of them is true, and not the other."""
    return truth(a) is not truth(b)


# --- tests of text and membership -----------------------------------------------------------------------------------


def _folded(value: object) -> str:
    text = to_text(value)
    read(text)
    return text.casefold()


def contains(container: object, part: object) -> bool:
    """CONTAINS: a part of a text ignoring case, an element of a list by ``=``, a key of an object."""
    container = unwrap(container)
    if isinstance(container, list | dict):
        worked(1 + _COMPARED * len(container))
    if isinstance(container, list):
        return any(equal(item, part) for item in container)
    if isinstance(container, dict):
        key = to_text(part)
        return key in container or key.casefold() in map(str.casefold, container)
    if container is None:
        return False
    return _folded(part) in _folded(container)


def starts_with(value: object, part: object) -> bool:
    """STARTS WITH, ignoring case."""
    return _folded(value).startswith(_folded(part))


def ends_with(value: object, part: object) -> bool:
    """ENDS WITH, ignoring case."""
    return _folded(value).endswith(_folded(part))


def in_(value: object, collection: object) -> bool:
    """IN: an element of a list by ``=``, a key of an object, a part of a text with regard to case."""
    collection = unwrap(collection)
    if isinstance(collection, list | dict):
        return contains(collection, value)
    if collection is None:
        return False
    text = to_text(collection)
    read(text)
    return to_text(value) in text


COMPARISONS: Final[dict[str, Callable[[object, object], bool]]] = {
    "=": equal,
    "<>": not_equal,
    "<": less,
    "<=": less_equal,
    ">": greater,
    ">=": greater_equal,
}
