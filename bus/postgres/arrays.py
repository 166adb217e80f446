"""
Many values as few arguments. Given a list, the driver asks of every element whether it is a list itself, which costs
more than all else in a commit; so lists travel as one text in PostgreSQL's notation for arrays, and bytes as one value
that is cut up in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

__all__ = ["Pieces", "as_text", "of_numbers", "of_texts", "pieces"]

_SEPARATOR: Final = "\x1f"

Pieces = tuple[bytes, str]
"""Arguments of ``cut()``: all bytes in a row, and the size of each piece, -1 for null."""


def of_numbers(numbers: Iterable[int]) -> str:
    """*numbers* as PostgreSQL writes an array."""
    return f"{{{','.join(map(str, numbers))}}}"


def of_texts(texts: Sequence[str | None]) -> str:
    """*texts* as PostgreSQL writes an array; None is null."""
    if not texts:
        return "{}"
    try:
        joined = _SEPARATOR.join(texts)  # type: ignore[arg-type]
    except TypeError:
        return _one_by_one(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        return _one_by_one(texts)
    if "\\" in joined:
        joined = joined.replace("\\", "\\\\")
    if '"' in joined:
        joined = joined.replace('"', '\\"')
    return '{"' + joined.replace(_SEPARATOR, '","') + '"}'


def _one_by_one(texts: Sequence[str | None]) -> str:
    quoted = ["NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    return f"{{{','.join(quoted)}}}"


def _numbers(values: Sequence[Any]) -> str:
    written = ["NULL" if value is None else f"{value:d}" for value in values]
    return f"{{{','.join(written)}}}"


def _uuids(values: Sequence[Any]) -> str:
    return of_texts([None if value is None else str(value) for value in values])


def _times(values: Sequence[Any]) -> str:
    return of_texts([None if value is None else value.isoformat() for value in values])


as_text: Final[dict[str, Callable[[Sequence[Any]], str]]] = {
    "smallint": _numbers,
    "int": _numbers,
    "bigint": _numbers,
    "uuid": _uuids,
    "text": of_texts,
    "timestamptz": _times,
}
"""How a list of a type is written."""


def pieces(datas: Sequence[bytes | None]) -> Pieces:
    """*datas* as the arguments of ``cut()``."""
    try:
        return b"".join(datas), of_numbers(map(len, datas))  # type: ignore[arg-type]
    except TypeError:
        return b"".join(data or b"" for data in datas), of_numbers(-1 if data is None else len(data) for data in datas)
