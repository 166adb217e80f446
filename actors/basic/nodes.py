"""
The tree that the parser makes of a script: plain frozen data, printed back by ``printer``.

Every node knows where it stands (``at``). Names are already folded: variables, procedures and keywords to lower case
without a trailing ``$``; field names keep their case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec import Struct

__all__: list[str] = []  # the module is imported as a whole: ``from actors.basic import nodes``


class Span(NamedTuple):
    """A place in a script: 1-based line, 1-based column in characters, length in characters (at least 1)."""

    line: int
    column: int
    length: int = 1


class Node(Struct, frozen=True):
    at: Span


# --- expressions ----------------------------------------------------------------------------------------------------


class Literal_(Node, frozen=True):
    """NULL, TRUE, FALSE, a number, or a string without interpolation."""

    value: bool | int | float | str | None


class Template(Node, frozen=True):
    """A string with ``${…}``: texts and expressions in order."""

    parts: tuple[str | Expr, ...]


class Name(Node, frozen=True):
    """
    A variable, or a function of no arguments if there is no such variable (rule R7).

    Args:
        written: with its capitals, for where it stands for its own text.
    """

    name: str
    written: str = ""

    def __repr__(self) -> str:
        return f"Name(at={self.at!r}, name={self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and (self.at, self.name) == (other.at, other.name)

    def __hash__(self) -> int:
        return hash((self.at, self.name))


class List_(Node, frozen=True):
    items: tuple[Expr, ...]


class Object_(Node, frozen=True):
    pairs: tuple[tuple[str, Expr], ...]


class Member(Node, frozen=True):
    """``subject.name``; *safe* is ``?.``."""

    subject: Expr
    name: str
    safe: bool = False


class Index(Node, frozen=True):
    subject: Expr
    index: Expr


class Method(Node, frozen=True):
    """``subject.name(arguments)``."""

    subject: Expr
    name: str
    arguments: tuple[Expr, ...]
    safe: bool = False


class Unary(Node, frozen=True):
    operator: Literal["-", "+", "not"]
    operand: Expr


class Binary(Node, frozen=True):
    """Without short circuit: ``+ - * / \\ % ^ & = <> < <= > >= xor like contains matches starts ends in``.

    ``mod`` is ``%``, ``ilike`` is ``like``, ``==`` is ``=``, ``!=`` is ``<>``; a NOT in front is a ``Unary`` around it.
    """

    operator: str
    left: Expr
    right: Expr


class Logical(Node, frozen=True):
    """With short circuit, giving an operand: ``and or ??``."""

    operator: Literal["and", "or", "??"]
    left: Expr
    right: Expr


class IsNull(Node, frozen=True):
    operand: Expr
    negated: bool


class Between(Node, frozen=True):
    operand: Expr
    low: Expr
    high: Expr
    negated: bool


class Conditional(Node, frozen=True):
    """``condition ? then : otherwise``; also ``IIF`` and ``IF(…)``, of which one branch only is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr


class Call(Node, frozen=True):
    """``name(arguments)``, tight: a procedure, a built-in function or a tool script, in this order."""

    name: str
    arguments: tuple[Expr, ...]


class CallScript(Node, frozen=True):
    """``CALL "other.bas", a, b`` or ``CALL "/area/op", a``. *target* is as written."""

    target: str
    arguments: tuple[Expr, ...]


class Format(Node, frozen=True):
    """``FORMAT x [AS pattern | AS JSON | , pattern]``. *pattern* is None for plain text and for JSON."""

    operand: Expr
    pattern: Expr | None
    json: bool = False


class Keyword(Node, frozen=True):
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


class Hear(Node, frozen=True):
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


class Sql(Node, frozen=True):
    """Inline ``SELECT …``: the raw text to the end of the statement."""

    text: str


Expr = (
    Literal_ | Template | Name | List_ | Object_ | Member | Index | Method | Unary | Binary | Logical | IsNull | Between
    | Conditional | Call | CallScript | Format | Keyword | Hear | Sql
)  # fmt: skip


# --- statements -----------------------------------------------------------------------------------------------------


class Assign(Node, frozen=True):
    """``target = value``; ``a += b`` is written out as ``a = a + b`` by *operator* ``'+'`` (else None)."""

    target: Name | Member | Index
    value: Expr
    operator: Literal["+", "-", "*", "/"] | None = None


class Do(Node, frozen=True):
    """An expression for its effect: a keyword command, a call, HEAR without a target."""

    expression: Expr


