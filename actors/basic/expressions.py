"""
Expressions of a script as expressions of Python.

What the machine gives a program is all that it can reach: every name in the code made here is a helper of
``runtime.NAMESPACE``, the turn ``M``, or a mangled variable (``v_x``), temporary (``t1``), loop state (``L1``) or
procedure (``p_x``). Field names and texts of a script are constants, never Python names or attributes.

Numbers take a short way: where both operands are whole numbers, Python's own operator is used and the result kept if it
is of ordinary size; everything else goes to the function that knows all the rules.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Final

from actors.basic import nodes
from actors.basic.coercion import PATTERNED, choices_of
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
    tuple_of,
    walrus,
)
from actors.basic.functions import FUNCTIONS
from actors.basic.keywords import TABLE
from actors.basic.prices import COERCED, COERCED_BY_PATTERN, OWN_FUNCTION, PART, STEP, TESTED, price_of
from actors.basic.scopes import Scopes, parameters_of
from actors.basic.shortcuts import GIVES, Kind, shortened
from actors.basic.walk import nodes_of

__all__ = ["ERROR_NAMES", "Expressions", "Temporary"]

ERROR_NAMES: Final = frozenset({"error", "error_message", "err"})
"""Names that tell about the last error under ON ERROR RESUME NEXT."""

_ORDINARY: Final = 1 << 62

_FUNCTIONS: Final = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "\\": "int_divide", "%": "modulo", "^": "power",
    "&": "concat", "=": "equal", "<>": "not_equal", "<": "less", "<=": "less_equal", ">": "greater",
    ">=": "greater_equal", "xor": "xor", "like": "like", "contains": "contains", "matches": "matches",
    "starts": "starts_with", "ends": "ends_with", "in": "in_",
}  # fmt: skip
_COMPARE: Final[dict[str, Callable[[], ast.cmpop]]] = {
    "=": ast.Eq, "<>": ast.NotEq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE,
}  # fmt: skip
_ARITHMETIC: Final[dict[str, Callable[[], ast.operator]]] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult}
_TESTS: Final = frozenset({*_COMPARE, "xor", "like", "contains", "matches", "starts", "ends", "in"})


class Temporary(nodes.Node, frozen=True):
    """A value that was computed before: what lowering leaves in place of an expression that suspended."""

    name: str


class Expressions:
    """
    Writes expressions that do not suspend.

    Args:
        locals_: parameters of the procedure whose body is written.
    """

    def __init__(self, scopes: Scopes, locals_: frozenset[str]) -> None:
        self.scopes = scopes
        self.locals = locals_
        self.whole: set[str] = set()
        """Variables known to hold whole numbers here: counters of the loops around."""
        self.in_try = 0
        self.weight = 0
        """Price of what was written and is not counted yet, in eighths of a step."""
        self._walruses = 0

    def fresh(self) -> str:
        self._walruses += 1
        return f"w{self._walruses}"

    def statement(self) -> None:
        """A new statement begins: names for parts of expressions can be used again."""
        self._walruses = 0

    def is_variable(self, name: str) -> bool:
        return name in self.locals or name in self.scopes.variables

    # --- what is known beforehand -----------------------------------------------------------------------------------

    def kind(self, node: nodes.Node) -> Kind:
        match node:
            case nodes.Literal_(value=value):
                names: dict[type, Kind] = {int: "int", float: "float", str: "str", bool: "bool"}
                return names.get(type(value), "any")
            case nodes.Template():
                return "str"
            case nodes.Name(name=name) if name in self.whole:
                return "int"
            case nodes.Unary(operator="not") | nodes.IsNull() | nodes.Between():
                return "bool"
            case nodes.Binary(operator=operator) if operator in _TESTS:
                return "bool"
            case nodes.Binary(operator="&"):
                return "str"
            case nodes.Binary(operator="+", left=left, right=right):
                return "str" if "str" in (self.kind(left), self.kind(right)) else "any"
            case nodes.Call(name=name, arguments=arguments) if name in GIVES and name not in self.scopes.procedures:
                row = FUNCTIONS[name]
                return GIVES[name] if row.minimum <= len(arguments) <= row.maximum else "any"
            case _:
                return "any"

    # --- expressions ------------------------------------------------------------------------------------------------

    def expr(self, node: nodes.Node) -> ast.expr:
        """The value of *node*."""
        self.weight += price_of(node, self.is_variable)
        return placed(self._expr(node), node.at)

    def test(self, node: nodes.Node) -> ast.expr:
        """*node* as a condition, by the language's rules of truth."""
        if isinstance(node, nodes.Literal_):
            return constant(node.value not in (None, False, 0, "") and str(node.value).lower() not in ("false", "0"))
        if isinstance(node, nodes.Logical) and node.operator in ("and", "or"):
            operator = ast.And() if node.operator == "and" else ast.Or()
            return placed(ast.BoolOp(operator, [self.test(node.left), self.test(node.right)]), node.at)
        if isinstance(node, nodes.Unary) and node.operator == "not":
            return placed(ast.UnaryOp(ast.Not(), self.test(node.operand)), node.at)
        value = self.expr(node)
        if self.kind(node) == "bool":
            return value
        self.weight += TESTED
        if isinstance(value, ast.Name):
            return either(same_type(value, "bool"), value, call("truth", value))
        held = self.fresh()
        return either(same_type(walrus(held, value), "bool"), load(held), placed(call("truth", load(held)), node.at))

    def _expr(self, node: nodes.Node) -> ast.expr:
        match node:
            case nodes.Literal_(value=value):
                return constant(value)
            case Temporary(name=name):
                return load(name)
            case nodes.Name(name=name):
                called = self.scopes.own_call(node)
                return self.name(name) if called is None else self.procedure_call(called)
            case nodes.Template(parts=parts):
                return self.joined([constant(p) if isinstance(p, str) else p for p in parts])
            case nodes.List_(items=items):
                return ast.List([self.expr(item) for item in items], ast.Load())
            case nodes.Object_(pairs=pairs):
                return mapping([(key, self.expr(value)) for key, value in pairs])
            case nodes.Member(subject=subject, name=name):
                return call("get_member", self.expr(subject), constant(name))
            case nodes.Index(subject=subject, index=index):
                return self._index(subject, index)
            case nodes.Method():
                return self._method(node)
            case nodes.Unary(operator="not"):
                return ast.UnaryOp(ast.Not(), self.test(node.operand))
            case nodes.Unary(operator=operator, operand=operand):
                if isinstance(operand, nodes.Literal_) and type(operand.value) in (int, float):
                    return constant(-operand.value if operator == "-" else operand.value)  # type: ignore[operator]
                return call("negate" if operator == "-" else "number", self.expr(operand))
            case nodes.Binary():
                return self._binary(node)
            case nodes.Logical():
                return self._logical(node)
            case _:
                return self._others(node)

    def _others(self, node: nodes.Node) -> ast.expr:
        match node:
            case nodes.IsNull(operand=operand, negated=negated):
                test = call("is_null", self.expr(operand))
                return ast.UnaryOp(ast.Not(), test) if negated else test
            case nodes.Between(negated=negated):
                test = call("between", self.expr(node.operand), self.expr(node.low), self.expr(node.high))
                return ast.UnaryOp(ast.Not(), test) if negated else test
            case nodes.Conditional():
                return either(self.test(node.condition), self.expr(node.then), self.expr(node.otherwise))
            case nodes.Call():
                return self._call(node)
            case nodes.Format(operand=operand, pattern=pattern, json=json):
                if json:
                    return call("to_json", self.expr(operand))
                if pattern is None:
                    return call("to_text", self.expr(operand))
                return self._function("format", [self.expr(operand), self.expr(pattern)])
            case nodes.Keyword():
                return self._keyword(node)
            case nodes.Sql():
                return invoke("M", "missing", constant("SELECT"))
            case _:
                raise TypeError(f"no expression, or one that suspends: {node!r}")

    def name(self, name: str) -> ast.expr:
        if self.is_variable(name):
            return load("v_" + name)
        if name in ERROR_NAMES:
            return invoke("M", "failing", constant(name))
        if name in FUNCTIONS:
            self.weight += STEP * FUNCTIONS[name].steps
        return invoke("M", "named", constant(name))

    def _index(self, subject: nodes.Node, index: nodes.Node) -> ast.expr:
        held, place = self.expr(subject), self.expr(index)
        if not (is_simple(held) and isinstance(subject, nodes.Name | Temporary)) or self._calls(index):
            return call("get_index", held, place)  # in order: a procedure may give the variable another value
        kind = same_type(held, "list")
        tests: list[ast.expr] = [kind]
        if self.kind(index) != "int":
            if not is_simple(place):
                name = self.fresh()
                tests.insert(0, same_type(walrus(name, place), "int"))
                place = load(name)
            else:
                tests.append(same_type(place, "int"))
        elif not is_simple(place):
            return call("get_index", held, place)
        tests.append(ast.Compare(constant(0), [ast.LtE(), ast.Lt()], [place, call("len", held)]))
        quick = ast.Subscript(held, place, ast.Load())
        return either(ast.BoolOp(ast.And(), tests), quick, call("get_index", held, place))

    def _calls(self, node: nodes.Node) -> bool:
        return any(self.scopes.own_call(each) is not None for each in nodes_of(node))

    def _method(self, node: nodes.Method) -> ast.expr:
        arguments = ast.List([self.expr(argument) for argument in node.arguments], ast.Load())
        subject = self.expr(node.subject)
        if not node.safe:
            if node.name.lower() in ("push", "append") and len(node.arguments) == 1:
                return call("push_to", subject, arguments.elts[0])
            return call("call_method", subject, constant(node.name), arguments)
        held = self.fresh()
        test = ast.Compare(walrus(held, subject), [ast.Is()], [constant(None)])
        return either(test, constant(None), call("call_method", load(held), constant(node.name), arguments))

    # --- operators --------------------------------------------------------------------------------------------------

    def _logical(self, node: nodes.Logical) -> ast.expr:
        left, right = self.expr(node.left), self.expr(node.right)
        if node.operator != "??" and self.kind(node.left) == "bool":
            operator = ast.And() if node.operator == "and" else ast.Or()
            return ast.BoolOp(operator, [left, right])
        held = self.fresh()
        if node.operator == "??":
            return either(ast.Compare(walrus(held, left), [ast.IsNot()], [constant(None)]), load(held), right)
        self.weight += TESTED
        test = call("truth", walrus(held, left))
        return either(test, right, load(held)) if node.operator == "and" else either(test, load(held), right)

    def _binary(self, node: nodes.Binary) -> ast.expr:
        operator = node.operator
        if operator in ("+", "&"):
            flat = self._text_chain(node)
            if flat is not None:
                return flat
        if operator in _COMPARE:
            return self._comparison(node)
        if operator in _ARITHMETIC:
            return self._arithmetic(node)
        left, right = self.expr(node.left), self.expr(node.right)
        divisor = node.right.value if isinstance(node.right, nodes.Literal_) else None
        if operator == "%" and type(divisor) is int and divisor > 0 and is_simple(left):
            positive = ast.Compare(left, [ast.GtE()], [constant(0)])
            quick = ast.BoolOp(ast.And(), [same_type(left, "int"), positive])
            return either(quick, ast.BinOp(left, ast.Mod(), right), call("modulo", left, right))
        return call(_FUNCTIONS[operator], left, right)

    def _text_chain(self, node: nodes.Binary) -> ast.expr | None:
        """
        ``a + "x" + b + c`` from the first operand on that is known to be text: all further ones are joined at once.
        None where nothing is known to be text.
        """
        operands: list[nodes.Node] = []
        rest: nodes.Node = node
        while isinstance(rest, nodes.Binary) and rest.operator in ("+", "&"):
            if rest.operator == "&" and self.kind(rest.left) != "str":
                break
            operands.append(rest.right)
            rest = rest.left
        operands.append(rest)
        operands.reverse()
        first = next((i for i, operand in enumerate(operands) if self.kind(operand) == "str"), None)
        if first is None or len(operands) < 2:
            return None
        if first <= 1:
            return self.joined(operands)
        before: nodes.Node = operands[0]
        for operand in operands[1:first]:
            before = nodes.Binary(operand.at, "+", before, operand)  # type: ignore[arg-type]
        return self.joined([before, *operands[first:]])

    def joined(self, parts: Sequence[ast.expr | nodes.Node]) -> ast.expr:
        values: list[ast.expr] = []
        for part in parts:
            if isinstance(part, ast.Constant):
                values.append(part)
            elif isinstance(part, nodes.Literal_) and isinstance(part.value, str):
                values.append(constant(part.value))
            else:
                assert isinstance(part, nodes.Node)
                self.weight += PART
                values.append(ast.FormattedValue(self.text(part), -1, None))
        if all(isinstance(value, ast.Constant) for value in values):
            return constant("".join(value.value for value in values if isinstance(value, ast.Constant)))  # type: ignore[misc]
        return call("fit", ast.JoinedStr(values))

    def text(self, node: nodes.Node) -> ast.expr:
        """The text of *node*'s value."""
        value = self.expr(node)
        if self.kind(node) == "str":
            return value
        if isinstance(value, ast.Name):
            return either(same_type(value, "str"), value, placed(call("to_text", value), node.at))
        return placed(call("to_text", value), node.at)

    def _small(self, node: nodes.Node) -> bool:
        """Adding it a million times cannot make a number of unusual size."""
        if isinstance(node, nodes.Literal_):
            return type(node.value) is int and -(1 << 40) < node.value < 1 << 40
        return isinstance(node, nodes.Name) and node.name in self.whole

    def _quick(self, node: nodes.Binary, also: tuple[str, ...] = ()) -> tuple[ast.expr | None, ast.expr, ast.expr]:
        """(test that both operands are whole numbers, left, right); the operands may be used twice after the test."""
        left, right = self.expr(node.left), self.expr(node.right)
        known_left, known_right = self.kind(node.left) == "int", self.kind(node.right) == "int"
        if known_left and known_right:
            return None, left, right
        if is_simple(right) or (known_right and is_simple(left)):
            tests = []
            if not known_left:
                if is_simple(left):
                    tests.append(same_type(left, "int"))
                else:
                    name = self.fresh()
                    tests.append(same_type(walrus(name, left), "int"))
                    left = load(name)
            if not known_right:
                tests.append(same_type(right, "int"))
            return (tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)), left, right
        # Both must be evaluated, once and in order, before the test may fail: a chain of "is" does that.
        first, second = self.fresh(), self.fresh()
        kinds = [call("type", walrus(second, right)), load("int")]
        test = ast.Compare(call("type", walrus(first, left)), [ast.Is(), ast.Is()], kinds)
        return test, load(first), load(second)

    def _comparison(self, node: nodes.Binary) -> ast.expr:
        function = _FUNCTIONS[node.operator]
        if "float" in (self.kind(node.left), self.kind(node.right)):
            return call(function, self.expr(node.left), self.expr(node.right))
        for literal, other in ((node.right, node.left), (node.left, node.right)):
            if isinstance(literal, nodes.Literal_) and not isinstance(literal.value, int):
                return self._compared_with(node, literal, other)
        test, left, right = self._quick(node)
        quick = ast.Compare(left, [_COMPARE[node.operator]()], [right])
        return quick if test is None else either(test, quick, call(function, left, right))

    def _compared_with(self, node: nodes.Binary, literal: nodes.Literal_, other: nodes.Node) -> ast.expr:
        left, right = self.expr(node.left), self.expr(node.right)
        value = left if other is node.left else right
        slow = call(_FUNCTIONS[node.operator], left, right)
        if isinstance(literal.value, str) and literal.value and is_simple(value) and node.operator in ("=", "<>"):
            quick = ast.Compare(value, [_COMPARE[node.operator]()], [constant(literal.value)])
            return either(same_type(value, "str"), quick, slow)
        return slow

    def _arithmetic(self, node: nodes.Binary) -> ast.expr:
        function = _FUNCTIONS[node.operator]
        kinds = (self.kind(node.left), self.kind(node.right))
        if "float" in kinds or "str" in kinds or "bool" in kinds:
            return call(function, self.expr(node.left), self.expr(node.right))
        bounded = node.operator != "*" and (self._small(node.left) or self._small(node.right))
        test, left, right = self._quick(node)
        result: ast.expr = ast.BinOp(left, _ARITHMETIC[node.operator](), right)
        slow = call(function, left, right)
        if bounded:
            return result if test is None else either(test, result, slow)
        held = self.fresh()
        ordinary = ast.Compare(constant(-_ORDINARY), [ast.Lt(), ast.Lt()], [walrus(held, result), constant(_ORDINARY)])
        both = ordinary if test is None else ast.BoolOp(ast.And(), [test, ordinary])
        return either(both, load(held), slow)

    # --- calls ------------------------------------------------------------------------------------------------------

    def _call(self, node: nodes.Call) -> ast.expr:
        procedure = self.scopes.procedures.get(node.name)
        if procedure is not None:
            return self.procedure_call(node)
        if node.name == "exists" and len(node.arguments) == 1:
            (place,) = node.arguments
            return ast.Compare(self.expr(place), [ast.IsNot()], [constant(None)])
        return self._function(node.name, *self._given(node.arguments))

    def _given(self, arguments: Sequence[nodes.Node]) -> tuple[list[ast.expr], list[Kind]]:
        """What a function is given, and what is known of it."""
        return [self.expr(argument) for argument in arguments], [self.kind(argument) for argument in arguments]

    def procedure_call(self, node: nodes.Call) -> ast.expr:
        """A call of a procedure that needs no frame of its own: missing arguments are null, surplus ones dropped."""
        from_here = self.as_parameters(node, self.arguments_of(node))
        mode: list[ast.expr] = []
        if self.scopes.uses_resume:
            mode = [constant(0) if self.in_try else load("m")]
        return call("p_" + node.name, ast.BinOp(load("d"), ast.Sub(), constant(1)), *mode, *from_here)

    def arguments_of(self, node: nodes.Call) -> list[nodes.Node]:
        """What each parameter gets: the argument, else its DEFAULT, else null."""
        procedure = self.scopes.procedures[node.name]
        parameters = parameters_of(procedure)
        defaults = {each.name: each.default for each in procedure.body if isinstance(each, nodes.Param)}
        arguments: list[nodes.Node] = list(node.arguments[: len(parameters)])
        missing = parameters[len(arguments) :]
        return arguments + [defaults.get(name) or nodes.Literal_(node.at, None) for name in missing]

    def as_parameters(self, node: nodes.Call, arguments: Sequence[nodes.Node]) -> list[ast.expr]:
        """*arguments* for each parameter, of the type that its PARAM says if it has one."""
        procedure = self.scopes.procedures[node.name]
        declared = {each.name: each for each in procedure.body if isinstance(each, nodes.Param)}
        given = []
        for name, argument in zip(parameters_of(procedure), arguments, strict=True):
            value = self.expr(argument)
            if (parameter := declared.get(name)) is not None:
                self.weight += COERCED_BY_PATTERN if parameter.type in PATTERNED else COERCED
                choices = tuple_of([constant(choice) for choice in choices_of(parameter)])
                value = call("coerced", load("M"), constant(name), constant(parameter.type), choices, value)
            given.append(value)
        return given

    def _function(self, name: str, arguments: list[ast.expr], known: Sequence[Kind] = ()) -> ast.expr:
        function = FUNCTIONS.get(name)
        if function is None:
            self.weight += OWN_FUNCTION
            return invoke("M", "own_function", constant(name), tuple_of(arguments))
        if not function.minimum <= len(arguments) <= function.maximum:
            return invoke("M", "wrong_count", constant(name))
        self.weight += STEP * function.steps
        short = shortened(name, arguments, known, self.fresh) if known else None
        return short or call("f_" + name, *([load("M")] if function.context else []), *arguments)

    def _keyword(self, node: nodes.Keyword) -> ast.expr:
        member = self.scopes.read_member(node)
        if member is not None:
            return self.expr(member)
        row = TABLE.get(node.phrase)
        if row is not None and row.function is not None:
            return self._function(row.function, *self._given(node.arguments))
        return invoke("M", "keyword", constant(node.phrase), *self.operands(node))

    def operands(self, node: nodes.Keyword) -> list[ast.expr]:
        """The arguments of a keyword as one tuple, its clauses as pairs of word and value."""
        clauses = [
            tuple_of([constant(word), constant(None) if value is None else self.expr(value)])
            for word, value in node.clauses
        ]
        row = TABLE.get(node.phrase)
        bare = row.bare if row is not None else ()
        arguments = [
            self.or_its_text(argument) if position in bare else self.expr(argument)
            for position, argument in enumerate(node.arguments)
        ]
        return [tuple_of(arguments), tuple_of(clauses)]

    def or_its_text(self, node: nodes.Expr) -> ast.expr:
        """An operand where a bare name, also with dots, that is no variable stands for its own text."""
        parts: list[str] = []
        subject = node
        while isinstance(subject, nodes.Member) and not subject.safe:
            parts.append(subject.name)
            subject = subject.subject
        if not isinstance(subject, nodes.Name) or self.is_variable(subject.name) or subject.name in ERROR_NAMES:
            return self.expr(node)
        text = ".".join([subject.written or subject.name, *reversed(parts)])
        return either(invoke("M", "knows", constant(subject.name)), self.expr(node), constant(text))
