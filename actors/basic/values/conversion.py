"""Values to truth, to text, to numbers and to JSON; text to the value that it spells."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values.kinds import (
    AMBIENCE,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_TEXT,
    METERED,
    ErrorValue,
    File,
    Response,
    Rows,
    grown,
    type_name,
    worked,
)

__all__ = [
    "file_members",
    "float_text",
    "is_null",
    "json_value",
    "numeric",
    "parse_json",
    "plain",
    "to_json",
    "to_number",
    "to_text",
    "truth",
    "typed",
    "unwrap",
]

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]{1,6})?", re.ASCII)
_PLAIN_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_FENCE: Final = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n?(.*?)\n?[ \t]*```", re.DOTALL)
_MAX_DIGITS: Final = 4_000
_LONG: Final = 1 << 512
"""To convert a whole number beyond this takes long enough to be counted."""


def truth(value: object) -> bool:
    """
    What IF, NOT, WHILE, AND and OR make of a value.

    False: null, FALSE, 0, "", "false" and "0" in any case, what is empty, and a response that failed or has no body.
    """
    if value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        if not value:
            return False
        return value != "0" and not (len(value) == 5 and value.lower() == "false")  # type: ignore[arg-type, attr-defined]
    if kind is Response:
        return value.ok and bool(value.text)  # type: ignore[attr-defined]
    if kind is File or kind is ErrorValue:
        return True
    return bool(value)


def is_null(value: object) -> bool:
    """IS NULL: null and rows without a row, but not ""."""
    return value is None or (type(value) is Rows and not value)


def unwrap(value: object) -> object:
    """A response as what it behaves like elsewhere: rows for a JSON array, else its text. Other values as they are."""
    if type(value) is Response:
        return Rows(value.data) if isinstance(value.data, list) else value.text
    return value


# --- text -----------------------------------------------------------------------------------------------------------


def float_text(number: float) -> str:
    """At most 15 significant digits, no trailing zeros; an exponent only from 1e21 on and below 1e-6."""
    if number == 0:
        return "0"
    worked(5)
    if not math.isfinite(number):
        return "NaN" if number != number else ("Infinity" if number > 0 else "-Infinity")
    text = format(number, ".15g")
    if "e" not in text:
        return text
    if 1e-6 <= abs(number) < 1e21:
        return format(Decimal(text), "f")
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def _moment_text(value: date) -> str:
    worked(20)
    if isinstance(value, datetime):
        return f"{value.year:04}-{value.month:02}-{value.day:02} {value.hour:02}:{value.minute:02}:{value.second:02}"
    return value.isoformat()


def to_text(value: object) -> str:
    """
    What TALK, ``+`` and ``${}`` show of a value.

    Raises: BasicError: E_LIMIT, the JSON of a list or object is too long, too deep, or contains itself.
    """
    kind = type(value)
    if kind is str:
        if len(value) > METERED:  # type: ignore[arg-type]
            worked(len(value) >> 10)  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    if kind is int:
        return _int_text(value)  # type: ignore[arg-type]
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return float_text(value)  # type: ignore[arg-type]
    if isinstance(value, date):
        return _moment_text(value)
    if isinstance(value, Rows) and len(value) == 1 and isinstance(value[0], dict) and len(value[0]) == 1:
        return to_text(next(iter(value[0].values())))
    if isinstance(value, File):
        return value.path
    if isinstance(value, Response):
        return value.text
    if isinstance(value, ErrorValue):
        return value.message
    return to_json(value)


def _int_text(value: int) -> str:
    if not -_LONG < value < _LONG:
        worked(value.bit_length() >> 2)
    try:
        return str(value)
    except ValueError:  # Python's own guard against slow conversions
        raise BasicError("E_LIMIT", "This number has too many digits to be shown.") from None


# --- JSON -----------------------------------------------------------------------------------------------------------


def file_members(file: File) -> dict[str, object]:
    return {
        "name": file.name,
        "filename": file.filename,
        "path": file.path,
        "url": file.url,
        "size": file.size,
        "mime_type": file.mime_type,
        "modified": file.modified,
    }


_PART_WORK: Final = 14
"""A part that is copied costs as much as so many that are looked at."""


class _Plainer:
    """Copies a value into what JSON can say, bounded in depth and in the number and length of its parts."""

    def __init__(self) -> None:
        self.parts = 0
        self.most = min(MAX_ITEMS, AMBIENCE.work / _PART_WORK)
        self.characters = 0

    def plain(self, value: object, depth: int = 0) -> object:
        self.parts += 1
        if self.parts > self.most or self.characters > MAX_TEXT:
            raise BasicError("E_LIMIT", "This value is too large to be written as text.")
        kind = type(value)
        if kind is str:
            self.characters += len(value)  # type: ignore[arg-type]
            return value
        if value is None or kind is bool:
            return value
        if kind is int:
            _int_text(value)  # type: ignore[arg-type]
            return value
        if kind is float:
            return self._number(value)  # type: ignore[arg-type]
        if depth >= MAX_DEPTH:
            raise BasicError("E_LIMIT", "This value contains itself, or is nested too deeply to be written as text.")
        if isinstance(value, dict):
            self.characters += sum(map(len, value))
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, File):
            return self.plain(file_members(value), depth)
        if isinstance(value, Response):
            return self.plain(value.data, depth)
        if isinstance(value, ErrorValue):
            return {"error": True, "message": value.message, "code": value.code}
        raise TypeError(f"not a value of the language: {kind!r}")

    @staticmethod
    def _number(value: float) -> int | float | None:
        if not math.isfinite(value):
            return None  # JSON has no word for it
        if value.is_integer() and abs(value) < 1e15:
            return int(value)
        return float(format(value, ".15g"))


def plain(value: object) -> object:
    """
    The value as JSON can say it: null, booleans, numbers, strings, lists and objects; a copy, never shared.

    Dates are ISO 8601, a file is an object of its members, a response its data; numbers have 15 digits at most.

    Raises: BasicError: E_LIMIT, too large, too deep, or it contains itself.
    """
    if value is None or value is True or value is False or type(value) is str:
        return value
    if type(value) is int:
        _int_text(value)
        return value
    worked(14)  # stops before it begins where too much was done already
    plainer = _Plainer()
    try:
        return plainer.plain(value)
    finally:
        worked(plainer.parts * _PART_WORK + (plainer.characters >> 8))


def to_json(value: object) -> str:
    """Compact JSON text of any value. Raises: BasicError: E_LIMIT as ``plain``."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    grown(len(text))
    return text


