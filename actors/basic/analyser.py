"""
What a script is and uses, and what is doubtful about it: found from its tree, before it ever runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from actors.basic import nodes
from actors.basic.errors import Problem, nearest
from actors.basic.functions import FUNCTIONS
from actors.basic.hearing import NEEDS_SERVICE, TYPES
from actors.basic.host import FUNCTIONS_TO_COME, OWN_FUNCTIONS, WITHOUT_ARGUMENTS
from actors.basic.keywords import HEAR_TYPES, TABLE, Effect, KeywordTable
from actors.basic.keywords.session import not_there
from actors.basic.lexer import MAX_PROBLEMS
from actors.basic.nodes import Body, Expr, Span, Statement
from actors.basic.schedule_text import complaint
from actors.basic.scopes import parameters_of
from actors.basic.tools import PARAM_TYPES, function_schema
from actors.basic.walk import nodes_of
from schemas.envelope import JsonValue

__all__ = ["PREDEFINED", "Analysis", "Names", "Role", "analyse", "script_name"]

Role = Literal["entry", "tool", "schema", "job", "endpoint", "handler"]

_TO_COME = frozenset(
    [
        *("body", "params", "headers", "method", "path", "fields", "form", "metadata", "event"),
        *("result", "approval", "errors", "report", "high", "low", "on", "off"),
    ]
)
"""Names of which what would set them is not there yet."""

PREDEFINED = _TO_COME | frozenset(
    ["user", "username", "from", "mobile", "session", "bot", "message", "history", "error", "err"]
)
"""Names that can be read without being set."""

_HANDLERS = frozenset(["new_session", "on_transfer", "new_email", "on_receive_email"])

_FAILS_YET: dict[type[nodes.Node], str] = {
    nodes.Step: "STEP",
    nodes.Sql: "SELECT",
    nodes.OnEvent: "ON",
}
"""Statements that are read, and a run that reaches one fails."""

_HEAR_HINT = f"the types are {', '.join(kind.upper() for kind in TYPES)}"

_IDLE_YET: dict[type[nodes.Node], str] = {
    nodes.Table: "TABLE",
    nodes.CreateIndex: "CREATE INDEX",
    nodes.ScheduleDeclaration: "SET SCHEDULE",
    nodes.Webhook: "WEBHOOK",
}
"""Declarations that are read, and a run passes over them."""

_OPENERS = frozenset(
    [
        *("if", "for", "while", "do", "select", "switch", "with", "try", "sub", "function"),
        *("on", "set", "schedule", "step", "table"),
    ]
)
"""Words that begin a block. Where one of them could not be read, what it is in cannot be told."""

_FILTERED = frozenset(["find", "find all", "filter", "update", "delete", "aggregate"])
_MAKES_ITS_LIST = frozenset(["append", "push"])
_NAMES_A_TOOL = frozenset(["add tool", "use tool"])
_NAMES_A_KB = frozenset(["use kb", "add kb", "set kb"])
_NAMES_A_WEBSITE = frozenset(["use website", "add website"])


@dataclass(frozen=True, slots=True)
class Names:
    """
    What the bot has around a script.

    Args:
        scripts: stems of its scripts, as ``script_name`` gives them.
        variables: from its configuration, the ``x`` of every ``param-x``, in lower case.
    """

    scripts: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Analysis:
    """
    What was found.

    Args:
        function: what a model is told of a tool, else None.
        parameters: of the tool, or of a handler.
        scripts, operations: what ``CALL "…"`` names: script names, and paths that begin with ``/``.
        tools, knowledge, websites: as far as their names are written out.
        effects: the classes of all keywords that the script uses.
        suspending: the procedures that may leave the turn before they end; ``''`` stands for the top level.
        resumes_next: whether it uses ON ERROR RESUME NEXT.
        problems: errors and warnings in order of the text.
    """

    roles: frozenset[Role]
    description: str
    parameters: tuple[nodes.Param, ...]
    function: dict[str, JsonValue] | None
    tables: tuple[nodes.Table, ...]
    indexes: tuple[nodes.CreateIndex, ...]
    schedules: tuple[nodes.ScheduleDeclaration, ...]
    webhooks: tuple[str, ...]
    bindings: tuple[nodes.OnEvent, ...]
    scripts: frozenset[str]
    operations: frozenset[str]
    tools: frozenset[str]
    knowledge: frozenset[str]
    websites: frozenset[str]
    effects: frozenset[Effect]
    suspending: frozenset[str]
    resumes_next: bool
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def script_name(written: str) -> str:
    """The name of a script as it is compared: without folders and ``.bas``, in lower case, ``-`` as ``_``."""
    stem = written.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return stem.removesuffix(".bas").replace("-", "_")


def analyse(
    script: nodes.Script,
    *,
    known: Names | None = None,
    table: KeywordTable = TABLE,
    problems: Sequence[Problem] = (),
) -> Analysis:
    """
    What *script* is, uses and gets wrong. Never raises for what the script says: see ``Analysis.problems``.

    Args:
        problems: what ``read`` found wrong. They are among those of the result; of what may only follow from them,
            such as a name that is set in a line that could not be read, nothing is said.
    """
    return _Analyser(script, known or Names(), table, problems).run()


@dataclass(slots=True)
class _Place:
    """Where a statement stands: the loops, labels and procedure around it."""

    procedure: str = ""
    kind: str = ""
    loops: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    top: bool = False


@dataclass(slots=True)
class _Found:
    scripts: set[str] = field(default_factory=set)
    operations: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    knowledge: set[str] = field(default_factory=set)
    websites: set[str] = field(default_factory=set)
    effects: set[Effect] = field(default_factory=set)


class _Analyser:
    def __init__(self, script: nodes.Script, known: Names, table: KeywordTable, problems: Sequence[Problem]) -> None:
        self.script = script
        self.known = known
        self.table = table
        self.problems = list(problems)
        self.unread_lines = frozenset(problem.at.line for problem in problems)
        self.procedures_unsure = not script.unread.isdisjoint(("sub", "function"))
        self.blocks_unsure = not _OPENERS.isdisjoint(script.unread)
        self.found = _Found()
        self.statements = list(nodes_of(*script.body))
        # Procedures stand at the top level, unless a block above them is not closed.
        self.procedures = {node.name: node for node in self.statements if isinstance(node, nodes.Procedure)}
        self.labels = frozenset(node.name for node in self.statements if isinstance(node, nodes.Label))
        self.set_names = self._names_set()
        self.names_to_suggest = self.set_names - script.unread
        self.heard = frozenset(
            node.target.name
            for node in self.statements
            if isinstance(node, nodes.Assign)
            and isinstance(node.value, nodes.Hear)
            and isinstance(node.target, nodes.Name)
        )
        self.told: set[tuple[str, str]] = set()

    def run(self) -> Analysis:
        for note in self.script.notes:
            self._warn(note.message, note.at, note.hint)
        stem = script_name(self.script.name)
        if stem in _HANDLERS and self.script.body:
            self._warn(f"nothing runs a script of the name {stem} yet", self.script.body[0].at)
        self._declarations()
        self._body(self.script.body, _Place(top=True))
        for node in self.statements:
            self._use(node)
        for name, bare in self._reads(self.script.body):
            if not bare:
                self._read(name)
        return self._result()

    # --- telling ----------------------------------------------------------------------------------------------------

    def _error(self, message: str, at: Span, hint: str = "") -> None:
        self._tell(Problem("error", message, at, hint, self.script.name))

    def _warn(self, message: str, at: Span, hint: str = "") -> None:
        self._tell(Problem("warning", message, at, hint, self.script.name))

    def _tell(self, problem: Problem) -> None:
        if problem.at.line not in self.unread_lines:
            self.problems.append(problem)

    def _warn_once(self, about: tuple[str, str], message: str, at: Span, hint: str = "") -> None:
        if about not in self.told:
            self.told.add(about)
            self._warn(message, at, hint)

    def _near(self, word: str, *candidates: Collection[str]) -> str | None:
        """The candidate that was meant; None after so many problems: to look through many names takes long."""
        if len(self.problems) >= MAX_PROBLEMS:
            return None
        return nearest(word, set[str]().union(*candidates))

    def _meant(self, word: str, *candidates: Collection[str]) -> str:
        close = self._near(word, *candidates)
        return f"did you mean {close}?" if close else ""

    # --- declarations -----------------------------------------------------------------------------------------------

    def _tool_section(self) -> tuple[tuple[nodes.Param, ...], str | None]:
        """The PARAMs and the DESCRIPTION before the first top-level RETURN or END."""
        parameters: list[nodes.Param] = []
        description: str | None = None
        for statement in self.script.body:
            if _ends_run(statement):
                break
            if isinstance(statement, nodes.Param):
                parameters.append(statement)
            elif isinstance(statement, nodes.Description) and description is None:
                description = statement.text
        return tuple(parameters), description

    def _declarations(self) -> None:
        names: set[str] = set()
        for parameter in self._tool_section()[0]:
            if parameter.name in names and not self.blocks_unsure:
                self._error(f"there is a second PARAM {parameter.name}", parameter.at)
            names.add(parameter.name)
        seen: dict[str, Span] = {}
        for statement in self.script.body:
            if isinstance(statement, nodes.Procedure):
                if statement.name in seen:
                    line = seen[statement.name].line
                    self._error(f"{statement.name} is defined in line {line} already", statement.at)
                seen.setdefault(statement.name, statement.at)
        for node in self.statements:
            match node:
                case nodes.Param(type=kind, name=name) if kind not in PARAM_TYPES:
                    hint = self._meant(kind, PARAM_TYPES)
                    self._warn(f"{kind.upper()} is no type that PARAM {name} knows, it is taken as text", node.at, hint)
                case nodes.ScheduleDeclaration(when=when) if said := complaint(when):
                    self._error(said, node.at, 'for example "0 9 * * 1-5" or "every weekday at 9am"')
                case nodes.Schedule(when=nodes.Literal_(value=str() as when)) if said := complaint(when):
                    self._error(said, node.at, 'for example "0 9 * * 1-5" or "every weekday at 9am"')
                case nodes.Table(fields=fields):
                    self._fields(fields)

    def _fields(self, fields: tuple[nodes.Field, ...]) -> None:
        seen: set[str] = set()
        for each in fields:
            if each.name.lower() in seen:
                self._error(f"there is a second field {each.name}", each.at)
            seen.add(each.name.lower())

    # --- statements and where they stand ----------------------------------------------------------------------------

    def _body(self, body: Body, place: _Place) -> None:
        labels: set[str] = set()
        for statement in body:
            if isinstance(statement, nodes.Label):
                if (statement.name in labels or statement.name in place.labels) and not self.blocks_unsure:
                    self._error(f"there is a second label {statement.name}", statement.at)
                labels.add(statement.name)
        inside = _Place(place.procedure, place.kind, place.loops, place.labels | labels, place.top)
        ended: Statement | None = None
        told = self.blocks_unsure
        for statement in body:
            if ended is not None and not told and not isinstance(statement, nodes.Procedure | nodes.Label):
                told = True
                if place.top and isinstance(statement, nodes.Param | nodes.Description):
                    self._warn(
                        f"this begins a second tool behind the end in line {ended.at.line}; only the first can run",
                        statement.at,
                    )
                else:
                    self._warn(f"nothing reaches this behind line {ended.at.line}", statement.at)
            if isinstance(statement, nodes.Label):
                ended = None
            elif _ends_run(statement) or isinstance(statement, nodes.Goto) or _leaves(statement):
                ended = ended or statement
            self._statement(statement, inside)

    def _statement(self, statement: Statement, place: _Place) -> None:
        inner = _Place(place.procedure, place.kind, place.loops, place.labels)
        match statement:
            case nodes.Goto(label=label) | nodes.OnError(action="goto", label=str() as label):
                if label not in place.labels and not self._unsure_label(label):
                    hint = self._meant(label, place.labels) or "a jump stays in its procedure and goes into no block"
                    self._error(f"there is no label {label} to jump to from here", statement.at, hint)
            case nodes.Leave():
                self._leave(statement, place)
            case nodes.If(branches=branches, otherwise=otherwise):
                for condition, body in branches:
                    if isinstance(condition, nodes.Literal_):
                        self._warn("this condition is always the same", condition.at)
                    self._body(body, inner)
                self._body(otherwise, inner)
            case nodes.ForEach(body=body) | nodes.ForCount(body=body):
                self._body(body, _Place(place.procedure, place.kind, (*place.loops, "for"), place.labels))
            case nodes.Loop(kind=kind, body=body):
                self._body(body, _Place(place.procedure, place.kind, (*place.loops, kind), place.labels))
            case nodes.Select(cases=cases, otherwise=otherwise):
                for _, body in cases:
                    self._body(body, inner)
                self._body(otherwise, inner)
            case nodes.Try(body=body, handler=handler):
                self._body(body, inner)
                self._body(handler, inner)
            case nodes.Procedure(kind=what, name=name, body=body):
                self._body(body, _Place(name, what))
            case nodes.Schedule(body=tuple() as body) | nodes.OnEvent(body=tuple() as body):
                # A run of its own: nothing around it can be left or jumped to.
                self._body(body, _Place())
            case nodes.OnEvent(call=str() as name) if name not in self.procedures and name not in self.script.unread:
                hint = self._meant(name, self.procedures)
                self._warn(f"there is no SUB {name} in this script", statement.at, hint)

    def _unsure_label(self, label: str) -> bool:
        """Whether *label* may stand where it can be jumped to, could all be read."""
        return label in self.script.unread or (self.blocks_unsure and label in self.labels)

    def _leave(self, statement: nodes.Leave, place: _Place) -> None:
        what = statement.what
        if self.blocks_unsure:
            return
        if what in ("for", "do", "while") and what not in place.loops:
            self._error(f"there is no {what.upper()} around this EXIT {what.upper()}", statement.at)
        elif what in ("sub", "function") and place.kind != what:
            self._error(f"this EXIT {what.upper()} is not in a {what.upper()}", statement.at)
        elif what in ("break", "continue") and not place.loops:
            self._error(f"there is no loop around this {what.upper()}", statement.at)

    # --- what is used -----------------------------------------------------------------------------------------------

    def _use(self, node: nodes.Node) -> None:
        match node:
            case nodes.Keyword():
                self._keyword(node)
            case nodes.Call():
                self._call(node)
            case nodes.CallScript(target=target) if target.startswith("/"):
                self.found.operations.add(target)
                self.found.effects.add("q")
                self._warn_once(("/", ""), f'CALL "{target}": platform operations are not there yet', node.at)
            case nodes.CallScript(target=target):
                self.found.effects.add("q")
                name = script_name(target)
                self.found.scripts.add(name)
                if name not in self.known.scripts:
                    hint = self._meant(name, self.known.scripts)
                    self._warn(f'this bot has no script "{target}"', node.at, hint)
            case nodes.Hear() | nodes.Step(approver=nodes.Node()):
                self.found.effects.add("w")
            case nodes.Step() | nodes.Sql():
                self.found.effects.add("q")
            case nodes.TextBlock(kind=kind):
                self.found.effects.add("m" if kind == "talk" else "s" if kind == "system prompt" else "q")
        if (phrase := _FAILS_YET.get(type(node))) is not None:
            self._not_there(phrase, node.at)
        elif (phrase := _IDLE_YET.get(type(node))) is not None:
            self._warn_once((phrase, "idle"), f"{phrase} is read and checked, and nothing comes of it yet", node.at)
        elif isinstance(node, nodes.Schedule):
            self._not_there("SET SCHEDULE" if node.delay is None else "SCHEDULE IN", node.at)
        elif isinstance(node, nodes.TextBlock) and node.kind == "mail":
            self._not_there("BEGIN MAIL", node.at)
        elif isinstance(node, nodes.Hear):
            self._hear(node)

    def _hear(self, node: nodes.Hear) -> None:
        if node.kind in NEEDS_SERVICE:
            self._not_there(f"HEAR AS {node.kind.upper()}", node.at)
        match node:
            case nodes.Hear(kind="menu", options=(nodes.Name(name=name, at=at),)) if self._never_set(name):
                meant = self._near(name, HEAR_TYPES, self.names_to_suggest)
                word = meant.upper() if meant in HEAR_TYPES else meant
                hint = _HEAR_HINT if meant is None else f"did you mean {word}?"
                self._error(f"{name.upper()} is no type that HEAR knows, and no list that is set", at, hint)
                self.told.add(("name", name))

    def _never_set(self, name: str) -> bool:
        return not (name in self.set_names or name in self.known.variables or name in PREDEFINED)

    def _not_there(self, phrase: str, at: Span) -> None:
        self._warn_once((phrase, ""), f"{phrase} is not there yet, a run that reaches it fails", at)

    def _form(self, node: nodes.Keyword) -> str:
        """What a keyword that works is asked for in a form that does not yet, as far as the text tells; else ''."""
        match node:
            case nodes.Keyword(phrase="set" | "set session", arguments=(_, _, _)):
                return "SET of a table" if node.phrase == "set" else "SET SESSION of another session"
            case nodes.Keyword(phrase="get session", arguments=(_, _)):
                return "GET SESSION of another session"
            case nodes.Keyword(phrase="get", arguments=(nodes.Literal_(value=str() as text),)):
                return not_there(text)
            case nodes.Keyword(phrase="get", arguments=(nodes.Template(parts=(str() as text, *_)),)):
                return not_there(text + "x")
        return ""

    def _keyword(self, node: nodes.Keyword) -> None:
        row = self.table.get(node.phrase)
        if row is None:
            self._error(f"there is no keyword {node.phrase.upper()}", node.at)
            return
        self.found.effects.add(row.effect)
        missing = node.phrase.upper() if row.handler is None and row.function is None else self._form(node)
        if missing:
            self._not_there(missing, node.at)
        first = _written(node.arguments[0]) if node.arguments else None
        if first is not None:
            if node.phrase in _NAMES_A_TOOL:
                name = script_name(first)
                self.found.tools.add(name)
                if name not in self.known.scripts:
                    hint = self._meant(name, self.known.scripts)
                    self._warn(f'this bot has no tool "{first}"', node.at, hint)
            elif node.phrase in _NAMES_A_KB:
                self.found.knowledge.add(first.removesuffix(".gbkb"))
            elif node.phrase in _NAMES_A_WEBSITE:
                self.found.websites.add(first)
        if node.phrase in _FILTERED:
            self._filter(node)

    def _filter(self, node: nodes.Keyword) -> None:
        for argument in node.arguments[1:]:
            if isinstance(argument, nodes.Binary) and argument.operator in ("+", "&"):
                for name in nodes_of(argument):
                    if isinstance(name, nodes.Name) and name.name in self.heard:
                        message = f"what a person wrote ({name.name}) becomes part of this filter"
                        self._warn(message, argument.at, f'write "… = ${{{name.name}}}", which is only a value')
                        return

    def _call(self, node: nodes.Call) -> None:
        name, count = node.name, len(node.arguments)
        procedure = self.procedures.get(name)
        if procedure is not None:
            most = len(procedure.parameters) + sum(isinstance(each, nodes.Param) for each in procedure.body)
            if count > most:
                self._warn(f"{name} takes {most} value{'s' * (most != 1)}, the others are lost", node.at)
            return
        function = FUNCTIONS.get(name)
        if function is not None:
            if not function.minimum <= count <= function.maximum:
                least, most = function.minimum, function.maximum
                takes = f"{least}" if least == most else f"{least} to {most}" if most < 100 else f"at least {least}"
                self._warn(
                    f"{name.upper()} takes {takes} value{'s' * (takes.split()[-1] != '1')}, not {count}", node.at
                )
        elif script_name(name) in self.known.scripts:
            self.found.scripts.add(script_name(name))
            self.found.effects.add("q")
        elif name in FUNCTIONS_TO_COME:
            self._not_there(name.upper(), node.at)
        elif name not in OWN_FUNCTIONS and name not in self.script.unread and not self.procedures_unsure:
            message = f"there is no function, procedure or script {name}"
            self._warn(message, node.at, self._meant(name, self.procedures, FUNCTIONS, self.known.scripts))

    # --- names ------------------------------------------------------------------------------------------------------

    def _names_set(self) -> frozenset[str]:
        names = set(self.script.unread)
        for node in self.statements:
            match node:
                case nodes.Assign(target=target) | nodes.With(target=target):
                    names.add(_root(target))
                case nodes.ForEach(variable=name) | nodes.ForCount(variable=name) | nodes.Param(name=name):
                    names.add(name)
                case nodes.Try(variable=str() as name):
                    names.add(name)
                case nodes.Do(expression=nodes.Name(name=name)):
                    names.add(name)
                case nodes.Procedure(parameters=parameters):
                    names.update(parameters)
                case nodes.Keyword(phrase=phrase, arguments=(nodes.Name(name=name), *_)) if phrase in _MAKES_ITS_LIST:
                    names.add(name)
                case nodes.Keyword(phrase="set", arguments=(nodes.Name(name=name), _)):
                    names.add(name)
                case nodes.Call(name="push", arguments=(nodes.Name(name=name), *_)):
                    names.add(name)
        return frozenset(names)

    def _reads(self, body: Body) -> Iterator[tuple[nodes.Name, bool]]:
        """Every Name, with whether it may also stand for its own text or for a column."""
        excused: set[int] = set()
        for node in nodes_of(*body):
            if isinstance(node, nodes.Keyword) and (row := self.table.get(node.phrase)) is not None:
                for position, argument in enumerate(node.arguments):
                    if position in row.bare:
                        excused.update(id(each) for each in nodes_of(argument))
                kinds = {clause.word: clause.value for clause in row.clauses}
                for word, value in node.clauses:
                    if value is not None and (kinds[word] == "condition" or node.phrase == "update"):
                        excused.update(id(each) for each in nodes_of(value))
            elif isinstance(node, nodes.Branch):
                excused.add(id(node.bot))
            elif isinstance(node, nodes.OnEvent):
                excused.add(id(node.subject))
            elif isinstance(node, nodes.Name):
                yield node, id(node) in excused

    def _read(self, node: nodes.Name) -> None:
        name = node.name
        if name in self.set_names or name in self.known.variables:
            return
        if name in self.procedures:
            if parameters_of(self.procedures[name]):
                self._warn_once(("name", name), f"{name} is a procedure, without its values it is null", node.at)
            return
        if self.procedures_unsure:
            return  # it may be a parameter
        if name in FUNCTIONS_TO_COME and name in WITHOUT_ARGUMENTS:
            self._not_there(name.upper(), node.at)
            return
        if name in _TO_COME:
            self._warn_once(("name", name), f"what sets {name} is not there yet, it is null", node.at)
            return
        function = FUNCTIONS.get(name)
        if name in PREDEFINED or (function is not None and function.minimum == 0) or name in WITHOUT_ARGUMENTS:
            return
        if ("name", name) not in self.told:
            hint = self._meant(name, self.names_to_suggest, PREDEFINED, self.known.variables)
            self._warn_once(("name", name), f"{name} is read but never set, it is null", node.at, hint)

    # --- the result -------------------------------------------------------------------------------------------------

    def _suspending(self) -> frozenset[str]:
        """The procedures (and ``''``) that may leave the turn, themselves or in what they call."""
        calls: dict[str, set[str]] = {}
        found: set[str] = set()
        main = tuple(each for each in self.script.body if not isinstance(each, nodes.Procedure))
        bodies: dict[str, Body] = {"": main, **{name: each.body for name, each in self.procedures.items()}}
        for name, body in bodies.items():
            calls[name] = set()
            for node in nodes_of(*body):
                if isinstance(node, nodes.Call | nodes.Name) and node.name in self.procedures:
                    calls[name].add(node.name)
                elif self._suspends(node):
                    found.add(name)
        while True:
            more = {name for name, called in calls.items() if name not in found and called & found}
            if not more:
                return frozenset(found)
            found |= more

    def _suspends(self, node: nodes.Node) -> bool:
        match node:
            case nodes.Hear() | nodes.CallScript() | nodes.Step() | nodes.Sql():
                return True
            case nodes.Keyword(phrase=phrase):
                row = self.table.get(phrase)
                return row is not None and row.effect in ("q", "w")
            case nodes.Call(name=name):
                return name not in FUNCTIONS and name not in OWN_FUNCTIONS
            case nodes.TextBlock(kind=kind):
                return kind == "mail"
            case nodes.Name(name="history"):
                return "history" not in self.set_names
        return False

    def _result(self) -> Analysis:
        parameters, description = self._tool_section()
        body = self.script.body
        name = script_name(self.script.name)
        roles: set[Role] = set()
        schedules = tuple(each for each in body if isinstance(each, nodes.ScheduleDeclaration))
        webhooks = tuple(each.name for each in body if isinstance(each, nodes.Webhook))
        tables = tuple(each for each in body if isinstance(each, nodes.Table))
        indexes = tuple(each for each in body if isinstance(each, nodes.CreateIndex))
        bindings = tuple(each for each in self.statements if isinstance(each, nodes.OnEvent))
        if name == "start":
            roles.add("entry")
        if tables or indexes:
            roles.add("schema")
        if schedules:
            roles.add("job")
        if webhooks:
            roles.add("endpoint")
        if bindings or name in _HANDLERS:
            roles.add("handler")
        is_tool = (bool(parameters) or description is not None) and name not in _HANDLERS
        if is_tool:
            roles.add("tool")
        stem = self.script.name.rsplit("/", 1)[-1]
        stem = stem[:-4] if stem.lower().endswith(".bas") else stem
        return Analysis(
            roles=frozenset(roles),
            description=description or "",
            parameters=parameters,
            function=function_schema(stem, description or "", parameters) if is_tool else None,
            tables=tables,
            indexes=indexes,
            schedules=schedules,
            webhooks=webhooks,
            bindings=bindings,
            scripts=frozenset(self.found.scripts),
            operations=frozenset(self.found.operations),
            tools=frozenset(self.found.tools),
            knowledge=frozenset(self.found.knowledge),
            websites=frozenset(self.found.websites),
            effects=frozenset(self.found.effects),
            suspending=self._suspending(),
            resumes_next=any(isinstance(each, nodes.OnError) and each.action == "resume" for each in self.statements),
            problems=tuple(sorted(self.problems, key=lambda problem: (problem.at, problem.message))),
        )


def _ends_run(statement: Statement) -> bool:
    return isinstance(statement, nodes.Return) or (isinstance(statement, nodes.Leave) and statement.what == "run")


def _leaves(statement: Statement) -> bool:
    return isinstance(statement, nodes.Leave)


def _root(target: Expr) -> str:
    while isinstance(target, nodes.Member | nodes.Index):
        target = target.subject
    return target.name if isinstance(target, nodes.Name) else ""


def _written(expression: Expr) -> str | None:
    """The text of a literal, or of a bare name."""
    match expression:
        case nodes.Literal_(value=str() as text):
            return text
        case nodes.Name(name=name):
            return name
    return None
