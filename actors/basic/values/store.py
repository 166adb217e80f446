"""
Values to JSON that can be stored, and back: types, exact numbers, shared references and cycles survive.

Null, booleans, texts, finite numbers, lists and objects are themselves. All else is an object with the key ``$``:

| ``$`` | stands for |
|---|---|
| ``int``, ``float`` | a whole number beyond 2^53 in hexadecimal; NaN and the infinities |
| ``at``, ``on`` | a datetime with its zone; a date |
| ``rows``, ``response``, ``file``, ``error`` | values of these types |
| ``object`` | an object that has a key ``$`` itself, as pairs |
| ``ref`` | element ``v`` of the table ``shared``: a list or object that is referred to more than once, or lies deep |

The order of the keys is the order of the fields, so a store that sorts keys (``jsonb``) must keep it as text.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from actors.basic.values.kinds import ErrorValue, File, Response, Rows

__all__ = ["approximate_size", "dump", "load"]

_EXACT: Final = 1 << 53
_MAX_DEPTH: Final = 40
"""Deeper lists and objects move into the table of shared ones, so that no JSON reader meets its limit of nesting."""


class _EntangledError(Exception):
    """Something is shared, cyclic or deep: the table is needed."""


def dump(value: object) -> dict[str, Any]:
    """
    Any value (of a run: one object that holds all its variables) as JSON-able data of its own, nothing of it shared
    with *value*. ``load`` gives an equal value with the same references.
    """
    try:
        return {"v": _Tree().encode(value, 0)}
    except _EntangledError:
        return _Graph(value).encoded()


class _Tree:
    """Encodes values in which every list and object is referred to once."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def encode(self, value: object, depth: int) -> Any:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is int:
            return value if -_EXACT <= value <= _EXACT else {"$": "int", "v": f"{value:x}"}  # type: ignore[operator]
        if kind is float:
            return value if value - value == 0 else {"$": "float", "v": repr(value)}  # type: ignore[operator]
        if kind is dict or kind is list or kind is Rows:
            return self.container(value, depth)  # type: ignore[arg-type]
        return self.other(value, depth)

    def container(self, value: list[object] | dict[str, object], depth: int) -> Any:
        if depth >= _MAX_DEPTH or id(value) in self.seen:
            raise _EntangledError
        self.seen.add(id(value))
        return self.parts(value, depth)

    def parts(self, value: list[object] | dict[str, object], depth: int) -> Any:
        encode = self.encode
        depth += 1
        if isinstance(value, dict):
            if "$" in value:
                return {"$": "object", "v": [[key, encode(item, depth)] for key, item in value.items()]}
            # most values are texts: they go without a call
            return {key: item if type(item) is str else encode(item, depth) for key, item in value.items()}
        items = [item if type(item) is str else encode(item, depth) for item in value]
        return {"$": "rows", "v": items} if type(value) is Rows else items

    def other(self, value: object, depth: int) -> dict[str, Any]:
        if isinstance(value, datetime):
            return _encode_datetime(value)
        if isinstance(value, date):
            return {"$": "on", "v": value.isoformat()}
        if isinstance(value, Response):
            return {
                "$": "response",
                "v": [value.status, value.status_text, value.text, value.url],
                "headers": self.encode(value.headers, depth + 1),
                "data": self.encode(value.data, depth + 1),
            }
        if isinstance(value, File):
            modified = None if value.modified is None else _encode_datetime(value.modified)
            return {
                "$": "file",
                "v": [value.name, value.filename, value.path, value.url, value.size, value.mime_type],
                "modified": modified,
            }
        if isinstance(value, ErrorValue):
            return {"$": "error", "v": [value.message, value.code, value.line, value.script]}
        raise TypeError(f"not a value of the language: {type(value)!r}")


class _Graph(_Tree):
    """Encodes values of which some are shared, cyclic or deep."""

    def __init__(self, root: object) -> None:
        super().__init__()
        self.root = root
        self.places: dict[int, int] = {}
        self.table: list[list[object] | dict[str, object]] = []
        self.find_shared()

    def find_shared(self) -> None:
        """Walk without recursion; note what is met twice, and every ``_MAX_DEPTH`` levels what lies there."""
        references: Counter[int] = Counter()
        pile: list[tuple[object, int]] = [(self.root, 0)]
        while pile:
            value, depth = pile.pop()
            if isinstance(value, Response):
                pile += ((value.headers, depth + 1), (value.data, depth + 1))
            if not isinstance(value, list | dict):
                continue
            references[id(value)] += 1
            if references[id(value)] > 1 or depth >= _MAX_DEPTH:
                depth = 0
                if id(value) not in self.places:
                    self.places[id(value)] = len(self.table)
                    self.table.append(value)
            if references[id(value)] == 1:
                pile.extend((item, depth + 1) for item in (value.values() if isinstance(value, dict) else value))

    def container(self, value: list[object] | dict[str, object], depth: int) -> Any:
        place = self.places.get(id(value))
        return self.parts(value, depth) if place is None else {"$": "ref", "v": place}

    def encoded(self) -> dict[str, Any]:
        return {"v": self.encode(self.root, 0), "shared": [self.parts(value, 0) for value in self.table]}


