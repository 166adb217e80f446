"""
From the tree of a script to a program: Python code objects and what the machine must know of them.

The code of a script is one function ``script(M, shared, landings)``. Run variables that procedures see are its cells;
inside stand a plain function ``p_x`` for every procedure that cannot suspend (``statements``) and a framed function
``b_x`` for the main body and every procedure that can (``framed``). Its result is the framed functions by name and a
function that tells the shared variables as they are.

Every position in the code is a position of the script, so a Python traceback tells line and column.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from actors.basic import nodes
from actors.basic.emit import FILE_PREFIX, call, constant, invoke, load, mapping, placed, store, ticked, tuple_of
from actors.basic.errors import Problem, ScriptErrors
from actors.basic.framed import FramedWriter
from actors.basic.keywords import TABLE
from actors.basic.keywords.handlers import HANDLERS
from actors.basic.runtime import NAMESPACE
from actors.basic.scopes import Scopes, parameters_of
from actors.basic.statements import PlainWriter

__all__ = ["LAYOUT", "Body", "Program", "compile_tree", "program_hash"]

LAYOUT: Final = 3
"""Version of how bodies are cut into blocks. A stored frame counts blocks, so a change here makes other programs."""

Framed = Callable[..., tuple[Any, ...]]
Landings = dict[str, dict[int, tuple[int, int]]]
Factory = Callable[[Any, dict[str, object], Landings], tuple[dict[str, Framed], Callable[[], dict[str, object]]]]


@dataclass(frozen=True, slots=True)
class Body:
    """
    A body that runs in a frame.

    Args:
        parameters: names that the values of a call are bound to.
        catches: it may have a use for an error of what it called.
        places: block number -> place of what was suspended before it.
    """

    name: str
    parameters: tuple[str, ...]
    catches: bool
    places: dict[int, nodes.Span]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Program:
    """
    A compiled script.

    Args:
        digest: of source and layout; a stored run goes on with no other program.
        parameters: the PARAMs of the script, in order.
        variables: names of the run's variables.
        shared: those of them that procedures see.
        landings: by body and block, where an error goes: (its CATCH, the next statement); -1 is nowhere.
        hears: it has a HEAR.
    """

    name: str
    digest: str
    factory: Factory
    bodies: dict[str, Body]
    parameters: tuple[nodes.Param, ...]
    variables: frozenset[str]
    shared: frozenset[str]
    landings: Landings
    hears: bool


def program_hash(source: str) -> str:
    """What a stored run remembers its program by."""
    return hashlib.sha256(f"{LAYOUT}\n{source}".encode()).hexdigest()[:32]


def _suspends(phrase: str) -> bool:
    """Whether a keyword asks the database or leaves the turn: what is known by name only fails at once."""
    row = TABLE.get(phrase)
    # SET "bot.k", v reaches the memory of the bot; where it goes is known only when it runs.
    return row is not None and phrase in HANDLERS and (row.effect in "qw" or phrase == "set")


def compile_tree(script: nodes.Script, digest: str) -> Program:
    """
    The program of a script without errors.

    Raises: ScriptErrors: expressions or blocks are nested too deep for Python.
    """
    try:
        return _Compiler(script, digest).program()
    except RecursionError:
        at = script.body[0].at if script.body else nodes.Span(1, 1)
        problem = Problem("error", "This script is nested too deep.", at, "Split long expressions.", script.name)
        raise ScriptErrors([problem]) from None


class _Compiler:
    def __init__(self, script: nodes.Script, digest: str) -> None:
        self.script = script
        self.digest = digest
        self.scopes = Scopes(script, _suspends)
        self.bodies: dict[str, Body] = {}
        self.landings: Landings = {}

    def program(self) -> Program:
        scopes = self.scopes
        statements: list[ast.stmt] = [
            store("ticks", ast.Attribute(load("M"), "ticks", ast.Load())),
            store("g", ast.Attribute(load("shared"), "get", ast.Load())),
        ]
        shared = sorted(scopes.shared)
        statements += [store("v_" + name, call("g", constant(name))) for name in shared]
        for name, procedure in scopes.procedures.items():
            if name not in scopes.framed:
                statements.append(self._plain_procedure(procedure))
        own = sorted(scopes.variables - scopes.shared)
        statements.append(self._framed("", (), own, scopes.main.statements))
        for name, procedure in scopes.procedures.items():
            if name in scopes.framed:
                statements.append(self._framed(name, parameters_of(procedure), (), procedure.body))
        now = mapping([(name, load("v_" + name)) for name in shared])
        framed = mapping([(name, load("b_" + name)) for name in self.bodies])
        paces = [store(f"ticks{steps}", invoke("M", "every", constant(steps))) for steps in sorted(scopes.paces)]
        statements[1:1] = paces
        statements.append(_function("now", (), [ast.Return(now)]))
        statements.append(ast.Return(tuple_of([framed, load("now")])))
        factory = self._compiled(_function("script", ("M", "shared", "landings"), statements))
        return Program(
            name=self.script.name,
            digest=self.digest,
            factory=factory,
            bodies=self.bodies,
            parameters=tuple(scopes.parameters),
            variables=frozenset(scopes.variables),
            shared=frozenset(scopes.shared),
            landings=self.landings,
            hears=any(isinstance(node, nodes.Hear) for node in scopes.everything),
        )

    def _compiled(self, function: ast.stmt) -> Factory:
        module = ast.Module([placed(function, nodes.Span(1, 1))], [])
        ast.fix_missing_locations(module)
        code = compile(module, FILE_PREFIX + self.script.name, "exec", dont_inherit=True)
        (factory,) = (each for each in code.co_consts if isinstance(each, CodeType))
        return FunctionType(factory, NAMESPACE)

    def _nonlocals(self, name: str) -> list[ast.stmt]:
        names = ["v_" + each for each in sorted(self.scopes.shared_written_in[name])]
        return [ast.Nonlocal(names)] if names else []

    def _plain_procedure(self, procedure: nodes.Procedure) -> ast.stmt:
        parameters = parameters_of(procedure)
        writer = PlainWriter(self.scopes, parameters, procedure.body)
        body = writer.plain_body()
        entry: list[ast.stmt] = [
            ticked(procedure.at, self.scopes.clock(1 + writer.steps)),
            placed(
                ast.If(
                    ast.Compare(load("d"), [ast.Lt()], [constant(0)]),
                    [placed(ast.Expr(invoke("M", "too_deep")), procedure.at)],
                    [],
                ),
                procedure.at,
            ),
        ]
        mode = ["m"] if self.scopes.uses_resume else []
        names = ["d", *mode, *("v_" + name for name in parameters)]
        written = [*self._nonlocals(procedure.name), *entry, *body]
        return placed(_function("p_" + procedure.name, names, written), procedure.at)

    def _framed(self, name: str, parameters: Sequence[str], own: Sequence[str], body: nodes.Body) -> ast.stmt:
        writer = FramedWriter(self.scopes, name, parameters, own, body)
        written = writer.framed_body()
        self.bodies[name] = Body(name, tuple(parameters), writer.handles_errors, writer.places)
        if writer.handles_errors:
            self.landings[name] = writer.landings
        arguments = ("kept", "pc", "value", "error", "d", "m")
        return _function("b_" + name, arguments, [*self._nonlocals(name), *written])


def _function(name: str, parameters: Sequence[str], body: list[ast.stmt]) -> ast.stmt:
    arguments = ast.arguments([], [ast.arg(each) for each in parameters], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, body, [], None, None)
