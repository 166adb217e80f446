"""
Statements of one body (the main body or a procedure) as statements of Python.

Two forms. A body without suspension points, labels or jumps becomes a plain Python function: loops are Python loops.
Any other body becomes a function that can be left at a suspension point and entered again there: its statements are cut
into numbered blocks, ``pc`` says which block is next, and what lives across a suspension is handed out and in. Within
such a body everything that cannot suspend is still written in the plain form, inside a block.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from actors.basic import nodes
from actors.basic.emit import (
    call,
    constant,
    either,
    invoke,
    is_simple,
    load,
    mapping,
    placed,
    same_type,
    store,
    ticked,
    tuple_of,
)
from actors.basic.expressions import Expressions, Temporary
from actors.basic.keywords import TABLE
from actors.basic.scopes import LISTS_IN_PLACE, Scopes, root_name
from actors.basic.walk import children, nodes_of

__all__ = ["MODE", "BodyWriter", "Op"]

MODE: Final = "M"
"""Key of the error mode among what a frame keeps. Variables are in lower case, so nothing else is called so."""

DECLARATIONS: Final = (
    nodes.Param, nodes.Description, nodes.Table, nodes.CreateIndex, nodes.ScheduleDeclaration, nodes.Webhook,
    nodes.Procedure,
)  # fmt: skip


class Op:
    """First element of what a framed body gives back: why it was left."""

    RETURN: Final = 0  # value
    END: Final = 1
    CALL: Final = 2  # pc, kept, procedure, arguments, inherited error mode
    KEYWORD: Final = 3  # pc, kept, phrase, arguments, clauses
    HEAR: Final = 4  # pc, kept, what to hear
    SCRIPT: Final = 5  # pc, kept, name, arguments
    TAIL: Final = 6  # name, arguments


@dataclass(slots=True)
class _Loop:
    kind: str
    plain: bool
    exit: int = -1
    next: int = -1
    escapes: list[str] = field(default_factory=list)
    """Flags by which loops inside this plain loop leave one further out."""


@dataclass(slots=True)
class _Block:
    statements: list[ast.stmt] = field(default_factory=list)
    on_error: int = -1
    on_resume: int = -1


class BodyWriter:
    """
    Writes one body.

    Args:
        parameters: of the procedure; empty for the main body.
        kept: run variables that live in this body's frame (the main body's own), besides the parameters.
        framed: the second form.
        main: the main body, which ends the script.
    """

    def __init__(
        self,
        scopes: Scopes,
        name: str,
        parameters: Sequence[str],
        kept: Sequence[str],
        body: nodes.Body,
        *,
        framed: bool,
    ) -> None:
        self.scopes = scopes
        self.name = name
        self.main = name == ""
        self.kept = tuple(dict.fromkeys([*parameters, *kept]))
        self.body = body
        self.framed = framed
        self.ex = Expressions(scopes, frozenset(parameters))
        self.blocks: list[_Block] = []
        self.out: list[ast.stmt] = []
        self.loops: list[_Loop] = []
        self.labels: dict[str, int] = {}
        self.tries: list[int] = []
        self.resume = -1
        self.alive: list[str] = []
        self.states: list[str] = []
        self.all_temporaries: dict[str, None] = {}
        self._temporaries = 0
        self._flags = 0
        self._must: dict[int, tuple[nodes.Node, bool]] = {}
        self.lines: dict[int, int] = {}
        self.handles_errors = False
        self.landings: dict[int, tuple[int, int]] = {}

    # --- the plain form ---------------------------------------------------------------------------------------------

    def plain_body(self) -> list[ast.stmt]:
        """All statements in the plain form; needs ``framed=False``."""
        written = self.plain(self.body)
        return written or [ast.Pass()]

    def plain(self, body: nodes.Body) -> list[ast.stmt]:
        outer, self.out = self.out, []
        for statement in body:
            if not isinstance(statement, DECLARATIONS):
                self.plain_statement(statement)
        written, self.out = self.out, outer
        return written

    def plain_statement(self, statement: nodes.Statement) -> None:
        self.ex.statement()
        if not self.scopes.uses_resume or self.ex.in_try or isinstance(statement, nodes.OnError | nodes.Leave):
            self._plain(statement)
            return
        outer, self.out = self.out, []
        self._plain(statement)
        body, self.out = self.out, outer
        if not body:
            return
        handler: list[ast.stmt] = [
            ast.If(ast.Compare(load("m"), [ast.NotEq()], [constant(1)]), [ast.Raise()], []),
            ast.Expr(invoke("M", "resume", load("e"))),
            *self._nulled(statement),
        ]
        self.out.append(self._guarded(body, handler, statement.at))

    def _guarded(self, body: list[ast.stmt], handler: list[ast.stmt], at: nodes.Span) -> ast.stmt:
        caught = ast.ExceptHandler(load("Exception"), "e", handler)
        return placed(ast.Try(body, [placed(caught, at)], [], []), at)

    def _nulled(self, statement: nodes.Statement) -> list[ast.stmt]:
        """The target of a statement that was given up becomes null."""
        if isinstance(statement, nodes.Assign | nodes.With) and isinstance(statement.target, nodes.Name):
            return [store("v_" + statement.target.name, constant(None))]
        return []

    def _plain(self, statement: nodes.Statement) -> None:
        match statement:
            case nodes.Assign():
                self._assign(statement)
            case nodes.Do(expression=expression):
                self._do(expression, statement.at)
            case nodes.If():
                self.out.append(self._plain_if(statement))
            case nodes.ForEach():
                self._plain_for_each(statement)
            case nodes.ForCount():
                self._plain_for_count(statement)
            case nodes.Loop():
                self._plain_loop(statement)
            case nodes.Select():
                self._plain_select(statement)
            case nodes.Try():
                self._plain_try(statement)
            case nodes.With(target=target, fields=pairs):
                made = mapping([(name, self.ex.expr(value)) for name, value in pairs])
                self._set(target, placed(made, statement.at), statement.at)
            case nodes.Leave():
                self._leave(statement)
            case nodes.Return(value=value):
                self._return(constant(None) if value is None else self.ex.expr(value), statement.at)
            case _:
                self._simple(statement)

    def _simple(self, statement: nodes.Statement) -> None:
        match statement:
            case nodes.OnError():
                self._on_error(statement)
            case nodes.Goto(label=label):
                self._tick(statement.at)
                self._jump(self._label(label))
            case nodes.TextBlock(kind=kind, text=text, recipient=recipient):
                if kind == "mail":
                    self._effect(invoke("M", "missing", constant("BEGIN MAIL")), statement.at)
                    return
                phrase = "talk" if kind == "talk" else "system prompt"
                said = tuple_of([self.ex.expr(text)])
                self._effect(invoke("M", "keyword", constant(phrase), said, tuple_of([])), statement.at, clears=True)
            case nodes.Schedule():
                self._effect(invoke("M", "missing", constant("SET SCHEDULE")), statement.at)
            case nodes.OnEvent(trigger=trigger):
                self._effect(invoke("M", "missing", constant(f"ON {trigger.upper()}")), statement.at)
            case nodes.Step():
                self._effect(invoke("M", "missing", constant("STEP")), statement.at)
            case nodes.Label():
                pass
            case _:
                raise TypeError(f"no plain form of {statement!r}")

    def _effect(self, expression: ast.expr, at: nodes.Span, clears: bool = False) -> None:
        self.out.append(placed(ast.Expr(placed(expression, at)), at))
        if clears:
            self._succeeded()

    def _succeeded(self) -> None:
        """A successful effect ends the state of error of ON ERROR RESUME NEXT."""
        if self.scopes.uses_resume:
            self.out.append(ast.Expr(invoke("M", "clear_error")))

    def _do(self, expression: nodes.Expr, at: nodes.Span) -> None:
        if isinstance(expression, nodes.Keyword):
            if expression.phrase in LISTS_IN_PLACE and len(expression.arguments) == 2 and not expression.clauses:
                self._append(expression)
                return
            if expression.phrase == "set" and isinstance(expression.arguments[0], nodes.Name):
                expression = self._set_by_name(expression, expression.arguments[0])
            row = TABLE.get(expression.phrase)
            clears = row is not None and row.effect in "smqw" and expression.phrase != "clear error"
            self._effect(self.ex.expr(expression), at, clears)
            return
        self._effect(self.ex.expr(expression), at)

    def _set_by_name(self, keyword: nodes.Keyword, name: nodes.Name) -> nodes.Keyword:
        """``SET name, v``: the variable, and what is left to do: the value of the session under that name."""
        value = Temporary(keyword.at, self.ex.fresh())
        self.out.append(placed(store(value.name, self.ex.expr(keyword.arguments[1])), keyword.at))
        self._set(name, load(value.name), keyword.at)
        arguments = (nodes.Literal_(name.at, "session." + name.name), value)
        return nodes.Keyword(keyword.at, "set", arguments, keyword.clauses)  # type: ignore[arg-type]

    def _append(self, keyword: nodes.Keyword) -> None:
        place, item = keyword.arguments
        if isinstance(place, nodes.Name) and self.ex.is_variable(place.name):
            held: ast.expr = self.ex.name(place.name)
            self._created(place.name, ast.List([], ast.Load()))
        elif isinstance(place, nodes.Member | nodes.Index):
            name = self.ex.fresh()
            self.out.append(store(name, self.ex.expr(place)))
            held = load(name)
            outer, self.out = self.out, [store(name, ast.List([], ast.Load()))]
            self._set(place, load(name), keyword.at)
            made, self.out = self.out, outer
            self.out.append(ast.If(ast.Compare(load(name), [ast.Is()], [constant(None)]), made, []))
        else:
            held = self.ex.expr(place)
        new = self.ex.fresh()
        self.out.append(placed(store(new, self.ex.expr(item)), item.at))
        there = self.ex.fresh()
        self.out.append(placed(store(there, held), keyword.at))
        quick = ast.BoolOp(ast.And(), [
            same_type(load(there), "list"),
            ast.Compare(call("len", load(there)), [ast.Lt()], [load("MAX_ITEMS")]),
        ])  # fmt: skip
        added = either(same_type(load(new), "str"), call("counted", load(new)), load(new))
        self.out.append(placed(ast.If(
            quick,
            [ast.Expr(invoke(there, "append", added))],
            [placed(ast.Expr(call("push", load(there), load(new))), keyword.at)],
        ), keyword.at))  # fmt: skip
        self._succeeded()

    # --- assignment -------------------------------------------------------------------------------------------------

    def _assign(self, statement: nodes.Assign) -> None:
        value: nodes.Expr = statement.value
        if statement.operator is not None:
            value = nodes.Binary(statement.at, statement.operator, statement.target, value)
        if isinstance(statement.target, nodes.Name) and self._text_grows(statement.target.name, value):
            return
        self._set(statement.target, self.ex.expr(value), statement.at)

    def _text_grows(self, name: str, value: nodes.Expr) -> bool:
        """
        ``s = s + more``: written so that CPython can lengthen a text where it lies. A loop that builds a text would
        take quadratic time otherwise.
        """
        if not isinstance(value, nodes.Binary) or value.operator != "+" or name in self.scopes.shared:
            return False
        first: nodes.Expr = value
        tail: list[nodes.Expr] = []
        while isinstance(first, nodes.Binary) and first.operator == "+":
            tail.append(first.right)
            first = first.left
        tail.reverse()
        if not (isinstance(first, nodes.Name) and first.name == name):
            return False
        if len(tail) == 1 and isinstance(tail[0], nodes.Literal_) and not isinstance(tail[0].value, str):
            return False
        variable = "v_" + name
        held: list[nodes.Node] = []
        for part in tail:
            if isinstance(part, nodes.Literal_) or (isinstance(part, nodes.Name) and self.ex.is_variable(part.name)):
                held.append(part)
                continue
            kept = Temporary(part.at, self.ex.fresh())
            self.out.append(placed(store(kept.name, self.ex.expr(part)), part.at))
            held.append(kept)
        more = self.ex.joined(held) if len(held) > 1 else self.ex.text(held[0])
        longer: list[ast.stmt] = [
            store(variable, ast.BinOp(load(variable), ast.Add(), more)),
            ast.If(
                ast.Compare(call("len", load(variable)), [ast.Gt()], [load("MAX_TEXT")]),
                [ast.Expr(call("fit", load(variable)))],
                [],
            ),
        ]
        sum_: Any = first
        for part in held:
            sum_ = nodes.Binary(value.at, "+", sum_, part)  # type: ignore[arg-type]
        otherwise: list[ast.stmt] = [placed(store(variable, self.ex.expr(sum_)), value.at)]
        is_text = ast.Compare(call("type", load(variable)), [ast.Is()], [load("str")])
        self.out.append(placed(ast.If(is_text, longer, otherwise), value.at))
        return True

    def _set(self, target: nodes.Expr, value: ast.expr, at: nodes.Span) -> None:
        match target:
            case nodes.Name(name=name):
                self.out.append(placed(store("v_" + name, value), at))
            case nodes.Member(subject=subject, name=name):
                held = self.ex.fresh()
                self.out.append(placed(store(held, value), at))
                self._root_created(subject)
                changed = call("set_member", self.ex.expr(subject), constant(name), load(held))
                self.out.append(placed(ast.Expr(placed(changed, at)), at))
            case nodes.Index(subject=subject, index=index):
                held = self.ex.fresh()
                self.out.append(placed(store(held, value), at))
                self._root_created(subject)
                self._set_index(self.ex.expr(subject), self.ex.expr(index), held, at)
            case _:
                raise TypeError(f"cannot assign to {target!r}")

    def _set_index(self, subject: ast.expr, index: ast.expr, value: str, at: nodes.Span) -> None:
        changed: ast.stmt = placed(ast.Expr(placed(call("set_index", subject, index, load(value)), at)), at)
        if is_simple(subject) and is_simple(index):
            quick = ast.BoolOp(ast.And(), [
                same_type(subject, "list"),
                same_type(index, "int"),
                ast.Compare(constant(0), [ast.LtE(), ast.Lt()], [index, call("len", subject)]),
                ast.Compare(call("type", load(value)), [ast.IsNot()], [load("str")]),
            ])  # fmt: skip
            place = ast.Subscript(subject, index, ast.Store())
            changed = ast.If(quick, [ast.Assign([place], load(value))], [changed])
        self.out.append(placed(changed, at))

    def _root_created(self, subject: nodes.Expr) -> None:
        if isinstance(subject, nodes.Name) and self.ex.is_variable(subject.name):
            self._created(subject.name, ast.Dict([], []))

    def _created(self, name: str, empty: ast.expr) -> None:
        test = ast.Compare(load("v_" + name), [ast.Is()], [constant(None)])
        self.out.append(ast.If(test, [store("v_" + name, empty)], []))

    # --- control, plain ---------------------------------------------------------------------------------------------

    def _inner(self, body: nodes.Body) -> list[ast.stmt]:
        return self.plain(body) or [ast.Pass()]

    def _plain_if(self, statement: nodes.If) -> ast.stmt:
        otherwise = self.plain(statement.otherwise)
        result: ast.stmt = ast.Pass()
        for condition, body in reversed(statement.branches):
            result = placed(ast.If(self.ex.test(condition), self._inner(body), otherwise), condition.at)
            otherwise = [result]
        return result

    def _plain_for_each(self, statement: nodes.ForEach) -> None:
        items = self._collection(statement)
        self._python_for(statement.variable, placed(items, statement.collection.at), statement)

    def _collection(self, statement: nodes.ForEach) -> ast.expr:
        items = call("iterate", self.ex.expr(statement.collection))
        if statement.limit is None:
            return items
        which, count = statement.limit
        return call("limited", items, constant(which), self.ex.expr(count))

    def _plain_for_count(self, statement: nodes.ForCount) -> None:
        if self._counter_changes(statement):
            self._counted_by_hand(statement)
            return
        start, stop = self.ex.expr(statement.start), self.ex.expr(statement.stop)
        step = constant(1) if statement.step is None else self.ex.expr(statement.step)
        whole = self.ex.kind(statement.start) == "int" and (statement.step is None or self._is_whole(statement.step))
        added = whole and statement.variable not in self.ex.whole
        if added:
            self.ex.whole.add(statement.variable)
        self._python_for(statement.variable, placed(call("count", start, stop, step), statement.at), statement)
        if added:
            self.ex.whole.discard(statement.variable)

    def _is_whole(self, node: nodes.Expr) -> bool:
        if isinstance(node, nodes.Unary):
            return node.operator != "not" and self._is_whole(node.operand)
        return self.ex.kind(node) == "int"

    def _counter_changes(self, statement: nodes.ForCount) -> bool:
        """Whether the body may assign to the loop's variable, itself or through a procedure."""
        name = statement.variable
        if name in self.scopes.written_by_procedures and name in self.scopes.shared:
            return True
        for inner in statement.body:
            for node in nodes_of(inner):
                match node:
                    case nodes.Assign(target=target) | nodes.With(target=target) if root_name(target) == name:
                        return True
                    case nodes.ForEach(variable=other) | nodes.ForCount(variable=other) if other == name:
                        return True
                    case nodes.Try(variable=other) if other == name:
                        return True
                    case nodes.Keyword(phrase=phrase, arguments=(first, *_)) if phrase in LISTS_IN_PLACE:
                        if root_name(first) == name:
                            return True
                    case _:
                        pass
        return False

    def _python_for(self, variable: str, items: ast.expr, statement: nodes.ForEach | nodes.ForCount) -> None:
        """``for v_x, _ in zip(items, ticks)``: the second iterator counts the steps, and raises when they are spent."""
        target = ast.Tuple([ast.Name("v_" + variable, ast.Store()), ast.Name("_", ast.Store())], ast.Store())
        paired = placed(call("zip", items, load("ticks")), statement.at)
        self._python_loop("for", lambda body: ast.For(target, paired, body, []), statement.body, statement.at)

    def _python_loop(
        self,
        kind: str,
        make: Callable[[list[ast.stmt]], ast.stmt],
        body: nodes.Body,
        at: nodes.Span,
        before: Sequence[ast.stmt] = (),
        after: Sequence[ast.stmt] = (),
    ) -> None:
        loop = _Loop(kind, plain=True)
        self.loops.append(loop)
        inner = [*before, *self.plain(body), *after] or [ast.Pass()]
        self.loops.pop()
        self.out.extend(store(flag, constant(False)) for flag in loop.escapes)
        self.out.append(placed(make(inner), at))
        for flag in loop.escapes:
            self.out.append(ast.If(load(flag), [ast.Break()], []))

    def _counted_by_hand(self, statement: nodes.ForCount) -> None:
        """A loop whose body changes the counter: NEXT adds the step to what it is then."""
        limit, step, first = self.ex.fresh(), self.ex.fresh(), self.ex.fresh()
        keep = self._flags = self._flags + 1
        names = [f"c{keep}_{part}" for part in ("stop", "step", "next")]
        limit, step, first = names
        stop = self.ex.expr(statement.stop)
        by = constant(1) if statement.step is None else self.ex.expr(statement.step)
        self.out.append(placed(store(first, call("number", self.ex.expr(statement.start))), statement.at))
        self.out.append(placed(store(limit, call("number", stop)), statement.at))
        self.out.append(placed(store(step, call("stride", by)), statement.at))
        variable = "v_" + statement.variable
        # The counter is moved at the head of the next turn, so that CONTINUE moves it too.
        going = placed(call("within", load(first), load(limit), load(step)), statement.at)
        begun = self.ex.fresh()
        begun = f"c{keep}_begun"
        self.out.append(store(begun, constant(False)))
        moved = ast.If(load(begun), [placed(store(first, call("add", load(variable), load(step))), statement.at)], [])
        leave = ast.If(ast.UnaryOp(ast.Not(), going), [ast.Break()], [])
        before: list[ast.stmt] = [moved, leave, self._ticked(statement.at), store(begun, constant(True))]
        before.append(store(variable, load(first)))
        self._python_loop("for", lambda body: ast.While(constant(True), body, []), statement.body, statement.at, before)

    def _ticked(self, at: nodes.Span) -> ast.stmt:
        return ticked(at)

    def _tick(self, at: nodes.Span) -> None:
        self.out.append(self._ticked(at))

    def _condition(self, condition: tuple[nodes.Expr, bool], negate: bool = False) -> ast.expr:
        test = self.ex.test(condition[0])
        return ast.UnaryOp(ast.Not(), test) if condition[1] is not negate else test

    def _plain_loop(self, statement: nodes.Loop) -> None:
        at = statement.at
        after: list[ast.stmt] = []
        if statement.after is not None:
            if any(
                isinstance(node, nodes.Leave) and node.what == "continue"
                for s in statement.body
                for node in nodes_of(s)
            ):
                # CONTINUE must come to the test at the end: it is made at the head of every turn but the first.
                self._plain_tested_late(statement)
                return
            leave = self._condition(statement.after, negate=True)
            after = [placed(ast.If(leave, [ast.Break()], []), statement.after[0].at)]
        test = None if statement.before is None else self._condition(statement.before)
        if test is None or (isinstance(test, ast.Constant) and test.value is True):
            ticks = placed(load("ticks"), at)
            blank = ast.Name("_", ast.Store())
            self._python_loop(
                statement.kind, lambda body: ast.For(blank, ticks, body, []), statement.body, at, after=after
            )
            return
        # Not "while condition": CPython 3.11 specialises code only at unconditional jumps back.
        leave = placed(ast.If(ast.UnaryOp(ast.Not(), test), [ast.Break()], []), at)
        self._python_loop(
            statement.kind,
            lambda body: ast.While(constant(True), body, []),
            statement.body,
            at,
            [leave, self._ticked(at)],
            after,
        )

    def _plain_tested_late(self, statement: nodes.Loop) -> None:
        assert statement.after is not None
        self._flags += 1
        begun = f"c{self._flags}_begun"
        self.out.append(store(begun, constant(False)))
        leave = ast.BoolOp(ast.And(), [load(begun), self._condition(statement.after, negate=True)])
        before: list[ast.stmt] = [
            placed(ast.If(leave, [ast.Break()], []), statement.after[0].at), store(begun, constant(True))
        ]  # fmt: skip
        if statement.before is not None:
            head = self._condition(statement.before, negate=True)
            before.append(placed(ast.If(head, [ast.Break()], []), statement.before[0].at))
        before.append(self._ticked(statement.at))
        self._python_loop(
            statement.kind, lambda body: ast.While(constant(True), body, []), statement.body, statement.at, before
        )

    def _plain_select(self, statement: nodes.Select) -> None:
        subject = f"s{self._next_flag()}"
        self.out.append(placed(store(subject, self.ex.expr(statement.subject)), statement.at))
        otherwise = self.plain(statement.otherwise)
        for items, body in reversed(statement.cases):
            test = self._case_test(Temporary(statement.at, subject), items)
            otherwise = [placed(ast.If(test, self._inner(body), otherwise), items[0].at if items else statement.at)]
        self.out.extend(otherwise)

    def _case_test(self, subject: Temporary, items: Sequence[nodes.Node]) -> ast.expr:
        tests = []
        for item in items:
            test: Any
            match item:
                case nodes.CaseRange(low=low, high=high):
                    test = nodes.Between(item.at, subject, low, high, False)  # type: ignore[arg-type]
                case nodes.CaseIs(operator=operator, value=value):
                    test = nodes.Binary(item.at, operator, subject, value)  # type: ignore[arg-type]
                case _:
                    test = nodes.Binary(item.at, "=", subject, item)  # type: ignore[arg-type]
            tests.append(self.ex.test(test))
        return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)

    def _next_flag(self) -> int:
        self._flags += 1
        return self._flags

    def _plain_try(self, statement: nodes.Try) -> None:
        self.ex.in_try += 1
        body = self._inner(statement.body)
        self.ex.in_try -= 1
        caught = invoke("M", "caught", load("e"))
        first = ast.Expr(caught) if statement.variable is None else store("v_" + statement.variable, caught)
        self.out.append(self._guarded(body, [first, *self.plain(statement.handler)], statement.at))

    def _leave(self, statement: nodes.Leave) -> None:
        what = statement.what
        if what == "run":
            if self.framed:
                self.out.append(placed(ast.Return(tuple_of([constant(Op.END)])), statement.at))
            else:
                self.out.append(placed(ast.Raise(invoke("M", "end")), statement.at))
            return
        if what in ("sub", "function"):
            self._return(constant(None), statement.at)
            return
        loop = self._loop_for(what)
        if loop is None:
            self._effect(invoke("M", "misplaced", constant(what)), statement.at)
            return
        if not loop.plain:
            self._jump(loop.next if what == "continue" else loop.exit)
            return
        between = self.loops[self.loops.index(loop) + 1 :]
        if what == "continue" or not between:
            self.out.append(ast.Continue() if what == "continue" else ast.Break())
            return
        flag = f"x{self._next_flag()}"
        for inner in between:
            inner.escapes.append(flag)
        self.out.append(store(flag, constant(True)))
        self.out.append(ast.Break())

    def _loop_for(self, what: str) -> _Loop | None:
        for loop in reversed(self.loops):
            if what in ("break", "continue") or loop.kind == what:
                return loop
        return None

    def _return(self, value: ast.expr, at: nodes.Span) -> None:
        self.out.append(placed(ast.Return(tuple_of([constant(Op.RETURN), value]) if self.framed else value), at))

    def _on_error(self, statement: nodes.OnError) -> None:
        mode = {"off": 0, "resume": 1}.get(statement.action, -1)
        if statement.action == "goto":
            assert statement.label is not None
            mode = 2 + self._label(statement.label)
        self.out.append(store("m", constant(mode)))
        self.out.append(ast.Expr(invoke("M", "clear_error")))

    # --- the framed form --------------------------------------------------------------------------------------------

    def framed_body(self) -> list[ast.stmt]:
        """
        The body of ``def b(kept, pc, value, error, d, m)``.

        ``kept`` is what the body handed out when it was left (or its arguments), ``value`` what it waited for, ``error``
        what to raise at that place instead.
        """
        assert self.framed
        self._place(self._block())
        self.lower(self.body)
        self._return(constant(None), self.body[-1].at if self.body else nodes.Span(1, 1))
        known = {node.name for statement in self.body for node in nodes_of(statement) if isinstance(node, nodes.Label)}
        for label, number in self.labels.items():
            if label not in known:
                self.blocks[number].statements.append(ast.Expr(invoke("M", "no_label", constant(label))))
        names = [*((each, "v_" + each) for each in self.kept), *((each, each) for each in self.all_temporaries)]
        start: list[ast.stmt] = []
        if names or self.scopes.uses_on_error:
            start.append(store("g", ast.Attribute(load("kept"), "get", ast.Load())))
            start.extend(store(local, call("g", constant(key))) for key, local in names)
        dispatch = self._dispatch(0, len(self.blocks))
        guarded = any(block.on_error >= 0 or block.on_resume >= 0 for block in self.blocks) or self.scopes.uses_on_error
        self.handles_errors = guarded
        if not guarded:
            return [*start, ast.While(constant(True), dispatch, [])]
        self.landings = {
            number: (block.on_error, block.on_resume)
            for number, block in enumerate(self.blocks)
            if block.on_error >= 0 or block.on_resume >= 0
        }
        if self.scopes.uses_on_error:
            start.append(store("m", call("g", constant(MODE), load("m"))))
        raised = ast.If(
            ast.Compare(load("error"), [ast.IsNot()], [constant(None)]),
            [store("e0", load("error")), store("error", constant(None)), ast.Raise(load("e0"))],
            [],
        )
        land = store("pc", invoke("M", "land", load("e"), load("pc"), load("m"), self._landings()))
        at = self.body[0].at if self.body else nodes.Span(1, 1)
        return [*start, ast.While(constant(True), [self._guarded([raised, *dispatch], [land], at)], [])]

    def _landings(self) -> ast.expr:
        return ast.Subscript(load("landings"), constant(self.name), ast.Load())

    def _dispatch(self, low: int, high: int) -> list[ast.stmt]:
        if high - low == 1:
            return self.blocks[low].statements or [ast.Pass()]
        middle = (low + high) // 2
        test = ast.Compare(load("pc"), [ast.Lt()], [constant(middle)])
        return [ast.If(test, self._dispatch(low, middle), self._dispatch(middle, high))]

    def _block(self) -> int:
        self.blocks.append(_Block())
        return len(self.blocks) - 1

    def _place(self, number: int) -> None:
        """What is written from here on is block *number*."""
        block = self.blocks[number]
        block.on_error = self.tries[-1] if self.tries else -1
        block.on_resume = self.resume
        self.out = block.statements

    def _jump(self, number: int) -> None:
        self.out.append(store("pc", constant(number)))
        self.out.append(ast.Continue())

    def _go_to(self, number: int) -> None:
        """End the block here and go on with block *number*."""
        self._jump(number)
        self._place(number)

    def _label(self, name: str) -> int:
        if name not in self.labels:
            self.labels[name] = self._block()
        return self.labels[name]

    def must_lower(self, node: nodes.Node) -> bool:
        """Whether a statement of a framed body cannot be written in the plain form."""
        known = self._must.get(id(node))
        if known is None:
            known = self._must[id(node)] = (node, self._must_lower(node))
        return known[1]

    def _must_lower(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Label) or self.scopes.suspends(node):
            return True
        if not isinstance(node, nodes.If | nodes.Select | nodes.Try | nodes.ForEach | nodes.ForCount | nodes.Loop):
            return False
        for inner in nodes_of(node):
            if isinstance(inner, nodes.Label | nodes.Goto) or (
                isinstance(inner, nodes.OnError) and inner.action == "goto"
            ):
                return True
        return isinstance(node, nodes.ForEach | nodes.ForCount | nodes.Loop) and self._escapes(node)

    def _escapes(self, loop: nodes.ForEach | nodes.ForCount | nodes.Loop) -> bool:
        """Whether something inside leaves a loop that is further out than *loop*."""

        def leaves(node: nodes.Node, kinds: tuple[str, ...]) -> bool:
            if isinstance(node, nodes.Leave):
                return node.what in ("for", "do", "while") and node.what not in kinds
            if isinstance(node, nodes.ForEach | nodes.ForCount):
                kinds = (*kinds, "for")
            elif isinstance(node, nodes.Loop):
                kinds = (*kinds, node.kind)
            return any(leaves(child, kinds) for child in children(node))

        return leaves(loop, ())

    def lower(self, body: nodes.Body) -> None:
        for statement in body:
            if isinstance(statement, DECLARATIONS):
                continue
            if not self.must_lower(statement):
                self.plain_statement(statement)
                continue
            if isinstance(statement, nodes.Label):
                self._go_to(self._label(statement.name))
                continue
            self._lower_guarded(statement)

    def _lower_guarded(self, statement: nodes.Statement) -> None:
        if not self.scopes.uses_resume or self.tries:
            self._lower(statement)
            return
        outer, self.resume = self.resume, self._block()
        landing = self.resume
        self._go_to(self._block())
        self._lower(statement)
        self.resume = outer
        after = self._block()
        self._jump(after)
        self._place(landing)
        self.out.extend(self._nulled(statement))
        self._go_to(after)

    def _lower(self, statement: nodes.Statement) -> None:
        self.ex.statement()
        begun = len(self.alive)
        count = self._temporaries
        match statement:
            case nodes.If():
                self._lower_if(statement)
            case nodes.ForEach():
                self._lower_for_each(statement)
            case nodes.ForCount():
                self._lower_for_count(statement)
            case nodes.Loop():
                self._lower_loop(statement)
            case nodes.Select():
                self._lower_select(statement)
            case nodes.Try():
                self._lower_try(statement)
            case nodes.Do(expression=nodes.CallScript() as called) if self._is_last(statement):
                self._lower_tail(called)
            case nodes.Do(expression=expression):
                self._do(self.reduce(expression), statement.at)
                if any(
                    isinstance(node, nodes.Keyword | nodes.Hear | nodes.CallScript) for node in nodes_of(expression)
                ):
                    self._succeeded()
            case nodes.Assign():
                self._lower_assign(statement)
            case _:
                self._plain(self._reduced_fields(statement))
        del self.alive[begun:]
        self._temporaries = count

    def _is_last(self, statement: nodes.Statement) -> bool:
        """Whether nothing of the script comes after *statement*."""
        if not self.main or self.tries or self.loops or self.scopes.uses_on_error:
            return False
        return any(last is statement for last in _last_statements(self.body))

    def _lower_tail(self, called: nodes.CallScript) -> None:
        arguments = self.reduce_all(called.arguments)
        given = tuple_of([self.ex.expr(argument) for argument in arguments])
        self.out.append(placed(ast.Return(tuple_of([constant(Op.TAIL), constant(called.target), given, constant(called.at.line)])), called.at))

    def _lower_assign(self, statement: nodes.Assign) -> None:
        value = statement.value
        if statement.operator is not None:
            value = nodes.Binary(statement.at, statement.operator, statement.target, value)
        target = statement.target
        if isinstance(target, nodes.Member):
            subject, value = self.reduce_all([target.subject, value])
            target = replace(target, subject=subject)
        elif isinstance(target, nodes.Index):
            subject, index, value = self.reduce_all([target.subject, target.index, value])
            target = replace(target, subject=subject, index=index)
        else:
            value = self.reduce(value)
        self._set(target, self.ex.expr(value), statement.at)
        if any(isinstance(node, nodes.Keyword | nodes.Hear | nodes.CallScript) for node in nodes_of(statement.value)):
            self._succeeded()

    def _reduced_fields(self, statement: Any) -> Any:
        """A statement of expressions only (RETURN, a text block, WITH) with what suspends taken out."""
        if isinstance(statement, nodes.With):
            values = self.reduce_all([value for _, value in statement.fields])
            pairs = tuple((name, value) for (name, _), value in zip(statement.fields, values, strict=True))
            return replace(statement, fields=pairs)
        names = [f.name for f in fields(statement) if isinstance(getattr(statement, f.name), nodes.Node)]
        values = self.reduce_all([getattr(statement, name) for name in names])
        return replace(statement, **dict(zip(names, values, strict=True)))

    # --- control, framed --------------------------------------------------------------------------------------------

    def _branch(self, test: ast.expr, at: nodes.Span, otherwise: int) -> None:
        """Go on here if *test*, else with block *otherwise*."""
        jump = [store("pc", constant(otherwise)), ast.Continue()]
        self.out.append(placed(ast.If(ast.UnaryOp(ast.Not(), test), jump, []), at))

    def _lower_if(self, statement: nodes.If) -> None:
        end = self._block()
        for condition, body in statement.branches:
            following = self._block()
            with self._scratch():
                self._branch(self.ex.test(self.reduce(condition)), condition.at, following)
            self.lower(body)
            self._jump(end)
            self._place(following)
        self.lower(statement.otherwise)
        self._go_to(end)

    @contextmanager
    def _scratch(self) -> Iterator[None]:
        """Temporaries made inside are not needed any more after it."""
        begun = len(self.alive)
        yield
        del self.alive[begun:]

    def _state(self, count: int) -> list[str]:
        """Names for the state of a loop, kept over suspensions inside it."""
        names = []
        for _ in range(count):
            name = f"L{len(self.states) + 1}"
            self.states.append(name)
            self.all_temporaries[name] = None
            names.append(name)
        return names

    def _framed_loop(self, kind: str, body: nodes.Body, exit_: int, following: int) -> None:
        self.loops.append(_Loop(kind, plain=False, exit=exit_, next=following))
        self.lower(body)
        self.loops.pop()

    def _lower_for_each(self, statement: nodes.ForEach) -> None:
        with self._scratch():
            parts = [statement.collection] + ([statement.limit[1]] if statement.limit else [])
            reduced = self.reduce_all(parts)
            limit = (statement.limit[0], reduced[1]) if statement.limit else None
            items = self._collection(replace(statement, collection=reduced[0], limit=limit))
        begun = len(self.states)
        held, position = self._state(2)
        self.out.append(placed(store(held, items), statement.collection.at))
        self.out.append(store(position, constant(0)))
        head, following, end = self._block(), self._block(), self._block()
        self._go_to(head)
        more = ast.Compare(load(position), [ast.Lt()], [call("len", load(held))])
        self._branch(more, statement.at, end)
        self.out.append(store("v_" + statement.variable, ast.Subscript(load(held), load(position), ast.Load())))
        self.out.append(store(position, ast.BinOp(load(position), ast.Add(), constant(1))))
        self._tick(statement.at)
        self._framed_loop("for", statement.body, end, following)
        self._go_to(following)
        self._jump(head)
        del self.states[begun:]
        self._place(end)
        self.out.append(store(held, constant(None)))

    def _lower_for_count(self, statement: nodes.ForCount) -> None:
        step_node: nodes.Expr = statement.step or nodes.Literal_(statement.at, 1)
        with self._scratch():
            start, stop, step = self.reduce_all([statement.start, statement.stop, step_node])
            values = [call("number", self.ex.expr(start)), call("number", self.ex.expr(stop))]
            values.append(call("stride", self.ex.expr(step)))
        begun = len(self.states)
        current, limit, by = self._state(3)
        for name, value in zip((current, limit, by), values, strict=True):
            self.out.append(placed(store(name, placed(value, statement.at)), statement.at))
        head, following, end = self._block(), self._block(), self._block()
        self._go_to(head)
        going = placed(call("within", load(current), load(limit), load(by)), statement.at)
        self._branch(going, statement.at, end)
        self.out.append(store("v_" + statement.variable, load(current)))
        self._tick(statement.at)
        self._framed_loop("for", statement.body, end, following)
        self._go_to(following)
        moved = call("add", load("v_" + statement.variable), load(by))
        self.out.append(placed(store(current, placed(moved, statement.at)), statement.at))
        self._jump(head)
        del self.states[begun:]
        self._place(end)

    def _lower_loop(self, statement: nodes.Loop) -> None:
        head, test_after, end = self._block(), self._block(), self._block()
        self._go_to(head)
        if statement.before is not None:
            condition, until = statement.before
            with self._scratch():
                self._branch(self._condition((self.reduce(condition), until)), condition.at, end)
        self._tick(statement.at)
        self._framed_loop(statement.kind, statement.body, end, test_after)
        self._go_to(test_after)
        if statement.after is not None:
            condition, until = statement.after
            with self._scratch():
                self._branch(self._condition((self.reduce(condition), until)), condition.at, end)
        self._jump(head)
        self._place(end)

    def _lower_select(self, statement: nodes.Select) -> None:
        subject = self._held(self.reduce(statement.subject))
        end = self._block()
        for items, body in statement.cases:
            following = self._block()
            with self._scratch():
                tests = [self._reduced_case(item) for item in items]
                self._branch(self._case_test(subject, tests), items[0].at if items else statement.at, following)
            self.lower(body)
            self._jump(end)
            self._place(following)
        self.lower(statement.otherwise)
        self._go_to(end)

    def _reduced_case(self, item: nodes.Node) -> nodes.Node:
        match item:
            case nodes.CaseRange(low=low, high=high):
                low, high = self.reduce_all([low, high])
                return replace(item, low=low, high=high)
            case nodes.CaseIs(value=value):
                return replace(item, value=self.reduce(value))
            case _:
                return self.reduce(item)

    def _lower_try(self, statement: nodes.Try) -> None:
        landing, end = self._block(), self._block()
        self.tries.append(landing)
        self.ex.in_try += 1
        outer, self.resume = self.resume, -1
        self._go_to(self._block())
        self.lower(statement.body)
        self.ex.in_try -= 1
        self.tries.pop()
        self.resume = outer
        self._jump(end)
        self._place(landing)
        if statement.variable is not None:
            self.out.append(store("v_" + statement.variable, invoke("M", "last_caught")))
        self.lower(statement.handler)
        self._go_to(end)

    # --- taking suspending expressions out --------------------------------------------------------------------------

    def _temporary(self, at: nodes.Span) -> Temporary:
        self._temporaries += 1
        name = f"t{self._temporaries}"
        self.all_temporaries[name] = None
        self.alive.append(name)
        return Temporary(at, name)

    def _held(self, node: nodes.Node) -> Temporary:
        """The value of *node* (which does not suspend), computed here."""
        value = self.ex.expr(node)
        held = self._temporary(node.at)
        self.out.append(placed(store(held.name, value), node.at))
        return held

    def reduce_all(self, operands: Sequence[Any]) -> list[Any]:
        """Operands in order of evaluation; those before the last that suspends are computed and held."""
        last = max((i for i, operand in enumerate(operands) if self.scopes.suspends(operand)), default=-1)
        reduced: list[Any] = []
        for i, operand in enumerate(operands):
            if i > last:
                reduced.append(operand)
                continue
            value = self.reduce(operand)
            reduced.append(value if i == last or isinstance(value, nodes.Literal_ | Temporary) else self._held(value))
        return reduced

    def reduce(self, node: Any) -> Any:
        """*node* without anything that suspends; what did is a ``Temporary`` now."""
        if isinstance(node, Temporary) or not self.scopes.suspends(node):
            return node
        match node:
            case nodes.Logical():
                return self._reduce_logical(node)
            case nodes.Conditional():
                return self._reduce_conditional(node)
            case nodes.Hear():
                return self._suspend_hear(node)
            case nodes.CallScript(target=target, arguments=arguments):
                given = tuple_of([self.ex.expr(argument) for argument in self.reduce_all(arguments)])
                return self._suspended(Op.SCRIPT, [constant(target), given], node.at)
            case nodes.Call(name=name) if name in self.scopes.framed:
                return self._suspend_call(node)
            case nodes.Call() if self.scopes.calls_script(node):
                given = tuple_of([self.ex.expr(argument) for argument in self.reduce_all(node.arguments)])
                return self._suspended(Op.SCRIPT, [constant("()" + name), given], node.at)
            case nodes.Sql():
                return self._suspended(
                    Op.KEYWORD, [constant("select"), tuple_of([constant(node.text)]), tuple_of([])], node.at
                )
            case nodes.Keyword():
                return self._suspend_keyword(node)
            case _:
                return self._rebuilt(node)

    def _rebuilt(self, node: Any) -> Any:
        operands = list(children(node))
        reduced = iter(self.reduce_all(operands))

        def put(value: Any) -> Any:
            if isinstance(value, nodes.Node):
                return next(reduced)
            if isinstance(value, nodes.Span):
                return value
            return tuple(put(item) for item in value) if isinstance(value, tuple) else value

        return replace(node, **{f.name: put(getattr(node, f.name)) for f in fields(node) if f.name != "at"})

    def _suspended(self, op: int, payload: list[ast.expr], at: nodes.Span) -> Temporary:
        """Leave the body; it is entered again at the next block with the value, which goes to a temporary."""
        following = self._block()
        self.lines[following] = at.line
        kept = [(name, load("v_" + name)) for name in self.kept]
        kept += [(name, load(name)) for name in dict.fromkeys([*self.states, *self.alive])]
        if self.scopes.uses_on_error:
            kept.append((MODE, load("m")))
        self.out.append(placed(ast.Return(tuple_of([constant(op), constant(following), mapping(kept), *payload])), at))
        self._place(following)
        held = self._temporary(at)
        self.out.append(store(held.name, load("value")))
        return held

    def _suspend_keyword(self, node: nodes.Keyword) -> Temporary | nodes.Node:
        rebuilt = self._rebuilt(node)
        if not self.scopes.suspends_keyword(node.phrase):
            return rebuilt
        return self._suspended(Op.KEYWORD, [constant(node.phrase), *self.ex.operands(rebuilt)], node.at)

    def _suspend_call(self, node: nodes.Call) -> Temporary:
        arguments = self.reduce_all(self.ex.arguments_of(node))
        given = tuple_of([self.ex.expr(argument) for argument in arguments])
        mode: ast.expr = constant(0)
        if self.scopes.uses_resume and not self.ex.in_try:
            mode = ast.Compare(load("m"), [ast.Eq()], [constant(1)])
        return self._suspended(Op.CALL, [constant(node.name), given, mode], node.at)

    def _suspend_hear(self, node: nodes.Hear) -> Temporary:
        named = [("prompt", node.prompt), ("default", node.default), ("timeout", node.timeout)]
        given = [(key, value) for key, value in named if value is not None]
        values = self.reduce_all([*(value for _, value in given), *node.options])
        what: list[tuple[str, ast.expr]] = [("kind", constant(node.kind))]
        what += [(key, self.ex.expr(value)) for (key, _), value in zip(given, values, strict=False)]
        if node.options:
            what.append(("options", ast.List([self.ex.expr(value) for value in values[len(given) :]], ast.Load())))
        if node.open:
            what.append(("open", constant(True)))
        if node.null_on_timeout:
            what.append(("null_on_timeout", constant(True)))
        return self._suspended(Op.HEAR, [mapping(what)], node.at)

    def _reduce_logical(self, node: nodes.Logical) -> Temporary:
        result = self._held(self.reduce(node.left))
        end = self._block()
        if node.operator == "??":
            test: ast.expr = ast.Compare(load(result.name), [ast.Is()], [constant(None)])
        else:
            test = call("truth", load(result.name))
            if node.operator == "or":
                test = ast.UnaryOp(ast.Not(), test)
        self._branch(test, node.at, end)
        with self._scratch():
            value = self.ex.expr(self.reduce(node.right))
        self.out.append(placed(store(result.name, value), node.right.at))
        self._go_to(end)
        return result

    def _reduce_conditional(self, node: nodes.Conditional) -> Temporary:
        test = self.ex.test(self.reduce(node.condition))
        result = self._temporary(node.at)
        otherwise, end = self._block(), self._block()
        self._branch(test, node.at, otherwise)
        with self._scratch():
            self.out.append(store(result.name, self.ex.expr(self.reduce(node.then))))
        self._jump(end)
        self._place(otherwise)
        with self._scratch():
            self.out.append(store(result.name, self.ex.expr(self.reduce(node.otherwise))))
        self._go_to(end)
        return result


def _last_statements(body: nodes.Body) -> Iterator[nodes.Statement]:
    """The statements after which *body* is over."""
    last = next((statement for statement in reversed(body) if not isinstance(statement, DECLARATIONS)), None)
    match last:
        case None:
            return
        case nodes.If(branches=branches, otherwise=otherwise):
            for _, inner in branches:
                yield from _last_statements(inner)
            yield from _last_statements(otherwise)
        case nodes.Select(cases=cases, otherwise=otherwise):
            for _, inner in cases:
                yield from _last_statements(inner)
            yield from _last_statements(otherwise)
        case _:
            yield last
