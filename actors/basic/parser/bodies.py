"""Bodies: statements one after another, where they end, and how reading goes on after a mistake."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import cast

from actors.basic import nodes
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import EOF, MAX_PROBLEMS, NEWLINE, NUMBER, SIGN, STRING, WORD, Lexed, Token
from actors.basic.nodes import Body, Expr, Statement
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, Failure
from actors.basic.parser.declarations import Declarations

__all__ = ["ASSIGNMENT", "Bodies"]

ASSIGNMENT = frozenset(["=", "+=", "-=", "*=", "/="])

# What closes or divides a block.
_CLOSERS = frozenset(
    [
        "end_if",
        "end_for",
        "end_while",
        "end_select",
        "end_switch",
        "end_with",
        "end_try",
        "end_sub",
        "end_function",
        "end_on",
        "end_schedule",
        "end_parallel",
        "end_table",
    ]
)
_OPENERS = {
    "NEXT": "FOR",
    "WEND": "WHILE",
    "LOOP": "DO",
    "ELSE": "IF",
    "ELSEIF": "IF",
    "CASE": "SELECT",
    "DEFAULT": "SWITCH",
    "CATCH": "TRY",
    "}": "{",
}

# What is left over of a block whose first line could not be read.
_ORPHANS = {
    "if": frozenset(["else", "elseif", "end_if", "}"]),
    "for": frozenset(["next", "end_for"]),
    "while": frozenset(["wend", "end_while"]),
    "do": frozenset(["loop"]),
    "select": frozenset(["end_select"]),
    "switch": frozenset(["end_switch"]),
    "with": frozenset(["end_with"]),
    "try": frozenset(["end_try"]),
    "sub": frozenset(["end_sub"]),
    "function": frozenset(["end_function"]),
    "on": frozenset(["end_on"]),
    "set": frozenset(["end_schedule"]),
    "schedule": frozenset(["end_schedule"]),
    "step": frozenset(["end_parallel"]),
    "table": frozenset(["end_table"]),
}


class Bodies(Declarations):
    """Reads statements up to what closes the block around them."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self._ends: list[frozenset[str]] = []  # of each open block: what closes or divides it
        self._braces = 0
        self._one_line = 0
        self._in_procedure = False
        self._forgiven: frozenset[str] = frozenset()  # closers of blocks whose first line could not be read

    @abstractmethod
    def statement(self) -> list[Statement]:
        """The statement here; several only for a list of declarations like DIM a, b."""

    def script_body(self) -> Body:
        return self._statements(frozenset())[0]

    def _statements(self, ends: frozenset[str]) -> tuple[Body, str | None]:
        """
        The statements to one of *ends*, or to the end of an outer block, or of the file; neither is taken.

        Returns: the body, and the closer that stands there, if any.
        """
        body: list[Statement] = []
        closer: str | None = None
        self._ends.append(ends)
        while len(self.problems) < MAX_PROBLEMS:
            while self.tok.kind == NEWLINE:
                self.advance()
            closer = None
            if self.tok.kind == EOF:
                break
            closer = self._closer()
            if closer is not None:
                if any(closer in outer for outer in self._ends):
                    break
                self._stray(closer)
                continue
            self.recovering(lambda: body.extend(self.statement()))
            if self._braces and self.is_sign("}"):
                continue
            self._expect_end()
        self._ends.pop()
        return tuple(body), closer

    def _expect_end(self) -> None:
        if self.at_end() or (self.tok.kind == WORD and self.tok.value == "else" and self._one_line):
            return
        if self.index and self.tokens[self.index - 1].kind == NEWLINE:
            return  # a block ended where it was not closed
        self.problem(f"{self.described()} means nothing here", self.tok.at, self._end_hint())
        self.synchronise(self.index, None)

    def _end_hint(self) -> str:
        if self.is_sign("="):
            return "a value is stored only in a name, a field or an element"
        if self.tok.kind in (STRING, WORD, NUMBER):
            return "a comma, an operator or a new line may be missing before it"
        return ""

    def recovering(self, read: Callable[[], None]) -> None:
        start = self.index
        state = (len(self._ends), self._braces, self._in_procedure, self._one_line)
        try:
            read()
        except Failure as failure:
            if failure.rewind is None and self.opened and self.tokens is self.lexed.tokens:
                failure = self._blamed(failure)
            self.problems.append(failure.problem)
            self.opened.clear()
            self._forgiven |= _ORPHANS.get(str(self.tokens[start].value), frozenset())
            del self._ends[state[0] :]
            _, self._braces, self._in_procedure, self._one_line = state
            self._in_object, self._condition, self._end_operands = 0, False, frozenset()
            self.synchronise(start, failure.rewind)

    def _blamed(self, failure: Failure) -> Failure:
        """What is wrong at the beginning of a line inside of brackets is most likely a bracket that is not closed."""
        opening = self.opened[-1]
        if self.tokens[self.index - 1].kind != NEWLINE or self.tokens[opening].line == self.tok.line:
            return failure
        return self.unclosed(opening)

    def _closer(self) -> str | None:
        """The name of what closes or divides a block, if it stands here as a statement."""
        token = self.tok
        if token.kind == SIGN:
            return "}" if token.text == "}" else None
        if token.kind != WORD:
            return None
        word = cast(str, token.value)
        following = self.peek()
        if word == "end":
            phrase = f"end_{following.value}" if following.kind == WORD else ""
            return phrase if phrase in _CLOSERS else None
        if word in _CLOSERS:
            return word
        if word == "endif":
            return "end_if"
        if word == "else":
            return "elseif" if following.value == "if" and following.kind == WORD else "else"
        if word in ("elseif", "wend", "loop"):
            return word
        if word == "next":
            return None if following.value == "in" and following.kind == WORD else word
        if word in ("case", "default", "catch") and any(word in ends for ends in self._ends):
            if following.kind == SIGN and (following.text in ASSIGNMENT or following.text == "."):
                return None
            return None if following.text == "[" and not following.blank else word
        return None

    def _take_closer(self) -> None:
        if self.is_word("end") or (self.is_word("else") and self.peek().value == "if"):
            self.advance()
        self.advance()

    def _stray(self, closer: str) -> None:
        if closer in self._forgiven:
            self.synchronise(self.index, None)
            return
        words = closer.replace("_", " ").upper()
        opens = _OPENERS.get(words, words.removeprefix("END "))
        self.problem(f"this {words} has no {opens} before it", self.tok.at)
        start = self.index
        self._take_closer()
        self.synchronise(max(start, self.index), None)

    def _block(self, opening: Token, words: str, ends: str) -> tuple[Body, str]:
        """
        The body of a block up to one of *ends* (names of closers), which is taken.

        Returns: the body and the closer; ``''`` if the block is not closed, which is noted at its *opening*.
        """
        if len(self._ends) > MAX_BLOCK_DEPTH:
            hint = "make a SUB of a part of it"
            self.fail(f"blocks stand in each other more than {MAX_BLOCK_DEPTH} deep", opening.at, hint)
        wanted = frozenset(ends.split())
        body, closer = self._statements(wanted)
        if closer is None or closer not in wanted:
            if len(self.problems) < MAX_PROBLEMS:
                last = ends.split()[-1].replace("_", " ").upper()
                found = "" if closer is None else f" before line {self.tok.line}"
                self.problem(f"this {words} is not closed", opening.at, f"it needs {last}{found}")
            return body, ""
        self._take_closer()
        return body, closer

    def _new_line(self, after: str) -> None:
        """A block's first line ends here."""
        if not self.at_end():
            self.fail(f"expected a new line after {after}, not {self.described()}")

    def _target(self) -> nodes.Name | nodes.Member | nodes.Index:
        token = self.name_token("a variable")
        target = self._postfixed(nodes.Name(token.at, cast(str, token.value)))
        if not isinstance(target, nodes.Name | nodes.Member | nodes.Index):
            self.fail("a value can be stored only in a name, a field or an element", target.at)
        subject: Expr = target
        while isinstance(subject, nodes.Member | nodes.Index):
            subject = subject.subject
        return target
