"""The PARAMs of a script and the values that they get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from actors.basic import hearing, nodes, values
from actors.basic.compiler import Program
from actors.basic.errors import BasicError
from actors.basic.host import Host
from actors.basic.values import File, Rows, to_text
from actors.basic.values.moments import parse_moment

__all__ = ["bind"]

_HEARD: Final = frozenset({"email", "phone", "mobile", "name", "url", "uuid", "money", "boolean", "bool"})
"""Types that take what HEAR of that type takes."""


def bind(host: Host, program: Program, arguments: dict[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """
    The variables that *program* begins with: of each PARAM the argument, else the default, else null. Arguments by name
    that are no PARAM are variables too; surplus ones in order are dropped.

    Raises: BasicError: E_VALUE, an argument is not of its type; it names the parameter.
    """
    if isinstance(arguments, dict):
        given = {name.lower(): value for name, value in arguments.items()}
    else:
        names = (each.name for each in program.parameters)
        given = dict(zip(names, arguments, strict=False))
    for parameter in program.parameters:
        value = given.get(parameter.name)
        if value is None:
            given[parameter.name] = _default(host, parameter, program.name)
        else:
            given[parameter.name] = _coerced(host, parameter, value)
    return {name: value for name, value in given.items() if name in program.variables}


def _default(host: Host, parameter: nodes.Param, script: str) -> Any:
    default = parameter.default
    if default is None:
        return None
    match default:
        case nodes.Literal_(value=value):
            found: Any = value
        case nodes.Unary(operator="-", operand=nodes.Literal_(value=int() | float() as number)):
            found = -number
        case nodes.Name(name=name) | nodes.Call(name=name, arguments=()):
            found = host.named(name)
        case nodes.List_(items=()):
            found = []
        case nodes.Object_(pairs=()):
            found = {}
        case _:
            message = f"The DEFAULT of {parameter.name} must be a literal."
            raise BasicError("E_VALUE", message, parameter.at.line, script, parameter.at.column)
    return None if found is None else _coerced(host, parameter, found)


def _coerced(host: Host, parameter: nodes.Param, value: Any) -> Any:
    kind = parameter.type
    if kind in ("integer", "int"):
        number = _number(value)
        if number is None or number % 1:
            raise _unfit(parameter, "a whole number")
        return int(number)
    if kind in ("number", "float", "double", "decimal"):
        number = _number(value)
        if number is None:
            raise _unfit(parameter, "a number")
        return number
    if kind in _HEARD:
        return _heard(host, parameter, value)
    if kind in ("date", "datetime"):
        return _moment(host, parameter, value)
    if kind in ("object", "map", "array", "list"):
        return _structure(parameter, value)
    if kind == "enum":
        return _choice(parameter, value)
    return value if kind in ("file", "image", "audio", "qrcode") and isinstance(value, File) else to_text(value)


def _number(value: Any) -> int | float | None:
    number = values.numeric(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if -math.inf < number < math.inf else None


def _heard(host: Host, parameter: nodes.Param, value: Any) -> Any:
    if isinstance(value, bool) and parameter.type in ("boolean", "bool"):
        return value
    if isinstance(value, int | float) and parameter.type == "money" and value >= 0:
        return value
    found = hearing.hear(parameter.type, hearing.Answer(to_text(value)), locale=host.locale)
    if isinstance(found, hearing.Refused):
        raise _unfit(parameter, f"of type {parameter.type.upper()}")
    return found.value


def _moment(host: Host, parameter: nodes.Param, value: Any) -> str:
    moment = value if isinstance(value, date) else parse_moment(to_text(value), host.zone)
    if moment is None:
        raise _unfit(parameter, "a date")
    return moment.isoformat() if parameter.type == "datetime" else moment.isoformat()[:10]


def _structure(parameter: nodes.Param, value: Any) -> Any:
    wanted = dict if parameter.type in ("object", "map") else list
    if isinstance(value, str):
        parsed = values.parse_json(value)
        if parsed is None and wanted is list:
            return [part.strip() for part in value.split(",") if part.strip()]
        value = parsed
    if not isinstance(value, wanted) and not isinstance(value, Rows):
        raise _unfit(parameter, "an object" if wanted is dict else "a list")
    return value


def _choice(parameter: nodes.Param, value: Any) -> Any:
    text = to_text(value).strip().casefold()
    choices = [choice.value for choice in parameter.choices if isinstance(choice, nodes.Literal_)]
    for choice in choices:
        if to_text(choice).casefold() == text:
            return choice
    raise _unfit(parameter, "one of " + ", ".join(map(to_text, choices)))


def _unfit(parameter: nodes.Param, wanted: str) -> BasicError:
    return BasicError("E_VALUE", f"The parameter {parameter.name} must be {wanted}.")
