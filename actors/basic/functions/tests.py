"""Functions that ask what a value is, and choose between values."""

from __future__ import annotations

from datetime import date
from typing import Final

from actors.basic.functions.table import ANY, Function, named
from actors.basic.values import ErrorValue, Response, is_null, to_number, to_text, unwrap
from actors.basic.values.moments import as_moment

__all__ = ["FUNCTIONS"]


def is_empty(value: object) -> bool:
    value = unwrap(value)
    return value is None or (isinstance(value, str | list | dict) and not value)


def first_of(*values: object) -> object:
    """The first that is neither null nor ""; null if all are."""
    return next((value for value in values if not is_null(value) and value != ""), None)


def choose(index: object, *values: object) -> object:
    """The value number *index*, from 1; null out of range."""
    number = to_number(index)
    return values[int(number) - 1] if 1 <= number < len(values) + 1 else None


def type_of(value: object) -> str:
    match unwrap(value) if isinstance(value, Response) and not isinstance(value.data, dict) else value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "string"
        case date():
            return "datetime"
        case list():
            return "array"
    return "object"


FUNCTIONS: Final[tuple[Function, ...]] = (
    *named("isnull is_null", 1, 1, is_null),
    *named("isempty is_empty", 1, 1, is_empty),
    *named("nvl coalesce ifnull", 1, ANY, first_of),
    *named("choose", 2, ANY, choose),
    *named("typeof type_of", 1, 1, type_of),
    *named("isarray is_array", 1, 1, lambda x: type_of(x) == "array"),
    *named("isobject is_object", 1, 1, lambda x: type_of(x) == "object"),
    *named("isstring is_string", 1, 1, lambda x: type_of(x) == "string"),
    *named("isnumber is_number", 1, 1, lambda x: type_of(x) in ("integer", "float")),
    *named("isbool is_bool", 1, 1, lambda x: isinstance(x, bool)),
    *named("isdate is_date", 1, 1, lambda x: as_moment(x) is not None),
    *named("exists", 1, 1, lambda x: not is_null(x)),
    *named("error", 1, 1, lambda x: ErrorValue(to_text(x))),
    *named("is_error iserror", 1, 1, lambda x: isinstance(x, ErrorValue)),
    *named("get_error_message", 1, 1, lambda x: x.message if isinstance(x, ErrorValue) else ""),
)
