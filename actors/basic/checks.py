"""What publishing and ``botswain check`` ask: does a script compile, does a package."""

from __future__ import annotations

from dataclasses import replace

from actors.basic.analyser import Names, analyse, script_name
from actors.basic.compiler import Program, compile_tree, program_hash
from actors.basic.errors import Problem, ScriptErrors
from actors.basic.parser import parse, read
from schemas.package import BotPackage

__all__ = ["check_package", "check_script", "compile_script"]


def compile_script(source: str, name: str, known: Names | None = None) -> Program:
    """
    The program of a script.

    Args:
        name: file stem in lower case.
        known: what the script may refer to besides itself.

    Raises: ScriptErrors: with every problem found.
    """
    tree = parse(source, name)
    analysis = analyse(tree, known=known)
    if analysis.errors:
        raise ScriptErrors(analysis.problems)
    return compile_tree(tree, program_hash(source))


def check_script(source: str, name: str, known: Names | None = None) -> list[Problem]:
    """Every error and warning of a script, in order of the text; it can be published if no error is among them."""
    tree, found = read(source, name)
    analysis = analyse(tree, known=known, problems=found)
    problems = list(analysis.problems)
    if not analysis.errors:
        try:
            compile_tree(tree, program_hash(source))
        except ScriptErrors as errors:
            problems.extend(errors.problems)
    return [_in_file(problem, name) for problem in problems]


def _in_file(problem: Problem, name: str) -> Problem:
    return problem if problem.file else replace(problem, file=name)


def check_package(package: BotPackage) -> list[Problem]:
    """Every problem of every script, scripts in order of their names; ``Problem.file`` is the script's name."""
    known = Names(
        frozenset(script_name(name) for name in package.scripts),
        frozenset(name.lower().removeprefix("param-") for name in package.config if name.lower().startswith("param-")),
    )
    return [
        problem for name, source in sorted(package.scripts.items()) for problem in check_script(source, name, known)
    ]
