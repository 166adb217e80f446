"""Operands that begin with a word: names, calls, and keywords that give a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from actors.basic import nodes
from actors.basic.keywords import CONTINUES_QUERY, HEAR_TYPES, Clause, KeywordTable, Row
from actors.basic.lexer import EOF, NEWLINE, NUMBER, SIGN, STRING, WORD, Lexed, Token
from actors.basic.nodes import Expr, Span
from actors.basic.parser.cursor import RESERVED
from actors.basic.parser.expressions import NEGATABLE, Expressions

__all__ = ["Operands"]

_NO_OPERAND = frozenset(
    [
        "and",
        "or",
        "xor",
        "is",
        "in",
        "like",
        "ilike",
        "contains",
        "starts",
        "ends",
        "matches",
        "between",
        "mod",
        "then",
        "else",
        "to",
        "step",
        "do",
        "as",
        "by",
        "with",
        "where",
        "using",
        "for",
    ]
)
"""A word of these does not make the keyword before it a keyword: it is a variable then."""

_HEAR_WORDS = frozenset(["as", "with", "default", "timeout"])

T = TypeVar("T")


class Operands(Expressions):
    """Reads names and keywords in expressions."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self.procedures: frozenset[str] = frozenset()  # that the script defines
        self.assigned: frozenset[str] = frozenset()  # names that are plainly variables
        self.functions: frozenset[str] = frozenset()  # built in

    def word(self, token: Token) -> Expr:
        word = cast(str, token.value)
        tight = self.tight
        if tight and word in ("iif", "if") and word not in self.procedures:
            return self._conditional(token)
        special = _SPECIAL.get(word)
        if special is not None and not (word in self.procedures and tight):
            found = special(self, token)
            if found is not None:
                return found
        if word in ("true", "false", "null"):
            self.advance()
            return nodes.Literal_(token.at, {"true": True, "false": False, "null": None}[word])
        if tight and (word in self.procedures or word in self.functions):
            self.advance()
            return nodes.Call(token.at, word, self.parenthesised())
        if self.table.begins(word):
            keyword = self._keyword(token)
            if keyword is not None:
                return keyword
        if word in RESERVED:
            self.fail(f"expected a value here, not {self.described()}")
        self.advance()
        if tight:
            return nodes.Call(token.at, word, self.parenthesised())
        return nodes.Name(token.at, word, token.text)

    def _conditional(self, token: Token) -> Expr:
        self.advance()
        arguments = self.parenthesised()
        if len(arguments) not in (2, 3):
            self.fail(f"{token.text.upper()} takes a condition and two values", token.at)
        otherwise = arguments[2] if len(arguments) == 3 else nodes.Literal_(token.at, None)
        return nodes.Conditional(token.at, arguments[0], arguments[1], otherwise)

    def _operand_at(self, index: int) -> bool:
        """Rule R3: whether the token at *index* makes the word before it a keyword."""
        token = self.tokens[index]
        if token.kind in (NUMBER, STRING):
            return True
        if token.kind == WORD:
            if token.value == "not" and self.tokens[index + 1].value in NEGATABLE:
                return False
            return token.value not in _NO_OPERAND and token.value not in self._end_operands
        if token.kind == SIGN:
            if token.text == "[":
                return token.blank
            return token.text in ("(", "#{") or (token.text == "{" and not self._condition)
        return False

    def before(self, words: frozenset[str], read: Callable[[], T]) -> T:
        """What *read* reads, where *words* end an operand: ``list`` in ``FOR EACH x IN list FIRST 3`` is a variable."""
        outer = self._end_operands
        self._end_operands = outer | words
        try:
            return read()
        finally:
            self._end_operands = outer

    # --- keywords ---------------------------------------------------------------------------------------------------

    def _keyword(self, token: Token) -> Expr | None:
        """The longest keyword here that may stand in an expression (R2, R3); None: the word is a name."""
        for found, count in reversed(self.table.walk(self.words_ahead())):
            if found.use == "statement":
                continue
            following = self.tokens[self.index + count]
            if following.text == "(" and following.kind == SIGN and not following.blank:
                self.skip(count)
                return self._called(found, token)
            if found.most and self._operand_at(self.index + count):
                if found.least == 0 and self._clause_at(found, self.index + count) is not None:
                    self.skip(count)
                    return self._made(found, token, (), self.clauses(found))
                self.skip(count)
                return self._made(found, token, *self.arguments_and_clauses(found, self.coalesce))
            if found.least == 0 and " " in found.phrase:
                if count == 1 and token.value in self.assigned:
                    return None  # a variable of that spelling wins
                self.skip(count)
                return self._made(found, token, (), self.clauses(found))
        return None

    def _called(self, row: Row, token: Token) -> Expr:
        """``KEYWORD(…)``, rule R4."""
        arguments = self.parenthesised()
        self.check_count(row, len(arguments), token.at)
        return self._made(row, token, arguments, ())

    def _made(
        self, row: Row, token: Token, arguments: tuple[Expr, ...], clauses: tuple[tuple[str, Expr | None], ...]
    ) -> Expr:
        if row.function is not None:
            return nodes.Call(token.at, row.function, arguments)
        return nodes.Keyword(self._phrase_span(token, row), row.phrase, arguments, clauses)

    def _phrase_span(self, token: Token, row: Row) -> Span:
        return Span(token.line, token.column, max(len(token.text), len(row.phrase)))

    def check_count(self, row: Row, count: int, at: Span) -> None:
        if row.least <= count <= row.most:
            return
        keyword = row.phrase.upper()
        if row.most == 0:
            self.fail(f"{keyword} takes no values", at)
        if row.least == row.most:
            wanted = f"{row.least} value{'s' * (row.least > 1)}"
        elif count < row.least:
            wanted = f"at least {row.least} value{'s' * (row.least > 1)}"
        else:
            wanted = f"at most {row.most} value{'s' * (row.most > 1)}"
        hint = "to make one of several write + between them" if row.most == 1 and count > 1 else ""
        self.fail(f"{keyword} takes {wanted}, not {count}", at, hint)

    def arguments_and_clauses(
        self, row: Row, read: Callable[[], Expr]
    ) -> tuple[tuple[Expr, ...], tuple[tuple[str, Expr | None], ...]]:
        """Everything that stands behind the phrase of *row*, except targets."""

        def both() -> tuple[tuple[Expr, ...], tuple[tuple[str, Expr | None], ...]]:
            arguments = self.arguments(row, read)
            clauses = self.clauses(row)
            if row.loose and clauses:  # the clauses may stand in the midst of the arguments
                arguments += self.arguments(row, read)
            return arguments, clauses

        return self.before(row.clause_words, both) if row.clauses else both()

    def arguments(self, row: Row, read: Callable[[], Expr]) -> tuple[Expr, ...]:
        """The positional arguments of *row* from here, each read by *read* (rule R5)."""
        found: list[Expr] = []
        while len(found) < row.most:
            if len(found) >= row.least and self._clause_at(row, self.index) is not None:
                break
            if not found and (self.at_end() or self._closes_here()):
                break
            found.append(read())
            if len(found) == 1 and row.more is not None and not row.more(found[0]):
                break
            if len(found) < row.most and not self._next_argument(row):
                break
        return tuple(found)

    def _closes_here(self) -> bool:
        return self.tok.kind == EOF or (self.tok.kind == SIGN and self.tok.text in (")", "]", "}", ",", ":"))

    def _next_argument(self, row: Row) -> bool:
        """Take what stands between two arguments, if it is there."""
        if self.is_sign(","):
            following = self.peek()
            if self._in_object and following.kind in (WORD, STRING) and self.peek(2).text == ":":
                return False
            self.advance()
            self.skip_newlines()
            return True
        if self.tok.value in row.joins and self.tok.kind in (WORD, SIGN):
            self.advance()
            self.skip_newlines()
            return True
        if row.loose:
            return not self.at_end() and self._clause_at(row, self.index) is None and self._operand_at(self.index)
        return False

    # --- clauses ----------------------------------------------------------------------------------------------------

    def _clause_at(self, row: Row, index: int) -> tuple[Clause, int] | None:
        """The longest clause of *row* whose words stand at *index*, with how many tokens they are."""
        if self.tokens[index].kind != WORD:
            return None
        best: tuple[Clause, int] | None = None
        for clause in row.clauses:
            count = self.spelled(index, clause.word)
            if count and (best is None or len(clause.word) > len(best[0].word)):
                best = (clause, count)
        return best

    def _next_line_clause(self, row: Row) -> bool:
        """Whether the next line goes on with a clause of *row*."""
        if self.tok.kind != NEWLINE or not row.clauses:
            return False
        index = self.index
        while self.tokens[index].kind == NEWLINE and self.tokens[index].text == "\n":
            index += 1
        found = self._clause_at(row, index)
        if found is None or not found[0].own_line:
            return False
        following = self.tokens[index + found[1]]
        return not (following.kind == SIGN and following.text in ("=", "+=", "-=", "*=", "/=", "."))

    def clauses(self, row: Row) -> tuple[tuple[str, Expr | None], ...]:
        """The clauses of *row* from here, except targets."""
        found: list[tuple[str, Expr | None]] = []
        if not row.clauses:
            return ()
        while True:
            if self._next_line_clause(row):
                self.skip_newlines()
            here = self._clause_at(row, self.index + self.is_sign(","))
            if here is not None and self.is_sign(","):
                self.advance()
            if here is None or here[0].value == "target":
                return tuple(found)
            clause, count = here
            if any(word == clause.word for word, _ in found):
                self.fail(f"{clause.word.upper()} stands here twice")
            self.skip(count)
            found.append((clause.word, self._clause_value(clause)))

    def _clause_value(self, clause: Clause) -> Expr | None:
        if clause.value == "none":
            return None
        self.skip_newlines()
        match clause.value:
            case "condition":
                return self.expression()
            case "pairs" if self.tok.kind in (WORD, STRING) and self.peek().value in ("as", "="):
                return self._pairs()
            case "columns":
                return self._columns()
            case "word" if self.tok.kind == WORD and not self.tight:
                token = self.advance()
                return nodes.Literal_(token.at, cast(str, token.value))
        return self.coalesce()

    def _pairs(self) -> Expr:
        at = self.tok.at
        pairs: list[tuple[str, Expr]] = []
        while True:
            key = self._key()
            if key is None:
                self.fail(f"expected a field's name here, not {self.described()}")
            self.advance()
            if not (self.take_sign("=") or self.take_word("as")):
                self.fail(f"expected = or AS after {key}, not {self.described()}")
            self.skip_newlines()
            pairs.append((key, self.coalesce()))
            if not self.take_sign(","):
                return nodes.Object_(at, tuple(pairs))
            self.skip_newlines()

    def _columns(self) -> Expr:
        at = self.tok.at
        columns: list[Expr] = []
        while True:
            token = self.tok
            if token.kind == STRING:
                name = self._key() or self.fail("expected the name of a column here")
                self.advance()
            else:
                name = self.name_token("the name of a column").text
                while self.is_sign("."):
                    self.advance()
                    name += "." + self.name_token("the name of a column").text
            if self.is_word("asc", "desc"):
                name += " " + cast(str, self.advance().value)
            columns.append(nodes.Literal_(token.at, name))
            if not self.take_sign(","):
                return nodes.List_(at, tuple(columns))
            self.skip_newlines()

    # --- the keywords with a grammar of their own -------------------------------------------------------------------

    def _hear(self, token: Token) -> Expr | None:
        if self.tight or (self.is_words("hear from meet") and "hear from meet" in self.table):
            return None
        self.advance()
        prompt = self.before(_HEAR_WORDS, self.additive) if self.tok.kind == STRING else None
        return self.hear_clauses(token.at, prompt)

    def hear_clauses(self, at: Span, prompt: Expr | None) -> nodes.Hear:
        """What may follow ``HEAR v``: AS, WITH, DEFAULT and TIMEOUT in any order."""
        return self.before(_HEAR_WORDS, lambda: self._hear_clauses(at, prompt))

    def _hear_clauses(self, at: Span, prompt: Expr | None) -> nodes.Hear:
        kind, options, opened = "any", list[Expr](), False
        default: Expr | None = None
        timeout: Expr | None = None
        while True:
            if self.take_word("as"):
                kind, options, opened = self._hear_type()
            elif self.take_word("with"):
                self.skip_newlines()
                prompt = self.additive()
            elif self.take_word("default"):
                default = self.additive()
            elif self.take_word("timeout"):
                timeout = self.additive()
            else:
                break
        if kind == "" and len(options) == 1:
            # One string alone is the prompt, and the answer is free.
            return nodes.Hear(at, "any", prompt or options[0], default, timeout)
        return nodes.Hear(at, kind or "menu", prompt, default, timeout, tuple(options), opened)

    def _hear_type(self) -> tuple[str, list[Expr], bool]:
        """After AS: (type, options, open); the type is ``''`` where only texts stand."""
        kind = ""
        following = self.peek()
        indexed = following.text == "[" and not following.blank
        if self.tok.kind == WORD and not self.tight and not indexed and following.text != ".":
            word = cast(str, self.tok.value)
            if word in HEAR_TYPES:
                self.advance()
                if word != "menu":
                    return word, [], False
                kind = "menu"
            elif self.peek().text != ",":
                return "menu", [self.postfix()], False
        options: list[Expr] = []
        opened = False
        while not self.at_end() and not self.is_word("with", "default", "timeout"):
            if self.is_sign("*"):
                self.advance()
                opened, kind = True, "menu"
            else:
                options.append(self.additive())
                if not _begins_as_text(options[-1]):
                    kind = "menu"
            if not self.take_sign(","):
                break
            self.skip_newlines()
        if not options:
            self.fail(f"expected a type or options after AS, not {self.described()}")
        return kind, options, opened

    def _format(self, token: Token) -> Expr | None:
        if self.tight:
            self.advance()
            arguments = self.parenthesised()
            if len(arguments) not in (1, 2):
                self.fail(f"FORMAT takes a value and a pattern, not {len(arguments)} values", token.at)
            if len(arguments) == 2:
                return nodes.Format(token.at, arguments[0], arguments[1])
            operand = arguments[0]
        elif self._operand_at(self.index + 1):
            self.advance()
            operand = self.postfix()
        else:
            return None
        if self.is_word("as"):
            self.advance()
            if self.is_word("json") and not self.tight:
                at = self.advance().at
                return nodes.Format(token.at, operand, nodes.Literal_(at, "json"), json=True)
            return nodes.Format(token.at, operand, self.postfix())
        # In brackets the comma belongs to them, unless a text follows, which can hardly be anything but a pattern.
        following = self.peek()
        if self.is_sign(",") and (following.kind == STRING if self.brackets else self._operand_at(self.index + 1)):
            if self._in_object and self.peek(2).text == ":":
                return nodes.Format(token.at, operand, None)
            self.advance()
            self.skip_newlines()
            return nodes.Format(token.at, operand, self.additive())
        return nodes.Format(token.at, operand, None)

    def _call(self, token: Token) -> Expr | None:
        if self.tight or self.tokens[self.index + 1].kind not in (WORD, STRING) or not self._operand_at(self.index + 1):
            return None
        self.advance()
        return self.call(token, self.coalesce)

    def call(self, token: Token, read: Callable[[], Expr]) -> Expr:
        """After CALL: a script, an operation or a procedure, and its arguments."""
        if self.tok.kind == STRING:
            target = self._key()
            if target is None:
                hint = "which script is called cannot depend on a variable: use IF and several CALLs"
                self.fail("CALL needs a plain text here", hint=hint)
            at = self.advance().at
            return nodes.CallScript(at, target, self._call_arguments(read))
        tight = self.tight
        name = self.name_token("a procedure or a script")
        arguments = self.parenthesised() if tight else self._call_arguments(read)
        return nodes.Call(name.at, cast(str, name.value), arguments)

    def _call_arguments(self, read: Callable[[], Expr]) -> tuple[Expr, ...]:
        found: list[Expr] = []
        while self.is_sign(","):
            if self._in_object and self.peek(2).text == ":":
                break
            self.advance()
            self.skip_newlines()
            found.append(read())
        return tuple(found)

    def _select(self, token: Token) -> Expr | None:
        """Inline SQL, to the end of the statement and its continuation lines."""
        if self.tight or not (self._operand_at(self.index + 1) or self.peek().text == "*"):
            return None
        depth = 0
        index = self.index
        while True:
            current = self.tokens[index]
            if current.kind == SIGN:
                depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(current.text, 0)
                if depth < 0:
                    break
            if current.kind == EOF or (current.kind == NEWLINE and depth <= 0 and not self._sql_goes_on(index)):
                break
            index += 1
        text = self.text_between(token.start, index)
        self.go_to(index)
        return nodes.Sql(token.at, " ".join(line.strip() for line in text.split("\n")))

    def _sql_goes_on(self, newline: int) -> bool:
        if self.tokens[newline].text != "\n":
            return False
        if self.tokens[newline - 1].text == "," or self.tokens[newline - 1].value in ("and", "or", "where", "from"):
            return True
        return any(self.spelled(newline + 1, words) for words in CONTINUES_QUERY)


def _begins_as_text(option: Expr) -> bool:
    """Whether it is a text as it stands, or one with something put behind it."""
    while isinstance(option, nodes.Binary) and option.operator in ("+", "&"):
        option = option.left
    return isinstance(option, nodes.Literal_ | nodes.Template)


_SPECIAL: dict[str, Callable[[Operands, Token], Expr | None]] = {
    "hear": Operands._hear,
    "format": Operands._format,
    "call": Operands._call,
    "select": Operands._select,
}
