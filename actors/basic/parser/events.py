"""What runs at another time or elsewhere: ON, SET SCHEDULE, SCHEDULE IN, STEP."""

from __future__ import annotations

from typing import Literal, cast

from actors.basic import nodes
from actors.basic.keywords import KeywordTable
from actors.basic.lexer import EOF, NEWLINE, WORD, Lexed, Token
from actors.basic.nodes import Expr, Statement
from actors.basic.parser.control import Control

__all__ = ["Events"]

_UNITS = frozenset(["second", "seconds", "minute", "minutes", "hour", "hours", "day", "days"])


class Events(Control):
    """Reads handlers, schedules and the steps of workflows."""

    def __init__(self, lexed: Lexed, name: str, table: KeywordTable) -> None:
        super().__init__(lexed, name, table)
        self._blocks_of_on = self._closed_handlers()

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
        if not self._operand_at(self.index):
            self.fail(f"expected the event after ON, not {self.described()}", hint='for example ON EVENT "order paid"')
        subject = self.before(frozenset(["from", "subject", "events", "call"]), self.coalesce)
        if (trigger == "email" and self.is_word("from", "subject")) or (trigger == "change" and self.is_word("events")):
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
        amount = self.before(_UNITS, self.coalesce)
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
