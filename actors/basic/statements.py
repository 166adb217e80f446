"""
Statements of one body (the main body or a procedure) as statements of Python, the plain form.

A body without suspension points, labels or jumps becomes a plain Python function: loops are Python loops, variables are
Python's. ``framed`` has the other form, and uses this one for everything inside that cannot suspend.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actors.basic import nodes
from actors.basic.emit import (
    call,
    constant,
    invoke,
    load,
    mapping,
    placed,
    store,
    ticked,
    tuple_of,
)
from actors.basic.expressions import Temporary
from actors.basic.frames import Op
from actors.basic.prices import AT_ONCE, COUNTED_BY_HAND, STEP, TRIED
from actors.basic.scopes import LISTS_IN_PLACE, Scopes, has_effect, root_name
from actors.basic.storing import StoringWriter
from actors.basic.walk import nodes_of

__all__ = ["DECLARATIONS", "Loop", "PlainWriter"]

DECLARATIONS: Final = (
    nodes.Param, nodes.Description, nodes.Table, nodes.CreateIndex, nodes.ScheduleDeclaration, nodes.Webhook,
    nodes.Procedure,
)  # fmt: skip


@dataclass(slots=True, eq=False)  # a loop inside another of its kind is not the same
class Loop:
    """A loop that is being written. *exit* and *next* are blocks, of a loop in the framed form."""

    kind: str
    plain: bool
    exit: int = -1
    next: int = -1
    escapes: list[str] = field(default_factory=list)
    """Flags by which loops inside this plain loop leave one further out."""


class PlainWriter(StoringWriter):
    """
    Writes a body that cannot suspend.

    Args:
        parameters: of the procedure.
    """

    framed = False
    """A value is handed back as the reason why a framed body was left."""

    def __init__(self, scopes: Scopes, parameters: Sequence[str], body: nodes.Body) -> None:
        super().__init__(scopes, parameters)
        self.body = body
        self.loops: list[Loop] = []
        self.steps = 0
        """Of a plain body: what a call takes, besides what is counted inside."""
        self._flags = 0

    def jump(self, number: int) -> None:
        """Go on with a block, which only framed bodies have."""
        raise TypeError("a plain body has no blocks")

    def label(self, name: str) -> int:
        """The block of a label, which only framed bodies have."""
        raise TypeError("a plain body has no labels")

    # --- the plain form ---------------------------------------------------------------------------------------------

    def plain_body(self) -> list[ast.stmt]:
        """The body of the function."""
        written, price = self._priced(self.body)
        self.steps = price // STEP
        return self.forgetting(written) or [ast.Pass()]

    def plain(self, body: nodes.Body) -> list[ast.stmt]:
        """A branch: whole steps of it are counted at its head, the rest is left to what is around it."""
        written, price = self._priced(body)
        steps, rest = divmod(price, STEP)
        self.ex.weight += rest
        return [ticked(body[0].at, self.scopes.clock(steps)), *written] if steps else written

    def _priced(self, body: nodes.Body, price: int = 0) -> tuple[list[ast.stmt], int]:
        """*body*, and what of its price, besides *price*, is not counted inside."""
        outer, self.out = self.out, []
        before, self.ex.weight = self.ex.weight, price
        for statement in body:
            if not isinstance(statement, DECLARATIONS):
                self.plain_statement(statement)
        written, self.out = self.out, outer
        price, self.ex.weight = self.ex.weight, before
        return written, price

    def plain_statement(self, statement: nodes.Statement) -> None:
        outer, self.out = self.out, []
        self._plain_guarded(statement)
        written, self.out = self.out, outer
        leaves = self.framed and isinstance(statement, nodes.Leave | nodes.Goto | nodes.Return)
        self.settle(statement.at, 1 if leaves else AT_ONCE)
        self.out += written

    def settle(self, at: nodes.Span, least: int = 1) -> None:
        """Count here what was written and is not counted yet, if it is so many steps."""
        steps, rest = divmod(self.ex.weight, STEP)
        if steps >= least:
            self.ex.weight = rest
            self.out.append(ticked(at, self.scopes.clock(steps)))

    def _plain_guarded(self, statement: nodes.Statement) -> None:
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
                if has_effect(statement.value):
                    self._succeeded()
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
                self.jump(self.label(label))
            case nodes.TextBlock(kind=kind, text=text):
                if kind == "mail":
                    self._effect(invoke("M", "missing", constant("BEGIN MAIL")), statement.at)
                    return
                phrase = "talk" if kind == "talk" else "system prompt"
                said = tuple_of([self.ex.expr(text)])
                self._effect(invoke("M", "keyword", constant(phrase), said, tuple_of([])), statement.at, clears=True)
            case nodes.Schedule(delay=delay):
                phrase = "SET SCHEDULE" if delay is None else "SCHEDULE IN"
                self._effect(invoke("M", "missing", constant(phrase)), statement.at)
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

    def _do(self, expression: nodes.Expr, at: nodes.Span) -> None:
        if isinstance(expression, nodes.Keyword):
            if expression.phrase in LISTS_IN_PLACE and len(expression.arguments) == 2 and not expression.clauses:
                self._append(expression)
                return
            if expression.phrase == "set" and isinstance(expression.arguments[0], nodes.Name):
                expression = self._set_by_name(expression, expression.arguments[0])
        self._effect(self.ex.expr(expression), at, has_effect(expression))

    # --- control, plain ---------------------------------------------------------------------------------------------

    def _inner(self, body: nodes.Body) -> list[ast.stmt]:
        return self.plain(body) or [ast.Pass()]

    def _plain_if(self, statement: nodes.If) -> ast.stmt:
        before = dearest = self.ex.weight
        otherwise = self.plain(statement.otherwise)
        branches = []
        for _, body in statement.branches:
            dearest, self.ex.weight = max(dearest, self.ex.weight), before
            branches.append(self._inner(body))
        self.ex.weight = max(dearest, self.ex.weight)
        result: ast.stmt = ast.Pass()
        for (condition, _), inner in zip(reversed(statement.branches), reversed(branches), strict=True):
            result = placed(ast.If(self.ex.test(condition), inner, otherwise), condition.at)
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
        clock = self.scopes.clock()
        paired = placed(call("zip", items, clock), statement.at)
        self._python_loop("for", lambda body: ast.For(target, paired, body, []), statement, clock)

    def _python_loop(
        self,
        kind: str,
        make: Callable[[list[ast.stmt]], ast.stmt],
        statement: nodes.ForEach | nodes.ForCount | nodes.Loop,
        clock: ast.Name,
        before: Sequence[ast.stmt] = (),
        after: Sequence[ast.stmt] = (),
        price: int = 0,
    ) -> None:
        """*clock* is made to count what a turn takes; *price* is that of *before* and *after*."""
        loop = Loop(kind, plain=True)
        self.loops.append(loop)
        body, price = self._priced(statement.body, price)
        self.scopes.set_clock(clock, 1 + price // STEP)
        self.loops.pop()
        self.out.extend(store(flag, constant(False)) for flag in loop.escapes)
        self.out.append(placed(make([*before, *body, *after] or [ast.Pass()]), statement.at))
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
        moved = ast.If(
            load(begun),
            [placed(store(first, call("add", call("number", load(variable)), load(step))), statement.at)],
            [],
        )
        leave = ast.If(ast.UnaryOp(ast.Not(), going), [ast.Break()], [])
        clock = self.scopes.clock()
        before: list[ast.stmt] = [moved, leave, ticked(statement.at, clock), store(begun, constant(True))]
        before.append(store(variable, load(first)))
        self._python_loop(
            "for", lambda body: ast.While(constant(True), body, []), statement, clock, before, price=COUNTED_BY_HAND
        )

    def _tick(self, at: nodes.Span, steps: int = 1) -> None:
        self.out.append(ticked(at, self.scopes.clock(steps)))

    def _condition(self, condition: tuple[nodes.Expr, bool], negate: bool = False) -> ast.expr:
        test = self.ex.test(condition[0])
        return ast.UnaryOp(ast.Not(), test) if condition[1] is not negate else test

    def _plain_loop(self, statement: nodes.Loop) -> None:
        at = statement.at
        outside, self.ex.weight = self.ex.weight, 0
        after: list[ast.stmt] = []
        if statement.after is not None:
            if any(
                isinstance(node, nodes.Leave) and node.what == "continue"
                for s in statement.body
                for node in nodes_of(s)
            ):
                # CONTINUE must come to the test at the end: it is made at the head of every turn but the first.
                self._plain_tested_late(statement)
                self.ex.weight = outside
                return
            leave = self._condition(statement.after, negate=True)
            after = [placed(ast.If(leave, [ast.Break()], []), statement.after[0].at)]
        test = None if statement.before is None else self._condition(statement.before)
        price, self.ex.weight = self.ex.weight, outside
        clock = placed(self.scopes.clock(), at)
        if test is None or (isinstance(test, ast.Constant) and test.value is True):
            blank = ast.Name("_", ast.Store())
            self._python_loop(
                statement.kind, lambda body: ast.For(blank, clock, body, []), statement, clock, after=after, price=price
            )
            return
        # Not "while condition": CPython 3.11 specialises code only at unconditional jumps back.
        at_head = placed(ast.If(ast.UnaryOp(ast.Not(), test), [ast.Break()], []), at)
        self._python_loop(
            statement.kind,
            lambda body: ast.While(constant(True), body, []),
            statement,
            clock,
            [at_head, ticked(at, clock)],
            after,
            price,
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
        clock = self.scopes.clock()
        before.append(ticked(statement.at, clock))
        price = self.ex.weight
        self._python_loop(
            statement.kind, lambda body: ast.While(constant(True), body, []), statement, clock, before, price=price
        )

    def _plain_select(self, statement: nodes.Select) -> None:
        subject = f"s{self._next_flag()}"
        self.out.append(placed(store(subject, self.ex.expr(statement.subject)), statement.at))
        before = dearest = self.ex.weight
        otherwise = self.plain(statement.otherwise)
        branches = []
        for _, body in statement.cases:
            dearest, self.ex.weight = max(dearest, self.ex.weight), before
            branches.append(self._inner(body))
        self.ex.weight = max(dearest, self.ex.weight)
        for (items, _), inner in zip(reversed(statement.cases), reversed(branches), strict=True):
            test = self._case_test(Temporary(statement.at, subject), items)
            otherwise = [placed(ast.If(test, inner, otherwise), items[0].at if items else statement.at)]
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
        self.ex.weight += TRIED
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
            self.jump(loop.next if what == "continue" else loop.exit)
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

    def _loop_for(self, what: str) -> Loop | None:
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
            mode = 2 + self.label(statement.label)
        self.out.append(store("m", constant(mode)))
        self.out.append(ast.Expr(invoke("M", "clear_error")))
