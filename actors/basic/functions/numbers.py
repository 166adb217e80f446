"""Functions of numbers, and of lists of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as Arithmetic
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.functions.table import ANY, Context, Function, named
from actors.basic.values import (
    compare,
    get_member,
    is_null,
    iterate,
    modulo,
    numeric,
    power,
    to_number,
    to_text,
    truth,
    worked,
)
from actors.basic.values.conversion import float_text
from actors.basic.values.moments import as_moment

__all__ = ["FUNCTIONS", "rounded"]

Number = int | float

_LEADING: Final = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)", re.ASCII)
_ARITHMETIC: Final = Arithmetic(prec=5_000)


def _finite(value: object) -> Number:
    number = to_number(value)
    if not isinstance(number, int) and not math.isfinite(number):
        raise BasicError("E_VALUE", f"{float_text(number)} cannot be used here.")
    return number


def val(value: object) -> Number:
    """The number that a text begins with, else 0."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _LEADING.match(to_text(value)[:5_000])
    return (numeric(found[1]) or 0) if found else 0


def rounded(value: object, digits: object = 0) -> Number:
    """*value* to so many digits after the point (before it where negative), half away from zero."""
    number, places = _finite(value), int(_finite(digits))
    if isinstance(number, int) and places >= 0:
        return number
    places = max(-400, min(400, places))
    exact = Decimal(number) if isinstance(number, int) else Decimal(float_text(number))
    result = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _ARITHMETIC)
    return int(result) if places <= 0 else float(result)


def fix(value: object) -> int:
    return math.trunc(_finite(value))


def sign(value: object) -> int:
    number = to_number(value)
    return (number > 0) - (number < 0)


def _real(function: Callable[[float], float], what: str) -> Callable[[object], float]:
    def call(value: object) -> float:
        try:
            return function(to_number(value))
        except ValueError:
            raise BasicError("E_VALUE", f"{float_text(float(to_number(value)))} has no {what}.") from None
        except OverflowError:
            raise BasicError("E_LIMIT", "The result is too large for a number.") from None

    return call


def logarithm(value: object, base: object = None) -> float:
    number = _real(math.log, "logarithm")(value)
    if base is None:
        return number
    divisor = _real(math.log, "logarithm")(base)
    if divisor == 0:
        raise BasicError("E_DIV0", "There is no logarithm to base 1.")
    return number / divisor


def random_number(context: Context, *arguments: object) -> Number:
    """``RANDOM(a, b)`` from a to b, ``RANDOM(n)`` from 0 to n-1, whole; ``RANDOM()`` from 0 to less than 1."""
    if not arguments:
        return context.random.random()
    low, high = (0, fix(arguments[0]) - 1) if len(arguments) == 1 else (fix(arguments[0]), fix(arguments[1]))
    if low > high:
        raise BasicError("E_VALUE", f"There is no random number from {low} to {high}.")
    return context.random.randint(low, high)


def _values(arguments: tuple[object, ...]) -> list[object]:
    """The values of ``(L)``, ``(L, "field")`` or ``(a, b, …)``, without nulls."""
    first, *rest = arguments
    collects = isinstance(first, list | dict) or (not isinstance(first, int | float | str) and not rest)
    if collects or (len(arguments) == 1 and isinstance(first, str)):
        items = iterate(first)
        worked(len(items) * (10 if rest else 3))
        found = [get_member(item, to_text(rest[0])) for item in items] if rest else items
    else:
        found = list(arguments)
    return [value for value in found if not is_null(value)]


def largest(*arguments: object) -> object:
    """The largest by ``<``; null of nothing."""
    return _most(_values(arguments), 1)


def smallest(*arguments: object) -> object:
    """The smallest by ``<``; null of nothing."""
    return _most(_values(arguments), -1)


def _most(values: list[object], direction: int) -> object:
    if not values:
        return None
    best = values[0]
    worked(5 * len(values))
    for value in values[1:]:
        if compare(value, best) == direction:
            best = value
    return best


def total(*arguments: object) -> Number:
    """The sum of a list, or of a field of its objects; nothing is 0."""
    numbers = [to_number(value) for value in _values(arguments)]
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return _float_sum(numbers)


def average(*arguments: object) -> Number:
    """The mean of a list, or of a field of its objects, nulls left out; of nothing 0."""
    numbers = [to_number(value) for value in _values(arguments)]
    return _float_sum(numbers) / len(numbers) if numbers else 0


def _float_sum(numbers: list[Number]) -> float:
    try:
        return math.fsum(numbers)
    except ValueError:  # an infinity and its opposite
        return math.nan
    except OverflowError:
        raise BasicError("E_LIMIT", "The sum is too large for a number.") from None


def is_numeric(value: object) -> bool:
    """Whether it is a number or a text that spells one."""
    if isinstance(value, str):
        return numeric(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


FUNCTIONS: Final[tuple[Function, ...]] = (
    *named("val", 1, 1, val),
    *named("to_number tonumber", 1, 1, to_number),
    *named("int floor", 1, 1, lambda x: math.floor(_finite(x))),
    *named("ceil ceiling", 1, 1, lambda x: math.ceil(_finite(x))),
    *named("fix", 1, 1, fix),
    *named("round", 1, 2, rounded),
    *named("cint", 1, 1, rounded),
    *named("abs", 1, 1, lambda x: abs(to_number(x))),
    *named("sqr sqrt", 1, 1, _real(math.sqrt, "square root")),
    *named("pow", 2, 2, power),
    *named("mod", 2, 2, modulo),
    *named("sgn sign", 1, 1, sign),
    *named("exp", 1, 1, _real(math.exp, "exponential")),
    *named("log", 1, 2, logarithm),
    *named("log10", 1, 1, _real(math.log10, "logarithm")),
    *named("sin", 1, 1, _real(math.sin, "sine")),
    *named("cos", 1, 1, _real(math.cos, "cosine")),
    *named("tan", 1, 1, _real(math.tan, "tangent")),
    *named("atn", 1, 1, _real(math.atan, "arc tangent")),
    *named("pi", 0, 0, lambda: math.pi),
    *named("random", 0, 2, random_number, context=True),
    *named("rnd", 0, 1, lambda context, _=None: context.random.random(), context=True),
    *named("max", 1, ANY, largest),
    *named("min", 1, ANY, smallest),
    *named("sum", 1, 2, total),
    *named("avg average", 1, 2, average),
    *named("cdbl", 1, 1, lambda x: float(_finite(x))),
    *named("cbool", 1, 1, truth),
    *named("cdate", 1, 1, as_moment),
    *named("isnumeric is_numeric", 1, 1, is_numeric),
)
