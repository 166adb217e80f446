"""Bodies: statements one after another, where they end, and how reading goes on after a mistake."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import cast

from actors.basic import nodes
from actors.basic.errors import Problem, nearest
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import EOF, MAX_PROBLEMS, NEWLINE, NUMBER, SIGN, STRING, WORD, Lexed, Token
from actors.basic.nodes import Body, Expr, Span, Statement
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, RESERVED, Failure
from actors.basic.parser.declarations import Declarations

__all__ = ["ASSIGNMENT", "TEXTS", "Bodies"]

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

# What END may close that is no block of statements.
TEXTS = frozenset(["talk", "mail", "system"])

# Of what closes or divides a block: behind these it goes on.
_DIVIDERS = frozenset(["else", "elseif", "case", "default", "catch", "}"])

# What is left over of a block whose first line could not be read.
_ORPHANS = {
    "if": frozenset(["else", "elseif", "end_if", "}"]),
    "for": frozenset(["next", "end_for"]),
    "while": frozenset(["wend", "end_while"]),
    "do": frozenset(["loop"]),
    "select": frozenset(["case", "end_select"]),
    "switch": frozenset(["case", "default", "end_switch"]),
    "with": frozenset(["end_with"]),
    "try": frozenset(["catch", "end_try"]),
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
        self._nested: list[Problem] = []  # of procedures that stand in another block
        self._forgiven: list[frozenset[str]] = []  # what is left over of each block whose first line could not be read

    @abstractmethod
    def statement(self) -> list[Statement]:
        """The statement here; several only for a list of declarations like DIM a, b."""

    @abstractmethod
    def begins_statement(self, index: int) -> bool:
        """Whether a statement begins with the token at *index*, which begins a line, or the script ends there."""

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

    def _end_hint(self) -> str:
        if self.index and "\r" in self.lexed.source[self.tokens[self.index - 1].end : self.tok.start]:
            return "save the file with LF or CRLF at the ends of its lines"
        if self.is_sign(":"):
            return "to store a value write =" if self.peek().text == "=" else "each statement stands on its own line"
        if self.is_words("end if"):
            return "an IF of one line has no END IF"
        if self.tok.kind == WORD and (meant := self._meant_phrase(self.index)):
            return meant
        if self.is_sign("="):
            return "a value is stored only in a name, a field or an element"
        if self.tok.kind in (STRING, WORD, NUMBER):
            return "a comma, an operator or a new line may be missing before it"
        return ""

    def _meant_phrase(self, index: int) -> str:
        """A hint if the words around *index* are nearly a keyword of several words: SET BOT MEMROY."""
        while index and self.tokens[index - 1].kind == WORD:
            index -= 1
        words = list(islice(self.words_ahead(index), 5))
        best = ""
        for row in self.table:
            parts = row.phrase.split(" ")
            if len(best.split(" ")) < len(parts) <= len(words) and all(
                part == word or nearest(word, (part,)) for part, word in zip(parts, words, strict=False)
            ):
                best = row.phrase
        return f"did you mean {best.upper()}?" if best and best.split(" ") != words[: best.count(" ") + 1] else ""

    def recovering(self, read: Callable[[], None]) -> None:
        start = self.index
        state = (len(self._ends), self._braces, self._in_procedure, self._one_line)
        try:
            read()
        except Failure as failure:
            if failure.rewind is None and self.opened and self.tokens is self.lexed.tokens:
                failure = self._blamed(failure)
            failure = self._missing_operand(start, failure)
            problem = failure.problem
            if not problem.hint and self.tokens[start].at == problem.at and self.tokens is self.lexed.tokens:
                problem = replace(problem, hint=self._meant_phrase(start))
            self.problems.append(problem)
            in_list = bool(self.opened) or self.tokens[start].text in ("{", "#{", "[")
            self.opened.clear()
            self._forgive(str(self.tokens[start].value))
            del self._ends[state[0] :]
            _, self._braces, self._in_procedure, self._one_line = state
            self._in_object, self._condition, self._end_operands = 0, False, frozenset()
            self.synchronise(start, failure.rewind)
            if in_list and self.tokens is self.lexed.tokens:
                self._skip_list()

    def _skip_list(self) -> None:
        """Pass over lines that can only be more of the list or object that could not be read."""
        while True:
            first = self.index
            while self.tokens[first].kind == NEWLINE:
                first += 1
            kind, following = self.tokens[first].kind, self.peek(first + 1 - self.index)
            field = kind == WORD and following.text == ":" and self.peek(first + 2 - self.index).kind != NEWLINE
            if kind == EOF or (kind == WORD and not field) or (self._braces and self.tokens[first].text == "}"):
                return
            self.go_to(first)
            self.synchronise(first, None)

    def _forgive(self, word: str) -> None:
        """A statement that begins with *word* could not be read: if it begins a block, that will end all the same."""
        meant = word if word in _ORPHANS else nearest(word, _ORPHANS)
        if meant is not None:
            self._forgiven.append(_ORPHANS[meant])
            self.unread.add(meant)

    def _missing_operand(self, start: int, failure: Failure) -> Failure:
        """
        The failure of the statement at *start*; where a line ended with an operator or the like and the next one is
        plainly a statement of its own, a value is missing at the end of the first.
        """
        joined = self.joined
        if not start <= joined < self.index:
            return failure
        index = joined + 1
        while self.tokens[index].kind == NEWLINE:
            index += 1
        if failure.problem.at.line != self.tokens[index].line or not self.begins_statement(index):
            return failure
        last = self.tokens[joined]
        message = f"expected a value after {last.text.upper()}, not the end of the line"
        return Failure(Problem("error", message, last.at, "", self.name), joined)

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

    def _misspelt_end(self, following: Token) -> str | None:
        """What END and a word that ends nothing were meant to close: the innermost block."""
        alone = following.kind == WORD and self.peek(2).kind in (NEWLINE, EOF)
        if not alone or following.value in TEXTS or len(self._ends) < 2:
            return None
        return next((closer for closer in sorted(self._ends[-1]) if closer.startswith(("end_", "loop"))), None)

    def _misspelt_closer(self, word: str, following: Token) -> str | None:
        """What a line that cannot be a statement was meant to close: NED IF, NETX i."""
        if self.table.begins(word) or self.begins_statement(self.index):
            return None
        if following.kind == WORD and nearest(word, ("end",)):
            phrase = f"end_{following.value}"
            return phrase if any(phrase in ends for ends in self._ends) else None
        close = nearest(word, self._ends[-1])
        return None if close == "}" else "elseif" if close == "else" and following.value == "if" else close

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
