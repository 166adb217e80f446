"""
What a BASIC value is, and how large it may get.

| BASIC | Python |
|---|---|
| null, boolean, number, string | ``None``, ``bool``, ``int`` or ``float``, ``str`` |
| datetime, date | aware ``datetime``, ``date`` |
| list, object | ``list``, ``dict`` with string keys |
| rows, response, file, error | ``Rows``, ``Response``, ``File``, ``ErrorValue`` |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from actors.basic.errors import BasicError, BudgetSpent

__all__ = [
    "AMBIENCE",
    "MAX_BITS",
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_TEXT",
    "METERED",
    "ErrorValue",
    "File",
    "Response",
    "Rows",
    "ambience",
    "extended",
    "grown",
    "read",
    "type_name",
    "worked",
]

MAX_TEXT: Final = 10_000_000
"""Characters of one text."""
MAX_ITEMS: Final = 1_000_000
"""Elements of one list or object."""
MAX_BITS: Final = 14_000
"""Bits of one whole number: some 4,200 digits, which Python still converts to text without objecting."""
MAX_DEPTH: Final = 200
"""Levels of lists and objects inside each other that text conversion follows."""
METERED: Final = 1_000
"""A text or list of more characters or elements than this is reported to the memory meter when it is made."""


_FEW: Final = 64
"""Characters that are looked at one by one in next to no time."""


class Rows(list[object]):
    """What a query gives: a list of objects whose members are also read from, and written to, the first of them."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Response:
    """
    What an HTTP keyword gives.

    Args:
        headers: keys in lower case.
        data: the body as parsed JSON, or as text where it is none; shared, so that a script may change it.
        text: the body as it came.
    """

    status: int
    status_text: str = ""
    headers: dict[str, object] = field(default_factory=dict)
    data: object = None
    text: str = ""
    url: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class File:
    """A handle of a file, not its content; as text it is its path."""

    name: str
    filename: str = ""
    path: str = ""
    url: str = ""
    size: int = 0
    mime_type: str = "application/octet-stream"
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """An error as a value, made by ``ERROR(s)`` or caught by ``CATCH e``; it raises nothing by itself."""

    message: str
    code: str = "E_USER"
    line: int = 0
    script: str = ""


class _Ambience:
    """What operators need and a script does not hand them. One run is stepped at a time, so there is one of it."""

    __slots__ = ("left", "measure", "spent", "work", "zone")

    def __init__(self) -> None:
        self.zone: tzinfo = UTC
        self.left: float = float("inf")
        self.work: float = float("inf")
        self.measure: Callable[[], float] = _unmeasured
        self.spent: Callable[[float], BudgetSpent] = _too_much


def _unmeasured() -> float:
    return float("inf")


def _too_much(elements: float) -> BudgetSpent:
    return BudgetSpent("E_LIMIT", "This takes too much work.")


AMBIENCE: Final = _Ambience()


class ambience:  # noqa: N801 - used like a function; contextlib's way to make one takes longer than many a turn
    """
    Set the bot's time zone, the memory meter and the budget of steps for what a run does inside the block. It may be
    entered again, and goes on with what was left.

    Args:
        measure: called whenever the run has made as many new characters and elements as the last call allowed (and at
            the first large one). It looks at what is alive, and either says how many more may be made before the
            next look or raises E_LIMIT. Without it nothing is measured.
        max_work: steps of the run, and what ``worked`` may count up to: both are taken out of one budget. Turns of
            loops alone bound nothing where one of them may sort a million elements.
        spent: makes the error of a budget that ``worked`` has used up, given what it was asked to count at once.
    """

    __slots__ = ("_before", "_inside")

    def __init__(
        self,
        zone: tzinfo,
        measure: Callable[[], float] | None = None,
        max_work: float = float("inf"),
        spent: Callable[[float], BudgetSpent] = _too_much,
    ) -> None:
        self._inside = (zone, 0.0 if measure else float("inf"), measure or _unmeasured, max_work, spent)

    def __enter__(self) -> None:
        now = AMBIENCE
        self._before = (now.zone, now.left, now.measure, now.work, now.spent)
        now.zone, now.left, now.measure, now.work, now.spent = self._inside

    def __exit__(self, *_: object) -> None:
        now = AMBIENCE
        self._inside = (now.zone, now.left, now.measure, now.work, now.spent)
        now.zone, now.left, now.measure, now.work, now.spent = self._before


def grown(size: int, limit: int = MAX_TEXT) -> None:
    """
    Count a text (or list, with its *limit*) of *size* characters or elements, best before it is made.

    Raises: BasicError: E_LIMIT, over the limit of one value or of the run's memory.
    """
    if size > limit:
        what = "text" if limit == MAX_TEXT else "list"
        unit = "characters" if limit == MAX_TEXT else "elements"
        raise BasicError("E_LIMIT", f"This {what} would have {size:,} {unit}; the limit is {limit:,}.")
    if size > METERED:
        worked(size >> (8 if limit == MAX_TEXT else 4))
        AMBIENCE.left -= size
        if AMBIENCE.left < 0:
            AMBIENCE.left = AMBIENCE.measure()


def extended(size: int, more: int = 1) -> None:
    """Count that a list or object of *size* elements gets *more* of them in place. Raises: BasicError: E_LIMIT."""
    grown(size + more if size + more > MAX_ITEMS else more, MAX_ITEMS)


def worked(elements: int) -> None:
    """Count an operation that looks at so many elements. Raises: BudgetSpent: the turn has done too much."""
    AMBIENCE.work -= elements
    if AMBIENCE.work < 0:
        raise AMBIENCE.spent(elements)


def read(text: str) -> None:
    """Count an operation that looks at the characters of *text* one by one. Raises: BudgetSpent."""
    if len(text) > _FEW:
        worked(len(text) >> (6 if text.isascii() else 3))


def type_name(value: object) -> str:
    """The type in the words of the language, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case datetime():
            return "datetime"
        case date():
            return "date"
        case Rows():
            return "rows"
        case list():
            return "list"
        case dict():
            return "object"
        case Response():
            return "response"
        case File():
            return "file"
        case ErrorValue():
            return "error"
    raise TypeError(f"not a value of the language: {type(value)!r}")
