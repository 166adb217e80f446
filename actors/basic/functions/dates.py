"""
Functions of dates. A date may be a value or text (``YYYY-MM-DD[ HH:mm[:ss]]``, ISO 8601, ``DD/MM/YYYY``,
``MM/DD/YYYY``); of what spells none the answer is null.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from actors.basic.formats import format_date
from actors.basic.functions.table import Context, Function, named
from actors.basic.values import to_number, to_text, unwrap
from actors.basic.values.moments import UNITS, as_moment, difference, moment_member, parse_moment, shift

__all__ = ["FUNCTIONS"]


def _moment(value: object) -> date | None:
    return as_moment(unwrap(value))


def _member(name: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        moment = _moment(value)
        return None if moment is None else moment_member(moment, name)

    return read


def _is_unit(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in UNITS


def date_add(*arguments: object) -> object:
    """
    ``DATEADD(d, n, unit)``, ``(d, unit, n)`` or ``(unit, n, d)``: *d* later by *n* units; a date stays a date for
    units of a day and longer. Raises: BasicError: E_VALUE, unknown unit.
    """
    first, second, third = arguments
    if _is_unit(first):
        unit, amount, moment = first, second, third
    elif _is_unit(second):
        moment, unit, amount = first, second, third
    else:
        moment, amount, unit = first, second, third
    at = _moment(moment)
    return None if at is None else shift(at, to_number(amount), to_text(unit))


def date_diff(*arguments: object) -> object:
    """``DATEDIFF(a, b, unit)`` and ``(unit, a, b)``: whole units from *a* to *b*; ``(a, b)``: days from *b* to *a*."""
    if len(arguments) == 2:
        return _between(arguments[1], arguments[0], "day")
    first, second, third = arguments
    if _is_unit(first):
        return _between(second, third, to_text(first))
    return _between(first, second, to_text(third))


def _between(start: object, end: object, unit: str) -> object:
    first, last = _moment(start), _moment(end)
    return None if first is None or last is None else difference(first, last, unit)


def date_value(value: object) -> object:
    """The date alone."""
    moment = _moment(value)
    return moment.date() if isinstance(moment, datetime) else moment


def time_value(value: object) -> object:
    """The time of the day as ``HH:mm:ss``, of a date and time or of a time alone; null if it spells none."""
    moment = _moment(value) or parse_moment(f"2000-01-01 {to_text(value)}")
    return moment_member(moment, "time") if isinstance(moment, datetime) else None


def add_days(value: object, days: object) -> object:
    moment = _moment(value)
    return None if moment is None else shift(moment, to_number(days), "day")


def end_of_month(value: object, months: object = 0) -> object:
    """The last day of the month, *months* later."""
    moment = date_value(value)
    if not isinstance(moment, date):
        return None
    there = shift(moment, to_number(months), "month")
    return there.replace(day=calendar.monthrange(there.year, there.month)[1])


def _seconds_of(factor: int) -> Callable[[object], int | float]:
    return lambda count: to_number(count) * factor


def formatted_date(value: object, pattern: object = None, usual: str = "YYYY-MM-DD") -> str:
    """FORMAT_DATE, by the *usual* pattern where the given one is null or ""; what is no date passes as text."""
    moment = _moment(value)
    return to_text(value) if moment is None else format_date(moment, to_text(pattern) or usual)


def now(context: Context) -> datetime:
    return context.now.astimezone(context.zone)


def timestamp(context: Context, value: object = None) -> object:
    """Whole seconds since 1970, of now or of a date."""
    if value is None:
        return moment_member(now(context), "timestamp")
    return _member("timestamp")(value)


FUNCTIONS: Final[tuple[Function, ...]] = (
    *named("now", 0, 0, now, context=True),
    *named("today", 0, 0, lambda context: now(context).date(), context=True),
    *named("time", 0, 0, lambda context: moment_member(now(context), "time"), context=True),
    *named("timestamp", 0, 1, timestamp, context=True),
    *(row for part in ("year", "month", "day", "hour", "minute", "second", "weekday")
      for row in named(part, 1, 1, _member(part))),
    *named("dateadd date_add", 3, 3, date_add),
    *named("datediff date_diff", 2, 3, date_diff),
    *named("datevalue date_value", 1, 1, date_value),
    *named("timevalue time_value", 1, 1, time_value),
    *named("days", 1, 1, _seconds_of(86_400)),
    *named("hours", 1, 1, _seconds_of(3_600)),
    *named("minutes", 1, 1, _seconds_of(60)),
    *named("days_between", 2, 2, lambda a, b: _between(a, b, "day")),
    *named("hours_between", 2, 2, lambda a, b: _between(a, b, "hour")),
    *named("minutes_between", 2, 2, lambda a, b: _between(a, b, "minute")),
    *named("seconds_between", 2, 2, lambda a, b: _between(a, b, "second")),
    *named("add_days", 2, 2, add_days),
    *named("eomonth", 1, 2, end_of_month),
    *named("format_date", 1, 2, formatted_date),
    *named("format_time", 1, 2, lambda value, pattern=None: formatted_date(value, pattern, "HH:mm")),
)  # fmt: skip
