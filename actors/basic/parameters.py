"""The PARAMs of a script and the values that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.basic import nodes
from actors.basic.coercion import choices_of, coerced
from actors.basic.compiler import Program
from actors.basic.errors import BasicError
from actors.basic.host import Host

__all__ = ["bind"]


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
    return _coerced(host, parameter, found)


def _coerced(host: Host, parameter: nodes.Param, value: Any) -> Any:
    return coerced(host, parameter.name, parameter.type, choices_of(parameter), value)