class If(Node, frozen=True):
    """*branches*: (condition, body) in order; *otherwise* the ELSE body, empty if none."""

    branches: tuple[tuple[Expr, Body], ...]
    otherwise: Body


class ForEach(Node, frozen=True):
    """*limit*: ``('first' | 'last', n)`` or None."""

    variable: str
    collection: Expr
    limit: tuple[Literal["first", "last"], Expr] | None
    body: Body


class ForCount(Node, frozen=True):
    variable: str
    start: Expr
    stop: Expr
    step: Expr | None
    body: Body


class Loop(Node, frozen=True):
    """WHILE and DO. *before*, *after*: (condition, until?) or None; neither: endless. *kind* is for EXIT."""

    kind: Literal["while", "do"]
    before: tuple[Expr, bool] | None
    after: tuple[Expr, bool] | None
    body: Body


class CaseRange(Node, frozen=True):
    low: Expr
    high: Expr


class CaseIs(Node, frozen=True):
    operator: str
    value: Expr


class Select(Node, frozen=True):
    """*cases*: (items, body); *otherwise* the CASE ELSE body, empty if none."""

    subject: Expr
    cases: tuple[tuple[tuple[Expr | CaseRange | CaseIs, ...], Body], ...]
    otherwise: Body


class With(Node, frozen=True):
    """``WITH target`` … makes a new object of the fields and stores it."""

    target: Name | Member | Index
    fields: tuple[tuple[str, Expr], ...]


class Try(Node, frozen=True):
    body: Body
    variable: str | None
    handler: Body


class OnError(Node, frozen=True):
    """*action*: ``'resume'`` (RESUME NEXT), ``'off'`` (GOTO 0), ``'goto'`` with *label*."""

    action: Literal["resume", "off", "goto"]
    label: str | None = None


class Goto(Node, frozen=True):
    label: str


class Label(Node, frozen=True):
    name: str


class Return(Node, frozen=True):
    value: Expr | None


class Leave(Node, frozen=True):
    """*what*: ``'for' 'do' 'while' 'sub' 'function'`` (EXIT …), ``'break'``, ``'continue'``, ``'run'``: EXIT, END."""

    what: Literal["for", "do", "while", "sub", "function", "break", "continue", "run"]


class TextBlock(Node, frozen=True):
    """BEGIN TALK / SYSTEM PROMPT / MAIL. *text* is a Literal_ or Template, common indentation already removed."""

    kind: Literal["talk", "system prompt", "mail"]
    text: Expr
    recipient: Expr | None = None


class Schedule(Node, frozen=True):
    """SET SCHEDULE as a statement, and SCHEDULE IN n unit DO. *delay* is (amount, unit) for the latter."""

    when: Expr | None
    delay: tuple[Expr, str] | None
    script: Expr | None
    arguments: tuple[Expr, ...]
    body: Body | None


class OnEvent(Node, frozen=True):
    """ON EVENT … and its relatives. *body* is None if the whole script is the handler or *call* names a procedure."""

    trigger: Literal["event", "form", "email", "change", "insert", "update", "delete"]
    subject: Expr
    detail: tuple[str, Expr] | None
    body: Body | None
    call: str | None = None


class Branch(Node, frozen=True):
    name: str
    bot: Expr
    task: Expr


class Step(Node, frozen=True):
    """STEP n: BOT / PARALLEL / HUMAN APPROVAL."""

    number: Expr
    branches: tuple[Branch, ...]
    approver: Expr | None = None
    timeout: Expr | None = None
    on_timeout: str | None = None


# --- declarations ---------------------------------------------------------------------------------------------------


class Param(Node, frozen=True):
    """*type* in lower case; ``'enum'`` choices in *choices*; no choices where it may be all of its type."""

    name: str
    type: str
    description: str = ""
    example: Expr | None = None
    default: Expr | None = None
    optional: bool = False
    choices: tuple[Literal_, ...] = ()


class Description(Node, frozen=True):
    text: str


class Field(Node, frozen=True):
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


class Table(Node, frozen=True):
    name: str
    connection: str | None
    read_by: str | None
    write_by: str | None
    fields: tuple[Field, ...]
    constraints: tuple[str, ...]


class CreateIndex(Node, frozen=True):
    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool


class ScheduleDeclaration(Node, frozen=True):
    """Unconditional, top level, literal: *when* is the cron text or phrase."""

    when: str


class Webhook(Node, frozen=True):
    name: str


class Procedure(Node, frozen=True):
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
