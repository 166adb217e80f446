"""
Source text to tokens.

What a word means is decided by the parser; the lexer decides only where tokens begin and end. Four things depend on
where it stands: an apostrophe (a string or a comment), the text blocks, an unquoted DESCRIPTION, and ``REM``.
A mistake never stops it: it is noted in ``problems`` and the lexer goes on behind it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import NamedTuple

from actors.basic.errors import Problem, nearest
from actors.basic.keywords import TABLE, KeywordTable
from actors.basic.nodes import Span

__all__ = ["EOF", "MAX_PROBLEMS", "MAX_SOURCE_BYTES", "MAX_TOKENS", "NEWLINE", "Hole", "Lexed", "Token", "fold", "lex"]

MAX_SOURCE_BYTES = 1024 * 1024
"""A script larger than this is refused."""

MAX_TOKENS = 250_000
"""A script of more words and signs than this is refused; 1 MiB of ordinary source has about so many."""

MAX_NUMBER_DIGITS = 400
MAX_STRING_NESTING = 8
"""How deep strings may stand in ``${…}`` of strings."""

MAX_PROBLEMS = 100
"""After so many problems of one file nobody reads on; the rest of it is not looked at."""

WORD = "word"
NUMBER = "number"
STRING = "string"
SIGN = "sign"
NEWLINE = "newline"  # also ``;``, told apart by its text
BLOCK = "block"  # the raw lines of a text block
REST = "rest"  # the raw rest of a line
EOF = "eof"


@dataclass(frozen=True, slots=True)
class Hole:
    """``${…}`` in a string or text block. *text* is all of it as written; *tokens* what is inside, ending in EOF."""

    text: str
    tokens: list[Token] = field(hash=False)


class Token(NamedTuple):
    """
    Args:
        text: as written.
        value: of a word its folded name, of a number its value, of a string or block its parts (texts and holes), of
            a sign its text.
        start, end: offsets in the source.
        blank: whether a blank stands before it.
    """

    kind: str
    text: str
    value: str | int | float | tuple[str | Hole, ...]
    line: int
    column: int
    start: int
    end: int
    blank: bool

    @property
    def at(self) -> Span:
        length = self.text.find("\n") if self.kind in (STRING, BLOCK) else -1
        return Span(self.line, self.column, max(1, len(self.text) if length < 0 else length))


@dataclass(frozen=True, slots=True)
class Lexed:
    """*source* has LF line ends and no byte order mark; the offsets of tokens count in it. *tokens* ends in EOF."""

    source: str
    tokens: list[Token]
    problems: list[Problem]
    warnings: list[Problem]
    workflow: bool


_TOKEN = re.compile(
    r"""
    (?P<blank>[^\S\n]+)
    |(?P<newline>\n)
    |(?P<word>[^\W\d][\w\u0300-\u036f]*\$?)
    |(?P<number>0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<comment>//[^\n]*)
    |(?P<quote>")
    |(?P<apostrophe>')
    |(?P<hash>\#\{?)
    |(?P<sign>\?\.|\?\?|<>|<=|>=|==|!=|\+=|-=|\*=|/=|&&|\|\||[()\[\]{},.:?+\-*/\\%^&=<>!])
    |(?P<semicolon>;)
    """,
    re.VERBOSE,
)
_LINE = re.compile(r"[^\n]*")
_PLAIN = re.compile(r'[^"\\$\n]+')
_APOSTROPHE = re.compile(r"'((?:[^'\\\n]|\\[^\n]|'')*)'(?!')")
_APOSTROPHE_ESCAPE = re.compile(r"''|\\n|\\'")
_BEGIN = re.compile(r"begin(?:[ \t]+|_)(?P<kind>talk|system(?:[ \t]+|_)prompt|mail)\b", re.IGNORECASE)
_END_OF = {
    kind: re.compile(rf"[^\S\n]*end(?:[ \t]+|_){words}[^\S\n]*;?[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
    for kind, words in {"talk": "talk", "system prompt": r"system(?:[ \t]+|_)prompt", "mail": "mail"}.items()
}
_BEHIND_BLOCK = re.compile(
    r"^[^\S\n]*(?:(?P<misspelt>(?:ned|edn)[ \t_]+[^\W_]\w*|end[ \t_]+(?!with)[talkmi]{4})"
    r"|(?:end|begin)[ \t_]+[^\W_]\w*|(?:sub|function)[ \t]+\w+[ \t]*(?:\([^\n]*\))?)[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_MISSPELT_BEGIN = re.compile(
    r"[^\W\d]{4,6}[ \t]+(?P<kind>talk|system[ \t]+prompt)[^\S\n]*$", re.IGNORECASE | re.MULTILINE
)
_UNQUOTED = re.compile(r"""[^\S\n]+(?!["=.\[:]|[-+*/]=|//|'[^\n']*'[^\S\n]*$)(?P<text>[^\s][^\n]*)""", re.MULTILINE)
_TABLE = re.compile(r"[^\S\n]+[.\w]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_UNESCAPED = re.compile(r'(?<!\\)"')
_BEFORE_TEXT = frozenset(" \t\n([{,:=+&<>")
_ESCAPED = re.compile(r"\\(?:\\\\?)?[^\n]?")
_QUOTES_IN_HOLES = 'inside ${…} a text is written "x" or \\"x\\"'
_NOT_DOUBLED = f'{_QUOTES_IN_HOLES}, not ""x""'

# An apostrophe behind one of these words begins a string, if it is closed on the line.
_OPERAND_WORDS = frozenset(
    [
        "and",
        "or",
        "xor",
        "not",
        "is",
        "in",
        "like",
        "ilike",
        "contains",
        "matches",
        "between",
        "mod",
        "with",
        "to",
        "step",
        "as",
        "by",
        "where",
        "using",
        "if",
        "elseif",
        "while",
        "until",
        "return",
        "case",
        "select",
        "switch",
        "each",
        "call",
        "set",
        "description",
        "default",
        "enum",
        "format",
        "on",
        "hear",
    ]
)
_CLOSERS = frozenset([")", "]", "}"])

# Quotes that the language does not have, with what may close the text that was meant.
_QUOTES = {"`": "`´'", "´": "´`'", "“": '”“"', "”": '”“"', "„": '“”"', "‘": "’‘'", "’": "’‘'", "«": "»", "»": "«"}

# END IF, EXIT FOR and the like take no operand, though IF and FOR alone do.
_LEAVING = frozenset(["end", "exit"])
_LEFT = frozenset(["if", "for", "while", "select", "switch", "with", "schedule", "on", "mail", "talk"])


def fold(name: str) -> str:
    """The name of a variable, procedure or keyword as the tree holds it: lower case, without a trailing ``$``."""
    if not name.isascii():
        # The same letter can be written with and without a combining mark.
        name = unicodedata.normalize("NFC", name)
    return name.rstrip("$").lower()


def lex(source: str, name: str, table: KeywordTable = TABLE, *, wary: bool = False) -> Lexed:
    """
    The tokens of *source*; *name* is for its problems. Time and memory are linear in the length of *source*.

    Args:
        wary: for a script that has problems: a text that goes over several lines and ends where the next one plainly
            begins is taken for one whose closing quote is missing.
    """
    return _Lexer(source, name, table, wary=wary).run()


class _Lexer:
    def __init__(self, source: str, name: str, table: KeywordTable, *, wary: bool) -> None:
        self.name = name
        self.wary = wary
        self.table = table
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.source = source.removeprefix("\ufeff").replace("\r\n", "\n")
        self.line = 1
        self.line_start = 0
        self.in_table = False
        self.block: tuple[str, Token] | None = None
        self.endless: set[str] = set()  # kinds of text blocks that do not end from here on
        self.long_strings = True  # until one reaches the end of the file unclosed
        self.no_holes_before = 0  # where the line ends in which ``${`` was not closed
        self.nesting = 0
        self.line_end = (0, -1)  # from there on, the line ends here

    def run(self) -> Lexed:
        size = len(self.source.encode("utf-8", "surrogatepass"))
        if size > MAX_SOURCE_BYTES:
            self.problem(f"this script has {size:,} bytes, the limit is {MAX_SOURCE_BYTES:,}", Span(1, 1))
            return self.finish([], workflow=False)
        pragma = re.match(r"\s*#workflow[^\S\n]*(?=\n|$)", self.source, re.IGNORECASE)
        tokens: list[Token] = []
        self.scan(0, len(self.source), tokens)
        if self.block is not None:
            self.text_block(len(self.source), tokens)
        return self.finish(tokens, workflow=pragma is not None)

    def finish(self, tokens: list[Token], *, workflow: bool) -> Lexed:
        end = len(self.source)
        for kind, text in ((NEWLINE, "\n"), (EOF, "")):
            tokens.append(Token(kind, text, text, self.line, end - self.line_start + 1, end, end, blank=False))
        return Lexed(self.source, tokens, self.problems, self.warnings, workflow)

    def problem(self, message: str, at: Span, hint: str = "") -> None:
        self.problems.append(Problem("error", message, at, hint, self.name))

    # --- the main loop ----------------------------------------------------------------------------------------------

    def scan(self, position: int, end: int, tokens: list[Token], *, hole: bool = False) -> int | None:
        """
        Append the tokens from *position* to *end*; with *hole* only to the ``}`` that closes the hole.

        Returns: where it stopped; None if *hole* and no such ``}`` was found.
        """
        source = self.source
        match = _TOKEN.match
        blank = False
        depth = 0
        while position < end:
            found = match(source, position, end)
            if found is None:
                position = self.unknown(position, tokens) if len(self.problems) < MAX_PROBLEMS else end
                continue
            kind = found.lastgroup
            start, position = position, found.end()
            if kind == "blank":
                blank = True
                continue
            text = found.group()
            if kind == "word":
                value = text.lower() if text.isascii() and text[-1] != "$" else fold(text)
                token = Token(WORD, text, value, self.line, start - self.line_start + 1, start, position, blank)
                if not tokens or tokens[-1].kind == NEWLINE or value == "rem":
                    position = self.statement_word(token, tokens, position)
                else:
                    tokens.append(token)
            elif kind == "sign":
                if hole and text == "{":
                    depth += 1
                elif hole and text == "}":
                    if depth == 0:
                        return position
                    depth -= 1
                elif hole and text == "\\" and source.startswith('"', position, end):
                    position = self.escaped(start, tokens, blank=blank)
                    blank = False
                    continue
                tokens.append(Token(SIGN, text, text, self.line, start - self.line_start + 1, start, position, blank))
            elif kind == "newline":
                position = self.newline(start, tokens)
            elif kind == "number":
                tokens.append(self.number(text, start, position, blank=blank))
            elif kind == "quote":
                position = self.quoted(start, tokens, blank=blank, one_line=hole)
            elif kind == "apostrophe":
                position = self.apostrophe(start, tokens, blank=blank)
            elif kind == "hash":
                depth += hole and text == "#{"
                position = self.hash(start, text, tokens, blank=blank)
            elif kind == "semicolon":
                tokens.append(
                    Token(NEWLINE, ";", ";", self.line, start - self.line_start + 1, start, position, blank=blank)
                )
            blank = False
            if len(tokens) >= MAX_TOKENS:
                self.problem(f"a script has at most {MAX_TOKENS:,} words and signs", self.here(start))
                return end
            if len(self.problems) >= MAX_PROBLEMS:
                return end
        return None if hole else position

    def here(self, position: int, length: int = 1) -> Span:
        return Span(self.line, position - self.line_start + 1, length)

    def end_of_line(self, position: int) -> int:
        # Asked for each ${ of a line that may be as long as the script.
        first, end = self.line_end
        if not first <= position <= end:
            end = self.source.find("\n", position)
            end = len(self.source) if end < 0 else end
            self.line_end = (position, end)
        return end

    def unknown(self, position: int, tokens: list[Token]) -> int:
        """A character that begins nothing; of a line that cannot be read the first reason is told."""
        character = self.source[position]
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        hint = 'texts stand in straight quotes: "…"' if character in _QUOTES else ""
        if character in "‘’´`" and not self.source[self.line_start : position].strip():
            hint = "a comment begins with a straight '"
        last = self.problems[-1] if self.problems else None
        if last is None or last.at.line != self.line:
            self.problem(f"the character {shown} means nothing here", self.here(position), hint)
        if not hint:
            return position + 1
        # What follows is the text that was meant; reading it as a program would only add noise.
        end = self.end_of_line(position)
        closing = min(
            (at for mark in _QUOTES[character] if (at := self.source.find(mark, position + 1, end)) > 0), default=end
        )
        end = min(closing + 1, end)
        text = self.source[position:end]
        column = position - self.line_start + 1
        tokens.append(Token(STRING, text, (text,), self.line, column, position, end, blank=True))
        return end

    def newline(self, position: int, tokens: list[Token]) -> int:
        last = tokens[-1] if tokens else None
        if last is not None and last.value == "_" and last.kind == WORD and last.blank and last.line == self.line:
            tokens.pop()  # the line goes on
        elif self.block is not None:
            return self.text_block(position + 1, tokens)
        elif last is not None and not (last.kind == NEWLINE and last.text == "\n"):
            at = position - self.line_start + 1
            tokens.append(Token(NEWLINE, "\n", "\n", self.line, at, position, position + 1, blank=False))
        self.line += 1
        self.line_start = position + 1
        return position + 1

    def statement_word(self, token: Token, tokens: list[Token], position: int) -> int:
        """A word that begins a statement (or is ``rem``), whose own rules may take the rest of the line."""
        word = token.value
        if word == "rem" and (not tokens or tokens[-1].kind == NEWLINE or tokens[-1].value in ("then", "else")):
            return self.end_of_line(position)
        tokens.append(token)
        if word == "description" and not self.in_table:
            unquoted = _UNQUOTED.match(self.source, position)
            if unquoted is not None:
                start, position = unquoted.start("text"), unquoted.end()
                text = unquoted["text"].rstrip().rstrip(";").rstrip()
                column = start - self.line_start + 1
                tokens.append(Token(REST, text, text, self.line, column, start, start + len(text), blank=True))
        elif word == "table":
            self.in_table = _TABLE.match(self.source, position) is not None
        elif word in ("end", "end_table"):
            following = re.compile(r"[^\S\n]+table\b", re.IGNORECASE).match(self.source, position)
            if word == "end_table" or following is not None:
                self.in_table = False
        elif isinstance(word, str) and word.startswith("begin"):
            begins = _BEGIN.match(self.source, token.start)
            if begins is not None:
                self.block = (" ".join(re.split(r"[ \t_]+", begins["kind"].lower())), token)
        elif (
            not self.in_table
            and (begins := _MISSPELT_BEGIN.match(self.source, token.start))
            and nearest(str(word), ("begin",))
        ):
            tokens[-1] = token._replace(value="begin")
            self.block = (" ".join(begins["kind"].lower().split()), token)
            self.problem(f"there is no statement {token.text.upper()}", token.at, "did you mean BEGIN?")
        return position

    # --- literals ---------------------------------------------------------------------------------------------------

    def number(self, text: str, start: int, end: int, *, blank: bool) -> Token:
        value: int | float = 0
        if len(text) > MAX_NUMBER_DIGITS:
            self.problem(f"a number has at most {MAX_NUMBER_DIGITS} digits", self.here(start, len(text)))
        elif text[:2] in ("0x", "0X"):
            value = int(text, 16)
        elif text.isdecimal():
            value = int(text)
        else:
            value = float(text)
            if value == float("inf"):
                self.problem("this number is too large", self.here(start, len(text)))
                value = 0
        return Token(NUMBER, text, value, self.line, start - self.line_start + 1, start, end, blank)

    def hash(self, start: int, text: str, tokens: list[Token], *, blank: bool) -> int:
        if text == "#{":
            column = start - self.line_start + 1
            tokens.append(Token(SIGN, text, text, self.line, column, start, start + 2, blank))
            return start + 2
        if not self.source[self.line_start : start].strip():
            return self.end_of_line(start)
        self.problem("# begins a comment only at the start of a line", self.here(start), "use ' or // here")
        return self.end_of_line(start)

    def apostrophe(self, start: int, tokens: list[Token], *, blank: bool) -> int:
        """A string where an operand may start and it is closed on the line; a comment everywhere else."""
        last = tokens[-1] if tokens else None
        if last is not None and last.line == self.line:
            if last.kind == SIGN:
                opens = last.text not in _CLOSERS
            else:
                word = last.value
                opens = last.kind == WORD and (word in _OPERAND_WORDS or self.table.takes_operand(str(word)))
                before = tokens[-2] if len(tokens) > 1 else None
                if before is None or before.kind == NEWLINE:
                    opens = opens and word != "end"
                elif before.value in _LEAVING and before.line == self.line:
                    opens = opens and word not in _LEFT
            found = _APOSTROPHE.match(self.source, start) if opens else None
            if found is not None:
                text = _APOSTROPHE_ESCAPE.sub(lambda escape: "\n" if escape[0] == "\\n" else "'", found[1])
                column = start - self.line_start + 1
                tokens.append(Token(STRING, found[0], (text,), self.line, column, start, found.end(), blank))
                return found.end()
        return self.end_of_line(start)

    def quoted(self, start: int, tokens: list[Token], *, blank: bool, one_line: bool) -> int:
        """
        A ``"…"`` with its escapes and holes, over several lines if need be.

        Args:
            one_line: it stands in a hole, and ends on its line.
        """
        line, column = self.line, start - self.line_start + 1
        before = (self.line, self.line_start, self.no_holes_before)
        noted = len(self.problems)
        parts: list[str | Hole] = []
        texts: list[str] = []
        source, size = self.source, len(self.source)
        position = start + 1
        closed = False
        while position < size:
            plain = _PLAIN.match(source, position)
            if plain is not None:
                texts.append(plain[0])
                position = plain.end()
                continue
            character = source[position]
            if character == '"':
                if source.startswith('""', position):
                    texts.append('"')
                    position += 2
                    continue
                closed = True
                position += 1
                break
            if character == "\\" and position + 1 < size and source[position + 1] != "\n":
                texts.append(_ESCAPES.get(source[position + 1], source[position + 1]))
                position += 2
            elif character == "$" and source.startswith("${", position) and not source.startswith("${{", position):
                position = self.hole(position, self.end_of_line(position), parts, texts, strict=True)
            elif character == "\n":
                if one_line or not self.long_strings:
                    break
                texts.append("\n")
                position += 1
                self.line += 1
                self.line_start = position
            else:
                texts.append(character)
                position += 1
        if closed and self.wary and self.line > line and self.begins_text(position):
            closed = False
        elif not closed:
            self.long_strings = self.long_strings and one_line
        if not closed:
            self.line, self.line_start, self.no_holes_before = before
            position = self.end_of_line(start)
            del self.problems[noted:]
            parts, texts = [], [source[start + 1 : position]]
            if not self.problems or self.problems[-1].at.line != line:
                self.not_closed(start, tokens)
        if one_line and closed and position == start + 2 and source[position : position + 1].isalnum():
            self.problem("this text is empty, and more follows", Span(line, column, 2), _NOT_DOUBLED)
            doubled = source.find('""', position, self.end_of_line(start))
            position = doubled + 2 if doubled > 0 else position
        if texts or not parts:
            parts.append("".join(texts))
        tokens.append(Token(STRING, source[start:position], tuple(parts), line, column, start, position, blank))
        return position

    def not_closed(self, start: int, tokens: list[Token]) -> None:
        """Tell of the text at *start*, or of an earlier one of its line that ends where none can."""
        of_line = takewhile(lambda token: token.line == self.line, reversed(tokens))
        for following, text in pairwise(of_line):
            if following.kind == WORD and text.kind == STRING and text.end == following.start:
                hint = 'it needs a " at its end; a " in the midst of it is written ""'
                self.problem("this text is not closed, or ends too early", text.at, hint)
                return
        alone = not self.source[start + 1 : self.end_of_line(start)].strip()
        begun = alone and self.source[self.line_start : start].strip()
        hint = 'if it ends here, the " at its beginning is missing' if begun else 'it needs a " at its end'
        self.problem("this text is not closed", self.here(start), hint)

    def begins_text(self, position: int) -> bool:
        """Whether the quote before *position* more likely begins a text of its line than ends one of a line above."""
        source, end = self.source, self.end_of_line(position)
        if source[position : position + 1].isalnum() or source.startswith(("_", "$"), position):
            return True
        if source[position - 2] not in _BEFORE_TEXT:
            return False
        # Behind the end of a text quotes come in pairs, and no word follows a second one of them at once.
        quotes = [found.end() for found in _UNESCAPED.finditer(source, position, end)]
        if any(source[quote : quote + 1].isalnum() for quote in quotes[1::2]):
            return True
        return len(quotes) % 2 == 1

    def escaped(self, start: int, tokens: list[Token], *, blank: bool) -> int:
        r"""
        A ``\"…\"`` in a hole: the string around is written as if its holes were text, too. It ends on its line; what is
        escaped in it has one more backslash: ``\\n``, ``\\\"``.
        """
        source, end = self.source, self.end_of_line(start)
        line, column = self.line, start - self.line_start + 1
        parts: list[str | Hole] = []
        texts: list[str] = []
        position = start + 2
        closed = False
        while position < end and not closed and source[position] != '"':
            plain = _PLAIN.match(source, position)
            if plain is not None:
                texts.append(plain[0])
                position = plain.end()
            elif source.startswith('\\"', position):
                closed = True
                position += 2
            elif (found := _ESCAPED.match(source, position, end)) is not None:
                # Of \\n and \\\" the last counts, and of \n, which the string around would have taken away, as well.
                position = found.end()
                texts.append(_ESCAPES.get(source[position - 1], source[position - 1]))
            elif source.startswith("${", position) and not source.startswith("${{", position):
                position = self.hole(position, end, parts, texts, strict=True)
            else:
                texts.append("$")
                position += 1
        if not closed:
            self.problem('this text begins with \\" and does not end with it', Span(line, column, 2), _QUOTES_IN_HOLES)
            position += position < end
        if texts or not parts:
            parts.append("".join(texts))
        tokens.append(Token(STRING, source[start:position], tuple(parts), line, column, start, position, blank))
        return position

    def hole(self, start: int, end: int, parts: list[str | Hole], texts: list[str], *, strict: bool) -> int:
        """Read the ``${…}`` at *start*, which must close before *end*; otherwise its two characters are text."""
        tokens: list[Token] = []
        stopped: int | None = None
        if start >= self.no_holes_before and self.nesting < MAX_STRING_NESTING:
            noted = len(self.problems)
            place = (self.line, self.line_start, self.no_holes_before)
            self.nesting += 1
            stopped = self.scan(start + 2, end, tokens, hole=True)
            self.nesting -= 1
            if stopped is None:
                del self.problems[noted:]
                self.line, self.line_start, _ = place
        if stopped is None:
            if strict and self.nesting >= MAX_STRING_NESTING:
                deep = f"texts stand in ${{…}} of each other more than {MAX_STRING_NESTING} deep"
                self.problem(deep, self.here(start, 2), "put a part of it into a variable")
            elif strict and start >= self.no_holes_before:
                hint = "it needs a }; write \\${ for the two characters themselves"
                if '"' in self.source[start:end].removesuffix('"'):
                    hint += f"; {_QUOTES_IN_HOLES}"
                self.problem("this ${ is not closed on its line", self.here(start, 2), hint)
            elif start >= self.no_holes_before:
                self.warn("this ${ is not closed on its line, it stays as text", self.here(start, 2))
            self.no_holes_before = end
            texts.append("${")
            return start + 2
        if texts:
            parts.append("".join(texts))
            texts.clear()
        tokens.append(Token(EOF, "", "", self.line, stopped - self.line_start, stopped - 1, stopped - 1, blank=False))
        parts.append(Hole(self.source[start:stopped], tokens))
        return stopped

    def warn(self, message: str, at: Span) -> None:
        self.warnings.append(Problem("warning", message, at, "", self.name))

    # --- text blocks ------------------------------------------------------------------------------------------------

    def text_block(self, position: int, tokens: list[Token]) -> int:
        """The raw lines from *position* (a line's beginning) to the END line of the open block, which is taken too."""
        assert self.block is not None
        kind, opening = self.block
        self.block = None
        end = None if kind in self.endless else _END_OF[kind].search(self.source, position)
        while end is not None and not (end.start() == position or self.source[end.start() - 1] == "\n"):
            end = _END_OF[kind].search(self.source, end.end())
        if end is not None:
            stop, after = end.span()
        else:
            words = kind.upper()
            self.problem(f"this BEGIN {words} is not closed", opening.at, f"it needs a line END {words}")
            self.endless.add(kind)
            # It ends before what can hardly be meant as text, so that the rest of the script is read.
            end = _BEHIND_BLOCK.search(self.source, position)
            stop = len(self.source) if end is None else end.start()
            after = stop if end is None or end["misspelt"] is None else end.end()
        raw = self.source[position:stop]
        parts = self.block_parts(raw, position)
        text = raw.rstrip("\n")
        line = opening.line + (self.source[position - 1] == "\n")
        tokens.append(Token(BLOCK, text, parts, line, 1, position, stop, blank=False))
        if stop == after < len(self.source):  # the END line is missing
            tokens.append(Token(NEWLINE, "\n", "\n", line, 1, stop, stop, blank=False))
        self.line += self.source.count("\n", self.line_start, after)
        self.line_start = self.source.rfind("\n", 0, after) + 1
        return after

    def block_parts(self, raw: str, position: int) -> tuple[str | Hole, ...]:
        lines = raw.removesuffix("\n").split("\n")
        margin = _common_margin([line for line in lines if line.strip()])
        full = [number for number, line in enumerate(lines) if line.strip()]
        place = (self.line, self.line_start)
        parts: list[str | Hole] = []
        texts: list[str] = []
        for number, line in enumerate(lines):
            self.line, self.line_start = place[0] + 1 + number, position
            if full and full[0] <= number <= full[-1]:
                if number > full[0]:
                    texts.append("\n")
                if line.strip():
                    self.block_line(position + len(margin), position + len(line), parts, texts)
            position += len(line) + 1
        self.line, self.line_start = place
        if texts or not parts:
            parts.append("".join(texts))
        return tuple(parts)

    def block_line(self, position: int, end: int, parts: list[str | Hole], texts: list[str]) -> None:
        while position < end:
            found = self.source.find("${", position, end)
            if found < 0:
                texts.append(self.source[position:end])
                return
            texts.append(self.source[position:found])
            if self.source.startswith("${{", found):
                texts.append("${{")
                position = found + 3
            else:
                position = self.hole(found, end, parts, texts, strict=False)


def _common_margin(lines: list[str]) -> str:
    """The blanks that all *lines* begin with."""
    if not lines:
        return ""
    # What the smallest and the largest begin with, all between them begin with too.
    low, high = min(lines), max(lines)
    same = next((place for place, letter in enumerate(low) if high[place : place + 1] != letter), len(low))
    return low[: min(same, len(low) - len(low.lstrip()))]
