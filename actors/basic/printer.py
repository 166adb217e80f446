"""
A tree back to source text: ``parse(print_script(tree), …)`` is the same tree, except for places.

What is printed is plain: every nested operation has its parentheses, every IF its lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, assert_never, cast

from msgspec import structs

from actors.basic import nodes
from actors.basic.keywords import TABLE, Clause, KeywordTable, Row
from actors.basic.nodes import Body, Expr, Span, Statement

__all__ = ["print_expression", "print_script", "same", "without_places"]

_INDENT = "    "
_NOWHERE = Span(0, 0)
_WORD_OPERATORS = {
    "xor": "XOR",
    "like": "LIKE",
    "contains": "CONTAINS",
    "matches": "MATCHES",
    "starts": "STARTS WITH",
    "ends": "ENDS WITH",
    "in": "IN",
    "and": "AND",
    "or": "OR",
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def print_script(script: nodes.Script, *, table: KeywordTable = TABLE) -> str:
    """The source of *script*, ending in a line end. Raises KeyError: it uses a keyword that *table* does not have."""
    printer = _Printer(table)
    lines = ["#workflow"] if script.workflow else []
    lines += printer.body(script.body, "")
    return "\n".join(lines) + "\n"


def print_expression(expression: Expr, *, table: KeywordTable = TABLE) -> str:
    """The source of *expression*, on one line."""
    return _Printer(table).expression(expression)


_T = TypeVar("_T")


def without_places(tree: _T) -> _T:
    """A copy of a node, a script, or a tuple of them, in which every place is the same."""
    if isinstance(tree, Span):
        return cast(_T, _NOWHERE)
    if isinstance(tree, tuple):
        return cast(_T, tuple(without_places(each) for each in tree))
    if isinstance(tree, nodes.Node):
        return structs.replace(tree, **{name: without_places(value) for name, value in structs.asdict(tree).items()})
    if is_dataclass(tree) and not isinstance(tree, type):
        changed = {field.name: without_places(getattr(tree, field.name)) for field in fields(tree)}
        return replace(tree, **changed)
    return tree


def same(left: nodes.Script | nodes.Node, right: nodes.Script | nodes.Node) -> bool:
    """Whether two trees differ only in where they stand and what they are called."""
    if isinstance(left, nodes.Script) and isinstance(right, nodes.Script):
        left = replace(left, name=right.name)
    # repr tells 1 from 1.0 and from TRUE, which are equal in Python.
    return repr(without_places(left)) == repr(without_places(right))


def _quoted(text: str) -> str:
    return '"' + _escaped(text) + '"'


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES).replace("${", "\\${")


class _Printer:
    def __init__(self, table: KeywordTable) -> None:
        self.table = table

    # --- expressions ------------------------------------------------------------------------------------------------

    def expression(self, tree: Expr) -> str:
        match tree:
            case nodes.Literal_(value=value):
                return self.literal(value)
            case nodes.Template(parts=parts):
                return '"' + self.template(parts) + '"'
            case nodes.Name(name=name):
                return name
            case nodes.List_(items=items):
                return f"[{self.listed(items)}]"
            case nodes.Object_(pairs=pairs):
                return "{" + ", ".join(f"{_quoted(key)}: {self.item(value)}" for key, value in pairs) + "}"
            case nodes.Member(subject=subject, name=name, safe=safe):
                return f"{self.subject(subject)}{'?.' if safe else '.'}{name}"
            case nodes.Index(subject=subject, index=index):
                return f"{self.subject(subject)}[{self.expression(index)}]"
            case nodes.Method(subject=subject, name=name, arguments=arguments, safe=safe):
                return f"{self.subject(subject)}{'?.' if safe else '.'}{name}({self.listed(arguments)})"
            case nodes.Unary(operator="not", operand=operand):
                return f"NOT {self.operand(operand)}"
            case nodes.Unary(operator=sign, operand=operand):
                return f"{sign}{self.operand(operand)}"
            case (
                nodes.Binary(operator=operator, left=left, right=right)
                | nodes.Logical(operator=operator, left=left, right=right)
            ):
                return f"{self.operand(left)} {_WORD_OPERATORS.get(operator, operator)} {self.operand(right)}"
            case nodes.IsNull(operand=operand, negated=negated):
                return f"{self.operand(operand)} IS {'NOT ' * negated}NULL"
            case nodes.Between(operand=operand, low=low, high=high, negated=negated):
                limits = f"{self.operand(low)} AND {self.operand(high)}"
                return f"{self.operand(operand)} {'NOT ' * negated}BETWEEN {limits}"
            case nodes.Conditional(condition=condition, then=then, otherwise=otherwise):
                return f"IIF({self.listed((condition, then, otherwise))})"
            case nodes.Call(name=name, arguments=arguments):
                return f"{name}({self.listed(arguments)})"
            case nodes.CallScript(target=target, arguments=arguments):
                return ", ".join([f"CALL {_quoted(target)}", *map(self.operand, arguments)])
            case nodes.Format(operand=operand, pattern=pattern, json=json):
                if json:
                    return f"FORMAT({self.item(operand)}) AS JSON"
                rest = "" if pattern is None else f", {self.item(pattern)}"
                return f"FORMAT({self.item(operand)}{rest})"
            case nodes.Keyword():
                return self.keyword(tree, self.operand)
            case nodes.Hear():
                return "HEAR" + self.hear(tree)
            case nodes.Sql(text=text):
                return text
        assert_never(tree)

    def literal(self, value: bool | int | float | str | None) -> str:
        match value:
            case None:
                return "NULL"
            case bool():
                return "TRUE" if value else "FALSE"
            case str():
                return _quoted(value)
            case float():
                text = repr(value)
                return text if "." in text or "e" not in text else text.replace("e", ".0e")
            case int():
                return str(value)

    def template(self, parts: Iterable[str | Expr]) -> str:
        return "".join(_escaped(part) if isinstance(part, str) else self.hole(part) for part in parts)

    def hole(self, tree: Expr) -> str:
        text = self.expression(tree)
        # ${{ would be text.
        return f"${{({text})}}" if text.startswith("{") else f"${{{text}}}"

    def operand(self, tree: Expr) -> str:
        """*tree* so that it can stand beside any operator."""
        text = self.expression(tree)
        match tree:
            case (
                nodes.Literal_() | nodes.Template() | nodes.Name() | nodes.List_() | nodes.Call() | nodes.Conditional()
            ):
                return text
            case nodes.Member() | nodes.Index() | nodes.Method():
                return text
        return f"({text})"

    def apart(self, tree: Expr) -> str:
        """*tree* so that it makes no keyword with the word behind it, as a variable ``list`` would."""
        return f"({tree.name})" if isinstance(tree, nodes.Name) else self.operand(tree)

    def subject(self, tree: Expr) -> str:
        """*tree* so that a point can stand behind it."""
        return f"({self.expression(tree)})" if isinstance(tree, nodes.Literal_) else self.operand(tree)

    def item(self, tree: Expr) -> str:
        """*tree* so that it can stand between commas: what takes commas of its own is in parentheses."""
        match tree:
            case nodes.Keyword() | nodes.CallScript() | nodes.Format() | nodes.Hear() | nodes.Sql():
                return f"({self.expression(tree)})"
        return self.expression(tree)

    def listed(self, items: Iterable[Expr]) -> str:
        return ", ".join(map(self.item, items))

    # --- keywords ---------------------------------------------------------------------------------------------------

    def keyword(self, tree: nodes.Keyword, argument: object = None) -> str:
        row = self.table[tree.phrase]
        words = [row.phrase.upper()]
        if tree.arguments:
            words.append(", ".join(map(self.operand, tree.arguments)))
        words += [self.clause(row, word, value) for word, value in tree.clauses]
        return " ".join(words)

    def clause(self, row: Row, word: str, value: Expr | None) -> str:
        clause = next(each for each in row.clauses if each.word == word)
        return word.upper() if value is None else f"{word.upper()} {self.clause_value(clause, value)}"

    def clause_value(self, clause: Clause, value: Expr) -> str:
        if clause.value == "pairs" and isinstance(value, nodes.Object_) and value.pairs:
            return ", ".join(f"{_quoted(key)} = {self.operand(each)}" for key, each in value.pairs)
        if clause.value == "columns" and isinstance(value, nodes.List_):
            return ", ".join(_column(cast(str, cast(nodes.Literal_, each).value)) for each in value.items)
        if clause.value == "word" and isinstance(value, nodes.Literal_) and isinstance(value.value, str):
            return value.value.upper()
        return self.operand(value)

    def hear(self, tree: nodes.Hear) -> str:
        """What follows HEAR and its target."""
        words = ""
        if tree.kind != "any":
            words += f" AS {tree.kind.upper()}"
        if tree.options:
            words += " " + ", ".join([*map(self.operand, tree.options), *(["*"] * tree.open)])
        if tree.prompt is not None:
            words += f" WITH {self.operand(tree.prompt)}"
        if tree.default is not None:
            words += f" DEFAULT {self.operand(tree.default)}"
        if tree.timeout is not None:
            words += f" TIMEOUT {self.operand(tree.timeout)}"
        return words

    # --- statements -------------------------------------------------------------------------------------------------

    def body(self, body: Body, indent: str) -> Iterator[str]:
        for statement in body:
            for line in self.statement(statement):
                yield f"{indent}{line}" if line else ""

    def block(self, first: str, body: Body, *more: str) -> Iterator[str]:
        yield first
        yield from self.body(body, _INDENT)
        yield from more

    def statement(self, tree: Statement) -> Iterator[str]:
        match tree:
            case nodes.Assign():
                yield self.assign(tree)
            case nodes.Do(expression=expression):
                yield self.do(expression)
            case nodes.If():
                yield from self.if_(tree)
            case nodes.ForEach(variable=variable, collection=collection, limit=limit, body=body):
                head = f"FOR EACH {variable} IN {self.operand(collection)}"
                if limit is not None:
                    head += f" {limit[0].upper()} {self.operand(limit[1])}"
                yield from self.block(head, body, f"NEXT {variable}")
            case nodes.ForCount(variable=variable, start=start, stop=stop, step=step, body=body):
                head = f"FOR {variable} = {self.operand(start)} TO {self.operand(stop)}"
                if step is not None:
                    head += f" STEP {self.operand(step)}"
                yield from self.block(head, body, f"NEXT {variable}")
            case nodes.Loop(kind=kind, before=before, after=after, body=body):
                first = "WHILE" if kind == "while" else f"DO{self.until(before)}"
                if kind == "while" and before is not None:
                    first += f" {self.expression(before[0])}"
                yield from self.block(first, body, "WEND" if kind == "while" else f"LOOP{self.until(after)}")
            case nodes.Select():
                yield from self.select(tree)
            case nodes.With(target=target, fields=lines):
                yield f"WITH {self.expression(target)}"
                for name, value in lines:
                    yield f"{_INDENT}.{name} = {self.expression(value)}"
                yield "END WITH"
            case nodes.Try(body=body, variable=variable, handler=handler):
                yield from self.block("TRY", body)
                if variable is not None or handler:
                    yield from self.block(f"CATCH {variable or ''}".rstrip(), handler)
                yield "END TRY"
            case nodes.OnError(action=action, label=label):
                yield "ON ERROR " + {"resume": "RESUME NEXT", "off": "GOTO 0", "goto": f"GOTO {label}"}[action]
            case nodes.Goto(label=name):
                yield f"GOTO {name}"
            case nodes.Label(name=name):
                yield f"{name}:"
            case nodes.Return(value=returned):
                yield "RETURN" if returned is None else f"RETURN {self.item(returned)}"
            case nodes.Leave(what=what):
                yield {"break": "BREAK", "continue": "CONTINUE", "run": "EXIT"}.get(what, f"EXIT {what.upper()}")
            case nodes.TextBlock():
                yield from self.text_block(tree)
            case nodes.Schedule():
                yield from self.schedule(tree)
            case nodes.OnEvent():
                yield from self.on_event(tree)
            case nodes.Step():
                yield from self.step(tree)
            case nodes.Procedure(kind=what, name=name, parameters=parameters, body=body):
                yield from self.block(f"{what.upper()} {name}({', '.join(parameters)})", body, f"END {what.upper()}")
            case _:
                yield from self.declaration(tree)

    def assign(self, tree: nodes.Assign) -> str:
        target = self.expression(tree.target)
        if isinstance(tree.value, nodes.Hear) and tree.operator is None:
            if tree.value.null_on_timeout:
                timeout = tree.value.timeout
                rest = "" if timeout is None else f" TIMEOUT {self.operand(timeout)}"
                return f"WAIT FOR RESPONSE AS {target}{rest}"
            return f"HEAR {target}{self.hear(tree.value)}"
        if isinstance(tree.value, nodes.Keyword):
            row = self.table[tree.value.phrase]
            into = next((clause.word.upper() for clause in row.clauses if clause.value == "target"), None)
            if into is not None:
                return f"{self.keyword(tree.value)} {into} {target}"
        return f"{target} {tree.operator or ''}= {self.expression(tree.value)}"

    def do(self, tree: Expr) -> str:
        match tree:
            case nodes.Name(name=name):
                return f"DIM {name}"
            case nodes.Call(name=name, arguments=arguments):
                return f"CALL {name}({self.listed(arguments)})"
            case nodes.Method() | nodes.Keyword() | nodes.CallScript() | nodes.Hear() | nodes.Conditional():
                return self.expression(tree)
        raise ValueError(f"{type(tree).__name__} is not a statement")

    def if_(self, tree: nodes.If) -> Iterator[str]:
        words = "IF"
        for condition, body in tree.branches:
            yield from self.block(f"{words} {self.expression(condition)} THEN", body)
            words = "ELSEIF"
        if tree.otherwise:
            yield from self.block("ELSE", tree.otherwise)
        yield "END IF"

    def until(self, condition: tuple[Expr, bool] | None) -> str:
        if condition is None:
            return ""
        return f" {'UNTIL' if condition[1] else 'WHILE'} {self.expression(condition[0])}"

    def select(self, tree: nodes.Select) -> Iterator[str]:
        yield f"SELECT CASE {self.expression(tree.subject)}"
        for items, body in tree.cases:
            yield from self.block("CASE " + ", ".join(map(self.case_item, items)), body)
        if tree.otherwise:
            yield from self.block("CASE ELSE", tree.otherwise)
        yield "END SELECT"

    def case_item(self, tree: Expr | nodes.CaseRange | nodes.CaseIs) -> str:
        match tree:
            case nodes.CaseRange(low=low, high=high):
                return f"{self.operand(low)} TO {self.operand(high)}"
            case nodes.CaseIs(operator=operator, value=value):
                return f"IS {operator} {self.operand(value)}"
        return self.operand(tree)

    def text_block(self, tree: nodes.TextBlock) -> Iterator[str]:
        recipient = "" if tree.recipient is None else f" {self.operand(tree.recipient)}"
        yield f"BEGIN {tree.kind.upper()}{recipient}"
        parts = tree.text.parts if isinstance(tree.text, nodes.Template) else (cast(nodes.Literal_, tree.text).value,)
        text = "".join(part if isinstance(part, str) else self.hole(cast(Expr, part)) for part in parts)
        yield from (f"{_INDENT}{line}" if line else "" for line in text.split("\n"))
        yield f"END {tree.kind.upper()}"

    def schedule(self, tree: nodes.Schedule) -> Iterator[str]:
        if tree.delay is not None:
            amount, unit = tree.delay
            yield from self.block(
                f"SCHEDULE IN {self.operand(amount)} {unit.upper()} DO", tree.body or (), "END SCHEDULE"
            )
            return
        parts = [part for part in (tree.when, tree.script, *tree.arguments) if part is not None]
        head = "SET SCHEDULE " + ", ".join(map(self.operand, parts))
        if tree.body is None:
            yield head
        else:
            yield from self.block(f"{head} DO", tree.body, "END SCHEDULE")

    def on_event(self, tree: nodes.OnEvent) -> Iterator[str]:
        words = {"event": "EVENT", "form": "FORM SUBMIT", "email": "EMAIL", "change": "CHANGE"}
        head = f"ON {words.get(tree.trigger, f'{tree.trigger.upper()} OF')} {self.operand(tree.subject)}"
        if tree.detail is not None:
            head += f" {tree.detail[0].upper()} {self.operand(tree.detail[1])}"
        if tree.call is not None:
            yield f"{head} CALL {tree.call}"
        elif tree.body is None:
            yield head
        else:
            yield from self.block(f"{head} DO", tree.body, "END ON")

    def step(self, tree: nodes.Step) -> Iterator[str]:
        head = f"STEP {self.operand(tree.number)}:"
        if tree.approver is not None:
            yield f"{head} HUMAN APPROVAL FROM {self.operand(tree.approver)}"
            if tree.timeout is not None:
                yield f"{_INDENT}TIMEOUT {self.operand(tree.timeout)}"
            if tree.on_timeout is not None:
                yield f"{_INDENT}ON TIMEOUT: {tree.on_timeout}"
        elif len(tree.branches) == 1 and not tree.branches[0].name:
            yield f"{head} {self.branch(tree.branches[0])}"
        else:
            yield f"{head} PARALLEL"
            for branch in tree.branches:
                yield f"{_INDENT}BRANCH {branch.name}: {self.branch(branch)}"
            yield "END PARALLEL"

    def branch(self, tree: nodes.Branch) -> str:
        return f"BOT {self.operand(tree.bot)} {self.operand(tree.task)}"

    # --- declarations -----------------------------------------------------------------------------------------------

    def declaration(
        self,
        tree: nodes.Param
        | nodes.Description
        | nodes.Table
        | nodes.CreateIndex
        | nodes.ScheduleDeclaration
        | nodes.Webhook,
    ) -> Iterator[str]:
        match tree:
            case nodes.Param():
                yield self.param(tree)
            case nodes.Description(text=text):
                yield f"DESCRIPTION {_quoted(text)}"
            case nodes.Table():
                yield from self.table_block(tree)
            case nodes.CreateIndex(name=name, table=table, columns=columns, unique=unique):
                yield f"CREATE {'UNIQUE ' * unique}INDEX {name} ON {table} ({', '.join(columns)})"
            case nodes.ScheduleDeclaration(when=when):
                yield f"SET SCHEDULE {_quoted(when)}"
            case nodes.Webhook(name=name):
                yield f"WEBHOOK {_quoted(name)}"
            case _:
                assert_never(tree)

    def param(self, tree: nodes.Param) -> str:
        if tree.type == "enum":
            return f"PARAM {tree.name} AS {', '.join(map(self.expression, tree.choices))}"
        words = f"PARAM {tree.name} AS {tree.type.upper()}"
        if tree.example is not None:
            words += f" LIKE {self.apart(tree.example)}"
        if tree.description:
            words += f" DESCRIPTION {_quoted(tree.description)}"
        if tree.optional:
            words += " OPTIONAL"
        if tree.default is not None:
            words += f" DEFAULT {self.apart(tree.default)}"
        if tree.choices:
            words += f" ENUM [{self.listed(tree.choices)}]"
        return words

    def table_block(self, tree: nodes.Table) -> Iterator[str]:
        head = f"TABLE {tree.name}"
        if tree.connection is not None:
            head += f" ON {tree.connection}"
        yield head + _roles(tree.read_by, tree.write_by)
        for field in tree.fields:
            yield _INDENT + _field(field)
        for constraint in tree.constraints:
            yield _INDENT + constraint
        yield "END TABLE"


def _column(text: str) -> str:
    name, direction = text, ""
    for each in (" asc", " desc"):
        if text.endswith(each):
            name, direction = text.removesuffix(each), each.upper()
    return (name if name.replace(".", "").isidentifier() else _quoted(name)) + direction


def _roles(read_by: str | None, write_by: str | None) -> str:
    words = "" if read_by is None else f" READ BY {_quoted(read_by)}"
    return words if write_by is None else f"{words} WRITE BY {_quoted(write_by)}"


def _field(field: nodes.Field) -> str:
    words = f"{_quoted(field.name)} {field.type}"
    if field.sizes:
        words += f"({','.join(field.sizes)})"
    words += "[]" * field.array
    words += " KEY" * field.key + " UNIQUE" * field.unique + " NOT NULL" * field.required
    if field.default is not None:
        words += f" DEFAULT {field.default}"
    if field.references is not None:
        words += f" REFERENCES {field.references}"
    words += "".join(f" {extra}" for extra in field.extra)
    return words + _roles(field.read_by, field.write_by)
