"""What a PARAM of some type makes of the value that it is given, in a script and in a procedure."""

from __future__ import annotations

import math
from datetime import date
from typing import Any, Final

from actors.basic import hearing, nodes, values
from actors.basic.errors import BasicError
from actors.basic.host import Host
from actors.basic.values import File, Rows, to_text
from actors.basic.values.moments import parse_moment

__all__ = ["PATTERNED", "choices_of", "coerced"]

Choices = tuple[str | int | float | bool | None, ...]

_HEARD: Final = frozenset({"email", "phone", "mobile", "name", "url", "uuid", "money", "boolean", "bool"})
"""Types that take what HEAR of that type takes."""

PATTERNED: Final = _HEARD | {"date", "datetime"}
"""Types that look more closely at a text."""


def choices_of(parameter: nodes.Param) -> Choices:
    """What its value may be; nothing where it may be all of its type."""
    return tuple(choice.value for choice in parameter.choices)


def coerced(host: Host, name: str, kind: str, choices: Choices, value: Any) -> Any:
    """
    *value* as the parameter *name* of type *kind* takes it; null stays null.

    Raises: BasicError: E_VALUE, it is not of that type.
    """
    if value is None:
        return None
    if type(value) is str:
        values.read(value)
    fitting = _of_type(host, name, kind, value)
    return _chosen(name, choices, fitting) if choices else fitting


def _of_type(host: Host, name: str, kind: str, value: Any) -> Any:
    if kind in ("integer", "int"):
        number = _number(value)
        if number is None or number % 1:
            raise _unfit(name, "a whole number")
        return int(number)
    if kind in ("number", "float", "double", "decimal"):
        number = _number(value)
        if number is None:
            raise _unfit(name, "a number")
        return number
    if kind in _HEARD:
        return _heard(host, name, kind, value)
    if kind in ("date", "datetime"):
        return _moment(host, name, kind, value)
    if kind in ("object", "map", "array", "list"):
        return _structure(name, kind, value)
    return value if kind in ("file", "image", "audio", "qrcode") and isinstance(value, File) else to_text(value)


def _number(value: Any) -> int | float | None:
    number = values.numeric(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if -math.inf < number < math.inf else None


def _heard(host: Host, name: str, kind: str, value: Any) -> Any:
    if isinstance(value, bool) and kind in ("boolean", "bool"):
        return value
    if isinstance(value, int | float) and kind == "money" and value >= 0:
        return value
    found = hearing.hear(kind, hearing.Answer(to_text(value)), locale=host.locale)
    if isinstance(found, hearing.Refused):
        raise _unfit(name, f"of type {kind.upper()}")
    return found.value


def _moment(host: Host, name: str, kind: str, value: Any) -> str:
    moment = value if isinstance(value, date) else parse_moment(to_text(value), host.zone)
    if moment is None:
        raise _unfit(name, "a date")
    return moment.isoformat() if kind == "datetime" else moment.isoformat()[:10]


def _structure(name: str, kind: str, value: Any) -> Any:
    wanted = dict if kind in ("object", "map") else list
    if isinstance(value, str):
        parsed = values.parse_json(value)
        if parsed is None and wanted is list:
            return [part.strip() for part in value.split(",") if part.strip()]
        value = parsed
    if not isinstance(value, wanted) and not isinstance(value, Rows):
        raise _unfit(name, "an object" if wanted is dict else "a list")
    return value


def _chosen(name: str, choices: Choices, value: Any) -> Any:
    text = to_text(value).strip().casefold()
    for choice in choices:
        if to_text(choice).casefold() == text:
            return choice
    raise _unfit(name, "one of " + ", ".join(map(to_text, choices)))


def _unfit(name: str, wanted: str) -> BasicError:
    return BasicError("E_VALUE", f"The parameter {name} must be {wanted}.")
