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
from typing import Literal

from actors.basic.nodes import Span

__all__ = ["CODES", "BasicError", "BudgetSpent", "Code", "Problem", "ScriptErrors", "nearest"]

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

MAX_SHOWN = 160  # characters of a source line in a rendered problem


class BasicError(Exception):
    """
    A statement failed while it ran.

    Args:
        code: what kind of failure, one of ``CODES``.
        message: for the author, in one sentence.
        line: 1-based, 0 when not known yet (the machine fills it in).
        script: the name of the script, empty when not known yet.
    """

    def __init__(self, code: Code, message: str, line: int = 0, script: str = "") -> None:
        super().__init__(code, message, line, script)
        self.code = code
        self.message = message
        self.line = line
        self.script = script

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
            shown += _underline(lines[self.at.line - 1], self.at)
        if self.hint:
            shown.append(f"    hint: {self.hint}")
        return "\n".join(shown)


def _underline(line: str, at: Span) -> list[str]:
    start = at.column - 1
    offset = max(0, start - MAX_SHOWN // 2) if len(line) > MAX_SHOWN else 0
    window = line[offset : offset + MAX_SHOWN]
    # Tabs stay tabs under the line, so that the caret stands right however wide they are shown.
    before = "".join("\t" if character == "\t" else " " for character in line[offset:start])
    before += " " * (start - offset - len(before))
    carets = "^" * max(1, min(at.length, len(window) - (start - offset)))
    return [f"    {window}", f"    {before}{carets}"]


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
    # difflib is slow on long words, and nobody misspells a word of a hundred letters.
    found = get_close_matches(word[:60], list(candidates), n=1, cutoff=0.72)
    return found[0] if found else None
