"""
The basic actor decides: it takes runs from one suspension point to the next.

One event is one step of one run, and its answer is one ``RunAdvanced``: what the run did on the way, and where it
stands. Between events a run is data in the state of its session.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final
from uuid import UUID

import msgspec

from actors.basic import values
from actors.basic.analyser import script_name
from actors.basic.errors import BasicError
from actors.basic.frames import Run, Trigger, dump, load
from actors.basic.host import Host, Surroundings
from actors.basic.keywords.handlers import HANDLERS
from actors.basic.limits import MESSAGES_A_SECOND, MESSAGES_AN_ANSWER, Limits
from actors.basic.machine import Machine, Step
from actors.basic.programs import Apart, Bot, Bots
from actors.basic.state import BasicState, OpenRun, Talked
from bus.actor import Ask, Resource, Turn
from bus.errors import QueryFailed
from bus.protocol import Rows
from schemas.dialog import (
    Act,
    AnswerGiven,
    AnswerOverdue,
    AwaitsAnswer,
    AwaitsWorld,
    Failed,
    Outcome,
    RunAdvanced,
    RunCancelled,
    RunRequested,
    TranscriptWritten,
)
from schemas.envelope import Event
from schemas.package import BotPackage
from schemas.schedule import TimerCancelled, TimerFired, TimerRequested
from schemas.topics import BASIC, SCHEDULE, SESSION

__all__ = ["BasicActor"]

Deciding = Generator[Ask, Any, BasicState | None]

_MOST_TOLD: Final = 900_000
"""Bytes of JSON of what a turn does: the bus takes events of a megabyte, and would set the whole turn aside."""

_MUCH: Final = Limits().max_messages // 2
"""
Messages said of late that are kept when a run ends with nothing else to keep. No event would come to remove such a
state, so an ordinary long answer must leave none; and who says more and begins anew must not be free to say all that
``max_messages`` allows with every beginning.
"""

_JSON: Final = msgspec.json.Encoder()

_WITHOUT_SESSION: Final = frozenset({"schedule", "webhook", "event"})
"""Triggers of runs that nobody talks to."""


class BasicActor:
    """
    The decider of topic ``basic``.

    Args:
        limits: of a turn of a run; a bot's configuration may lower them.
        max_program_bytes: about how much memory compiled bots may take.
        apart: compiles long scripts while others go on; without it, everybody waits for them.
        failed: told of every run that fails, with the package it is of, for an author who watches; told again if the
            turn is repeated. Must be quick and must not raise.
    """

    name = BASIC
    topic = BASIC
    state = BasicState

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        max_program_bytes: int = 128 * 1024 * 1024,
        apart: Apart | None = None,
        failed: Callable[[BotPackage, Failed], None] | None = None,
    ) -> None:
        self._bots = Bots(limits or Limits(), max_program_bytes, apart)
        self._failed = failed

    def decide(self, turn: Turn, state: BasicState | None) -> BasicState | Deciding | None:
        event = turn.event
        if isinstance(event, RunCancelled):
            return None if state is None else self._cancel(turn, state, str(event.run))
        deciding = self._deciding(turn, state)
        if deciding is None:
            return state
        # Most turns ask nothing: they are decided here, and the worker need not drive a generator.
        try:
            ask = next(deciding)
        except StopIteration as end:
            decided: BasicState | None = end.value
            return decided
        return _going_on(ask, deciding)

    def _deciding(self, turn: Turn, state: BasicState | None) -> Deciding | None:
        """How the event is decided; None if it is for no run that waits for it."""
        event = turn.event
        if isinstance(event, RunRequested):
            return self._begin(turn, event, state or BasicState())
        if state is None:
            return None
        match event:
            case AnswerGiven(run=run) | AnswerOverdue(run=run):
                return self._go_on(turn, state, run, "hear")
            case TranscriptWritten(run=run):
                return self._go_on(turn, state, run, "history")
            case TimerFired(timer=timer):
                run_id, _, number = timer.partition("/")
                return self._go_on(turn, state, UUID(run_id), "timer", number)
            case _:
                return None

    # --- events -----------------------------------------------------------------------------------------------------

    def _begin(self, turn: Turn, event: RunRequested, state: BasicState) -> Deciding:
        session = "" if event.trigger in _WITHOUT_SESSION else event.key
        trigger = Trigger(
            script_name(event.script), event.trigger, event.bot, event.channel, event.person, event.message, session
        )
        run = Run(event.run, trigger)
        bot = yield from self._bot(event.bot_version)
        if bot is None:
            _tell(turn, run, [], _no_bot(trigger.script))
            return _kept(state)
        machine = self._machine(turn, run, state, bot)
        step = machine.begin(event.script, event.arguments)
        return (yield from self._stepped(turn, machine, step, state, event.bot_version))

    def _go_on(self, turn: Turn, state: BasicState, run_id: UUID, kind: str, number: str = "") -> Deciding | None:
        open_run = state.runs.get(str(run_id))
        if open_run is None:
            return None
        trigger = Trigger(
            open_run.script, open_run.trigger, open_run.bot, open_run.channel, open_run.person, open_run.message,
            "" if open_run.trigger in _WITHOUT_SESSION else turn.event.key,
        )  # fmt: skip
        wait = open_run.frames["wait"] or {}
        if wait.get("on") != kind or (number and number != str(wait.get("number"))):
            return None
        run = load(run_id, trigger, open_run.frames)
        return self._woken(turn, run, state, open_run.bot_version)

    def _woken(self, turn: Turn, run: Run, state: BasicState, version: str) -> Deciding:
        bot = yield from self._bot(version)
        if bot is None:
            del state.runs[str(run.id)]
            _tell(turn, run, [], _no_bot(run.trigger.script))
            return _kept(state)
        event = turn.event
        if isinstance(event, AnswerGiven):
            run.rested()  # nobody who is talked to is an endless loop
        machine = self._machine(turn, run, state, bot)
        if isinstance(event, AnswerGiven):
            step = machine.answer(event.text, event.attachments)
        elif isinstance(event, AnswerOverdue):
            step = machine.overdue()
        elif isinstance(event, TranscriptWritten):
            step = machine.written(event.seq)
        else:
            step = machine.fired()
        return (yield from self._stepped(turn, machine, step, state, version))

    def _stepped(self, turn: Turn, machine: Machine, step: Step, state: BasicState, version: str) -> Deciding:
        """Take one step, and keep and tell what came of it."""
        run, host = machine.run, machine.host
        outcome = yield from _asking(step, host)
        frames = None
        if isinstance(outcome, AwaitsAnswer | AwaitsWorld):
            frames = dump(run, host.limits.max_frame)
            if frames is None:
                message = f"The script keeps more than {host.limits.max_frame >> 10} KiB while it waits."
                script, line, column = machine.where()
                outcome = Failed(code="E_LIMIT", message=message, script=script, line=line, column=column)
        session = _session(host)
        if session is None:
            message = f"SET SESSION keeps more than {host.limits.max_frame >> 10} KiB."
            script, line, column = machine.where() if run.stack else (run.trigger.script, 0, 0)
            outcome = Failed(code="E_LIMIT", message=message, script=script, line=line, column=column)
            frames = None
        acts = host.acts
        if len(_JSON.encode((acts, outcome))) > _MOST_TOLD:
            message = "The script says or sets more without a pause than one event holds."
            script, line, column = machine.where() if run.stack else (run.trigger.script, 0, 0)
            outcome = Failed(code="E_LIMIT", message=message, script=script, line=line, column=column)
            acts, frames, session = [], None, None
        if isinstance(outcome, AwaitsWorld) and outcome.what == "timer":
            turn.emit(SCHEDULE, TimerRequested, timer=f"{run.id}/{run.waits}", due_at=machine.due_at, reply_to=BASIC)
        key = str(run.id)
        known = state.runs.get(key)
        if frames is None:
            state.runs.pop(key, None)
        elif known is not None:
            known.frames = frames
        else:
            trigger = run.trigger
            state.runs[key] = OpenRun(
                bot=trigger.bot,
                bot_version=version,
                script=trigger.script,
                trigger=trigger.kind,
                channel=trigger.channel,
                person=trigger.person,
                message=trigger.message,
                frames=frames,
            )
        if session is not None:  # else it remains as the last turn left it
            state.session = session
        free = MESSAGES_AN_ANSWER if isinstance(turn.event, AnswerGiven | RunRequested) else 0
        state.talked = Talked(messages=host.messages, at=turn.event.at) if host.messages > free else None
        if self._failed is not None and isinstance(outcome, Failed):
            self._failed(host.around.package, outcome)
        _tell(turn, run, acts, outcome)
        return _kept(state)

    def _cancel(self, turn: Turn, state: BasicState, run_id: str) -> BasicState | None:
        open_run = state.runs.pop(run_id, None)
        if open_run is None:
            return state
        wait = open_run.frames["wait"] or {}
        if wait.get("on") == "timer":
            turn.emit(SCHEDULE, TimerCancelled, timer=f"{run_id}/{wait['number']}", reply_to=BASIC)
        return _kept(state)

    # --- bots and machines ------------------------------------------------------------------------------------------

    def _bot(self, version: str) -> Generator[Resource, bytes | None, Bot | None]:
        bot = self._bots.get(version)
        if bot is None and version:
            data = yield Resource(version)
            if data is not None:
                bot = self._bots.put(version, BotPackage.from_bytes(data))
        return bot

    def _machine(self, turn: Turn, run: Run, state: BasicState, bot: Bot) -> Machine:
        event = turn.event
        session = values.load(state.session) if state.session else {}
        around = Surroundings(
            event.id, event.at, bot.package, bot.settings, bot.zone, bot.limits, session, _said(state, event)
        )
        return Machine(run, Host(run, around, HANDLERS), bot.program)


def _said(state: BasicState, event: Event) -> float:
    """How many messages of the turns before still count."""
    if state.talked is None:
        return 0
    free = max(0.0, (event.at - state.talked.at).total_seconds()) * MESSAGES_A_SECOND
    if isinstance(event, AnswerGiven | RunRequested):
        free += MESSAGES_AN_ANSWER
    return max(0.0, state.talked.messages - free)


def _asking(step: Step, host: Host) -> Generator[Ask, Any, Outcome]:
    """
    Drive *step*; what it asks is asked of the worker. The surroundings that operators look at are set only while the
    run runs: while the database answers, other runs do.
    """
    answer: Rows = ()
    refused: BasicError | None = None
    begun = False
    inside = values.ambience(host.zone, host.measure, host.budget, host.spent)
    while True:
        with inside:
            try:
                ask = step.throw(refused) if refused else step.send(answer) if begun else next(step)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
        begun, refused = True, None
        try:
            answer = yield ask
        except QueryFailed as error:
            refused = BasicError("E_DB", f"The database refused: {error}")


def _session(host: Host) -> dict[str, Any] | None:
    """What the session keeps, to be stored; None if it is too much: it is read and written with every turn."""
    if not host.session:
        return {}
    if values.approximate_size(host.session, host.limits.max_frame) >= host.limits.max_frame:
        return None
    return values.dump(host.session)


def _going_on(ask: Ask, deciding: Deciding) -> Deciding:
    """*deciding*, which has asked *ask* already."""
    while True:
        answer: Any = None
        refused: QueryFailed | None = None
        try:
            answer = yield ask
        except QueryFailed as error:
            refused = error
        try:
            ask = deciding.throw(refused) if refused is not None else deciding.send(answer)
        except StopIteration as end:
            decided: BasicState | None = end.value
            return decided


def _kept(state: BasicState) -> BasicState | None:
    """A state in which nothing is left is none; an answer, if it is no very long one, is not worth one."""
    much = state.talked is not None and state.talked.messages > _MUCH
    return state if state.runs or state.session or much else None


def _no_bot(script: str) -> Failed:
    return Failed(
        code="E_NOSCRIPT", message="The version of the bot that this run needs is gone.", script=script, line=0
    )


def _tell(turn: Turn, run: Run, acts: list[Act], outcome: Outcome) -> None:
    turn.emit(SESSION, RunAdvanced, run=run.id, script=run.trigger.script, acts=tuple(acts), outcome=outcome)
