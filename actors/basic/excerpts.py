"""The line of a script that a message is about, as a terminal shows it, with carets under the place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

__all__ = ["MAX_WIDTH", "excerpt", "excerpt_of"]

MAX_WIDTH: Final = 100
"""Columns of a terminal that the shown part of a line takes at most, its marks included."""

_BEFORE: Final = 40
"""Of them, about how many stand before the place in a line that is longer."""
_TAB: Final = 8
_MOST: Final = 4 * MAX_WIDTH
"""Characters shown at most on either side: some take no column at all."""
_CUT: Final = "…"
_WIDE_BLANK: Final = "\u3000"
_WORD: Final = re.compile(r"[^\W\d]\w*\$?|[0-9][0-9.]*|.")


def excerpt_of(source: str, line: int, column: int) -> list[str]:
    """What ``excerpt`` shows of a line of *source*; nothing if there is no such line. Both are 1-based."""
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return excerpt(lines[line - 1], column) if 1 <= line <= len(lines) and column > 0 else []


def excerpt(line: str, column: int, length: int = 0) -> list[str]:
    """
    The line and the carets below it, both indented; of a long line the part around the place, with … where it is cut.

    Tabs stay tabs below the line and a wide character has a wide blank below it, so that the carets stand right
    however wide a terminal or a browser shows them.

    Args:
        column: 1-based, in characters; behind the end of the line is allowed.
        length: of the place, in characters; 0: to the end of the word that begins there.
    """
    start = column - 1
    if length < 1:
        word = _WORD.match(line, start)
        length = 1 if word is None else len(word[0])
    first, end = _window(line, start)
    before = (_CUT if first else "") + _shown(line[first:start])
    after = _shown(line[start:end]) + (_CUT if end < len(line) else "")
    blanks = "".join(map(_blank, before)) + " " * (start - max(len(line), first))
    carets = "^" * max(1, sum(map(_width, line[start : min(start + length, end)])))
    return [f"    {before}{after}", f"    {blanks}{carets}"]


def _window(line: str, start: int) -> tuple[int, int]:
    """The part of *line* that is shown: all of it, or the surroundings of *start*."""
    at = min(start, len(line))
    budget = MAX_WIDTH - 2 * len(_CUT)
    before = _fitting(reversed(line[max(0, at - _MOST) : at]), _BEFORE)
    after = _fitting(line[at : at + _MOST], budget - _columns(line[at - before : at]))
    if at + after == len(line):  # what the end leaves free shows more of what stands before
        before = _fitting(reversed(line[max(0, at - _MOST) : at]), budget - _columns(line[at:]))
    return at - before, at + after


def _fitting(characters: Iterable[str], columns: int) -> int:
    """How many of *characters* have room in so many columns."""
    count = 0
    for character in characters:
        columns -= _width(character)
        if columns < 0:
            break
        count += 1
    return count


def _columns(text: str) -> int:
    return sum(map(_width, text))


def _width(character: str) -> int:
    if character == "\t":
        return _TAB
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _blank(character: str) -> str:
    """What stands below *character* and is as wide."""
    return "\t" if character == "\t" else ("", " ", _WIDE_BLANK)[_width(character)]


def _shown(text: str) -> str:
    """*text* without what would move the cursor of a terminal."""
    return "".join("�" if unicodedata.category(each) == "Cc" and each != "\t" else each for each in text)
