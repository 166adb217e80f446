"""Control: IF, the loops, SELECT, WITH, TRY, and leaving them."""

from __future__ import annotations

from typing import Literal, cast

from actors.basic import nodes
from actors.basic.lexer import EOF, NEWLINE, SIGN, STRING, WORD, Token
from actors.basic.nodes import Body, Expr, Statement
from actors.basic.parser.bodies import Bodies
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH

__all__ = ["Control"]

_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_BLOCKS = (
    nodes.If, nodes.ForEach, nodes.ForCount, nodes.Loop, nodes.Select, nodes.With, nodes.Try, nodes.Procedure,
    nodes.Table, nodes.TextBlock, nodes.Param, nodes.Description,
)  # fmt: skip


class Control(Bodies):
    """Reads what decides which statements run."""

    # --- IF ---------------------------------------------------------------------------------------------------------

    def _if(self) -> Statement:
        opening = self.advance()
        condition = self._condition_of("IF")
        if self.is_sign("{"):
            return self._if_braces(opening, condition)
        if self.take_word("then") and not self.at_end():
            return self._if_line(opening, condition)
        if not self.at_end():
            self.fail(f"expected THEN after the condition of IF, not {self.described()}")
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
            if not self.take_word("then") and not self.at_end():
                self.fail(f"expected THEN after the condition of ELSEIF, not {self.described()}")
            self._new_line("THEN")

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
            made = self.statement()
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
        body, _ = self._statements(frozenset(["}"]))
        self._one_line = one_line
        self._braces -= 1
        if not self.take_sign("}"):
            self.problem("this { is not closed", brace.at, "it needs }")
        return body

    # --- loops ------------------------------------------------------------------------------------------------------

    def _for(self) -> Statement:
        opening = self.advance()
        each = self.is_word("each") and self.peek().kind == WORD and self.peek().value != "in"
        if each or (self.is_word("each") and self.peek().value == "in" and self.peek(2).value == "in"):
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
        collection = self.before(frozenset(["first", "last"]), self.coalesce)
        limit: tuple[Literal["first", "last"], Expr] | None = None
        if self.is_word("first", "last"):
            which = cast("Literal['first', 'last']", self.advance().value)
            limit = (which, self.coalesce())
        self.take_word("do")
        if self.is_word("to"):
            self.fail("FOR … IN goes through a list", hint=f"to count write FOR {token.text} = 1 TO 10")
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
            at = self.tokens[self.index - 1].at
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
            statement = self.tok.kind == WORD and self.peek().text != "=" and self.begins_statement(self.index)
            if self.tok.kind == EOF or self._closes_outer() or statement:
                found = "" if self.tok.kind == EOF else f" before line {self.tok.line}"
                self.problem("this WITH is not closed", opening.at, f"it needs END WITH{found}")
                self._forgive("with")
                break
            self.recovering(lambda: self._with_line(fields))
        return nodes.With(opening.at, target, tuple(fields))

    def _closes_outer(self) -> bool:
        closer = self._closer()
        return closer is not None and any(closer in outer for outer in self._ends)

    def _with_line(self, fields: list[tuple[str, Expr]]) -> None:
        start = self.index
        self.take_sign(".")
        if self.tok.kind != WORD:
            self.fail(f"expected field = value, not {self.described()}")
        name = self.advance().text.rstrip("$")
        if not self.is_sign("="):
            self.fail(f"expected = after the field {name}, not {self.described()}", hint="WITH makes an object")
        self.advance()
        self.skip_newlines()
        fields.append((name, self.expression()))
        if not self._ends_here(start):
            fields.pop()

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
