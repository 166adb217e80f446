"""Functions of text. Positions count from 1. Everything else is taken as its text."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import Final
from urllib.parse import quote
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from actors.basic.errors import BasicError
from actors.basic.formats import format_value
from actors.basic.functions.lists import sliced, whole
from actors.basic.functions.table import Context, Function, named
from actors.basic.values import (
    MAX_ITEMS,
    MAX_TEXT,
    Rows,
    approximate_size,
    contains,
    ends_with,
    get_member,
    grown,
    iterate,
    length,
    parse_json,
    plain,
    read,
    starts_with,
    to_json,
    to_text,
    type_name,
    typed,
    worked,
)
from actors.basic.values.conversion import json_value
from actors.basic.values.members import join, replace, split

__all__ = ["FUNCTIONS", "format_history"]

_SPEAKERS: Final = ("role", "sender", "from", "author")
_SAID: Final = ("text", "content", "message", "body")
_LABELS: Final = {"user": "User", "bot": "Bot", "assistant": "Bot", "human": "Human"}
_HISTORY_STEPS: Final = 20

_HASHES: Final = ("md5", "sha1", "sha256", "sha384", "sha512")


def _cut(value: object) -> str:
    """A text of which a part is taken, which costs no more the longer the text is."""
    if type(value) is str:
        return value
    worked(10)
    return to_text(value)


def _read(value: object) -> str:
    """A text of which every character is looked at."""
    text = to_text(value)
    read(text)
    return text


def left(value: object, count: object) -> str:
    return _cut(value)[: max(0, whole(count))]


def right(value: object, count: object) -> str:
    text = _cut(value)
    return text[max(0, len(text) - max(0, whole(count))) :]


def mid(value: object, start: object, count: object = None) -> object:
    """Of a text from position *start* (from 1), of a list from index *start* (from 0)."""
    size = None if count is None else max(0, whole(count))
    if isinstance(value, list):
        worked(14)
        first = max(0, whole(start))
        return value[first : None if size is None else first + size]
    first = max(1, whole(start)) - 1
    return _cut(value)[first : None if size is None else first + size]


def instr(*arguments: object) -> int:
    """``INSTR([start,] s, part)``: the position of *part*, 0 if it is not there or empty; with regard to case."""
    start = 1
    if len(arguments) == 3:
        start, arguments = max(1, whole(arguments[0])), arguments[1:]
    text, part = map(to_text, arguments)
    read(text)
    return text.find(part, start - 1) + 1 if part else 0


def capitalize(value: object) -> str:
    text = to_text(value)
    return text[:1].upper() + text[1:]


def asc(value: object) -> int:
    """The code of the first character; 0 of an empty text."""
    text = to_text(value)
    return ord(text[0]) if text else 0


def character(value: object) -> str:
    code = whole(value)
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise BasicError("E_VALUE", f"There is no character number {code}.")
    return chr(code)


def extract_before(value: object, mark: object) -> str:
    before, found, _ = to_text(value).partition(to_text(mark) or "\0")
    return before if found else ""


def extract_after(value: object, mark: object) -> str:
    return to_text(value).partition(to_text(mark) or "\0")[2]


def extract_between(value: object, start: object, end: object) -> str:
    return extract_before(extract_after(value, start), end)


def repeat(value: object, count: object) -> str:
    text, times = to_text(value), max(0, whole(count))
    grown(len(text) * times)
    return text * times


def pad(value: object, size: object, fill: object = " ", side: object = "left") -> str:
    """*value* filled up to *size* characters, in front of it, or behind it where *side* is ``right``."""
    text, mark, width = to_text(value), to_text(fill) or " ", whole(size)
    missing = width - len(text)
    if missing <= 0:
        return text
    grown(width)
    filling = (mark * (missing // len(mark) + 1))[:missing]
    return text + filling if to_text(side).lower() == "right" else filling + text


def uuid(context: Context) -> str:
    return str(UUID(int=context.random.getrandbits(128), version=4))


def parsed_json(value: object) -> object:
    """
    The value of JSON text, a code fence around it ignored; other values unchanged.

    Raises: BasicError: E_VALUE, the text is no JSON.
    """
    if not isinstance(value, str):
        return value
    found = parse_json(value)
    if found is not None:
        return found
    try:
        return json_value(value)
    except ValueError as error:
        raise BasicError("E_VALUE", f"This text is no JSON: {error}.") from None


def _records(value: object) -> tuple[list[str], list[list[object]]]:
    """A list as a table: the names of all fields in order of appearance, and the cells."""
    items = [value] if isinstance(value, dict) else iterate(value)
    fields: dict[str, None] = {}
    for item in items:
        if isinstance(item, dict):
            fields.update(dict.fromkeys(item))
    names = list(fields)
    grown(len(items) * max(1, len(names)), MAX_ITEMS)
    worked(20 * (len(items) + 1) * max(1, len(names)))
    if not names:
        return [], [item if isinstance(item, list) else [item] for item in items]
    return names, [[item.get(name) for name in names] if isinstance(item, dict) else [item] for item in items]


def to_csv(value: object) -> str:
    """A list of objects with a line of names first; a list of lists without."""
    names, rows = _records(value)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows([to_text(cell) for cell in row] for row in rows)
    grown(out.tell())
    return out.getvalue()


def parse_csv(value: object) -> Rows:
    """Text with a line of names first, as rows; cells become booleans and numbers where they are plainly such."""
    worked(len(to_text(value)) * 8)
    try:
        lines = [line for line in csv.reader(io.StringIO(to_text(value)), strict=False) if line]
    except csv.Error as error:
        raise BasicError("E_VALUE", f"This text is no CSV: {error}.") from None
    if not lines:
        return Rows()
    names, *rest = lines
    grown(len(rest), MAX_ITEMS)
    return Rows({name: typed(cell) for name, cell in zip(names, line, strict=False)} for line in rest)


def excel(value: object) -> Rows:
    """The rows that ``WRITE "x.xlsx"`` makes a sheet of."""
    names, rows = _records(value)
    return Rows(dict(zip(names, row, strict=False)) if names else row for row in rows)


def to_yaml(value: object) -> str:
    held = plain(value)
    worked(approximate_size(held, MAX_TEXT) >> 1)  # before it is done: it may take long
    text = "\n".join(_yaml(held, 0)) + "\n"
    grown(len(text))
    return text


def _yaml(value: object, depth: int) -> list[str]:
    indent = "  " * depth
    lines: list[str] = []
    if isinstance(value, dict) and value:
        for key, item in value.items():
            head = f"{indent}{_yaml_scalar(key)}:"
            lines += [head, *_yaml(item, depth + 1)] if _nests(item) else [f"{head} {_yaml_scalar(item)}"]
    elif isinstance(value, list) and value:
        for item in value:
            if _nests(item):
                first, *rest = _yaml(item, depth + 1)
                lines += [f"{indent}- {first.lstrip()}", *rest]
            else:
                lines.append(f"{indent}- {_yaml_scalar(item)}")
    else:
        lines.append(indent + _yaml_scalar(value))
    return lines


def _nests(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _yaml_scalar(value: object) -> str:
    if isinstance(value, str):
        bare = value.replace("_", "").replace("-", "").replace(" ", "")
        plainly = bare.isalpha() and bare.isascii() and value == value.strip() and not value.startswith("-")
        if plainly and value.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n"):
            return value
    return to_json(value)  # JSON is YAML


def to_xml(value: object) -> str:
    held = plain(value)
    worked(approximate_size(held, MAX_TEXT) >> 2)
    text = "".join(_xml("root", held))
    grown(len(text))
    return text


def _xml(tag: str, value: object) -> list[str]:
    name = "".join(c if c.isalnum() or c in "_-." else "_" for c in tag) or "_"
    name = name if name[0].isalpha() or name[0] == "_" else "_" + name
    attribute = "" if name == tag else f" name={quoteattr(tag)}"
    if isinstance(value, dict):
        inner = [part for key, item in value.items() for part in _xml(key, item)]
    elif isinstance(value, list):
        inner = [part for item in value for part in _xml("item", item)]
    else:
        inner = [escape(to_text(value))]
    return [f"<{name}{attribute}>", *inner, f"</{name}>"]


def url_encoded(value: object) -> str:
    text = to_text(value)
    worked(len(text))
    return quote(text, safe="")


def hashed(value: object, algorithm: object = "sha256") -> str:
    """Hexadecimal digest of the text in UTF-8."""
    name = to_text(algorithm).lower().replace("-", "")
    if name not in _HASHES:
        raise BasicError("E_VALUE", f"There is no hash {name}; there are {', '.join(_HASHES)}.")
    text = to_text(value)
    worked(len(text) >> 4)
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def format_function(value: object, pattern: object = None) -> str:
    return format_value(value, pattern)


def joined(items: object, separator: object = ",") -> str:
    if not isinstance(items, str | list | dict) and type_name(items) not in ("null", "response"):
        return to_text(items)
    return join(items, separator)


def format_history(rows: object) -> str:
    """A line for each of *rows*, objects of which one field says who spoke and one what: ``User: Hello``."""
    if isinstance(rows, str):
        return rows
    lines = []
    for row in iterate(rows):
        worked(_HISTORY_STEPS)
        text = to_text(_first(row, _SAID))
        grown(len(text))
        speaker = to_text(_first(row, _SPEAKERS)).strip()
        speaker = _LABELS.get(speaker.lower(), speaker)
        lines.append(f"{speaker}: {text}" if speaker else text)
    text = "\n".join(lines)
    grown(len(text))
    return text


def _first(row: object, names: tuple[str, ...]) -> object:
    """The first of those fields that is there; of what has no fields, itself."""
    if not isinstance(row, dict):
        return row if names is _SAID else None
    return next((found for name in names if (found := get_member(row, name)) is not None), None)


FUNCTIONS: Final[tuple[Function, ...]] = (
    *named("len length", 1, 1, length),
    *named("left", 2, 2, left),
    *named("right", 2, 2, right),
    *named("mid", 2, 3, mid),
    *named("instr", 2, 3, instr),
    *named("lcase lower lowercase", 1, 1, lambda x: _read(x).lower()),
    *named("ucase upper uppercase", 1, 1, lambda x: _read(x).upper()),
    *named("capitalize", 1, 1, capitalize),
    *named("trim", 1, 1, lambda x: to_text(x).strip()),
    *named("ltrim", 1, 1, lambda x: to_text(x).lstrip()),
    *named("rtrim", 1, 1, lambda x: to_text(x).rstrip()),
    *named("replace", 3, 3, replace),
    *named("split", 1, 2, lambda x, separator=",": split(x, separator)),
    *named("join", 1, 2, joined),
    *named("str cstr", 1, 1, to_text),
    *named("asc", 1, 1, asc),
    *named("chr", 1, 1, character),
    *named("contains", 2, 2, contains),
    *named("startswith starts_with", 2, 2, starts_with),
    *named("endswith ends_with", 2, 2, ends_with),
    *named("extract_before", 2, 2, extract_before),
    *named("extract_after", 2, 2, extract_after),
    *named("extract_between", 3, 3, extract_between),
    *named("repeat", 2, 2, repeat),
    *named("pad", 2, 4, pad),
    *named("slice", 2, 3, sliced),
    *named("uuid guid", 0, 0, uuid, context=True),
    *named("tojson to_json json", 1, 1, to_json),
    *named("toyaml to_yaml", 1, 1, to_yaml),
    *named("csv", 1, 1, to_csv),
    *named("xml", 1, 1, to_xml),
    *named("excel", 1, 1, excel),
    *named("parse_json", 1, 1, parsed_json),
    *named("parse_csv", 1, 1, parse_csv),
    *named("urlencode", 1, 1, url_encoded),
    *named("hash", 1, 2, hashed),
    *named("format", 1, 2, format_function),
    *named("format_history", 1, 1, format_history),
)
