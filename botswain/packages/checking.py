"""A package is right when all its scripts compile: every error of every file, with its line and a caret."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog

from actors.basic.analyser import Names, script_name
from actors.basic.apart import NotDone, apart
from actors.basic.checks import check_script
from actors.basic.errors import Problem
from actors.basic.nodes import Span
from botswain.packages.reading import Draft, Fault, draft_of, stamp_of

__all__ = ["check_beside", "check_package"]

log = structlog.get_logger(__name__)

_LONG: Final = 20_000
"""So many bytes of scripts take a quarter of a second to compile."""


async def check_beside(folder: Path, max_script_bytes: int) -> Draft:
    """As ``check_package``, while conversations go on."""
    if sum(size for file, _, size in stamp_of(folder) if file.lower().endswith(".bas")) > _LONG:
        try:
            return await apart(check_package, folder, max_script_bytes)
        except NotDone as error:
            log.warning("not_checked_apart", folder=str(folder), error=str(error))
    return await asyncio.to_thread(check_package, folder, max_script_bytes)


def check_package(folder: Path, max_script_bytes: int) -> Draft:
    """The package in *folder*, with everything that is wrong with it."""
    draft = draft_of(folder, max_script_bytes=max_script_bytes)
    package = draft.package
    known = Names(
        scripts=frozenset(map(script_name, draft.files)),  # also those that cannot be read
        variables=frozenset(name.removeprefix("param-") for name in package.config if name.startswith("param-")),
    )
    for stem, source in package.scripts.items():
        file = draft.files[stem]
        draft.faults += [_fault(problem, file, source) for problem in _problems(source, str(file), known)]
    draft.faults.sort(key=lambda fault: (str(fault.file), fault.line, fault.column))
    return draft


def _problems(source: str, file: str, known: Names) -> list[Problem]:
    try:
        return check_script(source, file, known)
    except Exception as error:
        # The program that watches this folder has conversations to hold: one odd file is not to end it.
        log.exception("compiler_failed", file=file)
        message = f"The compiler itself failed on this script ({type(error).__name__}); please report it with the file."
        return [Problem("error", message, Span(1, 1), "", file)]


def _fault(problem: Problem, file: Path, source: str) -> Fault:
    at = problem.at
    return Fault(
        file, at.line, at.column, problem.message, problem.render(source), warning=problem.severity == "warning"
    )