def _encode_datetime(moment: datetime) -> dict[str, Any]:
    zone = moment.tzinfo
    encoded: dict[str, Any]
    name = "UTC" if zone is UTC else zone.key if isinstance(zone, ZoneInfo) else None
    if name is None:
        return {"$": "at", "v": moment.isoformat()}
    encoded = {"$": "at", "v": moment.replace(tzinfo=None).isoformat(), "z": name}
    if moment.fold:
        encoded["fold"] = 1  # the second of two equal times on the wall
    return encoded


def load(data: dict[str, Any]) -> Any:
    """The value that ``dump`` made *data* of. Raises: KeyError, ValueError: *data* is not from ``dump``."""
    return _Loader(data.get("shared", ())).decode(data["v"])


class _Loader:
    def __init__(self, shared: list[Any] | tuple[()]) -> None:
        self.shared = [_empty(encoded) for encoded in shared]
        for made, encoded in zip(self.shared, shared, strict=True):
            full = self.decode(encoded)
            if isinstance(made, dict):
                made.update(full)
            else:
                made.extend(full)

    def decode(self, data: Any) -> Any:
        if isinstance(data, dict):
            if "$" in data:
                return self.tagged(data)
            decode = self.decode
            return {key: item if type(item) is str else decode(item) for key, item in data.items()}
        if isinstance(data, list):
            return [self.decode(item) for item in data]
        return data

    def tagged(self, data: dict[str, Any]) -> Any:
        value = data["v"]
        match data["$"]:
            case "ref":
                return self.shared[value]
            case "rows":
                return Rows([self.decode(item) for item in value])
            case "object":
                return {key: self.decode(item) for key, item in value}
            case "at":
                return _decode_datetime(data)
            case "on":
                return date.fromisoformat(value)
            case "int":
                return int(value, 16)  # decimal digits would be slow, and Python limits them
            case "float":
                return float(value)
            case "file":
                name, filename, path, url, size, mime_type = value
                modified = None if data["modified"] is None else _decode_datetime(data["modified"])
                return File(name, filename, path, url, size, mime_type, modified)
            case "error":
                return ErrorValue(*value)
            case "response":
                status, status_text, text, url = value
                headers, body = self.decode(data["headers"]), self.decode(data["data"])
                return Response(status, status_text, headers, body, text, url)
        raise ValueError(f"unknown tag {data['$']!r} in a stored value")


def _empty(encoded: Any) -> list[object] | dict[str, object]:
    if isinstance(encoded, list):
        return []
    return Rows() if encoded.get("$") == "rows" else {}


def _decode_datetime(data: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(data["v"])
    if "z" not in data:
        return moment
    zone: tzinfo = UTC if data["z"] == "UTC" else ZoneInfo(data["z"])
    return moment.replace(tzinfo=zone, fold=data.get("fold", 0))


def approximate_size(value: object, limit: int) -> int:
    """
    About how many bytes of memory *value* holds, what is shared counted once; at least *limit* if it is more than that,
    for the count ends there.
    """
    seen: set[int] = set()
    size = 0
    pile: list[object] = [value]
    while pile and size < limit:
        value = pile.pop()
        kind = type(value)
        if kind is str or kind is int:
            size += 40 + (len(value) if kind is str else value.bit_length() >> 3)  # type: ignore[arg-type, attr-defined]
        elif kind is list or kind is dict or kind is Rows:
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, dict):
                size += 64 + 100 * len(value)
                pile.extend(value.keys())
                pile.extend(value.values())
            else:
                size += 56 + 8 * len(value)  # type: ignore[arg-type]
                pile.extend(value)  # type: ignore[arg-type]
        elif isinstance(value, Response):
            size += 100 + len(value.text)
            pile += (value.headers, value.data)
        else:
            size += 40
    return size
