"""
What can go wrong with a script: problems found in its text, and errors of a run.

    ScriptErrors   the text does not compile; carries every problem of the file
    BasicError     a run failed, or a statement of it did; ``ON ERROR`` and ``TRY`` can catch it
      BudgetSpent  the turn used up a budget, and nothing can catch that
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from types import CodeType
from typing import Final, Literal

from actors.basic.excerpts import excerpt
from actors.basic.nodes import Span

__all__ = ["CODES", "MEANINGS", "BasicError", "BudgetSpent", "Code", "Problem", "ScriptErrors", "Spot", "nearest"]

Code = Literal[
    "E_TYPE",
    "E_VALUE",
    "E_DIV0",
    "E_NOFUNC",
    "E_NOSCRIPT",
    "E_NOTFOUND",
    "E_INPUT",
    "E_TIMEOUT",
    "E_NET",
    "E_DB",
    "E_DENIED",
    "E_LIMIT",
    "E_CONFIG",
    "E_ASSERT",
    "E_USER",
]

CODES: dict[Code, int] = {
    "E_TYPE": 1,
    "E_VALUE": 2,
    "E_DIV0": 3,
    "E_NOFUNC": 4,
    "E_NOSCRIPT": 5,
    "E_NOTFOUND": 6,
    "E_INPUT": 7,
    "E_TIMEOUT": 8,
    "E_NET": 9,
    "E_DB": 10,
    "E_DENIED": 11,
    "E_LIMIT": 12,
    "E_CONFIG": 13,
    "E_ASSERT": 14,
    "E_USER": 15,
}
"""The number of each code, which ``ERR`` gives; 0 is no error. Scripts compare with them: never renumber."""

MEANINGS: Final[dict[str, str]] = {
    "E_TYPE": "a value of this type does not work here",
    "E_VALUE": "the type is right, the value is not",
    "E_DIV0": "division by zero",
    "E_NOFUNC": "no such function, procedure or method",
    "E_NOSCRIPT": "no such script, or its version is gone",
    "E_NOTFOUND": "no such file, person or operation",
    "E_INPUT": "three bad answers to one HEAR, or nobody to hear",
    "E_TIMEOUT": "nobody answered in time",
    "E_NET": "a service could not be reached",
    "E_DB": "the database refused",
    "E_DENIED": "not allowed",
    "E_LIMIT": "a limit was passed",
    "E_CONFIG": "something is not set up, or not there yet",
    "E_ASSERT": "an ASSERT did not hold",
    "E_USER": "the script said so",
}
"""What can be told of an error where its message, which may quote what somebody said, has no place."""

Spot = tuple[CodeType, int]
"""A place in compiled code: of the code, the instruction at that offset in bytes."""

_SHORT: Final = 4
_INSTRUCTION: Final = 2  # bytes


class BasicError(Exception):
    """
    A statement failed while it ran.

    Args:
        code: what kind of failure, one of ``CODES``.
        message: for the author, in one sentence.
        line: 1-based, 0 when not known yet (the machine fills it in).
        script: the name of the script, empty when not known yet.
        column: 1-based, in characters; 0 when not known.
    """

    def __init__(self, code: Code, message: str, line: int = 0, script: str = "", column: int = 0) -> None:
        super().__init__(code, message, line, script)
        self.code = code
        self.message = message
        self.line = line
        self.script = script
        self._column = column
        self._spot: Spot | None = None

    @property
    def column(self) -> int:
        """
        1-based, in characters; 0 when not known.

        It is looked up when somebody asks: that takes as long as the code is, and of most errors that a script catches
        nobody wants to know.
        """
        if not self._column and self._spot is not None:
            code, offset = self._spot
            line, _, column, _ = next(islice(code.co_positions(), offset // _INSTRUCTION, None), (None,) * 4)
            if line == self.line and column is not None:
                self._column = column + 1
        return self._column

    @property
    def code_size(self) -> int:
        """Bytes of the table of lines of the code that failed; 0 when not known. Finding a place takes as long."""
        return 0 if self._spot is None else len(self._spot[0].co_linetable)

    def placed(self, script: str, line: int, column: int = 0, spot: Spot | None = None) -> None:
        """Say where it happened: with the column, or with the place in compiled code that tells it."""
        self.script, self.line, self._column, self._spot = script, line, column, spot

    def placed_like(self, other: BasicError) -> None:
        """Say that it happened where *other* did."""
        self.placed(other.script, other.line, other._column, other._spot)

    def __str__(self) -> str:
        where = f"{self.script}:{self.line}: " if self.script else ""
        return f"{where}{self.code}: {self.message}"


class BudgetSpent(BasicError):
    """The turn used up a budget. It ends the run; no ON ERROR or TRY holds it up."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong, or doubtful, in a script.

    Args:
        severity: an error keeps the script from being published, a warning does not.
        at: the place that the caret shows.
        hint: what to write instead, or empty.
        file: name of the script as the author knows it.
    """

    severity: Literal["error", "warning"]
    message: str
    at: Span
    hint: str = ""
    file: str = ""

    def render(self, source: str) -> str:
        """``file:line:column: severity: message``, the source line, a caret under the place, and the hint."""
        lines = source.replace("\r\n", "\n").split("\n")
        head = f"{self.file}:{self.at.line}:{self.at.column}: {self.severity}: {self.message}"
        shown = [head]
        if 1 <= self.at.line <= len(lines):
            shown += excerpt(lines[self.at.line - 1], self.at.column, self.at.length)
        if self.hint:
            shown.append(f"    hint: {self.hint}")
        return "\n".join(shown)


class ScriptErrors(Exception):
    """A script that cannot be compiled. *problems* has every error found, and the warnings, in order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(
            f"{problem.file}:{problem.at.line}:{problem.at.column}: {problem.message}" for problem in self.problems
        )


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like *word*, or None when none is near."""
    known = list(candidates)
    # difflib is slow on long words, and nobody misspells a word of a hundred letters.
    found = get_close_matches(word[:60], known, n=1, cutoff=0.72)
    if found or len(word) > _SHORT:
        return found[0] if found else None
    # In a short word two letters in the wrong order weigh too much: FRO is FOR.
    return next((each for each in sorted(known) if sorted(each) == sorted(word)), None)
