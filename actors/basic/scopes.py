"""What a script's names stand for, and which of its procedures may suspend: what the compiler must know beforehand."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from actors.basic import nodes
from actors.basic.functions import FUNCTIONS
from actors.basic.host import OWN_FUNCTIONS
from actors.basic.keywords import TABLE
from actors.basic.prices import paced
from actors.basic.walk import children, nodes_of

__all__ = ["LISTS_IN_PLACE", "Scopes", "has_effect", "parameters_of", "root_name"]

_HISTORY: Final = "history"

LISTS_IN_PLACE: Final = frozenset({"append", "push"})
"""Keywords whose first operand is a place, which gets a list if it is null."""


def root_name(target: nodes.Node) -> str | None:
    """The variable that ``a.b[c].d`` begins with."""
    while isinstance(target, nodes.Member | nodes.Index):
        target = target.subject
    return target.name if isinstance(target, nodes.Name) else None


def parameters_of(procedure: nodes.Procedure) -> tuple[str, ...]:
    """The parameters in its head, then those of PARAM lines in its body."""
    more = [node.name for node in procedure.body if isinstance(node, nodes.Param)]
    return tuple(dict.fromkeys([*procedure.parameters, *more]))


def has_effect(expression: nodes.Node) -> bool:
    """Whether a keyword in it does more than compute a value: that it succeeded ends the state of error."""
    for node in nodes_of(expression):
        if isinstance(node, nodes.Hear | nodes.CallScript):
            return True
        if isinstance(node, nodes.Keyword) and (row := TABLE.get(node.phrase)) is not None and row.effect in "smqw":
            return True
    return False


def _bound(node: nodes.Node) -> Iterator[str]:
    match node:
        case nodes.Assign(target=target) | nodes.With(target=target):
            name = root_name(target)
            if name is not None:
                yield name
        case nodes.ForEach(variable=name) | nodes.ForCount(variable=name) | nodes.Param(name=name):
            yield name
        case nodes.Try(variable=str(name)):
            yield name
        case nodes.Keyword(phrase=phrase, arguments=(first, *_)) if phrase in LISTS_IN_PLACE:
            name = root_name(first)
            if name is not None:
                yield name
        case nodes.Keyword(phrase="set", arguments=(nodes.Name(name=name), _)):
            yield name
        case _:
            pass


@dataclass(slots=True)
class _Body:
    """The main body or a procedure: its own statements without other procedures."""

    name: str
    statements: nodes.Body
    nodes: list[nodes.Node]


class Scopes:
    """
    The names of one script.

    Args:
        suspends: whether a keyword of that phrase may leave the turn or ask the database.
    """

    def __init__(self, script: nodes.Script, suspends: Callable[[str], bool]) -> None:
        self.procedures: dict[str, nodes.Procedure] = {}
        for node in script.body:
            if isinstance(node, nodes.Procedure):
                self.procedures.setdefault(node.name, node)
        self.parameters = [node for node in script.body if isinstance(node, nodes.Param)]
        main = tuple(node for node in script.body if not isinstance(node, nodes.Procedure))
        self.main = _body("", main)
        self.bodies = {name: _body(name, procedure.body) for name, procedure in self.procedures.items()}
        self.everything = [*self.main.nodes, *(node for body in self.bodies.values() for node in body.nodes)]
        self.uses_resume = any(isinstance(node, nodes.OnError) and node.action == "resume" for node in self.everything)
        self.uses_on_error = any(isinstance(node, nodes.OnError) for node in self.everything)
        self.suspends_keyword = suspends
        self.paces: set[int] = set()
        """Numbers of steps, besides 1, that the code counts at once."""
        self._name_variables()
        self._histories = {id(node) for body in (self.main, *self.bodies.values()) for node in self._read_history(body)}
        self._bare_calls = {
            id(node) for body in (self.main, *self.bodies.values()) for node in self._call_by_name(body)
        }
        self._find_suspending()
        self._memory: dict[int, tuple[nodes.Node, bool]] = {}

    def clock(self, steps: int = 1) -> ast.Name:
        """The iterator that counts so many steps with every value."""
        clock = ast.Name("ticks", ast.Load())
        self.set_clock(clock, steps)
        return clock

    def set_clock(self, clock: ast.Name, steps: int) -> None:
        """Let *clock* count so many steps, which may be known only when what they pay for is written."""
        steps = paced(steps)
        if steps > 1:
            self.paces.add(steps)
            clock.id = f"ticks{steps}"

    def _name_variables(self) -> None:
        """Variables of the run; *shared* are those that a procedure sees, the others belong to the main body alone."""
        run = {name for node in self.main.nodes for name in _bound(node)}
        locals_ = {name: frozenset(parameters_of(procedure)) for name, procedure in self.procedures.items()}
        for name, body in self.bodies.items():
            run |= {bound for node in body.nodes for bound in _bound(node)} - locals_[name]
        seen: set[str] = set()
        written: dict[str, frozenset[str]] = {}
        for name, body in self.bodies.items():
            used = {node.name for node in body.nodes if isinstance(node, nodes.Name)}
            bound = {each for node in body.nodes for each in _bound(node)}
            seen |= (used | bound) - locals_[name]
            written[name] = frozenset(bound - locals_[name])
        self.variables = run
        # once for all bodies, of which there may be thousands
        self._without_parameters = {name for name, names in locals_.items() if not names} - run
        self.shared = run & seen
        self.written_by_procedures = frozenset().union(*written.values())
        written[""] = frozenset(bound for node in self.main.nodes for bound in _bound(node))
        self.shared_written_in = {name: names & self.shared for name, names in written.items()}

    def _read_history(self, body: _Body) -> Iterator[nodes.Node]:
        """Where *body* reads the predefined name, which takes a question to the session."""
        own = parameters_of(self.procedures[body.name]) if body.name else ()
        if _HISTORY not in self.variables and _HISTORY not in own:
            yield from (node for node in body.nodes if isinstance(node, nodes.Name) and node.name == _HISTORY)

    def _call_by_name(self, body: _Body) -> Iterator[nodes.Name]:
        """Where *body* has the name of a procedure without parameters, and no brackets behind it (rule R7)."""
        own = parameters_of(self.procedures[body.name]) if body.name else ()
        callable_ = self._without_parameters
        if not callable_:
            return
        texts: set[int] = set()
        for node in body.nodes:
            if isinstance(node, nodes.Keyword) and (row := TABLE.get(node.phrase)) is not None:
                bare = (each for i, each in enumerate(node.arguments) if i in row.bare)
                texts.update(id(inner) for each in bare for inner in nodes_of(each))
            elif (
                isinstance(node, nodes.Name)
                and node.name in callable_
                and node.name not in own
                and id(node) not in texts
            ):
                yield node

    def _find_suspending(self) -> None:
        """Bodies that need a frame of their own: they suspend, jump by label, or call one that does."""
        self.framed: set[str] = set()
        for name, body in self.bodies.items():
            if any(self._needs_frame(node) for node in body.nodes):
                self.framed.add(name)
        grown = True
        while grown:
            grown = False
            for name, body in self.bodies.items():
                if name not in self.framed and any(self._calls_framed(node) for node in body.nodes):
                    self.framed.add(name)
                    grown = True
        self.main_framed = any(self._needs_frame(node) or self._calls_framed(node) for node in self.main.nodes)

    def _needs_frame(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Label | nodes.Goto):
            return True
        if isinstance(node, nodes.OnError):
            return node.action == "goto"
        return self.suspends_itself(node)

    def suspends_itself(self, node: nodes.Node) -> bool:
        """Whether *node* suspends, apart from what is inside it."""
        match node:
            case nodes.Hear() | nodes.CallScript() | nodes.Sql():
                return True
            case nodes.Keyword(phrase="set", arguments=(nodes.Name(), _)):
                return False
            case nodes.Keyword(phrase=phrase):
                if self.read_member(node) is not None:
                    return False
                return self.suspends_keyword(phrase)
            case nodes.Call():
                return self.calls_script(node)
            case nodes.Name():
                return id(node) in self._histories
            case _:
                return False

    def read_member(self, node: nodes.Keyword) -> nodes.Expr | None:
        """``GET "order.total"`` where ``order`` is a variable: what it reads."""
        match node:
            case nodes.Keyword(phrase="get", arguments=(nodes.Literal_(value=str(text)),)):
                name, *path = text.strip().split(".")
                if path and name.lower() in self.variables and all(part.isidentifier() for part in path):
                    read: nodes.Expr = nodes.Name(node.at, name.lower())
                    for part in path:
                        read = nodes.Member(node.at, read, part)
                    return read
        return None

    def calls_script(self, node: nodes.Call) -> bool:
        """``other(x)`` that is neither a procedure nor a function: another script, if there is one."""
        return node.name not in self.procedures and node.name not in FUNCTIONS and node.name not in OWN_FUNCTIONS

    def own_call(self, node: nodes.Node) -> nodes.Call | None:
        """*node* if it calls a procedure of this script; as a call also where it is only a name."""
        if isinstance(node, nodes.Call):
            return node if node.name in self.procedures else None
        if isinstance(node, nodes.Name) and id(node) in self._bare_calls:
            return nodes.Call(node.at, node.name, ())
        return None

    def _calls_framed(self, node: nodes.Node) -> bool:
        called = self.own_call(node)
        return called is not None and called.name in self.framed

    def suspends(self, node: nodes.Node) -> bool:
        """Whether evaluating *node* may suspend the run."""
        known = self._memory.get(id(node))
        if known is None:
            # The node is kept with the answer: ids of nodes that are gone would be given out again.
            known = self._memory[id(node)] = (
                node,
                self.suspends_itself(node)
                or self._calls_framed(node)
                or any(self.suspends(inner) for inner in children(node)),
            )
        return known[1]


def _body(name: str, statements: nodes.Body) -> _Body:
    found: list[Any] = []
    for statement in statements:
        found.extend(nodes_of(statement))
    return _Body(name, statements, found)
