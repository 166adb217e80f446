"""The shape of a row of the keyword table, and how phrases are found in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from actors.basic import nodes

__all__ = ["CONTINUES_QUERY", "HEAR_TYPES", "MANY", "Clause", "Effect", "KeywordTable", "Row", "Use", "row"]

MANY = 1000
"""The maximum of arguments where there is none."""

CONTINUES_QUERY = frozenset({"where", "order by", "group by", "having", "limit", "join"})
"""A line that begins so belongs to the inline SELECT before it."""

HEAR_TYPES = frozenset(
    [
        "any",
        "string",
        "text",
        "integer",
        "int",
        "number",
        "float",
        "decimal",
        "double",
        "money",
        "currency",
        "amount",
        "boolean",
        "bool",
        "email",
        "name",
        "date",
        "hour",
        "time",
        "mobile",
        "phone",
        "telephone",
        "zipcode",
        "zip",
        "cep",
        "postalcode",
        "language",
        "url",
        "link",
        "uuid",
        "guid",
        "color",
        "cpf",
        "cnpj",
        "creditcard",
        "card",
        "password",
        "secret",
        "login",
        "auth",
        "file",
        "document",
        "image",
        "photo",
        "video",
        "audio",
        "voice",
        "qrcode",
        "qr",
        "menu",
    ]
)
"""The words that may follow ``HEAR x AS``; any other word there is a variable that holds a list of options."""

Effect = Literal["p", "s", "m", "q", "w", "d"]
"""
What running a keyword touches: ``p`` nothing (pure), ``s`` the state of the run or session, ``m`` sends a message and
needs no answer, ``q`` asks another component, the run may be suspended until it answers, ``w`` waits for a person, an
event or the clock, ``d`` declares, which acts when the script is deployed.
"""

Use = Literal["statement", "expression", "both"]

Value = Literal["none", "value", "condition", "pairs", "columns", "word", "target"]


@dataclass(frozen=True, slots=True)
class Clause:
    """
    A word, or words, that may follow the arguments, with what comes after it.

    Args:
        word: lower case, ``'order by'``.
        value: what follows, and how the tree holds it:
            ``none``: nothing, None;
            ``value``: an expression;
            ``condition``: an expression, where a bare name on the left of a comparison is a column;
            ``pairs``: ``a AS e, b AS e`` or ``a = e, b = e``, as an Object_; or else one expression;
            ``columns``: ``a, b DESC``, as a List_ of texts ``'a'``, ``'b desc'``;
            ``word``: one bare word as a lower-case text; or else one expression;
            ``target``: a variable that gets the result; the statement becomes an assignment.
        own_line: the clause may begin the next line.
    """

    word: str
    value: Value = "value"
    own_line: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """
    One keyword.

    Args:
        phrase: lower case, words separated by one blank.
        effect: see ``Effect``.
        least, most: how many positional arguments there are.
        use: as a statement, inside expressions, or both.
        clauses: what may follow the arguments, in any order.
        joins: words or signs that may stand between two arguments in place of a comma.
        bare: positions of arguments where a bare name (also with dots) that is no variable stands for its own text.
        loose: the commas may be missing.
        more: given the first argument, whether a second may follow; None: always.
        function: without parentheses it is a call of this built-in function.
        handler: the name of what executes it; None: known by name only, a run that reaches it fails with E_CONFIG.
    """

    phrase: str
    effect: Effect
    least: int
    most: int
    use: Use = "statement"
    clauses: tuple[Clause, ...] = ()
    joins: frozenset[str] = frozenset()
    bare: frozenset[int] = frozenset()
    loose: bool = False
    more: Callable[[nodes.Expr], bool] | None = None
    function: str | None = None
    handler: str | None = None

    @property
    def clause_words(self) -> frozenset[str]:
        """The first words of the clauses."""
        return frozenset(clause.word.split(" ", 1)[0] for clause in self.clauses)


def row(
    phrase: str,
    effect: Effect,
    least: int,
    most: int | None = None,
    *clauses: Clause,
    use: Use = "statement",
    joins: str = "",
    bare: Iterable[int] = (),
    loose: bool = False,
    more: Callable[[nodes.Expr], bool] | None = None,
    function: str | None = None,
    works: bool = False,
) -> Row:
    """A row as the tables write it: *most* defaults to *least*; *works*: its handler exists, named like the phrase."""
    handler = phrase.replace(" ", "_") if works else None
    return Row(
        phrase,
        effect,
        least,
        least if most is None else most,
        use,
        clauses,
        frozenset(joins.split()),
        frozenset(bare),
        loose,
        more,
        function,
        handler,
    )


class _Branch:
    """What may follow the words so far."""

    __slots__ = ("next", "row")

    def __init__(self) -> None:
        self.next: dict[str, _Branch] = {}
        self.row: Row | None = None


class KeywordTable:
    """The rows by phrase, and the longest phrase at a place of a script."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[str, Row] = {}
        self._root = _Branch()
        self._operand_words: set[str] = set()
        for each in rows:
            self.add(each)

    def add(self, new: Row) -> None:
        """Add *new*. Raises ValueError: its phrase is taken, or it is not made of lower-case words."""
        if new.phrase in self._rows:
            raise ValueError(f"the keyword {new.phrase.upper()} is in the table already")
        if not new.phrase or new.phrase != " ".join(new.phrase.lower().split()):
            raise ValueError(f"{new.phrase!r} is not lower-case words separated by one blank")
        self._rows[new.phrase] = new
        branch = self._root
        for word in new.phrase.split(" "):
            branch = branch.next.setdefault(word, _Branch())
        branch.row = new
        if new.most:
            self._operand_words |= {new.phrase.rsplit(" ", 1)[-1], new.phrase.replace(" ", "_")}
        self._operand_words |= {clause.word.rsplit(" ", 1)[-1] for clause in new.clauses if clause.value != "none"}

    def __getitem__(self, phrase: str) -> Row:
        return self._rows[phrase]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, phrase: object) -> bool:
        return phrase in self._rows

    def get(self, phrase: str) -> Row | None:
        return self._rows.get(phrase)

    def takes_operand(self, word: str) -> bool:
        """Whether *word* (lower case) ends a keyword or a clause that an operand follows."""
        return word in self._operand_words

    def begins(self, word: str) -> bool:
        """Whether some phrase begins with the lower-case *word*, which may have ``_`` for blanks."""
        return word in self._root.next or ("_" in word and word.split("_", 1)[0] in self._root.next)

    def walk(self, words: Iterable[str]) -> list[tuple[Row, int]]:
        """
        The rows whose phrase is a beginning of *words*, shortest first, each with how many of *words* it takes.

        A word with ``_`` counts as the words between, and is taken whole or not at all.
        """
        found: list[tuple[Row, int]] = []
        branch = self._root
        for count, word in enumerate(words, start=1):
            for part in word.split("_") if "_" in word else (word,):
                following = branch.next.get(part)
                if following is None:
                    return found
                branch = following
            if branch.row is not None:
                found.append((branch.row, count))
        return found
