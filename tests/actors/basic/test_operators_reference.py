"""The operators against a second, naive reading of the language's tables: slow, without short cuts, one rule a line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic import values
from actors.basic.errors import BasicError

# --- the reference ----------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        digits = format(Context(prec=15).create_decimal_from_float(value), "f")
        shown = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return "0" if shown == "-0" else shown
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    raise AssertionError("lists and objects have tests of their own")


def number(value: Any) -> int | float:
    if value is None or (isinstance(value, str) and value.strip() == ""):
        return 0
    if isinstance(value, bool):
        return 1 if value else 0
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        found = spelled_number(value)
        if found is not None:
            return found
    raise BasicError("E_TYPE", "not a number")


def spelled_number(value: str) -> int | float | None:
    bare = value.strip()
    if not bare or set(bare) - set("0123456789.+-eE"):
        return None
    try:
        return int(bare)
    except ValueError:
        try:
            return float(bare)
        except ValueError:
            return None


def spelled_date(value: str) -> date | None:
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(value.strip(), form).date()  # noqa: DTZ007 - only the date is wanted
        except ValueError:
            continue
    try:
        return datetime.strptime(value.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def midnight(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)


def equals(a: Any, b: Any) -> bool:
    if a in (None, "") and a is not False and not is_number(a):
        return b is None or b == ""
    if b is None or b == "":
        return False
    for x, y in ((a, b), (b, a)):
        if isinstance(x, bool):
            if isinstance(y, bool):
                return x == y
            if isinstance(y, str):
                return y.lower() == text(x)
            return is_number(y) and y == int(x)
    for x, y in ((a, b), (b, a)):
        if is_number(x):
            if is_number(y):
                return bool(x == y)
            if isinstance(y, str):
                meant = spelled_number(y)
                return bool(x == meant) if meant is not None else text(x) == y
            return False
    for x, y in ((a, b), (b, a)):
        if isinstance(x, date):
            other = spelled_date(y) if isinstance(y, str) else y
            return isinstance(other, date) and midnight(x) == midnight(other)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equals(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(equals(a[key], b[key]) for key in a)
    return isinstance(a, str) and isinstance(b, str) and a == b


def below(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return False
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    if isinstance(a, date) or isinstance(b, date):
        x = spelled_date(a) if isinstance(a, str) else a
        y = spelled_date(b) if isinstance(b, str) else b
        if isinstance(x, date) and isinstance(y, date):
            return midnight(x) < midnight(y)
        return text(a) < text(b)
    if not isinstance(a, bool) and not isinstance(b, bool):
        x = spelled_number(a) if isinstance(a, str) else a
        y = spelled_number(b) if isinstance(b, str) else b
        if x is not None and y is not None:
            return bool(x < y)
    return text(a) < text(b)


def plus(a: Any, b: Any) -> Any:
    if isinstance(a, str) or isinstance(b, str):
        return text(a) + text(b)
    if a is None and b is None:
        return None
    for x, y in ((a, b), (b, a)):
        if isinstance(x, date):
            if isinstance(y, date):
                raise BasicError("E_TYPE", "two dates")
            seconds = number(y)
            try:
                if not isinstance(x, datetime) and seconds % 86400 == 0:
                    return x + timedelta(days=seconds // 86400)
                return midnight(x) + timedelta(seconds=seconds)
            except OverflowError:
                raise BasicError("E_VALUE", "before year 1 or after 9999") from None
    return number(a) + number(b)


def minus(a: Any, b: Any) -> Any:
    if isinstance(a, date):
        other = b
        if isinstance(b, str) and spelled_number(b) is None and spelled_date(b) is not None:
            other = spelled_date(b)
        if isinstance(other, date):
            seconds = (midnight(a) - midnight(other)).total_seconds()
            return int(seconds) if seconds == int(seconds) else seconds
        return plus(a, -number(other))
    if isinstance(b, date) and isinstance(a, str) and spelled_date(a) is not None:
        return minus(spelled_date(a), b)
    return number(a) - number(b)


def true(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() not in ("", "0", "false")
    return value not in (None, False, 0, [], {})


# --- the comparison ---------------------------------------------------------------------------------------------------

FLOATS = st.one_of(
    st.just(0.0),
    st.integers(-(10**9), 10**9).map(lambda n: n / 64),
    st.decimals(min_value=-1000, max_value=1000, places=3).map(float),
)
TEXTS = st.one_of(
    st.text(max_size=8).filter(lambda s: "_" not in s and all(c.isascii() or not c.isdecimal() for c in s)),
    st.sampled_from(["", "0", "false", "TRUE", "1", " 12 ", "-3.50", "1e3", "2026-01-31", "31/01/2026", "abc", "ABC"]),
    st.sampled_from(["2026-01-31 10:20:30", "01/31/2026", ".5", "5.", "+7", "nan", "inf", "1_0", "--1", "1e", "e5"]),
)
MOMENTS = st.one_of(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda d: d.replace(microsecond=0)
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), FLOATS, TEXTS, MOMENTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def outcome(function: Any, *arguments: Any) -> Any:
    try:
        result = function(*arguments)
    except BasicError as error:
        return error.code
    return type(result), result


@settings(deadline=None)
@given(SCALARS)
def test_truth_text_and_number(value: Any) -> None:
    assert values.truth(value) is true(value)
    assert values.to_text(value) == text(value)
    if not isinstance(value, date):
        assert outcome(values.to_number, value) == outcome(number, value)


@settings(deadline=None)
@given(SCALARS, SCALARS)
def test_plus_and_minus(a: Any, b: Any) -> None:
    assert outcome(values.add, a, b) == outcome(plus, a, b)
    assert outcome(values.subtract, a, b) == outcome(minus, a, b)
    assert values.concat(a, b) == text(a) + text(b)


@settings(max_examples=400, deadline=None)
@given(SCALARS, SCALARS)
def test_order(a: Any, b: Any) -> None:
    assert values.less(a, b) is below(a, b)
    assert values.greater(a, b) is below(b, a)
    if a is not None and b is not None:
        assert values.less_equal(a, b) is not below(b, a)
        assert values.greater_equal(a, b) is not below(a, b)
    else:
        assert not values.less_equal(a, b)
        assert not values.greater_equal(a, b)


@settings(max_examples=400, deadline=None)
@given(VALUES, VALUES)
def test_equality(a: Any, b: Any) -> None:
    assert values.equal(a, b) is equals(a, b)
    assert values.equal(b, a) is equals(a, b)
    assert values.not_equal(a, b) is not equals(a, b)


@settings(deadline=None)
@given(VALUES)
def test_everything_equals_itself(value: Any) -> None:
    assert values.equal(value, value)


@settings(deadline=None)
@given(st.integers(-1000, 1000) | FLOATS, st.integers(-50, 50) | FLOATS)
def test_division_and_remainder_belong_together(a: float, b: float) -> None:
    if b == 0:
        for operator in (values.divide, values.int_divide, values.modulo):
            assert outcome(operator, a, b) == "E_DIV0"
        return
    assert values.divide(a, b) == a / b
    quotient, rest = values.int_divide(a, b), values.modulo(a, b)
    exact = Decimal(a) / Decimal(b)
    assert abs(quotient - exact) <= 1
    assert abs(quotient) <= abs(exact) + Decimal("1e-9")  # towards zero
    assert abs(rest) < abs(b)
    assert rest == 0 or (rest < 0) == (a < 0)
    if isinstance(a, int) and isinstance(b, int):
        assert quotient * b + rest == a


@pytest.mark.parametrize("operator", [values.multiply, values.divide, values.power, values.modulo, values.int_divide])
@given(a=SCALARS, b=SCALARS)
@settings(max_examples=50, deadline=None)
def test_arithmetic_wants_numbers(operator: Any, a: Any, b: Any) -> None:
    if "E_TYPE" in (outcome(number, a), outcome(number, b)):
        assert outcome(operator, a, b) == "E_TYPE"
    else:
        assert outcome(operator, a, b) == outcome(operator, number(a), number(b))
