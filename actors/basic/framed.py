"""
Statements of a body that may suspend, that jumps, or that calls such a body.

It becomes a function that can be left at a suspension point and entered again there: its statements are cut into
numbered blocks, ``pc`` says which block is next, and what lives across a suspension is handed out and in. An expression
that suspends is taken out of its statement, in order of evaluation, so that suspension happens only between blocks.
Everything that cannot suspend is written in the plain form inside a block.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from actors.basic import nodes
from actors.basic.emit import call, constant, invoke, load, mapping, placed, store, tuple_of
from actors.basic.expressions import Temporary
from actors.basic.frames import Op
from actors.basic.keywords import TABLE
from actors.basic.prices import BRANCHED, FRAMED_TURN
from actors.basic.scopes import LISTS_IN_PLACE, Scopes, has_effect
from actors.basic.statements import DECLARATIONS, Loop, PlainWriter
from actors.basic.walk import children, nodes_of

__all__ = ["MODE", "FramedWriter"]

MODE: Final = "M"
"""Key of the error mode among what a frame keeps. Variables are in lower case, so nothing else is called so."""


@dataclass(slots=True)
class _Block:
    statements: list[ast.stmt] = field(default_factory=list)
    on_error: int = -1
    on_resume: int = -1


class FramedWriter(PlainWriter):
    """
    Writes a body that runs in a frame.

    Args:
        name: of the procedure, '' for the main body, whose end is the end of the script.
        own: run variables that live in this body's frame besides the parameters: the main body's own.
    """

    framed = True

    def __init__(
        self, scopes: Scopes, name: str, parameters: Sequence[str], own: Sequence[str], body: nodes.Body
    ) -> None:
        super().__init__(scopes, parameters, body)
        self.name = name
        self.kept = tuple(dict.fromkeys([*parameters, *own]))
        self.blocks: list[_Block] = []
        self.labels: dict[str, int] = {}
        self.tries: list[int] = []
        self.resume = -1
        self.alive: list[str] = []
        self.states: list[str] = []
        self.all_temporaries: dict[str, None] = {}
        self.places: dict[int, nodes.Span] = {}
        """Of every block that a suspension leads to, the place of what was suspended."""
        self.handles_errors = False
        self.landings: dict[int, tuple[int, int]] = {}
        self._temporaries = 0
        self._must: dict[int, tuple[nodes.Node, bool]] = {}

    def framed_body(self) -> list[ast.stmt]:
        """
        The body of ``def b(kept, pc, value, error, d, m)``.

        ``kept`` is what the body handed out when it was left (or its arguments), ``value`` what it waited for,
        ``error`` what to raise at that place instead.
        """
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
            return self.forgetting([*start, ast.While(constant(True), dispatch, []), *self._leaving()])
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
        landed = self._guarded([raised, *dispatch], [land], at)
        return self.forgetting([*start, ast.While(constant(True), [landed], []), *self._leaving()])

    def _leaving(self) -> list[ast.stmt]:
        """
        What every suspension ends with: its ``left`` with all variables added. Were this written where it suspends, the
        code would grow with their product.
        """
        kept = [(name, load("v_" + name)) for name in self.kept]
        if self.scopes.uses_on_error:
            kept.append((MODE, load("m")))
        update = ast.Attribute(ast.Subscript(load("left"), constant(2), ast.Load()), "update", ast.Load())
        more = ast.Expr(ast.Call(update, [mapping(kept)], []))
        return [*([more] if kept else []), ast.Return(load("left"))]

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

    def jump(self, number: int) -> None:
        self.out.append(store("pc", constant(number)))
        self.out.append(ast.Continue())

    def _go_to(self, number: int) -> None:
        """End the block here and go on with block *number*."""
        self.jump(number)
        self._place(number)

    def label(self, name: str) -> int:
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
                self.settle(statement.at)
                self._go_to(self.label(statement.name))
                continue
            self._lower_guarded(statement)
        if body:
            self.settle(body[-1].at)

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
        self.jump(after)
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
                self._do(self._reduced_command(expression), statement.at)
                if has_effect(expression):
                    self._succeeded()
            case nodes.Assign():
                self._lower_assign(statement)
            case _:
                self._plain(self._reduced_fields(statement))
        del self.alive[begun:]
        self._temporaries = count

    def _is_last(self, statement: nodes.Statement) -> bool:
        """Whether nothing of the script comes after *statement*."""
        if self.name or self.tries or self.loops or self.scopes.uses_on_error:
            return False
        return any(last is statement for last in _last_statements(self.body))

    def _lower_tail(self, called: nodes.CallScript) -> None:
        arguments = self.reduce_all(called.arguments)
        given = tuple_of([self.ex.expr(argument) for argument in arguments])
        place = constant((called.at.line, called.at.column))
        self.out.append(
            placed(ast.Return(tuple_of([constant(Op.TAIL), constant(called.target), given, place])), called.at)
        )

    def _lower_assign(self, statement: nodes.Assign) -> None:
        target: Any = statement.target
        value: Any = statement.value
        if statement.operator is not None:
            target = self.looked_up(target)
            value = nodes.Binary(statement.at, statement.operator, target, value)
        value = self.reduce(value)
        if isinstance(target, nodes.Member | nodes.Index) and self.scopes.suspends(target):
            value = self._held(value)
            target = self._reduced_place(target)
        self._set(target, self.ex.expr(value), statement.at)
        if has_effect(statement.value):
            self._succeeded()

    def _reduced_place(self, place: nodes.Member | nodes.Index) -> Any:
        """A place that suspends, in order: the object of a variable that has none, what it is in, the index."""
        self._root_created(place.subject)
        if isinstance(place, nodes.Member):
            return replace(place, subject=self.reduce(place.subject))
        subject, index = self.reduce_all([place.subject, place.index])
        return replace(place, subject=subject, index=index)

    def _reduced_command(self, expression: nodes.Expr) -> Any:
        """What stands alone as a statement. The place that it changes stays a place."""
        match expression:
            case nodes.Keyword(
                phrase=phrase, arguments=(nodes.Name() | nodes.Member() | nodes.Index() as place, value), clauses=()
            ) if phrase in LISTS_IN_PLACE or (phrase == "set" and isinstance(place, nodes.Name)):
                if isinstance(place, nodes.Member | nodes.Index) and self.scopes.suspends(place):
                    place = self._reduced_place(place)
                reduced = self.reduce(value)
                return replace(expression, arguments=(place, reduced))
        return self.reduce(expression)

    def _reduced_fields(self, statement: Any) -> Any:
        """A statement of expressions only (RETURN, a text block, WITH) with what suspends taken out."""
        if isinstance(statement, nodes.With):
            values = self.reduce_all([value for _, value in statement.fields])
            pairs = tuple((name, value) for (name, _), value in zip(statement.fields, values, strict=True))
            return replace(statement, fields=pairs)
        names = [name for name in statement.__struct_fields__ if isinstance(getattr(statement, name), nodes.Node)]
        values = self.reduce_all([getattr(statement, name) for name in names])
        return replace(statement, **dict(zip(names, values, strict=True)))

    # --- control, framed --------------------------------------------------------------------------------------------

    def _branch(self, test: ast.expr, at: nodes.Span, otherwise: int) -> None:
        """Go on here if *test*, else with block *otherwise*."""
        self.ex.weight += BRANCHED
        self.settle(at)  # it was looked at, whichever way it goes on
        jump = [store("pc", constant(otherwise)), ast.Continue()]
        self.out.append(placed(ast.If(ast.UnaryOp(ast.Not(), test), jump, []), at))

    def _lower_if(self, statement: nodes.If) -> None:
        end = self._block()
        for condition, body in statement.branches:
            following = self._block()
            with self._scratch():
                self._branch(self.ex.test(self.reduce(condition)), condition.at, following)
            self.lower(body)
            self.jump(end)
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
        self.loops.append(Loop(kind, plain=False, exit=exit_, next=following))
        self.lower(body)
        self.loops.pop()

    def _lower_for_each(self, statement: nodes.ForEach) -> None:
        self.settle(statement.at)
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
        self._tick(statement.at, FRAMED_TURN)
        self._framed_loop("for", statement.body, end, following)
        self._go_to(following)
        self.jump(head)
        del self.states[begun:]
        self._place(end)
        self.out.append(store(held, constant(None)))

    def _lower_for_count(self, statement: nodes.ForCount) -> None:
        self.settle(statement.at)
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
        self._tick(statement.at, FRAMED_TURN)
        self._framed_loop("for", statement.body, end, following)
        self._go_to(following)
        moved = call("add", call("number", load("v_" + statement.variable)), load(by))
        self.out.append(placed(store(current, placed(moved, statement.at)), statement.at))
        self.jump(head)
        del self.states[begun:]
        self._place(end)

    def _lower_loop(self, statement: nodes.Loop) -> None:
        self.settle(statement.at)
        head, test_after, end = self._block(), self._block(), self._block()
        self._go_to(head)
        if statement.before is not None:
            condition, until = statement.before
            with self._scratch():
                self._branch(self._condition((self.reduce(condition), until)), condition.at, end)
        self._tick(statement.at, FRAMED_TURN)
        self._framed_loop(statement.kind, statement.body, end, test_after)
        self._go_to(test_after)
        if statement.after is not None:
            condition, until = statement.after
            with self._scratch():
                self._branch(self._condition((self.reduce(condition), until)), condition.at, end)
        self.jump(head)
        self._place(end)

    def _lower_select(self, statement: nodes.Select) -> None:
        subject = self._held(self.reduce(statement.subject))
        end = self._block()
        for items, body in statement.cases:
            following = self._block()
            if any(map(self.scopes.suspends, items)):
                chosen = self._block()
                for item in items:  # one by one: behind the one that fits nothing is asked
                    unfit = self._block()
                    with self._scratch():
                        test = self._case_test(subject, [self._reduced_case(item)])
                        self._branch(test, item.at, unfit)
                    self.jump(chosen)
                    self._place(unfit)
                self.jump(following)
                self._place(chosen)
            else:
                self._branch(self._case_test(subject, items), items[0].at if items else statement.at, following)
            self.lower(body)
            self.jump(end)
            self._place(following)
        self.lower(statement.otherwise)
        self._go_to(end)

    def _reduced_case(self, item: nodes.Node) -> Any:
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
        self.jump(end)
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

    def _held(self, node: Any, bare: bool = False) -> Temporary:
        """The value of *node* (which does not suspend), computed here; see ``Expressions.or_its_text`` for *bare*."""
        value = self.ex.or_its_text(node) if bare else self.ex.expr(node)
        held = self._temporary(node.at)
        self.out.append(placed(store(held.name, value), node.at))
        return held

    def once(self, node: nodes.Expr) -> Any:
        value = self.reduce(node)
        return value if isinstance(value, nodes.Literal_ | Temporary) else self._held(value)

    def reduce_all(self, operands: Sequence[Any], bare: Sequence[int] = ()) -> list[Any]:
        """
        Operands in order of evaluation; those before the last that suspends are computed and held.

        Args:
            bare: which of them may be a bare name that stands for its own text.
        """
        last = max((i for i, operand in enumerate(operands) if self.scopes.suspends(operand)), default=-1)
        reduced: list[Any] = []
        for i, operand in enumerate(operands):
            if i > last:
                reduced.append(operand)
                continue
            value = self.reduce(operand)
            kept = i == last or isinstance(value, nodes.Literal_ | Temporary)
            reduced.append(value if kept else self._held(value, i in bare))
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
                return self._suspended(Op.SCRIPT, [constant("()" + node.name), given], node.at)
            case nodes.Sql():
                return self._suspended(
                    Op.KEYWORD, [constant("select"), tuple_of([constant(node.text)]), tuple_of([])], node.at
                )
            case nodes.Keyword():
                return self._suspend_keyword(node)
            case nodes.Name() if (called := self.scopes.own_call(node)) is not None:
                return self._suspend_call(called)
            case nodes.Name(name=name):
                return self._suspended(Op.KEYWORD, [constant(name), tuple_of([]), tuple_of([])], node.at)
            case _:
                return self._rebuilt(node)

    def _rebuilt(self, node: Any) -> Any:
        operands = list(children(node))
        row = TABLE.get(node.phrase) if isinstance(node, nodes.Keyword) else None
        bare = [i for i in row.bare if i < len(node.arguments)] if row is not None else []
        reduced = iter(self.reduce_all(operands, bare))

        def put(value: Any) -> Any:
            if isinstance(value, nodes.Node):
                return next(reduced)
            if isinstance(value, nodes.Span):
                return value
            return tuple(put(item) for item in value) if isinstance(value, tuple) else value

        return replace(node, **{name: put(getattr(node, name)) for name in node.__struct_fields__ if name != "at"})

    def _suspended(self, op: int, payload: list[ast.expr], at: nodes.Span) -> Temporary:
        """Leave the body; it is entered again at the next block with the value, which goes to a temporary."""
        following = self._block()
        self.places[following] = at
        kept = mapping([(name, load(name)) for name in dict.fromkeys([*self.states, *self.alive])])
        self.out.append(placed(store("left", tuple_of([constant(op), constant(following), kept, *payload])), at))
        self.out.append(ast.Break())
        self._place(following)
        held = self._temporary(at)
        self.out.append(store(held.name, load("value")))
        return held

    def _suspend_keyword(self, node: nodes.Keyword) -> Any:
        rebuilt = self._rebuilt(node)
        if not self.scopes.suspends_itself(node):
            return rebuilt
        return self._suspended(Op.KEYWORD, [constant(node.phrase), *self.ex.operands(rebuilt)], node.at)

    def _suspend_call(self, node: nodes.Call) -> Temporary:
        arguments = self.reduce_all(self.ex.arguments_of(node))
        given = tuple_of(self.ex.as_parameters(node, arguments))
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
        # A branch that suspends ends in another block than it begins in: its value is stored in that one.
        with self._scratch():
            value = self.ex.expr(self.reduce(node.then))
        self.out.append(placed(store(result.name, value), node.then.at))
        self.jump(end)
        self._place(otherwise)
        with self._scratch():
            value = self.ex.expr(self.reduce(node.otherwise))
        self.out.append(placed(store(result.name, value), node.otherwise.at))
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
