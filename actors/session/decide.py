"""
The session actor decides: who is spoken to, by whom, in which order.

Everything a person sees or said passes through here and gets the next number of its conversation, so the transcript
has one writer. A message goes to the run that waits in HEAR; else ``start`` runs, if it has not; else the responder
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from actors.session import texts
from actors.session.bot import NO_BOT, BotFacts, facts_in
from actors.session.state import Held, OpenRun, Quick, SessionState
from bus.actor import Resource, Turn
from schemas.conversation import (
    Attachment,
    ConversationAttached,
    ConversationClosed,
    ConversationOpened,
    ConversationResumed,
    Message,
    MessageReady,
    MessageReceived,
    PersonTyping,
    TypingShown,
)
from schemas.dialog import (
    Act,
    AnswerGiven,
    AnswerOverdue,
    AwaitsAnswer,
    AwaitsWorld,
    ContextCleared,
    ContextSet,
    Ended,
    RunAdvanced,
    RunCancelled,
    RunRequested,
    Said,
    SuggestionAdded,
    SuggestionsCleared,
    TranscriptWritten,
)
from schemas.envelope import Event
from schemas.failure import TurnFailed
from schemas.schedule import TimerFired, TimerRequested
from schemas.topics import BASIC, SCHEDULE, SESSION

__all__ = ["SessionActor"]

# A client resends what was not acknowledged; the edges let nobody have more than this many messages under way.
REMEMBERED_MESSAGES: Final = 64
HELD_MESSAGES: Final = 100
OFFERED: Final = 500
OFFERED_CHARS: Final = 20_000
CONTEXTS: Final = 200
CONTEXT_CHARS: Final = 200_000
UNSPOKEN_KEPT: Final = timedelta(days=1)
TIMER: Final = "session"


class SessionActor:
    """The decider of topic ``session``; its key is the session's id, a UUID as text."""

    name = SESSION
    topic = SESSION
    state = SessionState

    def __init__(self, *, remembered_bots: int = 10_000) -> None:
        self._facts: dict[str, BotFacts] = {}
        self._remembered_bots = remembered_bots

    def decide(
        self, turn: Turn, state: SessionState | None
    ) -> SessionState | Generator[Resource, bytes | None, SessionState | None] | None:
        version = turn.event.bot_version
        facts = self._facts.get(version) if version else NO_BOT
        if facts is None:
            return self._learn_then_decide(turn, state)
        return _decide(turn, state, facts)

    def _learn_then_decide(
        self, turn: Turn, state: SessionState | None
    ) -> Generator[Resource, bytes | None, SessionState | None]:
        version = turn.event.bot_version
        found = yield Resource(version)
        facts = NO_BOT if found is None else facts_in(found)
        if len(self._facts) >= self._remembered_bots:
            del self._facts[next(iter(self._facts))]
        self._facts[version] = facts
        return _decide(turn, state, facts)


def _decide(turn: Turn, state: SessionState | None, facts: BotFacts) -> SessionState | None:
    event = turn.event
    if state is None:
        if isinstance(event, ConversationOpened | MessageReceived):
            state = _new(event)
            turn.write("conversations.insert", event.key, event.bot, event.channel, event.person.id, event.at)
        else:
            return None  # a conversation that was swept: what still comes for it is of no use to anybody
    handle = _HANDLERS.get(type(event))
    if handle is None:
        raise TypeError(f"the session actor does not take {event.type}")
    conversation = _Conversation(turn, state, facts)
    handle(conversation, event)
    if conversation.swept:
        return None
    conversation.set_timer()
    return state


def _new(event: ConversationOpened | MessageReceived) -> SessionState:
    return SessionState(
        bot=event.bot,
        bot_version=event.bot_version,
        channel=event.channel,
        person=event.person,
        slot=event.slot,
        opened_at=event.at,
        last_at=event.at,
    )


