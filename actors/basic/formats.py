"""FORMAT: values by a pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values import Rows, numeric, to_json, to_text
from actors.basic.values.conversion import float_text
from actors.basic.values.moments import MONTHS, WEEKDAYS, as_datetime, as_moment

__all__ = ["format_date", "format_value"]

_MAX_PATTERN: Final = 200
_ARITHMETIC: Final = Context(prec=6_000)

_TAG: Final = re.compile(r"\[([A-Za-z]{2})(?:[-_]([A-Za-z]{2}))?\]$")
_TOKEN: Final = re.compile(
    r"AM/PM|am/pm|YYYY|yyyy|YY|yy|MMMM|MMM|MM|M|dddd|DDDD|ddd|DDD|DD|dd|D|d|HH|H|hh|h|mm|m|ss|s|fff|tt", re.ASCII
)
_TOKENS: Final = re.compile(f"(?:{_TOKEN.pattern})+")
_PIECE: Final = re.compile(rf"AM/PM|am/pm|(?<![^\W\d_])(?P<word>[a-zß-ÿ]{{2,}})(?![^\W\d_])|{_TOKEN.pattern}")
"""A token, or a word in small letters: ``de`` and ``at`` are words, for their letters are not all tokens."""
_DATE_LETTERS: Final = re.compile(r"[YyMDdHhms]")
_SHORT: Final = re.compile(r"[YmdHis]")
_DOUBLED: Final = re.compile(r"([A-Za-z])\1")
_DIGITS: Final = re.compile(r"(?:[#0][#0,]*)?(?:\.[#0]+)|[#0][#0,]*")
_STYLE: Final = re.compile(r"([NnCcPpFf])(\d{0,2})")


@dataclass(frozen=True, slots=True)
class _Tongue:
    """How a language writes numbers and months. *money* holds the number at ``{}``."""

    point: str = "."
    group: str = ","
    money: str = "${}"
    months: tuple[str, ...] = MONTHS
    weekdays: tuple[str, ...] = WEEKDAYS


_PT_MONTHS: Final = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
    "dezembro",
)  # fmt: skip
_PT_DAYS: Final = ("domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado")
_ES_MONTHS: Final = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
    "diciembre",
)  # fmt: skip
_ES_DAYS: Final = ("domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado")
_TONGUES: Final[dict[str, _Tongue]] = {
    "en": _Tongue(),
    "en-gb": _Tongue(money="£{}"),
    "pt": _Tongue(",", ".", "R$ {}", _PT_MONTHS, _PT_DAYS),
    "pt-pt": _Tongue(",", ".", "{} €", _PT_MONTHS, _PT_DAYS),
    "es": _Tongue(",", ".", "{} €", _ES_MONTHS, _ES_DAYS),
    "es-mx": _Tongue(".", ",", "${}", _ES_MONTHS, _ES_DAYS),
    "de": _Tongue(",", ".", "{} €"),
    "it": _Tongue(",", ".", "{} €"),
    "fr": _Tongue(",", "\u202f", "{} €"),
}


def format_value(value: object, pattern: object = None) -> str:
    """
    The text of *value* by a date pattern (``YYYY-MM-DD``), a number pattern (``#,##0.00``), a named style (``N2``,
    ``C2``, ``currency``, ``percent``) or ``json``; without one its plain text.

    Text that the pattern does not fit passes unchanged; null is "". A locale tag at the end (``C2[pt]``,
    ``D MMMM[es]``) sets separators, currency and names.

    Raises: BasicError: E_VALUE, the pattern is too long.
    """
    if isinstance(value, Rows) and len(value) == 1 and isinstance(value[0], dict) and len(value[0]) == 1:
        value = next(iter(value[0].values()))
    mask = to_text(pattern)
    if value is None or not mask:
        return to_text(value)
    if len(mask) > _MAX_PATTERN:
        raise BasicError("E_VALUE", f"A pattern of FORMAT has at most {_MAX_PATTERN} characters.")
    if mask.lower() == "json":
        return to_json(value)
    tongue, mask = _tongue_of(mask)
    moment = as_moment(value) if isinstance(value, date) or _DATE_LETTERS.search(mask) else None
    if moment is not None:
        return _dated(moment, mask, tongue)
    number = numeric(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return to_text(value)
    return _numbered(number, mask, tongue)


def _tongue_of(mask: str) -> tuple[_Tongue, str]:
    found = _TAG.search(mask)
    if found is None:
        return _TONGUES["en"], mask
    language, region = found[1].lower(), (found[2] or "").lower()
    tongue = _TONGUES.get(f"{language}-{region}") or _TONGUES.get(language)
    return (tongue, mask[: found.start()]) if tongue else (_TONGUES["en"], mask)


# --- dates ----------------------------------------------------------------------------------------------------------


def format_date(moment: date, pattern: str = "YYYY-MM-DD") -> str:
    """
    FORMAT_DATE: as FORMAT, but a pattern of single letters only (``Ymd_His``) means full year and two digits each:
    ``Y m d H i s`` are year, month, day, hour, minute, second.
    """
    if len(pattern) > _MAX_PATTERN:
        raise BasicError("E_VALUE", f"A pattern of FORMAT_DATE has at most {_MAX_PATTERN} characters.")
    if _SHORT.search(pattern) and not _DOUBLED.search(pattern) and not re.search(r"[A-Za-z]", _SHORT.sub("", pattern)):
        at = as_datetime(moment)
        parts = {"m": at.month, "d": at.day, "H": at.hour, "i": at.minute, "s": at.second}
        return _SHORT.sub(lambda m: f"{at.year:04}" if m[0] == "Y" else f"{parts[m[0]]:02}", pattern)
    tongue, mask = _tongue_of(pattern)
    return _dated(moment, mask, tongue)


def _dated(moment: date, mask: str, tongue: _Tongue) -> str:
    at = as_datetime(moment)
    half = re.search(r"AM/PM|am/pm|tt", mask) is not None
    weekday = at.isoweekday() % 7

    def part(found: re.Match[str]) -> str:
        token = found[0]
        if found["word"]:
            return _TOKEN.sub(part_of_time, token) if _TOKENS.fullmatch(token) else token
        return part_of_time(found)

    def part_of_time(found: re.Match[str]) -> str:
        token = found[0]
        match token:
            case "YYYY" | "yyyy":
                return f"{at.year:04}"
            case "YY" | "yy":
                return f"{at.year % 100:02}"
            case "MMMM":
                return tongue.months[at.month - 1]
            case "MMM":
                return tongue.months[at.month - 1][:3]
            case "dddd" | "DDDD":
                return tongue.weekdays[weekday]
            case "ddd" | "DDD":
                return tongue.weekdays[weekday][:3]
            case "fff":
                return f"{at.microsecond // 1000:03}"
            case "AM/PM" | "tt":
                return "AM" if at.hour < 12 else "PM"
            case "am/pm":
                return "am" if at.hour < 12 else "pm"
        number = {
            "M": at.month, "D": at.day, "d": at.day, "H": at.hour, "m": at.minute, "s": at.second,
            "h": (at.hour % 12 or 12) if half else at.hour,
        }[token[0]]  # fmt: skip
        return f"{number:02}" if len(token) == 2 else str(number)

    return _PIECE.sub(part, mask)


# --- numbers --------------------------------------------------------------------------------------------------------


def _numbered(number: int | float, mask: str, tongue: _Tongue) -> str:
    if isinstance(number, float) and number - number != 0:
        return float_text(number)
    lower = mask.strip().lower()
    style = _STYLE.fullmatch("C2" if lower == "currency" else "P" if lower == "percent" else mask.strip())
    if style is not None:
        return _styled(number, style[1].upper(), style[2], tongue)
    core = _DIGITS.search(mask)
    if core is None:
        return to_text(number)
    before, after = mask[: core.start()], mask[core.end() :]
    exact = _exact(number)
    if after.startswith("%"):
        exact = _ARITHMETIC.multiply(exact, Decimal(100))
    whole, _, fraction = core[0].partition(".")
    digits = _rounded(exact, fraction)
    sign = "-" if exact < 0 and digits.strip("0.") else ""
    if "+" in before:
        before = before.replace("+", "", 1)
        sign = sign or "+"
    return f"{sign}{before}{_laid_out(digits, whole.replace(',', '').count('0'), ',' in whole, tongue)}{after}"


def _exact(number: int | float) -> Decimal:
    return Decimal(number) if isinstance(number, int) else Decimal(float_text(number))


def _rounded(exact: Decimal, mask: str) -> str:
    """
    The absolute digits with a fraction as *mask* says, rounded half away from zero; its optional digits (``#``) at the
    end go if they are 0.
    """
    text = format(abs(exact).quantize(Decimal(1).scaleb(-len(mask)), ROUND_HALF_UP, _ARITHMETIC), "f")
    whole, _point, fraction = text.partition(".")
    required = mask.rfind("0") + 1
    while len(fraction) > required and fraction.endswith("0"):
        fraction = fraction[:-1]
    return f"{whole}.{fraction}" if fraction else whole


def _laid_out(digits: str, least: int, grouped: bool, tongue: _Tongue) -> str:
    """Digits with the separators of the language, zeros in front up to *least* of them."""
    whole, _, fraction = digits.partition(".")
    whole = whole.zfill(least)
    if grouped:
        head = len(whole) % 3
        parts = [whole[:head]] if head else []
        whole = tongue.group.join([*parts, *(whole[i : i + 3] for i in range(head, len(whole), 3))])
    return f"{whole}{tongue.point}{fraction}" if fraction else whole


def _styled(number: int | float, style: str, places: str, tongue: _Tongue) -> str:
    exact = _exact(number)
    if style == "P":
        exact = _ARITHMETIC.multiply(exact, Decimal(100))
    count = int(places) if places else {"P": 0}.get(style, 2)
    digits = _rounded(exact, "0" * count)
    text = _laid_out(digits, 1, style != "F", tongue)
    if style == "C":
        text = tongue.money.format(text)
    if style == "P":
        text += "%"
    return f"-{text}" if exact < 0 and digits.strip("0.") else text
