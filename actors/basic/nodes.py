"""
The tree that the parser makes of a script: plain frozen data, printed back by ``printer``.

Every node knows where it stands (``at``). Names are already folded: variables, procedures and keywords to lower case
without a trailing ``$``; field names keep their case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

__all__: list[str] = []  # the module is imported as a whole: ``from actors.basic import nodes``


class Span(NamedTuple):
    """A place in a script: 1-based line, 1-based column in characters, length in characters (at least 1)."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    at: Span


# --- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal_(Node):
    """NULL, TRUE, FALSE, a number, or a string without interpolation."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Template(Node):
    """A string with ``${…}``: texts and expressions in order."""

    parts: tuple[str | Expr, ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    """
    A variable, or a function of no arguments if there is no such variable (rule R7).

    Args:
        written: with its capitals, for where it stands for its own text.
    """

    name: str
    written: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class List_(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Object_(Node):
    pairs: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``subject.name``; *safe* is ``?.``."""

    subject: Expr
    name: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    subject: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Method(Node):
    """``subject.name(arguments)``."""

    subject: Expr
    name: str
    arguments: tuple[Expr, ...]
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: Literal["-", "+", "not"]
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Without short circuit: ``+ - * / \\ % ^ & = <> < <= > >= xor like contains matches starts ends in``.

    ``mod`` is ``%``, ``ilike`` is ``like``, ``==`` is ``=``, ``!=`` is ``<>``; a NOT in front is a ``Unary`` around it.
    """

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """With short circuit, giving an operand: ``and or ??``."""

    operator: Literal["and", "or", "??"]
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    operand: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class Between(Node):
    operand: Expr
    low: Expr
    high: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``condition ? then : otherwise``; also ``IIF`` and ``IF(…)``, of which one branch only is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(arguments)``, tight: a procedure, a built-in function or a tool script, in this order."""

    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class CallScript(Node):
    """``CALL "other.bas", a, b`` or ``CALL "/area/op", a``. *target* is as written."""

    target: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Format(Node):
    """``FORMAT x [AS pattern | AS JSON | , pattern]``. *pattern* is None for plain text and for JSON."""

    operand: Expr
    pattern: Expr | None
    json: bool = False


