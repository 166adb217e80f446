"""LIKE and MATCHES: both in time that grows with the text, whatever the pattern."""

from __future__ import annotations

import re
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.values.conversion import to_text
from actors.basic.values.kinds import read, worked
from actors.basic.values.regular import Regular

__all__ = ["like", "like_filter", "matches"]

_MAX_PATTERN: Final = 1_000
_MAX_COMPARISONS: Final = 50_000_000
_ANY_RUN: Final = re.compile(r"[%*]+")
_ONE: Final = re.compile(r"[_?]")


def like(value: object, pattern: object) -> bool:
    """LIKE over the whole text: ``%``/``*`` any run, ``_``/``?`` one character, ignoring case. Raises: E_LIMIT."""
    text = to_text(value)
    read(text)
    return _like(text.lower(), to_text(pattern).lower())


def like_filter(value: object, pattern: object) -> bool:
    """LIKE as filters have it: a pattern without a wildcard matches anywhere in the text."""
    text, mask = to_text(value).lower(), to_text(pattern).lower()
    return _like(text, mask) if re.search(r"[%*_?]", mask) else mask in text


def _like(text: str, pattern: str) -> bool:
    """
    Pieces between runs are found from left to right, each as early as possible; that leaves most room for the rest, so
    no choice has ever to be taken back.
    """
    if len(pattern) > _MAX_PATTERN:
        raise BasicError("E_LIMIT", f"A LIKE pattern has at most {_MAX_PATTERN:,} characters.")
    first, *rest = _ANY_RUN.split(pattern)
    if not rest:
        return len(text) == len(first) and _find(text, first, 0, len(text)) == 0
    *middle, last = rest
    if len(text) < len(first) + len(last):
        return False
    if _find(text, first, 0, len(first)) != 0 or _find(text, last, len(text) - len(last), len(text)) < 0:
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        found = _find(text, piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def _find(text: str, piece: str, start: int, end: int) -> int:
    """Where *piece*, with single wildcards, is first found in ``text[start:end]``; -1 if nowhere."""
    if _ONE.search(piece) is None:
        worked((end - start) >> 5)
        return text.find(piece, start, end)
    if len(text) * len(piece) > _MAX_COMPARISONS:
        raise BasicError("E_LIMIT", "This LIKE pattern takes too long on this text.")
    worked(60 + (len(text) * len(piece) >> 5))
    found = re.compile("".join("." if c in "_?" else re.escape(c) for c in piece), re.DOTALL).search(text, start, end)
    return -1 if found is None else found.start()


def matches(value: object, pattern: object) -> bool:
    """MATCHES: whether the regular expression is found anywhere in the text. Raises: BasicError: E_VALUE, E_LIMIT."""
    return Regular(to_text(pattern)).found_in(to_text(value))
