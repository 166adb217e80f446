"""Where the parser stands in the tokens: looking, taking, and failing with a problem."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable
from typing import NoReturn

from actors.basic import nodes
from actors.basic.errors import Problem
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import BLOCK, EOF, NEWLINE, SIGN, WORD, Lexed, Token
from actors.basic.nodes import Span

__all__ = ["MAX_BLOCK_DEPTH", "MAX_EXPRESSION_HEIGHT", "MAX_NESTING", "RESERVED", "Cursor", "Failure"]

MAX_NESTING = 40
"""How deep brackets, NOTs and the like may stand in each other."""

MAX_EXPRESSION_HEIGHT = 200
"""Levels of the tree of one expression: what walks a tree may recurse that far, so a chain of operators has an end."""

MAX_BLOCK_DEPTH = 40
"""How deep blocks (IF, FOR, …) may stand in each other."""

RESERVED = frozenset(
    [
        "if",
        "then",
        "else",
        "elseif",
        "end",
        "for",
        "next",
        "while",
        "wend",
        "do",
        "loop",
        "and",
        "or",
        "not",
        "true",
        "false",
        "null",
    ]
)
"""The only words that can never be variables."""


class Failure(Exception):
    """This statement cannot be read."""

    def __init__(self, problem: Problem, rewind: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.rewind = rewind


class Cursor(ABC):  # noqa: B024, its layers are what is abstract
    """
    The current token and the words around it.

    While ``brackets`` is not 0 line ends are skipped, so that the current token is never one.
    """

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        self.lexed = lexed
        self.name = name
        self.table = table
        self.tokens = lexed.tokens
        self.index = 0
        self.tok = self.tokens[0]
        self.brackets = 0
        self.joined = -1  # the last token that a line ended with and the statement went on
        self.opened: list[int] = []  # where the brackets stand that are open
        self.nesting = 0
        self.problems: list[Problem] = []
        self.notes: list[nodes.Note] = []
        self.unread: set[str] = set()  # words of statements that could not be read
        while self.tok.kind == NEWLINE:
            self.advance()

    # --- looking ----------------------------------------------------------------------------------------------------

    def peek(self, offset: int = 1) -> Token:
        index = self.index + offset
        return self.tokens[index] if index < len(self.tokens) else self.tokens[-1]

    def is_sign(self, text: str) -> bool:
        return self.tok.value == text and self.tok.kind == SIGN

    def is_word(self, *words: str) -> bool:
        return self.tok.kind == WORD and self.tok.value in words

    def is_words(self, phrase: str) -> int:
        """How many tokens from here spell *phrase* (several words, or one with ``_``); 0 if they do not."""
        return self.spelled(self.index, phrase)

    def spelled(self, index: int, phrase: str) -> int:
        wanted = phrase.split(" ")
        matched = count = 0
        while matched < len(wanted):
            token = self.tokens[index + count]
            if token.kind != WORD:
                return 0
            for part in str(token.value).split("_") if "_" in str(token.value) else (token.value,):
                if matched >= len(wanted) or part != wanted[matched]:
                    return 0
                matched += 1
            count += 1
        return count

    def at_end(self) -> bool:
        """Whether the statement ends here."""
        return self.tok.kind == NEWLINE or self.tok.kind == EOF

    @property
    def tight(self) -> bool:
        """Whether ``(`` follows the current token without a blank."""
        following = self.peek()
        return following.text == "(" and following.kind == SIGN and not following.blank

    # --- taking -----------------------------------------------------------------------------------------------------

    def advance(self) -> Token:
        """Take the current token; the end of the file stays current for ever."""
        taken = self.tok
        tokens, index = self.tokens, self.index
        if index + 1 < len(tokens):
            index += 1
            if self.brackets:
                while tokens[index].kind == NEWLINE and tokens[index].text == "\n":
                    index += 1
            self.index = index
            self.tok = tokens[index]
        return taken

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.advance()

    def skip_newlines(self) -> None:
        if self.tok.kind == NEWLINE and self.tokens is self.lexed.tokens and not self.brackets:
            self.joined = self.index - 1
        while self.tok.kind == NEWLINE and self.tok.text == "\n":
            self.advance()

    def take_sign(self, text: str) -> bool:
        if self.tok.value == text and self.tok.kind == SIGN:
            self.advance()
            return True
        return False

    def take_word(self, *words: str) -> bool:
        if self.tok.kind == WORD and self.tok.value in words:
            self.advance()
            return True
        return False

    def take_words(self, phrase: str) -> bool:
        count = self.is_words(phrase)
        self.skip(count)
        return count > 0

    def expect_sign(self, text: str, where: str) -> Token:
        if not self.is_sign(text):
            self.fail(f"expected {text} {where}, not {self.described()}")
        return self.advance()

    def expect_word(self, word: str, where: str) -> Token:
        if not self.is_word(word):
            self.fail(f"expected {word.upper()} {where}, not {self.described()}")
        return self.advance()

    def name_token(self, what: str) -> Token:
        """Take a name that may be a variable's."""
        if self.tok.kind != WORD:
            self.fail(f"expected {what}, not {self.described()}")
        if self.tok.value in RESERVED:
            self.fail(f"{self.tok.text.upper()} is a word of the language, it cannot be {what}")
        return self.advance()

    def folded(self, what: str) -> str:
        return str(self.name_token(what).value)

    def go_to(self, index: int) -> None:
        self.index = index
        self.tok = self.tokens[index]

    def text_between(self, start: int, index: int) -> str:
        """The source from offset *start* to the end of the token before *index*."""
        return self.lexed.source[start : max(start, self.tokens[index - 1].end)]

    def rest_of_line(self) -> str:
        """Take everything to the end of the statement, as written."""
        start = self.tok.start
        while not self.at_end():
            self.advance()
        return self.text_between(start, self.index).strip()

    # --- failing ----------------------------------------------------------------------------------------------------

    def described(self) -> str:
        """The current token, for a message."""
        if self.tok.kind == EOF:
            return "the end of the script" if self.tokens is self.lexed.tokens else "the end of the ${…}"
        if self.tok.kind == BLOCK:
            return "the end of the line"
        if self.tok.kind == NEWLINE:
            return "the end of the line" if self.tok.text == "\n" else ";"
        text = self.tok.text.split("\n", 1)[0]
        return text if len(text) <= 30 else f"{text[:27]}…"

    def problem(self, message: str, at: Span, hint: str = "") -> None:
        self.problems.append(Problem("error", message, at, hint, self.name))

    def fail(self, message: str, at: Span | None = None, hint: str = "", rewind: int | None = None) -> NoReturn:
        """Give up this statement. *rewind*: the token behind whose line reading goes on; else that of the problem."""
        raise Failure(Problem("error", message, at or self.tok.at, hint, self.name), rewind)

    def unclosed(self, opening: int) -> Failure:
        """The failure of a bracket that is not closed; reading goes on behind its line."""
        bracket = self.tokens[opening]
        wanted = {"(": ")", "[": "]"}.get(bracket.text, "}")
        message = f"this {bracket.text} is not closed"
        # What closes it may stand in a line that the lexer could not read, and which has told so.
        unread = (each.at for each in self.lexed.problems if bracket.line <= each.at.line < self.tok.line)
        return Failure(Problem("error", message, next(unread, bracket.at), f"it needs {wanted}", self.name), opening)

    def deeper(self) -> None:
        """Count one more level of nesting; the caller takes it back."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"this is nested more than {MAX_NESTING} deep", hint="put a part of it into a variable")

    def synchronise(self, start: int, rewind: int | None) -> None:
        """After a failure in the statement that began at token *start*: go to the end of a line, always forward."""
        self.brackets = 0
        self.nesting = 0
        index = self.index if rewind is None else rewind
        index = max(index, start)
        while self.tokens[index].kind not in (NEWLINE, EOF):
            index += 1
        self.unread.update(str(token.value) for token in self.tokens[start:index] if token.kind == WORD)
        self.go_to(index)

    def words_ahead(self, index: int | None = None) -> Iterable[str]:
        """The words from here, or from *index*, on, as far as they stand side by side."""
        index = self.index if index is None else index
        while (token := self.tokens[index]).kind == WORD:
            yield str(token.value)
            index += 1
