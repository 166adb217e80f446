"""Statements: what each first word begins, assignments, commands, procedures and text blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from actors.basic import nodes
from actors.basic.errors import nearest
from actors.basic.lexer import BLOCK, EOF, NEWLINE, NUMBER, SIGN, STRING, WORD, Token
from actors.basic.nodes import Span, Statement
from actors.basic.parser.bodies import ASSIGNMENT
from actors.basic.parser.cursor import RESERVED
from actors.basic.parser.events import Events
from actors.basic.parser.recovery import TEXTS

__all__ = ["Statements"]


class Statements(Events):
    """Reads whole scripts."""

    # --- one statement ----------------------------------------------------------------------------------------------

    def statement(self) -> list[Statement]:
        token = self.tok
        if token.kind != WORD:
            if token.kind == SIGN and token.text == "." and self.peek().kind == WORD:
                self.fail("a field needs the object before its point", hint="lines like .name = … stand in WITH")
            hint = ""
            if token.kind == NUMBER and self.peek().kind == WORD:
                hint = "lines have no numbers; GOTO goes to a label"
            elif token.text in ("/", "-", "!"):
                hint = "a comment begins with ' or //"
            self.fail(f"a statement cannot begin with {self.described()}", hint=hint)
        word = cast(str, token.value)
        if word in RESERVED:
            if self.peek().kind == SIGN and self.peek().text in ASSIGNMENT:
                self.fail(f"{token.text.upper()} is a word of the language, it cannot be a variable")
        else:
            if self._assigns(self.index):
                return [self._assignment()]
            following = self.peek()
            if following.kind == SIGN:
                if following.text == ":" and self.peek(2).kind in (NEWLINE, EOF):
                    self.skip(2)
                    return [nodes.Label(token.at, word)]
                if following.text in (".", "?.") or (following.text == "[" and not following.blank):
                    return [self._call_statement()]
                if self.tight and word in self.procedures:
                    return [self._call_statement()]
        read = _READERS.get(word)
        if read is not None:
            found = read(self)
            if found is not None:
                return found if isinstance(found, list) else [found]
        return [self._command()]

    def begins_statement(self, index: int) -> bool:
        token = self.tokens[index]
        if token.kind != WORD:
            return token.kind == EOF
        word = str(token.value)
        if word in RESERVED or word in _READERS or word in _CLOSING or self._assigns(index):
            return True
        return any(row.use == "statement" for row, _ in self.table.walk(self.words_ahead(index)))

    def _assigns(self, index: int) -> bool:
        """Rule R1: whether ``name { .name | [e] }`` and an assignment sign stand at *index*."""
        tokens = self.tokens
        if tokens[index].kind != WORD or tokens[index].value in RESERVED:
            return False
        index += 1
        while True:
            token = tokens[index]
            if token.kind != SIGN:
                return False
            if token.text in ASSIGNMENT:
                return True
            if token.text == "." and tokens[index + 1].kind == WORD:
                index += 2
            elif token.text == "[":
                depth = 0
                while tokens[index].kind not in (NEWLINE, EOF):
                    text = tokens[index].text
                    if tokens[index].kind == SIGN:
                        depth += (text == "[") - (text == "]")
                    index += 1
                    if depth == 0:
                        break
                if depth:
                    return False
            else:
                return False

    def _assignment(self) -> Statement:
        at = self.tok.at
        target = self._target()
        sign = self.advance().text
        operator = cast("Literal['+', '-', '*', '/'] | None", sign[0] if len(sign) == 2 else None)
        return nodes.Assign(at, target, self.expression(), operator)

    def _call_statement(self) -> Statement:
        at = self.tok.at
        tree = self.postfix()
        if not isinstance(tree, nodes.Call | nodes.Method | nodes.Conditional):
            self.fail("this is a value, not a statement", at, "to store something write name = value")
        return nodes.Do(at, tree)

    def _command(self) -> Statement:
        """A keyword of the table, or a call."""
        token = self.tok
        found = self.table.walk(self.words_ahead())
        tight_name = (
            self.tight and token.value in self.functions and not any(row.use != "expression" for row, _ in found)
        )
        usable = [] if tight_name else [(row, count) for row, count in found if row.use != "expression"]
        if not usable:
            return self._other(token, [row.phrase for row, _ in found])
        row, count = usable[-1]
        index = self.index + count
        tight = self.tokens[index].text == "(" and self.tokens[index].kind == SIGN and not self.tokens[index].blank
        self.skip(count)
        if tight and self._whole_call(row, index):
            expression = self._called(row, token)
        else:
            read = self.coalesce if "=" in row.joins else self.expression
            arguments, clauses = self.arguments_and_clauses(row, read)
            self.check_count(row, len(arguments) + self.is_sign(","), token.at)
            expression = self._made(row, token, arguments, clauses)
        for clause in row.clauses:
            if clause.value == "target" and self.take_words(clause.word):
                target = self._target()
                clauses = self.clauses(row)
                if row.phrase == "wait for response":
                    timeout = dict(clauses).get("timeout")
                    heard = nodes.Hear(token.at, "any", timeout=timeout, null_on_timeout=True)
                    return nodes.Assign(token.at, target, heard)
                return nodes.Assign(token.at, target, expression)
        if row.phrase == "wait for response":
            self.fail("WAIT FOR RESPONSE needs AS and a name", token.at, "write WAIT FOR RESPONSE AS reply TIMEOUT 60")
        return nodes.Do(token.at, expression)

    def _whole_call(self, row: object, opening: int) -> bool:
        """Whether the ``(`` at *opening* holds all arguments of a command, rather than begin the first of them."""
        depth = 0
        index = opening
        while self.tokens[index].kind != EOF:
            token = self.tokens[index]
            if token.kind == SIGN:
                depth += (token.text in ("(", "[", "{", "#{")) - (token.text in (")", "]", "}"))
                if depth == 0:
                    following = self.tokens[index + 1]
                    return following.kind in (NEWLINE, EOF) or following.text == "}" or following.value == "else"
            index += 1
        return False

    def _other(self, token: Token, expressions: list[str]) -> Statement:
        """What begins with a word that is no command: a call, or a mistake."""
        if self.tight and token.value not in RESERVED:
            return self._call_statement()
        keyword = self._keyword(token) if expressions else None
        if keyword is not None:
            return nodes.Do(token.at, keyword)
        word = token.text.upper()
        if token.value in self.procedures:
            self.fail(f"{token.text} is a procedure of this script", token.at, f"write CALL {token.text}")
        if expressions:
            self.fail(f"{word} gives a value, it is not a statement", token.at, f"write name = {word} …")
        following = self.peek()
        if token.value in _DIVIDERS:
            opens = _DIVIDERS[str(token.value)]
            self._forgive(opens.lower())
            self.fail(f"this {word} has no {opens} before it", token.at)
        if following.kind in (NEWLINE, EOF):
            known = token.value in _READERS or self.table.begins(str(token.value))
            hint = "" if known else self._unknown_word(token) or f"write CALL {token.text} to call a procedure"
            self.fail(f"{token.text} alone is not a statement", token.at, hint)
        if token.value == "end" and following.kind == WORD:
            ending = f"END {following.text.upper()}"
            wrong = f"this {ending} has no BEGIN before it" if following.value in TEXTS else f"there is no {ending}"
            self.fail(wrong, Span(token.line, token.column, following.end - token.start))
        if token.value == "begin" and following.kind == WORD:
            close = nearest(str(following.value), TEXTS)
            hint = f"did you mean BEGIN {close.upper()}?" if close else "there are BEGIN TALK, MAIL and SYSTEM PROMPT"
            wrong = f"there is no BEGIN {following.text.upper()}"
            self.fail(wrong, following.at, hint, self._end_of_text(str(following.value)))
        signs = following.text if following.kind == SIGN else ""
        hint = _SIGN_HINTS.get(signs) or _SIGN_HINTS.get(signs + self.peek(2).text) or self._unknown_word(token)
        return self.fail(f"there is no statement {word}", token.at, hint)

    def _end_of_text(self, kind: str) -> int:
        """Where the lines of a text end whose BEGIN *kind* could not be read; here, if they do not end."""
        for index in range(self.index, len(self.tokens) - 1):
            token, following = self.tokens[index], self.tokens[index + 1]
            if token.value == "end" and self.tokens[index - 1].kind == NEWLINE and following.value in {kind, *TEXTS}:
                return index
        return self.index

    # --- SET, LET, DIM ----------------------------------------------------------------------------------------------

    def _let(self) -> Statement | None:
        if not self._assigns(self.index + 1):
            if self.is_word("set"):
                return self._set()
            self.advance()
            self.fail(f"expected name = value, not {self.described()}")
        self.advance()
        return self._assignment()

    def _set(self) -> Statement | None:
        count = self.is_words("set schedule")
        if count and self.tokens[self.index + count].text != ",":
            return self._schedule(count)
        return None

    def _dim(self) -> list[Statement]:
        self.advance()
        found: list[Statement] = []
        while True:
            token = self.name_token("a variable")
            if self.is_sign("("):
                self.parenthesised()
            elif self.is_sign("["):
                self._close_index()
            found.append(nodes.Do(token.at, nodes.Name(token.at, cast(str, token.value))))
            if self.take_word("as"):
                self.advance()
            if not self.take_sign(","):
                return found

    def _close_index(self) -> None:
        opening = self._open()
        if not self.is_sign("]"):
            self.expression()
        self._close("]", opening)

    def _hear_statement(self) -> Statement | None:
        token = self.tok
        if self.is_words("hear from meet") or self.tight:
            return None
        self.advance()
        if self.tok.kind == STRING or self.at_end() or self.is_word("as", "with", "default", "timeout"):
            prompt = self.additive() if self.tok.kind == STRING else None
            return nodes.Do(token.at, self.hear_clauses(token.at, prompt))
        target = self._target()
        heard = self.hear_clauses(token.at, None)
        if self.tok.kind == WORD and not (self._one_line and self.is_word("else")):
            meant = nearest(str(self.tok.value), ("as", "with", "default", "timeout"))
            hint = f"did you mean {meant.upper()}?" if meant else "AS, WITH, DEFAULT or TIMEOUT may stand here"
            self.fail(f"{self.described()} means nothing here", hint=hint)
        return nodes.Assign(token.at, target, heard)

    def _call_command(self) -> Statement | None:
        if self.peek().kind not in (WORD, STRING):
            return None
        token = self.advance()
        return nodes.Do(token.at, self.call(token, self.expression))

    # --- procedures, text blocks ------------------------------------------------------------------------------------

    def _procedure(self) -> Statement | None:
        opening = self.tok
        if self.peek().kind != WORD:
            return None
        kind = cast("Literal['sub', 'function']", self.advance().value)
        words = kind.upper()
        name = self.folded(f"the name of the {words}")
        parameters: list[str] = []
        if self.take_sign("("):
            while not self.is_sign(")"):
                parameters.append(self.folded("a parameter"))
                if self.take_word("as"):
                    self.advance()
                if not self.take_sign(","):
                    break
            self.expect_sign(")", "after the parameters")
        self._new_line(f"{words} {name}")
        if self._in_procedure or len(self._ends) > 1:
            self.problem(f"a {words} can stand only at the top level of a script", opening.at)
            self._nested.append(self.problems[-1])
        inside, self._in_procedure = self._in_procedure, True
        body, _ = self._block(opening, words, f"end_{kind}")
        self._in_procedure = inside
        return nodes.Procedure(opening.at, kind, name, tuple(parameters), body)

    def _begin(self) -> Statement | None:
        opening = self.tok
        for kind in ("talk", "system prompt", "mail"):
            count = self.is_words(f"begin {kind}")
            if not count:
                continue
            self.skip(count)
            recipient = self.coalesce() if kind == "mail" else None
            if self.tok.kind != BLOCK:
                self.fail(f"expected a new line after BEGIN {kind.upper()}, not {self.described()}")
            block = self.advance()
            text = self.text(block)
            return nodes.TextBlock(opening.at, kind, text, recipient)
        return None

    def _create(self) -> Statement | None:
        count = self.is_words("create index")
        unique = self.is_words("create unique index")
        if not count and not unique:
            return None
        self.skip(count or unique)
        return self.create_index(unique > 0)

    def _table_statement(self) -> Statement | None:
        following = self.peek()
        return self.table_block() if following.kind == WORD or following.text == "." else None

    def _param_statement(self) -> Statement | None:
        return self.param() if self.peek().kind == WORD else None

    def _description_statement(self) -> Statement | None:
        return self.description()

    def _webhook_statement(self) -> Statement | None:
        return self.webhook() if self.peek().kind == STRING else None

    def _unknown_word(self, token: Token) -> str:
        """A hint for a statement that begins with a word that means nothing."""
        if token.value in _ELSEWHERE:
            return f"did you mean {_ELSEWHERE[str(token.value)]}?"
        words = {row.phrase.split(" ", 1)[0] for row in self.table} | RESERVED | _READERS.keys() | self.procedures
        if token.value in words:
            return ""
        close = nearest(cast(str, token.value), words)
        return f"did you mean {close.upper()}?" if close else ""


_CLOSING = frozenset(["case", "catch", "end_if", "endif"])
_DIVIDERS = {"case": "SELECT", "catch": "TRY"}
_ELSEWHERE = {
    "say": "TALK",
    "echo": "TALK",
    "input": "HEAR",
    "ask": "HEAR",
    "elif": "ELSEIF",
    "elsif": "ELSEIF",
    "def": "FUNCTION",
    "var": "LET",
    "except": "CATCH",
    "remark": "REM",
    "repeat": "DO",
    "until": "LOOP UNTIL",
}
"""Words that begin a statement in other languages, and ours for them."""
_SIGN_HINTS = {
    "==": "one = stores a value; == compares, in a condition",
    "++": "to add one write += 1",
    "--": "to take one away write -= 1",
    "->": "to store a value write =",
}

_READERS: dict[str, Callable[[Statements], Statement | list[Statement] | None]] = {
    "param": Statements._param_statement,
    "description": Statements._description_statement,
    "table": Statements._table_statement,
    "create": Statements._create,
    "webhook": Statements._webhook_statement,
    "let": Statements._let,
    "set": Statements._let,
    "const": Statements._let,
    "set_schedule": Statements._set,
    "dim": Statements._dim,
    "redim": Statements._dim,
    "hear": Statements._hear_statement,
    "call": Statements._call_command,
    "if": Statements._if,
    "for": Statements._for,
    "while": Statements._while,
    "do": Statements._do,
    "select": Statements._select_block,
    "switch": Statements._select_block,
    "with": Statements._with,
    "try": Statements._try,
    "goto": Statements._goto,
    "return": Statements._return,
    "exit": Statements._exit,
    "break": Statements._leave,
    "continue": Statements._leave,
    "end": Statements._leave,
    "stop": Statements._leave,
    "on": Statements._on,
    "schedule": Statements._schedule_in,
    "step": Statements._step,
    "sub": Statements._procedure,
    "function": Statements._procedure,
    "begin": Statements._begin,
    "begin_talk": Statements._begin,
    "begin_system_prompt": Statements._begin,
    "begin_mail": Statements._begin,
}
