"""
The machine: takes a run from one suspension point to the next.

It is the loop that enters the framed body on top of the stack, and does what the body asks for when it leaves: call a
procedure or a script, execute a keyword, hear. It is a generator only to ask the database within the turn (it yields a
``Query`` and is sent the rows): no turn ends with it half-way, what outlasts a turn is the ``Run``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from types import GeneratorType
from typing import Any, Final

from actors.basic import values
from actors.basic.analyser import script_name
from actors.basic.compiler import Program
from actors.basic.errors import BasicError, BudgetSpent
from actors.basic.frames import Activation, Frame, Op, Run
from actors.basic.host import FUNCTIONS_TO_COME, QUERY_STEPS, Host, RunEnded, Wait
from actors.basic.keywords.conversation import hear, heard, overdue
from actors.basic.keywords.history import transcript
from actors.basic.parameters import bind
from bus.protocol import Query, Rows
from schemas.conversation import Attachment
from schemas.dialog import AwaitsAnswer, AwaitsWorld, Ended, Failed, Outcome

__all__ = ["Machine", "Programs", "Step"]

Step = Generator[Query, Rows, Outcome]

Programs = Callable[[str], Program | None]
"""A script's program by its name in lower case; None if the bot has no such script."""

_SCRIPT_STEPS: Final = 100
"""Entering a script takes as long as so many steps."""

_CALL_STEPS: Final = 60
"""Entering a procedure that may suspend takes as long as so many steps."""

_MESSAGE_CHARS: Final = 2_000
"""So much of an error's message is told."""

_NONE: Final[tuple[Any, BasicError | None]] = (None, None)


