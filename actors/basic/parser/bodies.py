"""Bodies: statements one after another, and where they end."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

from actors.basic import nodes
from actors.basic.errors import Problem, nearest
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import EOF, MAX_PROBLEMS, NEWLINE, SIGN, WORD, Lexed, Token
from actors.basic.nodes import Body, Expr, Span, Statement
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, RESERVED, Failure
from actors.basic.parser.recovery import Recovery

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

# Of what closes or divides a block: behind these it goes on.
_DIVIDERS = frozenset(["else", "elseif", "case", "default", "catch", "}"])


class Bodies(Recovery):
    """Reads statements up to what closes the block around them."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self._nested: list[Problem] = []  # of procedures that stand in another block

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
            start, before = self.index, len(body)
            self.recovering(lambda: body.extend(self.statement()))
            if self._braces and self.is_sign("}"):
                continue
            if not self._ends_here(start):
                del body[before:]
        self._ends.pop()
        return tuple(body), closer

    def _ends_here(self, start: int) -> bool:
        """Expect the end of the statement that began at *start*. Returns: False if what was read of it is no good."""
        if self.at_end() or (self.tok.kind == WORD and self.tok.value == "else" and self._one_line):
            return True
        if self.index and self.tokens[self.index - 1].kind == NEWLINE:
            return True  # a block ended where it was not closed
        wrong = Problem("error", f"{self.described()} means nothing here", self.tok.at, self._end_hint(), self.name)
        failure = self._missing_operand(start, Failure(wrong))
        self.problems.append(failure.problem)
        self.synchronise(self.index if failure.rewind is None else start, failure.rewind)
        return failure.rewind is None

    def _closer(self) -> str | None:
        """The name of what closes or divides a block, if it stands here as a statement."""
        token = self.tok
        if token.kind == SIGN:
            return "}" if token.text == "}" else None
        if token.kind != WORD:
            return None
        word = cast(str, token.value)
        following = self.peek()
        if following.kind == SIGN and following.text in ASSIGNMENT and word in RESERVED:
            return None
        if word == "end":
            phrase = f"end_{following.value}" if following.kind == WORD else ""
            return phrase if phrase in _CLOSERS else self._misspelt_end(following)
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
        if word in ("case", "default", "catch") and any(word in ends for ends in (*self._ends, *self._forgiven)):
            if following.kind == SIGN and (following.text in ASSIGNMENT or following.text == "."):
                return None
            return None if following.text == "[" and not following.blank else word
        return self._misspelt_closer(word, following) if len(self._ends) > 1 and following.kind != SIGN else None

    def _take_closer(self, closer: str) -> None:
        words = closer.replace("_", " ")
        count = self.is_words("else if" if closer == "elseif" else words)
        if not count and self.tok.value not in ("}", "endif", "elseif"):
            ends = nearest(str(self.tok.value), ("end",)) is not None
            two = self.peek().kind == WORD and (ends or (closer == "elseif" and self.peek().value == "if"))
            count = 1 + two
            length = (self.peek() if two else self.tok).end - self.tok.start
            at = Span(self.tok.line, self.tok.column, length)
            written = self.lexed.source[self.tok.start : self.tok.start + length].upper()
            self.problem(f"there is no {written}", at, f"did you mean {words.upper()}?")
        self.skip(max(1, count))

    def _stray(self, closer: str) -> None:
        block = next((each for each in reversed(self._forgiven) if closer in each), None)
        if block is not None:
            if closer not in _DIVIDERS:
                self._forgiven.remove(block)
            self.synchronise(self.index, None)
            return
        words = closer.replace("_", " ").upper()
        opens = _OPENERS.get(words, words.removeprefix("END "))
        self.problem(f"this {words} has no {opens} before it", self.tok.at)
        self.unread.add(opens.lower())
        if closer in _DIVIDERS:  # the others of the block, and its end, are to be told of no more
            self._forgive(opens.lower())
        start = self.index
        self._take_closer(closer)
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
        nested = len(self._nested)
        body, closer = self._statements(wanted)
        if closer is None or closer not in wanted:
            if len(self.problems) < MAX_PROBLEMS:
                last = ends.split()[-1].replace("_", " ").upper()
                # Procedures that seem to stand in it do not: it ends nowhere.
                inside = self._nested[nested:]
                self.problems = [each for each in self.problems if each not in inside]
                line = inside[0].at.line if inside else self.tok.line if closer is not None else 0
                found = f" before line {line}" if line else ""
                self.problem(f"this {words} is not closed", opening.at, f"it needs {last}{found}")
            # Its end may still come, behind that of a block around it.
            self._forgive(words.lower())
            return body, ""
        self._take_closer(closer)
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
