"""Dates: parsing them, their members, and moving in time. Seconds are absolute, days and longer follow the calendar."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values.kinds import AMBIENCE

__all__ = [
    "MONTHS",
    "UNITS",
    "WEEKDAYS",
    "as_datetime",
    "as_moment",
    "difference",
    "instant",
    "moment_member",
    "parse_moment",
    "plus_seconds",
    "seconds_between",
    "shift",
    "unit_named",
]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
"""Index 0 is weekday 1."""

_DAY: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the offset is subtracted beside it
_MOMENT: Final = re.compile(
    r"(?:(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})|(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<c>\d{4}))"
    r"(?:[ T]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<F>\d{1,9}))?)?\s*(?P<Z>Z|z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)

UNITS: Final[dict[str, tuple[str, int]]] = {
    **dict.fromkeys(("s", "sec", "second", "secs", "seconds"), ("second", 1)),
    **dict.fromkeys(("n", "min", "minute", "mins", "minutes"), ("second", 60)),
    **dict.fromkeys(("h", "hour", "hours"), ("second", 3_600)),
    **dict.fromkeys(("d", "day", "days"), ("day", 1)),
    **dict.fromkeys(("w", "week", "weeks"), ("day", 7)),
    **dict.fromkeys(("m", "month", "months"), ("month", 1)),
    **dict.fromkeys(("q", "quarter", "quarters"), ("month", 3)),
    **dict.fromkeys(("y", "yy", "yyyy", "year", "years"), ("month", 12)),
}
"""Unit by name in lower case: what it is counted in, and how many of these."""


def unit_named(name: str) -> tuple[str, int]:
    """The unit of that name. Raises: BasicError: E_VALUE, there is none."""
    unit = UNITS.get(name.strip().lower())
    if unit is None:
        raise BasicError(
            "E_VALUE",
            f'"{name}" is no unit of time; there are second, minute, hour, day, week, month, quarter and year.',
        )
    return unit


def instant(moment: datetime) -> timedelta:
    """Time since 1970 in UTC. Comparing these is right over zones and clock changes, and cannot overflow."""
    offset = moment.utcoffset()
    assert offset is not None
    return (moment.replace(tzinfo=None) - _NAIVE_EPOCH) - offset


def as_datetime(moment: date, zone: tzinfo | None = None) -> datetime:
    """A date as its midnight in *zone* (default: the bot's); a datetime as it is."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time(), tzinfo=zone or AMBIENCE.zone)


def parse_moment(text: str, zone: tzinfo | None = None) -> datetime | date | None:
    """
    The date or datetime that *text* spells, in *zone* (default: the bot's); None if it spells none.

    Known are ``YYYY-MM-DD``, ``DD/MM/YYYY``, and ``MM/DD/YYYY`` where day first is impossible, each with an optional
    time and offset (ISO 8601).
    """
    if len(text) > 60:
        return None
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    if found["y"]:
        year, month, day = int(found["y"]), int(found["m"]), int(found["d"])
    else:
        day, month, year = int(found["a"]), int(found["b"]), int(found["c"])
        if month > 12:
            day, month = month, day
    try:
        on = date(year, month, day)
        if found["H"] is None:
            return on
        micros = int(((found["F"] or "") + "000000")[:6])
        at = datetime(
            year, month, day, int(found["H"]), int(found["M"]), int(found["S"] or 0), micros, zone or AMBIENCE.zone
        )
        if found["Z"]:
            at = at.replace(tzinfo=_offset(found["Z"])).astimezone(zone or AMBIENCE.zone)
    except (ValueError, OverflowError):
        return None
    return at


def as_moment(value: object) -> datetime | date | None:
    """A date as it is, text as the date that it spells, in the bot's zone; None for anything else."""
    if isinstance(value, date):
        return value
    return parse_moment(value) if isinstance(value, str) else None


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """*moment* moved by absolute time, in its own zone."""
    if moment.tzinfo is UTC:
        return moment + by
    return (_EPOCH + instant(moment) + by).astimezone(moment.tzinfo)


def _out_of_range() -> BasicError:
    return BasicError("E_VALUE", "The date is out of range; years go from 1 to 9999.")


def plus_seconds(moment: date, seconds: int | float) -> datetime | date:
    """
    *moment* later by seconds; a date stays one if these are whole days.

    Raises: BasicError: E_VALUE, out of range.
    """
    try:
        if not isinstance(moment, datetime):
            if seconds % _DAY == 0:
                return moment + timedelta(days=int(seconds // _DAY))
            moment = as_datetime(moment)
        return _shifted(moment, timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise _out_of_range() from None


def seconds_between(start: date, end: date) -> int | float:
    """*end* − *start* in seconds; a date counts as its midnight in the other's zone, or the bot's."""
    if isinstance(start, datetime) or isinstance(end, datetime):
        start_at = as_datetime(start, end.tzinfo if isinstance(end, datetime) else None)
        end_at = as_datetime(end, start_at.tzinfo)
        delta = instant(end_at) - instant(start_at)
    else:
        delta = end - start
    seconds = delta // timedelta(seconds=1)
    return seconds if delta == timedelta(seconds=seconds) else delta.total_seconds()


def shift(moment: date, amount: int | float, unit: str) -> datetime | date:
    """
    *moment* later by *amount* of *unit*.

    Days and longer keep the time of the day; months keep the day, or the last one of a shorter month. A date stays a
    date if the unit is a day or longer.

    Raises: BasicError: E_VALUE, unknown unit or out of range.
    """
    base, factor = unit_named(unit)
    count = amount * factor
    try:
        if base == "second":
            return _shifted(as_datetime(moment), timedelta(seconds=count))
        if base == "day":
            return moment + timedelta(days=int(count) if not isinstance(moment, datetime) else count)
        months = moment.year * 12 + moment.month - 1 + int(count)
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1] if 1 <= year <= 9999 else 31
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    except (OverflowError, ValueError):
        raise _out_of_range() from None


def difference(start: date, end: date, unit: str) -> int:
    """
    How many whole units lie from *start* to *end*; negative if *end* is earlier.

    Days and longer are counted on the calendar of *start*'s zone, shorter units in absolute time.

    Raises: BasicError: E_VALUE, unknown unit.
    """
    base, factor = unit_named(unit)
    if base == "second":
        return _truncated(seconds_between(start, end), factor)
    zone = next((m.tzinfo for m in (start, end) if isinstance(m, datetime)), None)
    first, second = _wall(start, zone), _wall(end, zone)
    if base == "day":
        return _truncated((second - first) / timedelta(days=1), factor)
    if second < first:
        return -(_whole_months(second, first) // factor)
    return _whole_months(first, second) // factor


def _wall(moment: date, zone: tzinfo | None) -> datetime:
    """The clock on the wall of *zone*, without a zone."""
    at = as_datetime(moment, zone)
    if at.tzinfo is not zone and zone is not None:
        at = at.astimezone(zone)
    return at.replace(tzinfo=None)


def _whole_months(start: datetime, end: datetime) -> int:
    months = (end.year - start.year) * 12 + end.month - start.month
    # the 31st is reached on the last day of a shorter month
    day = min(start.day, calendar.monthrange(end.year, end.month)[1])
    if (end.day, end.time()) < (day, start.time()):
        months -= 1
    return months


def _truncated(amount: int | float, factor: int) -> int:
    return int(amount // factor) if amount >= 0 else -int(-amount // factor)


def moment_member(moment: date, name: str) -> object:
    """``.year`` and its relatives, by name in lower case; None for an unknown one."""
    at = as_datetime(moment)
    weekday = moment.isoweekday() % 7  # Sunday 0
    match name:
        case "year" | "month" | "day":
            return getattr(moment, name)
        case "hour" | "minute" | "second":
            return getattr(at, name)
        case "weekday":
            return weekday + 1
        case "weekday_name":
            return WEEKDAYS[weekday]
        case "month_name":
            return MONTHS[moment.month - 1]
        case "quarter":
            return (moment.month + 2) // 3
        case "day_of_year":
            return moment.timetuple().tm_yday
        case "is_weekend":
            return weekday in (0, 6)
        case "date":
            return at.date()
        case "time":
            return f"{at.hour:02}:{at.minute:02}:{at.second:02}"
        case "timestamp":
            return instant(at) // timedelta(seconds=1)
        case "iso":
            return moment.isoformat()
        case "formatted":
            return (
                str(moment)
                if not isinstance(moment, datetime)
                else f"{at.date().isoformat()} {moment_member(at, 'time')}"
            )
        case "hour12":
            return at.hour % 12 or 12
        case "ampm":
            return "AM" if at.hour < 12 else "PM"
    return None
