"""Members, indexes and methods: reading is lenient, writing is not."""

from __future__ import annotations

import math
from datetime import date
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values.conversion import file_members, numeric, parse_json, to_number, to_text, unwrap
from actors.basic.values.kinds import (
    MAX_ITEMS,
    ErrorValue,
    File,
    Response,
    Rows,
    extended,
    grown,
    read,
    type_name,
    worked,
)
from actors.basic.values.moments import moment_member
from actors.basic.values.operators import contains, equal, starts_with

__all__ = [
    "call_method",
    "get_index",
    "get_member",
    "index_of",
    "iterate",
    "join",
    "length",
    "lookup",
    "push",
    "replace",
    "set_index",
    "set_member",
    "split",
]

_MISSING: Final = object()
_LIST_MEMBERS: Final = ("items", "data", "value", "results")


# --- members --------------------------------------------------------------------------------------------------------


def lookup(fields: dict[str, object], name: str, default: object = None) -> object:
    """The field of that name, else the first whose name differs only in case, else *default*."""
    value = fields.get(name, _MISSING)
    if value is not _MISSING:
        return value
    key = _key_like(fields, name)
    return default if key is None else fields[key]


def _key_like(fields: dict[str, object], name: str) -> str | None:
    worked(4 + len(fields))
    folded = name.casefold()
    for key in fields:
        if key.casefold() == folded:
            return key
    return None


def get_member(value: object, name: str) -> object:
    """``value.name``; null where there is no such member. Text that holds a JSON list or object is read as that."""
    if type(value) is dict:
        found = value.get(name, _MISSING)
        if found is not _MISSING:
            return found
    return _member(value, name)


def _member(value: object, name: str) -> object:
    worked(5)
    lower = name.lower()
    if isinstance(value, str):
        parsed = parse_json(value)
        if parsed is not None:
            return _member(parsed, name)
        return len(value) if lower in ("length", "count") else None
    if isinstance(value, dict):
        found = lookup(value, name, _MISSING)
        if found is not _MISSING:
            return found
        return len(value) if lower in ("length", "count") else None
    if isinstance(value, list):
        if lower in ("length", "count"):
            return len(value)
        if isinstance(value, Rows) and value and isinstance(value[0], dict):
            return lookup(value[0], name)
        return None
    if isinstance(value, date):
        worked(4)
        return moment_member(value, lower)
    if isinstance(value, Response):
        return _response_member(value, name)
    if isinstance(value, File):
        return file_members(value).get(lower)
    if isinstance(value, ErrorValue):
        known: dict[str, object] = {
            "error": True, "message": value.message, "code": value.code, "line": value.line, "script": value.script,
        }  # fmt: skip
        return known.get(lower)
    return None


def _response_member(response: Response, name: str) -> object:
    if isinstance(response.data, dict):
        found = lookup(response.data, name, _MISSING)
        if found is not _MISSING:
            return found
    match name.lower():
        case "status":
            return response.status
        case "statustext":
            return response.status_text
        case "headers":
            return response.headers
        case "data":
            return response.data
        case "ok":
            return response.ok
        case "text":
            return response.text
        case "url":
            return response.url
    if isinstance(response.data, dict):
        return None
    return _member(unwrap(response), name)


def set_member(value: object, name: str, new: object) -> None:
    """
    ``value.name = new``: a field of an object (one whose name differs only in case is that field) or of the first row.

    Raises: BasicError: E_TYPE, nothing can be written there; E_LIMIT, too many fields.
    """
    if isinstance(value, Response):
        value = value.data
    if isinstance(value, Rows) and value:
        value = value[0]
    if not isinstance(value, dict):
        what = "empty rows" if isinstance(value, Rows) else f"a {type_name(value)}"
        raise BasicError("E_TYPE", f"Cannot set .{name} of {what}.")
    if name not in value:
        name = _key_like(value, name) or name
        if name not in value:
            extended(len(value))
    value[name] = new


# --- indexes --------------------------------------------------------------------------------------------------------


def _position(index: object) -> int | None:
    """An index as a whole number, None if it is none."""
    if type(index) is int:
        return index
    if isinstance(index, str):
        index = numeric(index)
    if isinstance(index, int | float) and math.isfinite(index):
        return math.floor(index)
    return None


