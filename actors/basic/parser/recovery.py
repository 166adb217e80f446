"""After a mistake: what was meant by it, where reading goes on, and what only follows from it and is not told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from actors.basic.errors import Problem, nearest
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import EOF, NEWLINE, NUMBER, STRING, WORD, Lexed, Token
from actors.basic.parser.cursor import Failure
from actors.basic.parser.declarations import Declarations

__all__ = ["TEXTS", "Recovery"]

# What END may close that is no block of statements.
TEXTS = frozenset(["talk", "mail", "system"])

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


class Recovery(Declarations):
    """Knows which blocks are open, and so what a line that cannot be read was to be."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self._ends: list[frozenset[str]] = []  # of each open block: what closes or divides it
        self._braces = 0
        self._one_line = 0
        self._in_procedure = False
        self._forgiven: list[frozenset[str]] = []  # what is left over of each block whose first line could not be read

    @abstractmethod
    def begins_statement(self, index: int) -> bool:
        """Whether a statement begins with the token at *index*, which begins a line, or the script ends there."""

    # --- going on -----------------------------------------------------------------------------------------------------

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

    # --- what was meant -----------------------------------------------------------------------------------------------

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