@dataclass(frozen=True, slots=True)
class Keyword(Node):
    """
    A keyword of the table in use, in an expression or as a statement.

    Args:
        phrase: as in the table, lower case, words separated by one blank: ``'get bot memory'``.
        arguments: positional operands in order.
        clauses: (clause word, value or None) in order of the source, clause words in lower case.
    """

    phrase: str
    arguments: tuple[Expr, ...] = ()
    clauses: tuple[tuple[str, Expr | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Hear(Node):
    """
    Every form of HEAR, as an expression that gives the answer.

    Args:
        kind: the type in lower case (``'string'``, ``'email'``, ``'menu'`` …); ``'any'`` without AS.
        prompt, default, timeout: None where not written.
        options: of a menu; one expression that gives a list is allowed.
        open: a menu with ``*``, which accepts other text as it is.
        null_on_timeout: ``WAIT FOR RESPONSE``.
    """

    kind: str
    prompt: Expr | None = None
    default: Expr | None = None
    timeout: Expr | None = None
    options: tuple[Expr, ...] = ()
    open: bool = False
    null_on_timeout: bool = False


@dataclass(frozen=True, slots=True)
class Sql(Node):
    """Inline ``SELECT …``: the raw text to the end of the statement."""

    text: str


Expr = (
    Literal_ | Template | Name | List_ | Object_ | Member | Index | Method | Unary | Binary | Logical | IsNull | Between
    | Conditional | Call | CallScript | Format | Keyword | Hear | Sql
)  # fmt: skip


# --- statements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """``target = value``; ``a += b`` is written out as ``a = a + b`` by *operator* ``'+'`` (else None)."""

    target: Name | Member | Index
    value: Expr
    operator: Literal["+", "-", "*", "/"] | None = None


@dataclass(frozen=True, slots=True)
class Do(Node):
    """An expression for its effect: a keyword command, a call, HEAR without a target."""

    expression: Expr


@dataclass(frozen=True, slots=True)
class If(Node):
    """*branches*: (condition, body) in order; *otherwise* the ELSE body, empty if none."""

    branches: tuple[tuple[Expr, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class ForEach(Node):
    """*limit*: ``('first' | 'last', n)`` or None."""

    variable: str
    collection: Expr
    limit: tuple[Literal["first", "last"], Expr] | None
    body: Body


@dataclass(frozen=True, slots=True)
class ForCount(Node):
    variable: str
    start: Expr
    stop: Expr
    step: Expr | None
    body: Body


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """WHILE and DO. *before*, *after*: (condition, until?) or None; neither: endless. *kind* is for EXIT."""

    kind: Literal["while", "do"]
    before: tuple[Expr, bool] | None
    after: tuple[Expr, bool] | None
    body: Body


@dataclass(frozen=True, slots=True)
class CaseRange(Node):
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class CaseIs(Node):
    operator: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Select(Node):
    """*cases*: (items, body); *otherwise* the CASE ELSE body, empty if none."""

    subject: Expr
    cases: tuple[tuple[tuple[Expr | CaseRange | CaseIs, ...], Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class With(Node):
    """``WITH target`` … makes a new object of the fields and stores it."""

    target: Name | Member | Index
    fields: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Try(Node):
    body: Body
    variable: str | None
    handler: Body


@dataclass(frozen=True, slots=True)
class OnError(Node):
    """*action*: ``'resume'`` (RESUME NEXT), ``'off'`` (GOTO 0), ``'goto'`` with *label*."""

    action: Literal["resume", "off", "goto"]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Goto(Node):
    label: str


@dataclass(frozen=True, slots=True)
class Label(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Return(Node):
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Leave(Node):
    """*what*: ``'for' 'do' 'while' 'sub' 'function'`` (EXIT …), ``'break'``, ``'continue'``, ``'run'``: EXIT, END."""

    what: Literal["for", "do", "while", "sub", "function", "break", "continue", "run"]


@dataclass(frozen=True, slots=True)
class TextBlock(Node):
    """BEGIN TALK / SYSTEM PROMPT / MAIL. *text* is a Literal_ or Template, common indentation already removed."""

    kind: Literal["talk", "system prompt", "mail"]
    text: Expr
    recipient: Expr | None = None


@dataclass(frozen=True, slots=True)
class Schedule(Node):
    """SET SCHEDULE as a statement, and SCHEDULE IN n unit DO. *delay* is (amount, unit) for the latter."""

    when: Expr | None
    delay: tuple[Expr, str] | None
    script: Expr | None
    arguments: tuple[Expr, ...]
    body: Body | None


@dataclass(frozen=True, slots=True)
class OnEvent(Node):
    """ON EVENT … and its relatives. *body* is None if the whole script is the handler or *call* names a procedure."""

    trigger: Literal["event", "form", "email", "change", "insert", "update", "delete"]
    subject: Expr
    detail: tuple[str, Expr] | None
    body: Body | None
    call: str | None = None


@dataclass(frozen=True, slots=True)
class Branch(Node):
    name: str
    bot: Expr
    task: Expr


@dataclass(frozen=True, slots=True)
class Step(Node):
    """STEP n: BOT / PARALLEL / HUMAN APPROVAL."""

    number: Expr
    branches: tuple[Branch, ...]
    approver: Expr | None = None
    timeout: Expr | None = None
    on_timeout: str | None = None


# --- declarations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param(Node):
    """*type* in lower case; ``'enum'`` choices in *choices*."""

    name: str
    type: str
    description: str = ""
    example: Expr | None = None
    default: Expr | None = None
    optional: bool = False
    choices: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Description(Node):
    text: str


@dataclass(frozen=True, slots=True)
class Field(Node):
    """A line of TABLE; *type* in lower case as written, *constraints* raw."""

    name: str
    type: str
    sizes: tuple[str, ...]
    array: bool
    required: bool
    key: bool
    unique: bool
    default: str | None
    references: str | None
    read_by: str | None
    write_by: str | None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table(Node):
    name: str
    connection: str | None
    read_by: str | None
    write_by: str | None
    fields: tuple[Field, ...]
    constraints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateIndex(Node):
    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True, slots=True)
class ScheduleDeclaration(Node):
    """Unconditional, top level, literal: *when* is the cron text or phrase."""

    when: str


@dataclass(frozen=True, slots=True)
class Webhook(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Procedure(Node):
    """SUB and FUNCTION; *parameters* folded names in order."""

    kind: Literal["sub", "function"]
    name: str
    parameters: tuple[str, ...]
    body: Body


Statement = (
    Assign | Do | If | ForEach | ForCount | Loop | Select | With | Try | OnError | Goto | Label | Return | Leave
    | TextBlock | Schedule | OnEvent | Step | Param | Description | Table | CreateIndex | ScheduleDeclaration | Webhook
    | Procedure
)  # fmt: skip
Body = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something doubtful that the parser saw; the analyser makes a warning of it."""

    at: Span
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """
    A parsed file.

    Args:
        workflow: it began with the ``#workflow`` pragma (which changes nothing here).
        unread: of a file with problems, the words of what could not be read and is not in *body*, in lower case.
    """

    name: str
    body: Body
    workflow: bool = False
    notes: tuple[Note, ...] = field(default=(), compare=False)
    unread: frozenset[str] = field(default=frozenset(), compare=False)
