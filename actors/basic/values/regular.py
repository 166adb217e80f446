"""
Regular expressions whose cost is bounded for every pattern and text.

Python's own engine tries alternatives one after the other, so a short pattern such as ``(a+)+$`` can keep it busy for
years. Here all alternatives advance together, a character at a time (Thompson's construction, with the sets of places
remembered as they are met). There are no back references and no look-around; all else that scripts use is there:
``. [a-z] [^a-z] \\d \\w \\s \\b ^ $ | ( ) (?: ) * + ? {2,5}`` and a leading ``(?i)``. It tells whether there is a
match, not where, so lazy quantifiers mean the same as greedy ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from actors.basic.errors import BasicError
from actors.basic.values.kinds import worked

__all__ = ["Regular"]

_MAX_PATTERN: Final = 1_000
_MAX_PROGRAM: Final = 5_000
_MAX_REPEAT: Final = 1_000
_MAX_GROUPS: Final = 50
_MAX_TEXT: Final = 1_000_000
_MAX_WORK: Final = 2_000_000
"""Steps for building new states in one match: less than a second."""

Test = Callable[[str], bool]
Before = Literal["start", "word", "other"]


class _Node(NamedTuple):
    """*kind*: ``test`` (of a character), ``begin end word_edge no_edge`` (of a place), ``all``, ``any``, ``repeat``."""

    kind: str
    test: Test | None = None
    parts: tuple[_Node, ...] = ()
    least: int = 0
    most: int | None = None


class _Step(NamedTuple):
    """One place of the program: consume by *test*, pass by *kind*, or go on at both *next* and *other* (``split``)."""

    kind: str
    test: Test | None
    next: int
    other: int = -1


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


_CLASSES: Final[dict[str, Test]] = {
    "d": str.isdecimal,
    "D": lambda c: not c.isdecimal(),
    "w": _is_word,
    "W": lambda c: not _is_word(c),
    "s": str.isspace,
    "S": lambda c: not c.isspace(),
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_PLACES: Final = {"b": "word_edge", "B": "no_edge", "A": "begin", "Z": "end", "z": "end"}


class _Parser:
    """Pattern to tree."""

    def __init__(self, pattern: str) -> None:
        self.folds = pattern.startswith("(?i)")
        self.pattern = pattern
        self.at = 4 if self.folds else 0
        self.groups = 0

    def fail(self, why: str) -> BasicError:
        return BasicError("E_VALUE", f"Bad regular expression at character {self.at + 1}: {why}.")

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise self.fail("it ends too early")
        self.at += 1
        return character

    def whole(self) -> _Node:
        node = self.alternatives()
        if self.peek():
            raise self.fail("a closing parenthesis without an opening one")
        return node

    def alternatives(self) -> _Node:
        choices = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            choices.append(self.sequence())
        return choices[0] if len(choices) == 1 else _Node("any", parts=tuple(choices))

    def sequence(self) -> _Node:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())
        return _Node("all", parts=tuple(parts))

    def repeated(self) -> _Node:
        node = self.single()
        while self.peek() and self.peek() in "*+?{":
            bounds = self.bounds()
            if bounds is None:
                break
            least, most = bounds
            if max(least, most or 0) > _MAX_REPEAT:
                raise self.fail(f"more than {_MAX_REPEAT:,} repetitions")
            if self.peek() == "?":
                self.at += 1
            node = _Node("repeat", parts=(node,), least=least, most=most)
        return node

    def bounds(self) -> tuple[int, int | None] | None:
        sign = self.peek()
        if sign != "{":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        end = self.pattern.find("}", self.at)
        least, comma, most = self.pattern[self.at + 1 : end].partition(",") if end > 0 else ("", "", "")
        if not (least.isdecimal() or (comma and most)) or (most and not most.isdecimal()) or len(least + most) > 12:
            return None  # a brace that counts nothing is a character
        self.at = end + 1
        low = int(least or 0)
        high = int(most) if most else (None if comma else low)
        if high is not None and high < low:
            raise self.fail("the bounds of a repetition are the wrong way round")
        return low, high

    def single(self) -> _Node:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return _Node("test", self.set_of_characters())
            case ".":
                return _Node("test", lambda c: c != "\n")
            case "^":
                return _Node("begin")
            case "$":
                return _Node("end")
            case "\\":
                return self.escaped()
            case "*" | "+" | "?":
                raise self.fail(f"nothing to repeat before {character}")
        return _Node("test", self.one(character))

    def group(self) -> _Node:
        self.groups += 1
        if self.groups > _MAX_GROUPS:
            raise self.fail(f"more than {_MAX_GROUPS} groups")
        if self.peek() == "?":
            if not self.pattern.startswith("?:", self.at):
                raise self.fail("groups are ( ) or (?: ); look-around and named groups are not supported")
            self.at += 2
        node = self.alternatives()
        if self.take() != ")":
            raise self.fail("a parenthesis is not closed")
        return node

    def escaped(self) -> _Node:
        character = self.take()
        if character in _PLACES:
            return _Node(_PLACES[character])
        if character in _CLASSES:
            return _Node("test", _CLASSES[character])
        if character.isdecimal() and character != "0":
            raise self.fail("back references are not supported")
        return _Node("test", self.one(self.escaped_character(character)))

    def escaped_character(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in "xu":
            digits = self.pattern[self.at : self.at + (2 if character == "x" else 4)]
            try:
                code = int(digits, 16)
            except ValueError:
                raise self.fail(f"\\{character} needs hexadecimal digits") from None
            self.at += len(digits)
            return chr(code)
        if character.isalnum():
            raise self.fail(f"\\{character} means nothing")
        return character

    def one(self, character: str) -> Test:
        if self.folds:
            folded = character.lower()
            return lambda c: c.lower() == folded
        return character.__eq__

    def set_of_characters(self) -> Test:
        negated = self.peek() == "^"
        self.at += negated
        singles: set[str] = set()
        ranges: list[tuple[str, str]] = []
        classes: list[Test] = []
        first = True
        while (character := self.take()) != "]" or first:
            first = False
            if character == "\\":
                character = self.take()
                if character in _CLASSES:
                    classes.append(_CLASSES[character])
                    continue
                character = "\b" if character == "b" else self.escaped_character(character)
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self.take()
                if last == "\\":
                    last = self.escaped_character(self.take())
                if last < character:
                    raise self.fail("a range of characters is the wrong way round")
                ranges.append((character, last))
            else:
                singles.add(character)

        def within(c: str) -> bool:
            return c in singles or any(low <= c <= high for low, high in ranges) or any(test(c) for test in classes)

        if self.folds:
            return lambda c: (within(c.lower()) or within(c.upper())) is not negated
        return lambda c: within(c) is not negated


class _Builder:
    """Tree to program, from the end to the beginning: each part is told where to go on."""

    def __init__(self) -> None:
        self.steps: list[_Step] = [_Step("match", None, -1)]

    def put(self, step: _Step) -> int:
        if len(self.steps) >= _MAX_PROGRAM:
            raise BasicError("E_LIMIT", "This regular expression is too large.")
        self.steps.append(step)
        return len(self.steps) - 1

    def build(self, node: _Node, after: int) -> int:
        """Where the part for *node* begins, which goes on at *after*."""
        if node.kind == "all":
            for part in reversed(node.parts):
                after = self.build(part, after)
            return after
        if node.kind == "any":
            begin = self.build(node.parts[-1], after)
            for part in reversed(node.parts[:-1]):
                begin = self.put(_Step("split", None, self.build(part, after), begin))
            return begin
        if node.kind == "repeat":
            return self.repeat(node, after)
        return self.put(_Step(node.kind, node.test, after))

    def repeat(self, node: _Node, after: int) -> int:
        (part,) = node.parts
        if node.most is None:
            loop = self.put(_Step("split", None, -1, after))
            self.steps[loop] = _Step("split", None, self.build(part, loop), after)
            after = loop
        else:
            end = after
            for _ in range(node.most - node.least):
                after = self.put(_Step("split", None, self.build(part, after), end))
        for _ in range(node.least):
            after = self.build(part, after)
        return after


class Regular:
    """A compiled pattern. It remembers the states that it has met, so keep one per match, not for ever."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > _MAX_PATTERN:
            raise BasicError("E_LIMIT", f"A regular expression has at most {_MAX_PATTERN:,} characters.")
        builder = _Builder()
        self._begin = builder.build(_Parser(pattern).whole(), 0)
        self._steps = builder.steps
        worked(25 * len(self._steps) + 100)
        self._states: dict[tuple[frozenset[int], Before], dict[str, frozenset[int] | None]] = {}
        self._work = 0

    def found_in(self, text: str) -> bool:
        """Whether any part of *text* matches. Raises: BasicError: E_LIMIT, the text or the work is too much."""
        if len(text) > _MAX_TEXT:
            raise BasicError("E_LIMIT", f"MATCHES looks at texts of at most {_MAX_TEXT:,} characters.")
        worked(4 * len(text))
        self._work = 0
        state, before = frozenset((self._begin,)), "start"
        for character in text:
            row = self._states.setdefault((state, before), {})  # type: ignore[arg-type]
            if character in row:
                following = row[character]
            else:
                following = row[character] = self._advance(state, before, character)  # type: ignore[arg-type]
            if following is None:
                return True
            state, before = following, "word" if _is_word(character) else "other"
        return 0 in self._reachable(state, before, "")  # type: ignore[arg-type]

    def _advance(self, state: frozenset[int], before: Before, character: str) -> frozenset[int] | None:
        """The places after *character*; None when the end of the pattern was reached before it."""
        places = self._reachable(state, before, character)
        if 0 in places:
            return None
        following = {self._begin}  # a match may begin anywhere
        for place in places:
            step = self._steps[place]
            if step.test is not None and step.test(character):
                following.add(step.next)
        return frozenset(following)

    def _reachable(self, state: frozenset[int], before: Before, character: str) -> set[int]:
        """All places reached from *state* without taking a character; the next one is *character*, '' at the end."""
        edge = (before == "word") is not (character != "" and _is_word(character))
        open_kinds = {"split"} | ({"word_edge"} if edge else {"no_edge"})
        if before == "start":
            open_kinds.add("begin")
        if not character:
            open_kinds.add("end")
        reached: set[int] = set()
        pile = list(state)
        while pile:
            place = pile.pop()
            if place in reached:
                continue
            reached.add(place)
            step = self._steps[place]
            if step.kind in open_kinds:
                pile.append(step.next)
                if step.other >= 0:
                    pile.append(step.other)
        self._work += len(reached)
        worked(4 * len(reached) + 10)
        if self._work > _MAX_WORK:
            raise BasicError("E_LIMIT", "This regular expression takes too long on this text.")
        return reached