class Machine:
    """
    One run in one turn.

    Args:
        programs: the scripts of the bot version that the run began with.
    """

    def __init__(self, run: Run, host: Host, programs: Programs) -> None:
        self.run = run
        self.host = host
        self.programs = programs
        self.due_at: datetime | None = None
        """When the timer that the run waits for is to fire."""

    # --- what can happen to a run -----------------------------------------------------------------------------------

    def begin(self, script: str, arguments: dict[str, Any] | Sequence[Any]) -> Step:
        """Run *script* from its first line, arguments by name or in order of its PARAMs."""
        try:
            self._enter_script(script, arguments)
        except BasicError as error:
            return self._failed(error)
        return (yield from self._advance(None, None))

    def answer(self, text: str, attachments: tuple[Attachment, ...] = ()) -> Step:
        """The person answered the HEAR."""
        return (yield from self._woken(lambda wait: heard(self.host, wait, text, attachments)))

    def overdue(self) -> Step:
        """Nobody answered the HEAR in time."""
        return (yield from self._woken(lambda wait: overdue(self.host, wait)))

    def fired(self) -> Step:
        """The timer of WAIT went off."""
        return (yield from self._woken(lambda _: None))

    def written(self, seq: int) -> Step:
        """The transcript has what the run said before it asked for the history; it goes up to *seq*."""
        return (yield from self._woken(lambda _: transcript(self.host, seq)))

    def _woken(self, result_of: Callable[[dict[str, Any]], Any]) -> Step:
        wait, self.run.wait = self.run.wait, None
        assert wait is not None
        try:
            result = result_of(wait)
            if isinstance(result, GeneratorType):
                self.host.spend(QUERY_STEPS)
                result = yield from result
            if isinstance(result, Wait):
                return self._suspend(result)
        except BasicError as error:
            return (yield from self._advance(None, error))
        return (yield from self._advance(result, None))

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _advance(self, value: Any, error: BasicError | None) -> Step:
        run, host = self.run, self.host
        stack = run.stack
        while stack:
            activation = stack[-1]
            frame = activation.frames[-1]
            program = self._bound(activation)
            if program is None:
                return self._failed(self._gone(activation))
            body = program.bodies[frame.body]
            if error is not None:
                self._located(error, program, frame)
                if not body.catches or isinstance(error, BudgetSpent):
                    self._pop()
                    value = None
                    continue
            depth = host.limits.max_depth - run.depth()
            try:
                assert activation.bodies is not None
                # What the frame keeps is its own again only when it is left: until then it is the body's.
                left = activation.bodies[frame.body](frame.kept, frame.pc, value, error, depth, frame.mode)
                value, error = _NONE
            except RunEnded:
                stack.pop()
                value, error = _NONE
                continue
            except Exception as raised:
                error = host.fault(raised)
                self._pop()
                value = None
                continue
            op = left[0]
            if op == Op.RETURN:
                value = left[1]
                self._pop()
            elif op == Op.END:
                stack.pop()
            else:
                if op != Op.TAIL:
                    frame.pc, frame.kept = left[1], left[2]
                try:
                    value = self._do(op, left, activation)
                    if isinstance(value, GeneratorType):
                        host.spend(QUERY_STEPS)
                        value = yield from value
                    if isinstance(value, Wait):
                        return self._suspend(value)
                except BasicError as raised:
                    error = host.fault(raised)
                    if op == Op.TAIL and not error.line:
                        error.placed(activation.script, *left[3])
                    continue
        if error is not None:
            return self._failed(error)
        try:
            return Ended(result=_plain(value))
        except BasicError as endless:  # a result that contains itself, or is too large to be told
            return self._failed(endless)

    def _do(self, op: int, left: tuple[Any, ...], activation: Activation) -> Any:
        """What a body was left for; its value, a generator that asks the database for it, or a ``Wait``."""
        if op == Op.KEYWORD:
            return self.host.keyword(left[3], left[4], left[5])
        if op == Op.HEAR:
            return hear(self.host, left[3])
        if op == Op.CALL:
            self._deepen()
            _, _, _, name, arguments, mode = left
            parameters = self._program(activation).bodies[name].parameters
            kept = dict(zip(parameters, arguments, strict=True))
            activation.frames.append(Frame(name, 0, kept, int(mode)))
        elif op == Op.SCRIPT:
            self._deepen()
            self.host.spend(_SCRIPT_STEPS)
            self._enter_script(left[3], left[4])
        else:
            # The script says nothing more: the one that it calls takes its place.
            self._check_script(left[1])
            self.host.spend(_SCRIPT_STEPS)
            self.run.stack.pop()
            self._enter_script(left[1], left[2])
        return None

    def _deepen(self) -> None:
        self.host.spend(_CALL_STEPS)
        if self.run.depth() >= self.host.limits.max_depth:
            self.host.too_deep()

    def _pop(self) -> None:
        """The frame on top is done; so is its activation, if it was its last."""
        activation = self.run.stack[-1]
        activation.frames.pop()
        if not activation.frames:
            self.run.stack.pop()

    def _located(self, error: BasicError, program: Program, frame: Frame) -> None:
        """An error of something outside of any script is laid to the statement that asked for it."""
        if not error.line:
            error.placed(program.name, *_waits_in(program, frame))

    def where(self) -> tuple[str, int, int]:
        """(script, line, column) of what a suspended run waits in."""
        activation = self.run.stack[-1]
        return activation.script, *_waits_in(self._program(activation), activation.frames[-1])

    def _suspend(self, wait: Wait) -> Outcome:
        """Raises: BudgetSpent: the run waits again and again for almost no time."""
        run = self.run
        self.host.pause(wait.kind, wait.deadline_at)
        run.waits += 1
        run.wait = {"on": wait.kind, "number": run.waits, **wait.data}
        for activation in run.stack:
            if activation.now is not None:
                activation.shared = activation.now()
                activation.bodies = activation.now = None
        self.due_at = wait.deadline_at
        if wait.kind == "hear":
            return AwaitsAnswer(deadline_at=wait.deadline_at, secret=wait.secret)
        return AwaitsWorld(what=wait.kind)

    def _failed(self, error: BasicError) -> Failed:
        script = error.script or self.run.trigger.script
        # A script may THROW any text; one that is too long for an event would keep the failure from being told at all.
        message = error.message if len(error.message) <= _MESSAGE_CHARS else f"{error.message[: _MESSAGE_CHARS - 1]}…"
        return Failed(code=error.code, message=message, script=script, line=error.line, column=error.column)

    # --- scripts ----------------------------------------------------------------------------------------------------

    def _program(self, activation: Activation) -> Program:
        program = self.programs(activation.script)
        assert program is not None
        return program

    def _bound(self, activation: Activation) -> Program | None:
        """The program of *activation*, its code bound to this turn; None if that program is gone."""
        program = self.programs(activation.script)
        if program is None or program.digest != activation.program:
            return None
        if activation.bodies is None:
            activation.bodies, activation.now = program.factory(self.host, activation.shared, program.landings)
        return program

    def _gone(self, activation: Activation) -> BasicError:
        message = f"The version of {activation.script} that this conversation began with is gone."
        return BasicError("E_NOSCRIPT", message, 0, activation.script)

    def _check_script(self, target: str) -> tuple[str, Program]:
        called = target.startswith("()")
        name = script_name(target.removeprefix("()"))
        program = self.programs(name)
        if program is None:
            if called and name in FUNCTIONS_TO_COME:
                self.host.missing(name.upper())
            if called:
                raise BasicError("E_NOFUNC", f"There is no procedure, function or script {name.upper()}.")
            if target.startswith("/"):
                raise BasicError("E_NOTFOUND", f"There is no operation {target}.")
            raise BasicError("E_NOSCRIPT", f"This bot has no script {name}.")
        return name, program

    def _enter_script(self, target: str, arguments: dict[str, Any] | Sequence[Any]) -> None:
        name, program = self._check_script(target)
        kept: dict[str, Any] = {}
        for variable in program.variables:
            found, value = self.host.predefined(variable)
            if found:
                kept[variable] = value
        kept.update(bind(self.host, program, arguments))
        shared = {name: kept.pop(name) for name in program.shared if name in kept}
        self.run.stack.append(Activation(name, program.digest, [Frame("", 0, kept)], shared))


def _waits_in(program: Program, frame: Frame) -> tuple[int, int]:
    """(line, column) of what *frame* was suspended in, zeros if it was not."""
    at = program.bodies[frame.body].places.get(frame.pc)
    return (0, 0) if at is None else (at.line, at.column)


def _plain(value: object) -> Any:
    """The result as JSON can say it."""
    return values.plain(value)
