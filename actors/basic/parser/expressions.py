"""Expressions: precedence, operands, and keywords that give a value."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

from actors.basic import nodes
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import BLOCK, EOF, NEWLINE, NUMBER, SIGN, STRING, WORD, Hole, Lexed, Token
from actors.basic.nodes import Expr
from actors.basic.parser.cursor import MAX_EXPRESSION_HEIGHT, Cursor, Failure
from actors.basic.walk import height

__all__ = ["NEGATABLE", "Expressions"]

# Levels of precedence, lowest first.
OR, AND, NOT, COMPARISON, COALESCE, ADDITIVE, TERM = range(2, 9)

_SIGNS: dict[str, tuple[int, str]] = {
    "||": (OR, "or"),
    "&&": (AND, "and"),
    "=": (COMPARISON, "="),
    "==": (COMPARISON, "="),
    "<>": (COMPARISON, "<>"),
    "!=": (COMPARISON, "<>"),
    "<": (COMPARISON, "<"),
    "<=": (COMPARISON, "<="),
    ">": (COMPARISON, ">"),
    ">=": (COMPARISON, ">="),
    "??": (COALESCE, "??"),
    "+": (ADDITIVE, "+"),
    "-": (ADDITIVE, "-"),
    "&": (ADDITIVE, "&"),
    "*": (TERM, "*"),
    "/": (TERM, "/"),
    "\\": (TERM, "\\"),
    "%": (TERM, "%"),
}
_WORDS: dict[str, tuple[int, str]] = {
    "or": (OR, "or"),
    "xor": (OR, "xor"),
    "and": (AND, "and"),
    "like": (COMPARISON, "like"),
    "ilike": (COMPARISON, "like"),
    "contains": (COMPARISON, "contains"),
    "matches": (COMPARISON, "matches"),
    "in": (COMPARISON, "in"),
    "between": (COMPARISON, "between"),
    "starts": (COMPARISON, "starts"),
    "ends": (COMPARISON, "ends"),
    "is": (COMPARISON, "is"),
    "not": (COMPARISON, "not"),
    "mod": (TERM, "%"),
}
_MEANT = {"=>": ">=", "=<": "<=", "**": "^", "===": "=", "!==": "<>", "<>=": "<>"}
"""Signs of other languages, and ours for them."""

NEGATABLE = frozenset(["like", "ilike", "contains", "matches", "in", "between"])
"""The words that may follow NOT in the midst of a comparison."""


class Expressions(Cursor):
    """Reads expressions. Subclasses read what is made of them."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self._condition = False  # inside the condition of an IF, where a brace opens a block
        self._in_object = 0
        self._end_operands: frozenset[str] = frozenset()  # clause words of what is being read
        self._large_hole = False  # one was read, whose tokens are not counted in those of the line

    @abstractmethod
    def word(self, token: Token) -> Expr:
        """The operand that begins with the word *token*, which is the current one."""

    # --- operators --------------------------------------------------------------------------------------------------

    def expression(self) -> Expr:
        """A whole expression."""
        first = self.index
        self.deeper()
        tree = self._binary(OR)
        if self.is_sign("?"):
            at = self.advance().at
            self.skip_newlines()
            then = self.expression()
            self.expect_sign(":", "between the two values of ?:")
            self.skip_newlines()
            tree = nodes.Conditional(at, tree, then, self.expression())
        self.nesting -= 1
        return self._checked(tree, first)

    def coalesce(self) -> Expr:
        """An operand of a keyword: everything that binds tighter than a comparison."""
        first = self.index
        self.deeper()
        tree = self._binary(COALESCE)
        self.nesting -= 1
        return self._checked(tree, first)

    def additive(self) -> Expr:
        first = self.index
        self.deeper()
        tree = self._binary(ADDITIVE)
        self.nesting -= 1
        return self._checked(tree, first)

    def _checked(self, tree: Expr, first: int) -> Expr:
        # A tree is never higher than it has tokens, so that most need no measuring.
        if self.nesting == 0 and (self._large_hole or self.index - first > MAX_EXPRESSION_HEIGHT):
            self._large_hole = False
            if height(tree) > MAX_EXPRESSION_HEIGHT:
                hint = "compute it in several steps"
                self.fail(f"this expression has more than {MAX_EXPRESSION_HEIGHT} levels", self.tokens[first].at, hint)
        return tree

    def _binary(self, level: int) -> Expr:
        left = self._unary()
        while True:
            token = self.tok
            if token.kind == SIGN:
                found = _SIGNS.get(token.text)
            elif token.kind == WORD:
                found = _WORDS.get(str(token.value))
            else:
                return left
            if found is None or found[0] < level:
                return left
            precedence, operator = found
            if token.kind == WORD and operator in ("is", "not", "between", "in", "starts", "ends"):
                compared = self._worded(left, operator, token)
                if compared is None:
                    return left
                left = compared
                continue
            self.advance()
            self.skip_newlines()
            right = self._binary(precedence + 1)
            if operator in ("and", "or", "??"):
                left = nodes.Logical(token.at, operator, left, right)  # type: ignore[arg-type]  # one of the three
            else:
                left = nodes.Binary(token.at, operator, left, right)

    def _worded(self, left: Expr, operator: str, token: Token) -> Expr | None:
        """A comparison of several words; None if the words after *left* are not one."""
        negated = operator == "not"
        if operator == "not":
            following = self.peek()
            if following.kind != WORD or following.value not in NEGATABLE:
                return None
            self.advance()
            operator = _WORDS[following.value][1]
        elif operator in ("starts", "ends"):
            if self.peek().value != "with":
                return None
            self.advance()
        elif operator == "is":
            return self._is_null(left, token)
        self.advance()
        self.skip_newlines()
        right = self._binary(COALESCE)
        if operator == "between":
            self.expect_word("and", "between the two limits of BETWEEN")
            self.skip_newlines()
            return nodes.Between(token.at, left, right, self._binary(COALESCE), negated)
        compared = nodes.Binary(token.at, operator, left, right)
        return nodes.Unary(token.at, "not", compared) if negated else compared

    def _is_null(self, left: Expr, token: Token) -> Expr | None:
        negated = self.peek().value == "not"
        last = self.peek(2 if negated else 1)
        if last.kind != WORD or last.value != "null":
            self.advance()
            self.fail(f"expected NULL or NOT NULL after IS, not {self.described()}", hint="to compare values write =")
        self.skip(3 if negated else 2)
        return nodes.IsNull(token.at, left, negated)

    def _unary(self) -> Expr:
        token = self.tok
        if token.kind == SIGN and token.text in ("-", "+", "!"):
            operator, level = ("not", COMPARISON) if token.text == "!" else (token.text, 0)
        elif token.kind == WORD and token.value == "not":
            operator, level = "not", COMPARISON
        else:
            return self._power()
        self.deeper()
        self.advance()
        self.skip_newlines()
        operand = self._binary(level) if level else self._unary()
        self.nesting -= 1
        return nodes.Unary(token.at, operator, operand)  # type: ignore[arg-type]  # one of the three

    def _power(self) -> Expr:
        left = self.postfix()
        if self.is_sign("^"):
            at = self.advance().at
            self.deeper()
            self.skip_newlines()
            left = nodes.Binary(at, "^", left, self._unary())
            self.nesting -= 1
        return left

    def postfix(self) -> Expr:
        """An operand with its members, indexes and method calls."""
        return self._postfixed(self._primary())

    def _postfixed(self, left: Expr) -> Expr:
        while self.tok.kind == SIGN:
            token = self.tok
            if token.text == "." or (token.text == "?." and self.peek().kind == WORD):
                self.advance()
                if self.tok.kind != WORD:
                    self.fail(f"expected the name of a field after {token.text}, not {self.described()}")
                tight = self.tight
                name = self.advance()
                field = name.text.rstrip("$")
                safe = token.text == "?."
                if tight:
                    left = nodes.Method(name.at, left, field, self.parenthesised(), safe)
                else:
                    left = nodes.Member(name.at, left, field, safe)
            elif token.text == "[":
                opening = self._open()
                words, self._end_operands = self._end_operands, frozenset()
                index = self.expression()
                self._end_operands = words
                self._close("]", opening)
                left = nodes.Index(token.at, left, index)
            else:
                break
        return left

    # --- brackets ---------------------------------------------------------------------------------------------------

    def _open(self) -> int:
        """Take an opening bracket. Returns: where it stands, for ``_close``."""
        index = self.index
        self.opened.append(index)
        self.brackets += 1
        self.advance()
        return index

    def _close(self, sign: str, opening: int) -> None:
        if not self.is_sign(sign):
            bracket = self.tokens[opening]
            if self._next_item():
                last = self.index - 1
                while self.tokens[last].kind == NEWLINE:
                    last -= 1
                before = self.tokens[last]
                self.fail(f"expected , or {sign} behind this, not the end of the line", before.at, rewind=last)
            if self.tok.line != bracket.line or self.tok.kind == EOF or self.is_word("then"):
                # What stands on a later line is most likely not to blame.
                raise self.unclosed(opening)
            self.fail(f"expected , or {sign} here, not {self.described()}")
        self.opened.pop()
        self.brackets -= 1
        self.advance()

    def _next_item(self) -> bool:
        """Whether the next value or field of what is in brackets begins here, on a line of its own."""
        if self.tokens[self.index - 1].kind != NEWLINE or self.tokens is not self.lexed.tokens:
            return False
        if self.tok.kind == WORD:
            return self.peek().text == ":"
        return self.tok.kind in (STRING, NUMBER) or self.tok.text in ("{", "#{", "[")

    def parenthesised(self) -> tuple[Expr, ...]:
        """``( e, e … )`` from the ``(``; a comma at the end is allowed."""
        opening = self._open()
        return self._items(opening, ")")

    def _items(self, opening: int, closing: str) -> tuple[Expr, ...]:
        items: list[Expr] = []
        in_object, self._in_object = self._in_object, 0
        condition, self._condition = self._condition, False
        words, self._end_operands = self._end_operands, frozenset()
        while not self.is_sign(closing):
            items.append(self.expression())
            if not self.take_sign(","):
                break
        self._in_object, self._condition, self._end_operands = in_object, condition, words
        self._close(closing, opening)
        return tuple(items)

    def _object(self) -> Expr:
        at = self.tok.at
        opening = self._open()
        pairs: list[tuple[str, Expr]] = []
        condition, self._condition = self._condition, False
        words, self._end_operands = self._end_operands, frozenset()
        self._in_object += 1
        while not self.is_sign("}"):
            pairs.append(self._pair())
            if not self.take_sign(","):
                break
        self._in_object -= 1
        self._condition, self._end_operands = condition, words
        self._close("}", opening)
        return nodes.Object_(at, tuple(pairs))

    def _pair(self) -> tuple[str, Expr]:
        key = self._key()
        if key is None:
            self.fail(f"expected a field's name here, not {self.described()}", hint="an object is {name: value, …}")
        self.advance()
        self.expect_sign(":", f"after the field {key}")
        return key, self.expression()

    def _key(self) -> str | None:
        if self.tok.kind == WORD:
            return self.tok.text.rstrip("$")
        if self.tok.kind == STRING and isinstance(self.tok.value, tuple):
            parts = self.tok.value
            return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else None
        return None

    # --- operands ---------------------------------------------------------------------------------------------------

    def _primary(self) -> Expr:
        token = self.tok
        kind = token.kind
        if kind == WORD:
            return self.word(token)
        if kind == STRING:
            self.advance()
            return self.text(token)
        if kind == NUMBER:
            self.advance()
            return nodes.Literal_(token.at, cast("int | float", token.value))
        if kind == SIGN:
            if token.text == "(":
                items = self.parenthesised()
                if not items:
                    self.fail("there is nothing in these ( )", token.at)
                return items[0] if len(items) == 1 else nodes.List_(token.at, items)
            if token.text == "[":
                return nodes.List_(token.at, self._items(self._open(), "]"))
            if token.text in ("{", "#{"):
                return self._object()
        before = self.tokens[self.index - 1].text if self.index else ""
        meant = _MEANT.get(before + token.text) if kind == SIGN else None
        hint = f"write {meant}" if meant else ""
        return self.fail(f"expected a value here, not {self.described()}", hint=hint)

    def text(self, token: Token) -> Expr:
        """The text of a string or a text block, with its ``${…}`` read."""
        parts = cast("tuple[str | Hole, ...]", token.value)
        if len(parts) == 1 and isinstance(parts[0], str):
            return nodes.Literal_(token.at, parts[0])
        read: list[str | Expr] = []
        for part in parts:
            value = part if isinstance(part, str) else self._hole(part, verbatim=token.kind == BLOCK)
            if isinstance(value, str) and read and isinstance(read[-1], str):
                read[-1] += value
            else:
                read.append(value)
        if len(read) == 1 and isinstance(read[0], str):
            return nodes.Literal_(token.at, read[0])
        return nodes.Template(token.at, tuple(read))

    def _hole(self, hole: Hole, *, verbatim: bool) -> str | Expr:
        place = (self.tokens, self.index, self.tok, self.brackets, self.nesting, self._in_object, self._condition)
        opened, self.opened = self.opened, []
        words, self._end_operands = self._end_operands, frozenset()
        self.tokens, self.index, self.tok, self.brackets = hole.tokens, 0, hole.tokens[0], 0
        self._in_object, self._condition = 0, False
        self._large_hole = self._large_hole or len(hole.tokens) > MAX_EXPRESSION_HEIGHT // 10
        try:
            value = self.expression()
            if self.tok.kind != EOF:
                self.fail(f"expected }} here, not {self.described()}")
        except Failure as failure:
            if not verbatim:
                # The tokens of a hole are not those of the line: nothing to rewind to.
                failure.rewind = None
                raise
            message = f"{hole.text} stays as it is: {failure.problem.message}"
            self.notes.append(nodes.Note(failure.problem.at, message, failure.problem.hint))
            return hole.text
        finally:
            self.opened, self._end_operands = opened, words
            self.tokens, self.index, self.tok, self.brackets, self.nesting, self._in_object, self._condition = place
        return value
