"""
Tokens to a tree. Reads the whole language; what it knows of keywords it reads from their table.

One class in layers: ``Cursor`` (tokens), ``Expressions``, ``Declarations``, ``Recovery`` (what was meant by a mistake),
``Statements``.
"""

from __future__ import annotations

from itertools import pairwise

from actors.basic import nodes
from actors.basic.errors import Problem, ScriptErrors
from actors.basic.functions import FUNCTIONS
from actors.basic.keywords import TABLE, KeywordTable
from actors.basic.lexer import MAX_PROBLEMS, MAX_TOKENS, NEWLINE, SIGN, STRING, WORD, Lexed, Token, lex
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, MAX_EXPRESSION_HEIGHT, MAX_NESTING, RESERVED
from actors.basic.parser.statements import Statements

__all__ = ["MAX_BLOCK_DEPTH", "MAX_EXPRESSION_HEIGHT", "MAX_NESTING", "RESERVED", "parse", "read"]


def parse(source: str, name: str, *, table: KeywordTable = TABLE) -> nodes.Script:
    """
    The tree of a script.

    Args:
        source: its text, LF or CRLF.
        name: for its problems and for the tree, as the author knows it.

    Raises: ScriptErrors: with every problem of the file, in order of the text.
    """
    script, problems = read(source, name, table=table)
    if problems:
        raise ScriptErrors(problems)
    return script


def read(source: str, name: str, *, table: KeywordTable = TABLE) -> tuple[nodes.Script, list[Problem]]:
    """
    The tree of what can be read of a script, and every problem of the file in order of the text.

    A tree with problems is good for finding more of them, and for nothing else.
    """
    script, problems, long_texts = _read(lex(source, name, table), name, table)
    if problems and long_texts:
        # One of them may be a text whose closing quote is missing, and what is wrong only follows from that.
        script, problems, _ = _read(lex(source, name, table, wary=True), name, table)
    return script, problems


def _read(lexed: Lexed, name: str, table: KeywordTable) -> tuple[nodes.Script, list[Problem], bool]:
    """The tree, the problems, and whether there is a text that goes over several lines."""
    if len(lexed.tokens) >= MAX_TOKENS:
        return nodes.Script(name, ()), lexed.problems, False  # reading on would only cost time
    reader = Statements(lexed, name, table)
    reader.procedures, reader.assigned = _names(lexed.tokens)
    reader.functions = frozenset(FUNCTIONS)
    body = reader.script_body()
    # What the parser says of a line that the lexer could not read is only an echo.
    unread = {problem.at.line for problem in lexed.problems}
    echoless = [problem for problem in reader.problems if problem.at.line not in unread]
    problems = _ordered([*lexed.problems, *echoless])
    warnings = [nodes.Note(warning.at, warning.message, warning.hint) for warning in lexed.warnings]
    notes = tuple(sorted([*warnings, *reader.notes], key=lambda note: note.at))
    long_texts = any(token.kind == STRING and "\n" in token.text for token in lexed.tokens)
    return nodes.Script(name, body, lexed.workflow, notes, frozenset(reader.unread)), problems, long_texts


def _ordered(problems: list[Problem]) -> list[Problem]:
    """In order of the text, one for each place, and not endlessly many."""
    by_place: dict[tuple[int, int], Problem] = {}
    for problem in problems:
        by_place.setdefault(problem.at[:2], problem)
    return sorted(by_place.values(), key=lambda problem: problem.at)[:MAX_PROBLEMS]


def _names(tokens: list[Token]) -> tuple[frozenset[str], frozenset[str]]:
    """The procedures that the script defines, and the names that it plainly assigns."""
    procedures: set[str] = set()
    assigned: set[str] = set()
    fresh = True
    for token, following in pairwise(tokens):
        if token.kind == WORD:
            if fresh and token.value in ("sub", "function") and following.kind == WORD:
                procedures.add(str(following.value))
            elif fresh and following.kind == SIGN and following.text in ("=", "+=", "-=", "*=", "/="):
                assigned.add(str(token.value))
            elif (
                token.value in ("each", "param", "hear", "let", "set", "for", "dim", "with") and following.kind == WORD
            ):
                assigned.add(str(following.value))
        fresh = token.kind == NEWLINE
    return frozenset(procedures), frozenset(assigned)