def get_index(value: object, index: object) -> object:
    """
    ``value[index]``: of a list from 0, negative from the end; of an object by key, exactly; null out of range.

    Text that holds a JSON list or object is read as that; other text gives the character.
    """
    if type(value) is list and type(index) is int:
        return value[index] if -len(value) <= index < len(value) else None
    if isinstance(value, str):
        worked(8)
        value = parse_json(value) or value
    elif isinstance(value, Response):
        value = value if isinstance(index, str) else unwrap(value)
    if isinstance(value, dict):
        return value.get(index if type(index) is str else to_text(index))
    if isinstance(value, list | str):
        position = _position(index)
        if position is not None:
            return value[position] if -len(value) <= position < len(value) else None
        return get_member(value, index) if isinstance(index, str) else None
    if value is None or not isinstance(index, str):
        return None
    return get_member(value, index)


def set_index(value: object, index: object, new: object) -> None:
    """
    ``value[index] = new``; at the length of a list it appends, beyond it the gap is filled with null.

    Raises: BasicError: E_TYPE, nothing can be written there; E_VALUE, before the first element; E_LIMIT, too many.
    """
    worked(5)
    if isinstance(value, Response):
        value = value.data
    if isinstance(value, dict):
        key = index if type(index) is str else to_text(index)
        if key not in value:
            extended(len(value))
        value[key] = new
        return
    if not isinstance(value, list):
        raise BasicError("E_TYPE", f"Cannot set an element of a {type_name(value)}.")
    position = _position(index)
    if position is None:
        if isinstance(value, Rows) and isinstance(index, str):
            set_member(value, index, new)
            return
        raise BasicError("E_TYPE", f"The index of a list is a number, not a {type_name(index)}.")
    size = len(value)
    if 0 <= position < size or -size <= position < 0:
        value[position] = new
    elif position < 0:
        raise BasicError("E_VALUE", f"Index {position} is before the first of {size} elements.")
    else:
        extended(size, position + 1 - size)
        value.extend([None] * (position - size))
        value.append(new)


# --- collections ----------------------------------------------------------------------------------------------------


def iterate(value: object) -> list[object]:
    """
    What FOR EACH goes over, as a list of its own.

    A list or rows: the elements; an object: its values; a number n: 0 to n-1; text: the JSON in it; a response: its
    rows, or the list member ``items``, ``data``, ``value`` or ``results`` of its object; null and "": nothing.

    Raises: BasicError: E_TYPE, anything else; E_LIMIT, a number beyond the size of a list.
    """
    if isinstance(value, list):
        worked(3 + (len(value) >> 4))
        return list(value)
    worked(12)
    if isinstance(value, Response):
        value = _collection_of(value)
    if isinstance(value, str):
        parsed = parse_json(value)
        if parsed is None and value.strip():
            raise BasicError("E_TYPE", "A list is needed here; this text is not the JSON of one.")
        value = parsed
    if value is None:
        return []
    if isinstance(value, list | dict):
        worked(len(value) >> 4)
        return list(value if isinstance(value, list) else value.values())
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise BasicError("E_LIMIT", "FOR EACH cannot count so far.")
        count = max(0, math.floor(value))
        grown(count, MAX_ITEMS)
        worked(count >> 4)
        return list(range(count))
    raise BasicError("E_TYPE", f"A list is needed here, not a {type_name(value)}.")


def _collection_of(response: Response) -> object:
    if isinstance(response.data, dict):
        for name in _LIST_MEMBERS:
            found = lookup(response.data, name)
            if isinstance(found, list):
                return found
    return response.data


def length(value: object) -> int:
    """Number of elements, fields or characters; of null 0; of text that holds a JSON list or object its elements."""
    if isinstance(value, list | dict):
        return len(value)
    worked(5)
    if isinstance(value, Response):
        value = _collection_of(value)
    if isinstance(value, str):
        parsed = parse_json(value)
        return len(value) if parsed is None else len(parsed)
    if isinstance(value, list | dict):
        return len(value)
    return len(to_text(value))


def push(items: object, *new: object) -> list[object]:
    """Append to a list in place, and give it back. Raises: BasicError: E_TYPE, it is no list; E_LIMIT."""
    if not isinstance(items, list):
        raise BasicError("E_TYPE", f"Cannot append to a {type_name(items)}.")
    extended(len(items), len(new))
    items.extend(new)
    return items


def index_of(items: list[object], wanted: object, last: bool = False) -> int:
    """The place of the first (or last) element equal to *wanted*; -1 if there is none."""
    worked(5 + 3 * len(items))
    places = range(len(items) - 1, -1, -1) if last else range(len(items))
    return next((place for place in places if equal(items[place], wanted)), -1)