def json_value(text: str) -> object:
    """
    The value of JSON text.

    Raises: ValueError: it is none, or nested too deeply, or has a number of thousands of digits, or half a character.
    """
    try:
        value: object = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate could be neither stored nor sent
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def parse_json(text: str) -> list[object] | dict[str, object] | None:
    """The list or object that *text* is the JSON of, a code fence around it ignored; None for any other text."""
    if len(text) > METERED:
        worked(len(text) >> 8)
    text = text.strip()
    if text.startswith("```"):
        fenced = _FENCE.fullmatch(text)
        if fenced is None:
            return None
        text = fenced[1].strip()
    if not text.startswith(("{", "[")):
        return None
    worked(30 + (len(text) >> 1))
    try:
        value = json_value(text)
    except ValueError:
        return None
    return value if isinstance(value, list | dict) else None


# --- numbers --------------------------------------------------------------------------------------------------------


def numeric(text: str) -> int | float | None:
    """The number that a whole text spells (blanks around it ignored), or None. "" is none."""
    worked(9 + (len(text) >> 5))
    text = text.strip()
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    if found[1] is None and found[2] is None and found[3] is None:
        if len(text) > _MAX_DIGITS:
            raise BasicError("E_LIMIT", f"A number of {len(text):,} digits is too long; the limit is {_MAX_DIGITS:,}.")
        if len(text) > 150:
            worked(len(text) >> 2)
        return int(text)
    return float(text)


def to_number(value: object) -> int | float:
    """
    An operand of arithmetic as a number: null and "" are 0, booleans 0 and 1, numeric text is parsed.

    Raises: BasicError: E_TYPE, the value is none of these.
    """
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[return-value]
    if value is None:
        return 0
    if kind is bool:
        return int(value)  # type: ignore[call-overload, no-any-return]
    if kind is Response:
        value = unwrap(value)
    if isinstance(value, Rows) and len(value) <= 1:
        # one cell counts as its value everywhere that text and numbers are wanted
        if not value:
            return 0
        if isinstance(value[0], dict) and len(value[0]) == 1:
            return to_number(next(iter(value[0].values())))
    if isinstance(value, str):
        number = numeric(value)
        if number is not None:
            return number
        if not value.strip():
            return 0
        raise BasicError("E_TYPE", f'"{_shortened(value)}" is not a number.')
    raise BasicError("E_TYPE", f"A {type_name(value)} is not a number.")


def _shortened(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def typed(cell: str) -> object:
    """
    A cell of a CSV file or a configuration value as a value.

    ``true``/``false`` are booleans; plain numbers without leading zero and up to 15 digits are numbers; all else,
    ISO dates too, stays text.
    """
    lowered = cell.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if _PLAIN_NUMBER.fullmatch(lowered) and sum(map(str.isdigit, lowered)) <= 15:
        return float(lowered) if "." in lowered else int(lowered)
    return cell
