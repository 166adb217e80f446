"""A package is right when all its scripts compile: every error of every file, with its line and a caret."""

from __future__ import annotations

from pathlib import Path

from actors.basic.errors import Problem, ScriptErrors
from actors.basic.parser import parse
from botswain.packages import Draft, Fault, draft_of

__all__ = ["check_package"]


def check_package(folder: Path, max_script_bytes: int) -> Draft:
    """The package in *folder*, with everything that is wrong with it."""
    draft = draft_of(folder, max_script_bytes=max_script_bytes)
    for stem, source in draft.package.scripts.items():
        file = draft.files[stem]
        draft.faults += [_fault(problem, file, source) for problem in _problems(source, str(file))]
    draft.faults.sort(key=lambda fault: (str(fault.file), fault.line, fault.column))
    return draft


def _problems(source: str, file: str) -> list[Problem]:
    try:
        script = parse(source, file)
    except ScriptErrors as errors:
        return list(errors.problems)
    return [Problem("warning", note.message, note.at, note.hint, file) for note in script.notes]


def _fault(problem: Problem, file: Path, source: str) -> Fault:
    at = problem.at
    return Fault(
        file, at.line, at.column, problem.message, problem.render(source), warning=problem.severity == "warning"
    )
