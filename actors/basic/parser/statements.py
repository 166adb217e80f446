"""Statements: assignments, commands, control, procedures and blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from actors.basic import nodes
from actors.basic.lexer import BLOCK, EOF, MAX_PROBLEMS, NEWLINE, SIGN, STRING, WORD, Token
from actors.basic.nodes import Body, Expr, Statement
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, RESERVED, Failure
from actors.basic.parser.declarations import Declarations

__all__ = ["Statements"]

_ASSIGNMENT = frozenset(["=", "+=", "-=", "*=", "/="])
_UNITS = frozenset("second seconds minute minutes hour hours day days".split())

# What closes or divides a block, and how it is said.
_CLOSERS = frozenset(
    """
    end_if end_for end_while end_select end_switch end_with end_try end_sub end_function end_on end_schedule
    end_parallel end_table
    """.split()
)


class Statements(Declarations):
    """Reads whole scripts."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # as they came
        self._ends: list[frozenset[str]] = []  # of each open block: what closes or divides it
        self._braces = 0
        self._in_procedure = False
        self._blocks_of_on = self._closed_handlers()

    # --- bodies -----------------------------------------------------------------------------------------------------

    def script_body(self) -> Body:
        return self._statements(frozenset())

    def _statements(self, ends: frozenset[str]) -> Body:
        """The statements to one of *ends*, or to the end of an outer block, or of the file; neither is taken."""
        body: list[Statement] = []
        self._ends.append(ends)
        while len(self.problems) < MAX_PROBLEMS:
            while self.tok.kind == NEWLINE:
                self.advance()
            if self.tok.kind == EOF:
                break
            closer = self._closer()
            if closer is not None:
                if any(closer in outer for outer in self._ends):
                    break
                self._stray(closer)
                continue
            self.recovering(lambda: body.extend(self._statement()))
            if self._braces and self.is_sign("}"):
                continue
            self._expect_end()
        self._ends.pop()
        return tuple(body)

    def _expect_end(self) -> None:
        if self.at_end() or (self.tok.kind == WORD and self.tok.value == "else" and self._one_line):
            return
        self.problem(f"{self.described()} means nothing here", self.tok.at, self._end_hint())
        self.synchronise(self.index, None)

    _one_line = 0

    def _end_hint(self) -> str:
        if self.is_sign("="):
            return "a value is stored only in a name, a field or an element"
        if self.tok.kind == STRING or self.tok.kind == WORD:
            return "a comma, an operator or a new line may be missing before it"
        return ""

    def recovering(self, read: Callable[[], None]) -> None:  # type: ignore[override]  # what the base promised
        """Do *read*; if it fails note the problem and go on at the end of a line."""
        start = self.index
        state = (len(self._ends), self._braces, self._in_procedure, self._one_line)
        try:
            read()
        except Failure as failure:
            self.problems.append(failure.problem)
            del self._ends[state[0] :]
            _, self._braces, self._in_procedure, self._one_line = state
            self._in_object, self._condition = 0, False
            self.synchronise(start, failure.rewind)

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
        if word in ("case", "default", "catch") and word in (self._ends[-1] if self._ends else ()):
            return None if following.kind == SIGN and following.text in _ASSIGNMENT | {".", "["} else word
        return None

    def _take_closer(self) -> None:
        if self.is_word("end") or (self.is_word("else") and self.peek().value == "if"):
            self.advance()
        self.advance()

    def _stray(self, closer: str) -> None:
        words = closer.replace("_", " ").upper()
        opens = {
            "NEXT": "FOR", "WEND": "WHILE", "LOOP": "DO", "ELSE": "IF", "ELSEIF": "IF", "CASE": "SELECT",
            "DEFAULT": "SWITCH", "CATCH": "TRY", "}": "{",
        }.get(words, words.removeprefix("END "))  # fmt: skip
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
        body = self._statements(wanted)
        closer = self._closer() if self.tok.kind != EOF else None
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

    # --- one statement ----------------------------------------------------------------------------------------------

    def _statement(self) -> list[Statement]:
        token = self.tok
        if token.kind != WORD:
            if token.kind == SIGN and token.text == "." and self.peek().kind == WORD:
                self.fail("a field needs the object before its point", hint="lines like .name = … stand in WITH")
            self.fail(f"a statement cannot begin with {self.described()}")
        word = cast(str, token.value)
        if word not in RESERVED:
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
        read = self._READERS.get(word)
        if read is not None:
            found = read(self)
            if found is not None:
                return found if isinstance(found, list) else [found]
        return [self._command()]

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
            if token.text in _ASSIGNMENT:
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

    def _target(self) -> nodes.Name | nodes.Member | nodes.Index:
        token = self.name_token("a variable")
        target = self._postfixed(nodes.Name(token.at, cast(str, token.value)))
        if not isinstance(target, nodes.Name | nodes.Member | nodes.Index):
            self.fail("a value can be stored only in a name, a field or an element", target.at)
        subject: Expr = target
        while isinstance(subject, nodes.Member | nodes.Index):
            subject = subject.subject
        return target

    def _assignment(self) -> Statement:
        at = self.tok.at
        target = self._target()
        sign = self.advance().text
        self.skip_newlines()
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
            arguments = self.arguments(row, read)
            clauses = self.clauses(row)
            self.check_count(row, len(arguments), token.at)
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
        if self.peek().kind in (NEWLINE, EOF):
            hint = self.unknown_word(token) or f"write CALL {token.text} to call a procedure"
            self.fail(f"{token.text} alone is not a statement", token.at, hint)
        self.fail(f"there is no statement {word}", token.at, self.unknown_word(token))

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
        if count and not self.tokens[self.index + count].text == ",":
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
        return nodes.Assign(token.at, target, self.hear_clauses(token.at, None))

    def _call_command(self) -> Statement | None:
        if self.peek().kind not in (WORD, STRING):
            return None
        token = self.advance()
        tree = self._postfixed(self.call(token, self.expression))
        return nodes.Do(token.at, tree)

    # --- IF ---------------------------------------------------------------------------------------------------------

    def _if(self) -> Statement:
        opening = self.advance()
        condition = self._condition_of("IF")
        if self.is_sign("{"):
            return self._if_braces(opening, condition)
        if self.take_word("then") and not self.at_end():
            return self._if_line(opening, condition)
        self._new_line("the condition of IF" if self.tokens[self.index - 1].value != "then" else "THEN")
        branches: list[tuple[Expr, Body]] = []
        otherwise: Body = ()
        body, closer = self._block(opening, "IF", "elseif else end_if")
        branches.append((condition, body))
        while closer == "elseif":
            condition = self._recovered_condition()
            body, closer = self._block(opening, "IF", "elseif else end_if")
            branches.append((condition, body))
        if closer == "else":
            otherwise, closer = self._block(opening, "IF", "end_if")
        return nodes.If(opening.at, tuple(branches), otherwise)

    def _condition_of(self, words: str) -> Expr:
        self._condition = True
        condition = self.expression()
        self._condition = False
        if self.is_sign("="):
            self.fail(f"expected THEN after the condition of {words}, not =")
        return condition

    def _recovered_condition(self) -> Expr:
        """The condition of an ELSEIF: a mistake in it must not lose the block."""
        found: list[Expr] = [nodes.Literal_(self.tok.at, None)]

        def read() -> None:
            found.append(self._condition_of("ELSEIF"))
            self.take_word("then")
            self._new_line("the condition of ELSEIF")

        self.recovering(read)
        return found[-1]

    def _if_line(self, opening: Token, condition: Expr) -> Statement:
        self._one_line += 1
        self.deeper()
        body = self._simple()
        otherwise: Body = ()
        if self.take_word("else"):
            otherwise = self._simple()
        self.nesting -= 1
        self._one_line -= 1
        return nodes.If(opening.at, ((condition, body),), otherwise)

    def _simple(self) -> Body:
        """The statements of one line."""
        found: list[Statement] = []
        while True:
            start = self.tok
            made = self._statement()
            for statement in made:
                if isinstance(statement, _BLOCKS) and not (isinstance(statement, nodes.If) and self._on_line(start)):
                    self.fail("a block cannot stand in a one-line IF", start.at, "write THEN, and the block below it")
            found += made
            if self.is_sign(";") or (self.tok.kind == NEWLINE and self.tok.text == ";"):
                if self.peek().kind in (NEWLINE, EOF):
                    return tuple(found)
                self.advance()
                continue
            return tuple(found)

    def _on_line(self, start: Token) -> bool:
        return self.tokens[self.index - 1].line == start.line

    def _if_braces(self, opening: Token, condition: Expr) -> Statement:
        branches = [(condition, self._braced(opening))]
        otherwise: Body = ()
        while True:
            index = self.index
            self.skip_newlines()
            if not self.is_word("else"):
                self.go_to(index)
                break
            if self.index > index and self.peek().text != "{":
                self.go_to(index)  # this ELSE belongs to an IF … END IF around
                break
            self.advance()
            if self.take_word("if"):
                condition = self._condition_of("ELSE IF")
                if not self.is_sign("{"):
                    self.fail(f"expected {{ after the condition, not {self.described()}")
                branches.append((condition, self._braced(opening)))
                continue
            otherwise = self._braced(opening)
            break
        return nodes.If(opening.at, tuple(branches), otherwise)

    def _braced(self, opening: Token) -> Body:
        if len(self._ends) > MAX_BLOCK_DEPTH:
            self.fail(f"blocks stand in each other more than {MAX_BLOCK_DEPTH} deep", opening.at)
        brace = self.expect_sign("{", "here")
        self._braces += 1
        one_line, self._one_line = self._one_line, 0
        body = self._statements(frozenset(["}"]))
        self._one_line = one_line
        self._braces -= 1
        if not self.take_sign("}"):
            self.problem("this { is not closed", brace.at, "it needs }")
        return body

    # --- loops ------------------------------------------------------------------------------------------------------

    def _for(self) -> Statement:
        opening = self.advance()
        each = self.is_word("each") and self.peek().kind == WORD and self.peek().value != "in"
        if each:
            self.advance()
        elif self.is_word("each") and self.peek().value == "in" and self.peek(2).value == "in":
            self.advance()
        token = self.name_token("the variable of FOR")
        name = cast(str, token.value)
        if not each and self.is_sign("="):
            return self._for_count(opening, name)
        if self.is_sign(","):
            self.fail(
                "FOR EACH takes one variable", hint="the keys of an object are not given; loop over a list of them"
            )
        self.expect_word("in", f"after FOR EACH {token.text}" if each else f"(or =) after FOR {token.text}")
        collection = self.coalesce()
        limit: tuple[Literal["first", "last"], Expr] | None = None
        if self.is_word("first", "last"):
            which = cast("Literal['first', 'last']", self.advance().value)
            limit = (which, self.coalesce())
        self.take_word("do")
        self._new_line("FOR EACH … IN …")
        body, closer = self._block(opening, "FOR", "end_for next")
        self._loop_name(closer, name)
        return nodes.ForEach(opening.at, name, collection, limit, body)

    def _for_count(self, opening: Token, name: str) -> Statement:
        self.advance()
        start = self.coalesce()
        self.expect_word("to", "after the first number of FOR")
        stop = self.coalesce()
        step = self.coalesce() if self.take_word("step") else None
        self.take_word("do")
        self._new_line("FOR … TO …")
        body, closer = self._block(opening, "FOR", "end_for next")
        self._loop_name(closer, name)
        return nodes.ForCount(opening.at, name, start, stop, step, body)

    def _loop_name(self, closer: str, name: str) -> None:
        if closer and self.tok.kind == WORD and not self.at_end():
            token = self.advance()
            if token.value != name:
                self.notes.append(nodes.Note(token.at, f"this NEXT closes the loop of {name}, not of {token.text}"))

    def _while(self) -> Statement:
        opening = self.advance()
        condition = self.expression()
        self.take_word("do")
        self._new_line("the condition of WHILE")
        body, _ = self._block(opening, "WHILE", "end_while wend")
        return nodes.Loop(opening.at, "while", (condition, False), None, body)

    def _do(self) -> Statement:
        opening = self.advance()
        before = self._until()
        self._new_line("DO")
        body, closer = self._block(opening, "DO", "loop")
        after = self._until() if closer else None
        return nodes.Loop(opening.at, "do", before, after, body)

    def _until(self) -> tuple[Expr, bool] | None:
        if not self.is_word("while", "until"):
            return None
        until = self.advance().value == "until"
        return self.expression(), until

    # --- SELECT, WITH, TRY ------------------------------------------------------------------------------------------

    def _select_block(self) -> Statement | None:
        opening = self.tok
        switch = opening.value == "switch"
        if self.at_end() or self.peek().kind == NEWLINE:
            self.fail(f"{opening.text.upper()} needs a value", opening.at)
        self.advance()
        if not switch and self.is_word("case"):
            self.advance()
        subject = self.expression()
        self._new_line(f"the value of {opening.text.upper()}")
        words = "SWITCH" if switch else "SELECT"
        ends = "case default end_switch" if switch else "case default end_select"
        stray, closer = self._block(opening, words, ends)
        if stray:
            self.problem(f"this stands before the first CASE of {words}", stray[0].at)
        cases: list[tuple[tuple[Expr | nodes.CaseRange | nodes.CaseIs, ...], Body]] = []
        otherwise: Body = ()
        last = False
        while closer in ("case", "default"):
            at = self.tok.at
            if last:
                self.problem("nothing can stand after CASE ELSE", at)
            if closer == "default" or self.take_word("else"):
                last = True
                otherwise, closer = self._block(opening, words, ends)
                continue
            items = self._recovered_items()
            body, closer = self._block(opening, words, ends)
            cases.append((items, body))
        return nodes.Select(opening.at, subject, tuple(cases), otherwise)

    def _recovered_items(self) -> tuple[Expr | nodes.CaseRange | nodes.CaseIs, ...]:
        items: list[Expr | nodes.CaseRange | nodes.CaseIs] = []

        def read() -> None:
            while True:
                items.append(self._case_item())
                if not self.take_sign(","):
                    break
                self.skip_newlines()
            self._new_line("the values of CASE")

        self.recovering(read)
        return tuple(items) or (nodes.Literal_(self.tok.at, None),)

    def _case_item(self) -> Expr | nodes.CaseRange | nodes.CaseIs:
        at = self.tok.at
        following = self.peek()
        if self.is_word("is") and following.kind == SIGN and following.text in _COMPARISONS:
            self.advance()
            operator = _COMPARISONS[self.advance().text]
            return nodes.CaseIs(at, operator, self.expression())
        low = self.expression()
        if self.take_word("to"):
            return nodes.CaseRange(at, low, self.expression())
        return low

    def _with(self) -> Statement | None:
        opening = self.advance()
        target = self._target()
        self._new_line("WITH name")
        fields: list[tuple[str, Expr]] = []
        while True:
            while self.tok.kind == NEWLINE:
                self.advance()
            if self.take_words("end with"):
                break
            if self.tok.kind == EOF or self._closes_outer():
                self.problem("this WITH is not closed", opening.at, "it needs END WITH")
                break
            self.recovering(lambda: self._with_line(fields))
        return nodes.With(opening.at, target, tuple(fields))

    def _closes_outer(self) -> bool:
        closer = self._closer()
        return closer is not None and any(closer in outer for outer in self._ends)

    def _with_line(self, fields: list[tuple[str, Expr]]) -> None:
        self.take_sign(".")
        if self.tok.kind != WORD:
            self.fail(f"expected field = value, not {self.described()}")
        name = self.advance().text.rstrip("$")
        if not self.is_sign("="):
            self.fail(f"expected = after the field {name}, not {self.described()}", hint="WITH makes an object")
        self.advance()
        self.skip_newlines()
        fields.append((name, self.expression()))
        self._expect_end()

    def _try(self) -> Statement | None:
        opening = self.advance()
        self._new_line("TRY")
        body, closer = self._block(opening, "TRY", "catch end_try")
        variable: str | None = None
        handler: Body = ()
        if closer == "catch":
            if self.tok.kind == WORD:
                variable = self.folded("the variable of CATCH")
            handler, _ = self._block(opening, "TRY", "end_try")
        return nodes.Try(opening.at, body, variable, handler)

    # --- leaving ----------------------------------------------------------------------------------------------------

    def _goto(self) -> Statement:
        at = self.advance().at
        return nodes.Goto(at, self.folded("a label"))

    def _return(self) -> Statement:
        token = self.advance()
        if self.at_end() or self.is_word("else") or (self._braces and self.is_sign("}")):
            return nodes.Return(token.at, None)
        if self.is_word("with") and self.peek().kind in (WORD, STRING) and self.peek(2).value == "as":
            self.advance()
            return nodes.Return(token.at, self._pairs())
        return nodes.Return(token.at, self.expression())

    def _exit(self) -> Statement:
        at = self.advance().at
        if self.is_word("for", "do", "while", "sub", "function"):
            return nodes.Leave(at, cast("Literal['for']", self.advance().value))
        return nodes.Leave(at, "run")

    def _leave(self) -> Statement | None:
        token = self.tok
        following = self.peek()
        word = cast(str, token.value)
        if word in ("continue", "break") and following.kind == WORD and following.value in ("for", "do", "while"):
            self.skip(2)
            return nodes.Leave(token.at, cast("Literal['break', 'continue']", word))
        if following.kind == WORD and following.value != "else":
            return None
        self.advance()
        return nodes.Leave(
            token.at, cast("Literal['break', 'continue']", word) if word in ("break", "continue") else "run"
        )

    # --- ON ---------------------------------------------------------------------------------------------------------

    def _closed_handlers(self) -> frozenset[int]:
        """The ON statements that an END ON closes, by the index of their token."""
        waiting: list[int] = []
        closed: set[int] = set()
        fresh = True
        for index, token in enumerate(self.tokens):
            if fresh and token.kind == WORD:
                if token.value == "on":
                    waiting.append(index)
                elif waiting and self.spelled(index, "end on"):
                    closed.add(waiting.pop())
            fresh = token.kind == NEWLINE
        return frozenset(closed)

    def _on(self) -> Statement | None:
        index = self.index
        opening = self.advance()
        if self.take_word("error"):
            return self._on_error(opening)
        trigger: Literal["event", "form", "email", "change", "insert", "update", "delete"] = "event"
        detail: tuple[str, Expr] | None = None
        if self.take_words("form submit"):
            trigger = "form"
        elif self.is_word("event", "email", "change") and self._operand_at(self.index + 1):
            trigger = cast("Literal['event', 'email', 'change']", self.advance().value)
        elif self.is_word("insert", "update", "delete") and self.peek().value == "of":
            trigger = cast("Literal['insert', 'update', 'delete']", self.advance().value)
            self.advance()
        subject = self.coalesce()
        if trigger == "email" and self.is_word("from", "subject"):
            detail = (cast(str, self.advance().value), self.coalesce())
        elif trigger == "change" and self.is_word("events"):
            detail = (cast(str, self.advance().value), self.coalesce())
        if self.take_word("call"):
            return nodes.OnEvent(opening.at, trigger, subject, detail, None, self.folded("a procedure"))
        do = self.take_word("do")
        self._new_line("ON …")
        if not do and index not in self._blocks_of_on:
            return nodes.OnEvent(opening.at, trigger, subject, detail, None)
        body, _ = self._block(opening, "ON", "end_on")
        return nodes.OnEvent(opening.at, trigger, subject, detail, body)

    def _on_error(self, opening: Token) -> Statement:
        if self.take_words("resume next"):
            return nodes.OnError(opening.at, "resume")
        if not self.take_word("goto"):
            hint = "RESUME NEXT, GOTO 0 or GOTO label may stand here"
            self.fail(f"expected RESUME NEXT or GOTO after ON ERROR, not {self.described()}", hint=hint)
        if self.tok.text == "0":
            self.advance()
            return nodes.OnError(opening.at, "off")
        return nodes.OnError(opening.at, "goto", self.folded("a label"))

    # --- schedules, steps -------------------------------------------------------------------------------------------

    def _schedule(self, count: int) -> Statement:
        opening = self.tok
        self.skip(count)
        top = len(self._ends) == 1 and not self._one_line
        if self.is_word("every") and self._operand_at(self.index + 1):
            at = self.tok.at
            text = self.rest_of_line()
            if top:
                return nodes.ScheduleDeclaration(opening.at, text)
            return nodes.Schedule(opening.at, nodes.Literal_(at, text), None, None, (), None)
        parts = [self.coalesce()]
        while self.take_sign(",") or self._operand_at(self.index):
            if self.is_word("do"):
                break
            self.skip_newlines()
            parts.append(self.coalesce())
        if self.take_word("do"):
            self._new_line("DO")
            body, _ = self._block(opening, "SET SCHEDULE", "end_schedule")
            return nodes.Schedule(opening.at, parts[0], None, None, tuple(parts[1:]), body)
        when = parts[0]
        if top and len(parts) == 1 and isinstance(when, nodes.Literal_) and isinstance(when.value, str):
            return nodes.ScheduleDeclaration(opening.at, when.value)
        script = parts[1] if len(parts) > 1 else None
        return nodes.Schedule(opening.at, when, None, script, tuple(parts[2:]), None)

    def _schedule_in(self) -> Statement | None:
        if self.peek().value != "in":
            return None
        opening = self.advance()
        self.advance()
        amount = self.coalesce()
        if not self.is_word(*_UNITS):
            self.fail(f"expected SECONDS, MINUTES, HOURS or DAYS, not {self.described()}")
        unit = cast(str, self.advance().value)
        self.expect_word("do", "after the time of SCHEDULE IN")
        self._new_line("DO")
        body, _ = self._block(opening, "SCHEDULE", "end_schedule")
        delay = (amount, unit if unit.endswith("s") else unit + "s")
        return nodes.Schedule(opening.at, None, delay, None, (), body)

    def _step(self) -> Statement | None:
        if not self._operand_at(self.index + 1):
            return None
        opening = self.advance()
        number = self.additive()
        self.expect_sign(":", "after the number of STEP")
        if self.is_word("bot"):
            return nodes.Step(opening.at, number, (self._branch("", opening),))
        if self.take_word("parallel"):
            self._new_line("PARALLEL")
            branches: list[nodes.Branch] = []
            while True:
                while self.tok.kind == NEWLINE:
                    self.advance()
                if self.take_words("end parallel"):
                    break
                if self.tok.kind == EOF or not self.is_word("branch"):
                    self.problem("this PARALLEL is not closed", opening.at, "it needs END PARALLEL")
                    break
                self.recovering(lambda: branches.append(self._named_branch()))
            return nodes.Step(opening.at, number, tuple(branches))
        if not self.take_words("human approval"):
            hint = "BOT, PARALLEL or HUMAN APPROVAL may stand here"
            self.fail(f"expected what to do in this step, not {self.described()}", hint=hint)
        self.expect_word("from", "after HUMAN APPROVAL")
        approver = self.postfix()
        timeout = self.additive() if self._on_next_line("timeout") else None
        on_timeout = None
        if self._on_next_line("on timeout"):
            self.expect_sign(":", "after ON TIMEOUT")
            on_timeout = self.rest_of_line()
        return nodes.Step(opening.at, number, (), approver, timeout, on_timeout)

    def _on_next_line(self, words: str) -> bool:
        index = self.index
        while self.tokens[index].kind == NEWLINE:
            index += 1
        count = self.spelled(index, words)
        if count:
            self.go_to(index)
            self.skip(count)
        return count > 0

    def _named_branch(self) -> nodes.Branch:
        opening = self.advance()
        name = self.folded("the name of the branch")
        self.expect_sign(":", "after the name of the branch")
        return self._branch(name, opening)

    def _branch(self, name: str, opening: Token) -> nodes.Branch:
        self.expect_word("bot", "here")
        return nodes.Branch(opening.at, name, self._primary(), self._primary())

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
            return nodes.TextBlock(opening.at, cast("Literal['talk', 'system prompt', 'mail']", kind), text, recipient)
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

    _READERS: dict[str, Callable[[Statements], Statement | list[Statement] | None]] = {
        "param": _param_statement,
        "description": _description_statement,
        "table": _table_statement,
        "create": _create,
        "webhook": _webhook_statement,
        "let": _let,
        "set": _let,
        "const": _let,
        "set_schedule": _set,
        "dim": _dim,
        "redim": _dim,
        "hear": _hear_statement,
        "call": _call_command,
        "if": _if,
        "for": _for,
        "while": _while,
        "do": _do,
        "select": _select_block,
        "switch": _select_block,
        "with": _with,
        "try": _try,
        "goto": _goto,
        "return": _return,
        "exit": _exit,
        "break": _leave,
        "continue": _leave,
        "end": _leave,
        "stop": _leave,
        "on": _on,
        "schedule": _schedule_in,
        "step": _step,
        "sub": _procedure,
        "function": _procedure,
        "begin": _begin,
        "begin_talk": _begin,
        "begin_system_prompt": _begin,
        "begin_mail": _begin,
    }


_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_BLOCKS = (
    nodes.If, nodes.ForEach, nodes.ForCount, nodes.Loop, nodes.Select, nodes.With, nodes.Try, nodes.Procedure,
    nodes.Table, nodes.TextBlock, nodes.Param, nodes.Description,
)  # fmt: skip