class _Conversation:
    """One turn of one conversation: the state in hand, and what follows from the event."""

    __slots__ = ("facts", "state", "swept", "turn")

    def __init__(self, turn: Turn, state: SessionState, facts: BotFacts) -> None:
        self.turn = turn
        self.state = state
        self.facts = facts
        self.swept = False

    # --- what the person does ---------------------------------------------------------------------------------------

    def open(self, event: ConversationOpened) -> None:
        self._attach(event.slot)
        if not self.state.started and self.state.run is None:
            self._start()

    def resume(self, event: ConversationResumed) -> None:
        self._attach(event.slot)

    def _attach(self, slot: int | None) -> None:
        """From now on messages go to *slot*; the edge there is told up to where the transcript has everything."""
        self.state.slot = slot
        self.turn.emit(_topic_of(self.state.channel), ConversationAttached, partition=slot, seq=self.state.seq)

    def receive(self, event: MessageReceived) -> None:
        state = self.state
        if event.slot is not None:
            state.slot = event.slot
        known = state.received.get(event.message_id)
        if known is not None:
            self._acknowledge_again(event, known)
            return
        state.spoken = True
        state.last_at = event.at
        state.bot_version = event.bot_version
        state.person = event.person
        secret = state.run is not None and state.run.secret and not state.busy
        self._say("user", texts.MASK if secret else event.text, event.attachments, client_id=event.message_id)
        state.received[event.message_id] = state.seq
        if len(state.received) > REMEMBERED_MESSAGES:
            del state.received[next(iter(state.received))]
        self._activate_context(event.text)
        held = Held(text=event.text, attachments=event.attachments)
        if self.facts.reset_words and texts.folded(event.text) in self.facts.reset_words:
            self._reset("reset")
            self._start()
        elif self.facts.overlap == "debounce":
            self._hold(held)
            state.held_until = event.at + self.facts.debounce
        else:
            self._route(held)

    def person_types(self, _event: PersonTyping) -> None:
        state = self.state
        state.last_at = self.turn.event.at
        if state.held_until is not None:
            state.held_until = self.turn.event.at + self.facts.debounce

    def close(self, event: ConversationClosed) -> None:
        self._close(event.reason)

    def _close(self, reason: str) -> None:
        self._reset(reason)
        self.state.spoken = False
        self.state.opened_at = self.turn.event.at

    def _acknowledge_again(self, event: MessageReceived, seq: int) -> None:
        message = Message(seq=seq, id=self.turn.new_id("repeat"), role="user", text="", at=event.at)
        self.turn.emit(
            _topic_of(self.state.channel),
            MessageReady,
            partition=self.state.slot,
            message=message,
            client_id=event.message_id,
            repeat=True,
        )

    # --- where a message goes ---------------------------------------------------------------------------------------

    def _route(self, held: Held) -> None:
        state = self.state
        if state.busy:
            if self.facts.overlap != "interrupt":
                self._hold(held)
                return
            self._cancel_run("interrupted by a new message")
            state.started = False  # nothing waits for this message: the dialog begins anew with it
        run = state.run
        if run is not None:
            self._answer(run, held)
        elif not state.started and self.facts.has_start:
            state.opener = held
            self._start()
        else:
            self._respond()

    def _hold(self, held: Held) -> None:
        if len(self.state.held) < HELD_MESSAGES:
            self.state.held.append(held)
            return
        # Nothing is lost: what no longer fits as a message of its own joins the newest one.
        last = self.state.held[-1]
        self.state.held[-1] = Held(text=f"{last.text}\n{held.text}", attachments=(*last.attachments, *held.attachments))

    def _route_held(self) -> None:
        """The bot's turn has ended: what came meanwhile is next, until a turn is open again."""
        state = self.state
        if state.held_until is not None:
            return
        while state.held and not state.busy:
            self._route(state.held.pop(0))

    def _answer(self, run: OpenRun, held: Held) -> None:
        run.heard = True
        self.state.quick = [quick for quick in self.state.quick if not quick.until_answered]
        self.turn.emit(BASIC, AnswerGiven, run=run.id, text=held.text, attachments=held.attachments)

    def _respond(self) -> None:
        """The built-in responder: there is no model to ask, and the person is told so."""
        if not self.facts.readable:
            self.turn.note("bot_unreadable", version=self.turn.event.bot_version)
            self._apologise()
            return
        self._say("bot", texts.text("nothing_to_answer_with", self._locale))

    # --- runs -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        state = self.state
        state.started = True
        if not self.facts.has_start:
            return
        run = self.turn.new_id("start")
        state.run = OpenRun(id=run)
        self.turn.emit(
            BASIC,
            RunRequested,
            run=run,
            script="start",
            trigger="start",
            channel=state.channel,
            person=state.person,
            message=state.opener.text if state.opener else "",
        )

    def advance(self, event: RunAdvanced) -> None:
        state = self.state
        run = state.run
        if run is None or run.id != event.run:
            return  # a run that was cancelled: what it still said is of no use
        self._act(event.acts)
        outcome = event.outcome
        if isinstance(outcome, AwaitsAnswer):
            run.asked, run.heard = True, False
            run.deadline_at, run.secret = outcome.deadline_at, outcome.secret
            state.opener = None
        elif isinstance(outcome, AwaitsWorld):
            run.asked, run.heard = False, False
            if outcome.what == "history":  # it goes on at once
                self.turn.emit(BASIC, TranscriptWritten, run=run.id, seq=state.seq)
            else:
                self.turn.emit(_topic_of(state.channel), TypingShown, partition=state.slot)
        elif isinstance(outcome, Ended):
            self._run_is_over()
        else:
            if outcome.code == "E_TIMEOUT":  # nobody's mistake
                self._say("bot", texts.text("waited_too_long", self._locale))
                state.started = False
            else:
                # The message may quote what somebody said: it stays with the event.
                place = {"script": outcome.script, "line": outcome.line, "column": outcome.column}
                self.turn.note("script_failed", **place, code=outcome.code)
                self._apologise()
            state.opener = None
            self._run_is_over()
        self._route_held()

    def turn_failed(self, event: TurnFailed) -> None:
        """
        An event was set aside. If it was an answer, the question still stands; if it was the start, that is over, and
        so is a run of which we could not take what it did.
        """
        state = self.state
        self._apologise()
        if event.actor == BASIC and state.run is not None:
            if state.run.asked:
                state.run.heard = False
            else:
                self._cancel_run("its turn failed")
        elif event.actor == SESSION and event.failed_type == RunAdvanced.type and state.busy:
            self._cancel_run("what it did could not be taken")
        self._route_held()

    def _run_is_over(self) -> None:
        state = self.state
        state.run = None
        state.quick = [quick for quick in state.quick if not quick.until_answered]
        if state.opener is not None:
            opener, state.opener = state.opener, None
            self._route(opener)

    def _cancel_run(self, reason: str) -> None:
        run = self.state.run
        if run is not None:
            self.turn.emit(BASIC, RunCancelled, run=run.id, reason=reason)
            self.state.run = None

    def _reset(self, reason: str) -> None:
        state = self.state
        self._cancel_run(reason)
        state.started = False
        state.opener = state.held_until = None
        state.held = []
        state.quick = []
        state.contexts = {}
        state.active_contexts = []
        state.system_prompt = ""

    # --- what is said -----------------------------------------------------------------------------------------------

    def _act(self, acts: tuple[Act, ...]) -> None:
        """
        Do what a run did. What it offers travels with the last message of the turn, wherever in the turn it was added,
        for it is there that the person answers.
        """
        said = []
        for act in acts:
            if isinstance(act, Said):
                if act.text or act.attachments:
                    said.append(act)
            elif isinstance(act, SuggestionAdded):
                self._offer(act)
            elif isinstance(act, SuggestionsCleared):
                self.state.quick = []
            elif isinstance(act, ContextSet):
                self._set_context(act.name, act.text)
            elif isinstance(act, ContextCleared):
                self._clear_context(act.name)
            else:
                self.state.system_prompt = act.text
        for act in said[:-1]:
            self._say("bot", act.text, act.attachments)
        if said:
            self._say("bot", said[-1].text, said[-1].attachments, offer=True)

    def _offer(self, act: SuggestionAdded) -> None:
        quick = Quick(suggestion=act.suggestion, context=act.context, until_answered=act.until_answered)
        kept = self.state.quick
        if quick in kept:
            return
        kept.append(quick)
        # They stay for the conversation and go with a message: without an end that would be too large one day.
        size = sum(len(each.suggestion.text) + len(each.suggestion.value) for each in kept)
        while len(kept) > OFFERED or size > OFFERED_CHARS:
            oldest = kept.pop(0).suggestion
            size -= len(oldest.text) + len(oldest.value)

    def _set_context(self, name: str, text: str) -> None:
        state = self.state
        state.contexts.pop(name, None)
        state.contexts[name] = text
        # As for what is offered: the state is read and written with every turn.
        size = sum(map(len, (*state.contexts, *state.contexts.values())))
        while len(state.contexts) > CONTEXTS or (size > CONTEXT_CHARS and len(state.contexts) > 1):
            oldest, gone = next(iter(state.contexts.items()))
            size -= len(oldest) + len(gone)
            self._clear_context(oldest)
        named = [known for known in state.contexts if known]
        if name and len(named) == 1 and name not in state.active_contexts:
            state.active_contexts.append(name)

    def _clear_context(self, name: str | None) -> None:
        state = self.state
        if name is None:
            state.contexts, state.active_contexts = {}, []
        else:
            state.contexts.pop(name, None)
            state.active_contexts = [active for active in state.active_contexts if active != name]

    def _activate_context(self, text: str) -> None:
        """Picking a quick reply activates the context it names."""
        state = self.state
        for quick in state.quick:
            if quick.context and quick.context in state.contexts and quick.suggestion.value == text:
                state.active_contexts = [quick.context]

    def _say(
        self,
        role: Literal["user", "bot"],
        text: str,
        attachments: tuple[Attachment, ...] = (),
        *,
        client_id: str | None = None,
        offer: bool = False,
    ) -> None:
        """The next entry of the transcript: written with the turn, and on its way to the channel."""
        state, turn = self.state, self.turn
        state.seq += 1
        message = Message(
            seq=state.seq,
            id=turn.new_id(f"message {state.seq}"),
            role=role,
            text=text,
            suggestions=tuple(dict.fromkeys(quick.suggestion for quick in state.quick)) if offer else (),
            attachments=attachments,
            at=turn.event.at,
        )
        body = message.to_json().decode()
        turn.write("messages.insert", turn.event.key, message.seq, message.id, message.at, body)
        turn.emit(
            _topic_of(state.channel),
            MessageReady,
            partition=state.slot,
            event_id=message.id,
            message=message,
            client_id=client_id,
        )

    @property
    def _locale(self) -> str:
        """The person's language; the bot's where the channel does not say."""
        locale = self.state.person.locale
        return self.facts.locale if locale in ("", "und") else locale

    def _apologise(self) -> None:
        self._say("bot", self.facts.apology or texts.text("apology", self._locale))

    # --- time -------------------------------------------------------------------------------------------------------

    def set_timer(self) -> None:
        """
        One timer a session, set only when a deadline is nearer than it: a conversation in which every answer is in time
        costs one timer, not one a question. When it fires too early it is set again.
        """
        nearest = self._nearest_deadline()
        state = self.state
        if nearest is not None and (state.timer_at is None or nearest < state.timer_at):
            state.timer_at = nearest
            self.turn.emit(SCHEDULE, TimerRequested, reply_to=SESSION, timer=TIMER, due_at=nearest)

    def time_passes(self, event: TimerFired) -> None:
        """Do what is due now, which is when the timer was due."""
        state, now = self.state, event.due_at
        state.timer_at = None
        if not state.spoken and now >= state.opened_at + UNSPOKEN_KEPT:
            self._cancel_run("nobody ever said anything")
            self.turn.write("messages.forget", self.turn.event.key)
            self.turn.write("conversations.forget", self.turn.event.key)
            self.swept = True
            return
        if state.held_until is not None and now >= state.held_until:
            self._end_debounce()
        run = state.run
        if run is not None and run.deadline_at is not None and now >= run.deadline_at and not state.busy:
            run.heard = True
            self.turn.emit(BASIC, AnswerOverdue, run=run.id)
        if self.facts.idle is not None and state.spoken and now >= state.last_at + self.facts.idle:
            self._close("idle")

    def _end_debounce(self) -> None:
        state = self.state
        state.held_until = None
        held, state.held = state.held, []
        if held:
            self._route(
                Held(
                    text="\n".join(one.text for one in held),
                    attachments=tuple(file for one in held for file in one.attachments),
                )
            )

    def _nearest_deadline(self) -> datetime | None:
        state, run = self.state, self.state.run
        deadlines = []
        if not state.spoken:
            deadlines.append(state.opened_at + UNSPOKEN_KEPT)
        if state.held_until is not None:
            deadlines.append(state.held_until)
        if run is not None and run.deadline_at is not None and not state.busy:
            deadlines.append(run.deadline_at)
        if self.facts.idle is not None and state.spoken:
            deadlines.append(state.last_at + self.facts.idle)
        return min(deadlines, default=None)


# One look-up instead of a chain of isinstance(): there is one class for each type.
_HANDLERS: Final[dict[type[Event], Callable[[_Conversation, Any], None]]] = {
    MessageReceived: _Conversation.receive,
    RunAdvanced: _Conversation.advance,
    ConversationOpened: _Conversation.open,
    ConversationResumed: _Conversation.resume,
    ConversationClosed: _Conversation.close,
    PersonTyping: _Conversation.person_types,
    TimerFired: _Conversation.time_passes,
    TurnFailed: _Conversation.turn_failed,
}


@lru_cache(maxsize=256)
def _topic_of(channel: str) -> str:
    return f"channel.{channel}"