def join(items: object, separator: object = ",") -> str:
    """The texts of the elements of a list, or of the values of an object, with *separator* between. Raises: E_LIMIT."""
    between = to_text(separator)
    texts: list[str] = []
    size = 0
    parts = iterate(items) if not isinstance(items, str) or parse_json(items) is not None else [items]
    worked(3 * len(parts))
    for item in parts:
        text = to_text(item)
        size += len(text) + len(between)
        texts.append(text)
        if size > 1_000_000:
            grown(size - len(between))
    grown(max(0, size - len(between)))
    return between.join(texts)


def split(text: object, separator: object) -> list[object]:
    """The parts of a text between separators; of "" no part, by "" the characters. Raises: BasicError: E_LIMIT."""
    whole, mark = to_text(text), to_text(separator)
    if not whole:
        return []
    count = whole.count(mark)
    grown(count, MAX_ITEMS)
    worked(4 + (len(whole) >> 6) + (count >> 1))
    return list(whole.split(mark)) if mark else list(whole)


def replace(text: object, old: object, new: object) -> str:
    """All occurrences of *old* in a text, with regard to case; "" occurs nowhere. Raises: BasicError: E_LIMIT."""
    whole, part, other = to_text(text), to_text(old), to_text(new)
    if not part:
        return whole
    read(whole)
    worked(3)
    if len(other) > len(part):
        worked(len(whole) >> 5)
        grown(len(whole) + whole.count(part) * (len(other) - len(part)))
    return whole.replace(part, other)


# --- methods --------------------------------------------------------------------------------------------------------


def call_method(value: object, name: str, arguments: list[object]) -> object:
    """
    ``value.name(arguments)`` of a list or text; of null it gives null, except that nothing can be added to null.

    Raises: BasicError: E_NOFUNC, no such method; E_TYPE, wrong arguments; E_LIMIT.
    """
    method = name.lower()
    value = unwrap(value)
    if isinstance(value, list):
        return _list_method(value, method, name, arguments)
    if value is None:
        if method in ("push", "append"):
            raise BasicError("E_TYPE", "Cannot append to null.")
        return None
    if isinstance(value, str):
        read(value)
        if method in ("pop", "splice", "indexof", "join", "push", "append"):
            parsed = parse_json(value)
            if isinstance(parsed, list):
                return _list_method(parsed, method, name, arguments)
        return _text_method(value, method, name, arguments)
    if isinstance(value, dict) and method == "contains":
        return contains(value, _argument(arguments, 0))
    raise BasicError("E_NOFUNC", f"A {type_name(value)} has no method .{name}().")


def _argument(arguments: list[object], place: int, default: object = None) -> object:
    return arguments[place] if place < len(arguments) else default


def _list_method(items: list[object], method: str, name: str, arguments: list[object]) -> object:
    match method:
        case "push" | "append":
            return push(items, *arguments)
        case "pop":
            return items.pop() if items else None
        case "splice":
            start = _clamped(_argument(arguments, 0, 0), len(items))
            count = int(to_number(_argument(arguments, 1, len(items)))) if len(arguments) > 1 else len(items)
            end = start + max(0, count)
            worked(6 + (len(items) >> 6))
            removed = items[start:end]
            items[start:end] = arguments[2:]
            return removed
        case "contains":
            return contains(items, _argument(arguments, 0))
        case "indexof":
            return index_of(items, _argument(arguments, 0))
        case "join":
            return join(items, _argument(arguments, 0, ","))
    raise BasicError("E_NOFUNC", f"A list has no method .{name}().")


def _clamped(index: object, size: int) -> int:
    """An index that may count from the end, kept within 0 … size."""
    position = _position(index)
    if position is None:
        raise BasicError("E_TYPE", f"The index of a list is a number, not a {type_name(index)}.")
    return max(0, position + size) if position < 0 else min(position, size)


def _made(text: str) -> str:
    grown(len(text))
    return text


def _text_method(text: str, method: str, name: str, arguments: list[object]) -> object:
    match method:
        case "trim":
            return _made(text.strip())
        case "tolowercase":
            return _made(text.lower())
        case "touppercase":
            return _made(text.upper())
        case "split":
            return split(text, _argument(arguments, 0, ","))
        case "contains":
            return contains(text, _argument(arguments, 0))
        case "startswith":
            return starts_with(text, _argument(arguments, 0))
        case "replace":
            return replace(text, _argument(arguments, 0), _argument(arguments, 1))
    raise BasicError("E_NOFUNC", f"A text has no method .{name}().")
