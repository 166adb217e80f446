"""A script as a tool of the language model: its PARAMs and DESCRIPTION as the schema of a function."""

from __future__ import annotations

import re
from collections.abc import Sequence

from actors.basic import nodes
from schemas.envelope import JsonValue

__all__ = ["PARAM_TYPES", "function_schema"]

MAX_NAME = 64

PARAM_TYPES: dict[str, tuple[str, str | None]] = {
    "string": ("string", None),
    "text": ("string", None),
    "integer": ("integer", None),
    "int": ("integer", None),
    "number": ("number", None),
    "float": ("number", None),
    "double": ("number", None),
    "decimal": ("number", None),
    "money": ("number", None),
    "boolean": ("boolean", None),
    "bool": ("boolean", None),
    "date": ("string", "date"),
    "datetime": ("string", "date-time"),
    "email": ("string", "email"),
    "phone": ("string", None),
    "mobile": ("string", None),
    "name": ("string", None),
    "url": ("string", "uri"),
    "uuid": ("string", "uuid"),
    "file": ("string", None),
    "image": ("string", None),
    "qrcode": ("string", None),
    "audio": ("string", None),
    "object": ("object", None),
    "map": ("object", None),
    "array": ("array", None),
    "list": ("array", None),
    "enum": ("string", None),
}
"""Of each type of PARAM its JSON schema: (type, format)."""


def function_schema(name: str, description: str, parameters: Sequence[nodes.Param]) -> dict[str, JsonValue]:
    """What a model is told of the script *name*: ``{"type": "function", "function": {…}}``."""
    properties: dict[str, JsonValue] = {each.name: _property(each) for each in parameters}
    required: list[JsonValue] = [each.name for each in parameters if not each.optional and each.default is None]
    function: dict[str, JsonValue] = {
        "name": re.sub(r"[^A-Za-z0-9_-]", "_", name)[:MAX_NAME],
        "description": description,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }
    return {"type": "function", "function": function}


def _property(parameter: nodes.Param) -> JsonValue:
    kind, form = PARAM_TYPES.get(parameter.type, ("string", None))
    schema: dict[str, JsonValue] = {"type": kind}
    if form is not None:
        schema["format"] = form
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.example is not None and (example := _constant(parameter.example)) is not None:
        schema["examples"] = [example]
    if parameter.choices:
        schema["enum"] = [choice.value for choice in parameter.choices]
    if parameter.default is not None and (default := _constant(parameter.default)) is not None:
        schema["default"] = default
    return schema


def _constant(expression: nodes.Expr) -> JsonValue:
    """The value of *expression* if it is written out; None otherwise."""
    match expression:
        case nodes.Literal_(value=value):
            return value
        case nodes.Unary(operator="-", operand=nodes.Literal_(value=int() | float() as value)):
            return -value
        case nodes.List_(items=items):
            return [_constant(item) for item in items]
        case nodes.Object_(pairs=pairs):
            return {key: _constant(value) for key, value in pairs}
    return None
