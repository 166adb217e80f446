"""What a conversation does with what people say, event by event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.session import SessionActor, SessionState
from bus.actor import Resource, Turn
from bus.codec import decode, encode
from bus.protocol import Outgoing, Row
from schemas.conversation import (
    Attachment,
    ConversationAttached,
    ConversationClosed,
    ConversationOpened,
    ConversationResumed,
    MessageReady,
    MessageReceived,
    Person,
    PersonTyping,
    Suggestion,
    TypingShown,
)
from schemas.dialog import (
    AnswerGiven,
    AnswerOverdue,
    AwaitsAnswer,
    AwaitsWorld,
    ContextSet,
    Ended,
    Failed,
    RunAdvanced,
    RunCancelled,
    RunRequested,
    Said,
    SuggestionAdded,
    TranscriptWritten,
)
from schemas.envelope import Event
from schemas.failure import TurnFailed
from schemas.package import BotPackage, digest_of
from schemas.schedule import TimerFired, TimerRequested

SESSION_ID = UUID("0198f0a0-0000-7000-8000-000000000001")
BEGIN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
E = TypeVar("E", bound=Event)


@dataclass
class Conversation:
    """A session actor under test: events in, events out, time moved by hand."""

    config: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=lambda: {"start": "TALK 1"})
    locale: str = "en"
    now: datetime = BEGIN
    state: SessionState | None = None
    out: list[Outgoing] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.package = BotPackage(name="demo", scripts=self.scripts, config=self.config).to_bytes()
        self.version = digest_of(self.package)
        self.actor = SessionActor()
        self.person = Person(id="p", locale=self.locale)

    def give(self, event: type[Event], **fields: Any) -> list[Event]:
        """Let the actor decide on an event; what it emitted this time."""
        self.count += 1
        made = event(
            id=uuid5(SESSION_ID, str(self.count)),
            at=fields.pop("at", self.now),
            bot="demo",
            bot_version=self.version,
            key=str(SESSION_ID),
            **fields,
        )
        turn = Turn("session", 0, self.count, made)
        decided = self.actor.decide(turn, self.state)
        if isinstance(decided, Iterator):
            try:
                asked = next(decided)
                while True:
                    assert asked == Resource(self.version)
                    asked = decided.send(self.package)
            except StopIteration as stop:
                decided = stop.value
        assert decided is None or isinstance(decided, SessionState)
        # What is stored is all that the next turn has.
        self.state = None if decided is None else msgspec.json.decode(msgspec.json.encode(decided), type=SessionState)
        for outgoing in turn.outgoing:  # their fields were not checked when they were made
            assert decode(encode(outgoing.event)) == outgoing.event
        self.out += turn.outgoing
        self.rows += turn.rows
        self.notes += turn.notes
        return [outgoing.event for outgoing in turn.outgoing]

    def open(self) -> list[Event]:
        return self.give(ConversationOpened, channel="web", person=self.person, slot=3)

    def says(self, text: str, message_id: str | None = None, slot: int = 3, files: tuple[str, ...] = ()) -> list[Event]:
        return self.give(
            MessageReceived,
            message_id=message_id or f"m{self.count}",
            channel="web",
            person=self.person,
            text=text,
            slot=slot,
            attachments=tuple(Attachment(name=name, url=f"/{name}") for name in files),
        )

    def time_is(self, seconds: float) -> list[Event]:
        """The session's timer fires so long after the beginning."""
        return self.give(TimerFired, timer="session", due_at=BEGIN + timedelta(seconds=seconds))

    def answers(self) -> list[str]:
        """What runs were given for answers."""
        return [given.text for given in self.all(AnswerGiven)]

    def runs(self, *acts: Any, outcome: Any, run: UUID | None = None) -> list[Event]:
        return self.give(
            RunAdvanced, run=run or self.all(RunRequested)[-1].run, script="start", acts=acts, outcome=outcome
        )

    def all(self, event: type[E]) -> list[E]:
        return [one.event for one in self.out if isinstance(one.event, event)]

    def shown(self) -> list[str]:
        return [ready.message.text for ready in self.all(MessageReady) if ready.message.role == "bot"]


ASKS = AwaitsAnswer(deadline_at=BEGIN + timedelta(hours=1))


def kinds(events: list[Event]) -> list[str]:
    return [event.type.rsplit(".", 1)[0] for event in events]


def test_opening_attaches_the_edge_and_runs_start() -> None:
    c = Conversation()
    assert kinds(c.open()) == ["conversation.attached", "run.requested", "timer.requested"]
    assert c.all(RunRequested)[0].script == "start"
    assert [o.partition for o in c.out if o.topic == "channel.web"] == [3]


def test_opening_twice_runs_start_once() -> None:
    c = Conversation()
    c.open()
    assert kinds(c.open()) == ["conversation.attached"]


def test_message_goes_to_the_run_that_waits() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="Name?"), outcome=ASKS)
    assert kinds(c.says("Ann")) == ["message.ready", "answer.given"]
    assert c.all(AnswerGiven)[0].text == "Ann"


def test_numbers_have_no_gap_and_the_transcript_has_what_is_shown() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="one"), Said(text="two"), outcome=ASKS)
    c.says("three")
    c.runs(Said(text="four"), outcome=Ended())
    assert [ready.message.seq for ready in c.all(MessageReady)] == [1, 2, 3, 4]
    assert [row.values[1] for row in c.rows if row.statement == "messages.insert"] == [1, 2, 3, 4]


def test_the_same_message_twice_is_one_and_is_acknowledged_again() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=ASKS)
    c.says("Ann", "m1")
    again = c.says("Ann", "m1")
    assert kinds(again) == ["message.ready"]
    assert isinstance(again[0], MessageReady)
    assert (again[0].repeat, again[0].message.seq, again[0].client_id) == (True, 1, "m1")
    assert len(c.all(AnswerGiven)) == 1


def test_message_during_an_open_turn_waits_its_turn() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=ASKS)
    c.says("first")
    assert kinds(c.says("second")) == ["message.ready"]
    out = c.runs(Said(text="next?"), outcome=ASKS)
    assert kinds(out) == ["message.ready", "answer.given"]
    assert [given.text for given in c.all(AnswerGiven)] == ["first", "second"]


def test_interrupt_cancels_what_is_busy() -> None:
    c = Conversation(config={"overlap-policy": "interrupt"})
    c.open()
    c.runs(outcome=AwaitsWorld(what="timer"))
    assert kinds(c.says("stop that"))[:2] == ["message.ready", "run.cancelled"]
    first, second = c.all(RunRequested)
    assert second.message == "stop that", "the dialog begins anew with it"
    late = c.give(RunAdvanced, run=first.run, script="start", acts=(Said(text="late"),), outcome=Ended())
    assert late == []


def test_debounce_joins_what_is_said_in_one_breath() -> None:
    c = Conversation(config={"overlap-policy": "debounce", "debounce-secs": "2"})
    c.open()
    c.runs(outcome=ASKS)
    c.says("I would like")
    c.now += timedelta(seconds=1)
    c.says("a pizza")
    assert c.all(AnswerGiven) == []
    c.give(TimerFired, timer="session", due_at=BEGIN + timedelta(seconds=2))
    assert c.all(AnswerGiven) == [], "the second message came a second ago"
    c.give(TimerFired, timer="session", due_at=BEGIN + timedelta(seconds=3))
    assert [given.text for given in c.all(AnswerGiven)] == ["I would like\na pizza"]


def test_typing_holds_a_debounced_message_back() -> None:
    c = Conversation(config={"overlap-policy": "debounce", "debounce-secs": "2"})
    c.open()
    c.runs(outcome=ASKS)
    c.says("well")
    c.now += timedelta(seconds=1)
    c.give(PersonTyping)
    c.give(TimerFired, timer="session", due_at=BEGIN + timedelta(seconds=2))
    assert c.all(AnswerGiven) == []


def test_files_are_joined_in_the_order_in_which_they_came() -> None:
    c = Conversation(config={"overlap-policy": "debounce"})
    c.open()
    c.runs(outcome=ASKS)
    c.says("these", files=("a", "b"))
    c.says("and this", files=("c",))
    c.time_is(2)
    assert [file.name for file in c.all(AnswerGiven)[0].attachments] == ["a", "b", "c"]


def test_what_is_said_in_one_breath_waits_for_its_end_and_for_the_end_of_the_turn() -> None:
    c = Conversation(config={"overlap-policy": "debounce", "debounce-secs": "2"})
    c.open()
    c.says("I would like")
    c.says("a pizza")
    c.time_is(2)
    assert c.answers() == [], "the turn is open"
    c.runs(outcome=ASKS)
    assert c.answers() == ["I would like\na pizza"]
    c.says("large")
    c.runs(outcome=ASKS)
    assert len(c.answers()) == 1, "there may be more to come"
    c.time_is(4)
    assert c.answers()[1:] == ["large"]


def test_what_waits_for_an_open_turn_follows_in_order_and_whole() -> None:
    c = Conversation()
    c.open()
    for number in range(1, 103):
        c.says(str(number), files=(f"file {number}",))
    for _ in range(100):
        c.runs(outcome=ASKS)
    assert c.answers() == [*map(str, range(1, 100)), "100\n101\n102"]
    last = c.all(AnswerGiven)[-1]
    assert [file.name for file in last.attachments] == ["file 100", "file 101", "file 102"]


def test_no_more_ids_are_remembered_than_can_come_again() -> None:
    c = Conversation(scripts={})
    for number in range(70):
        c.says("hello", f"m{number}")
    assert c.state is not None
    assert list(c.state.received) == [f"m{number}" for number in range(6, 70)]


def test_first_message_on_a_channel_that_does_not_open_is_answered_after_start() -> None:
    c = Conversation()
    c.says("hello")
    assert c.all(RunRequested)[0].message == "hello"
    c.runs(Said(text="Welcome"), outcome=Ended())
    assert c.shown()[0] == "Welcome"
    assert c.shown()[1].startswith("This bot has nothing")


def test_first_message_is_not_the_answer_to_the_first_question() -> None:
    c = Conversation()
    c.says("hello")
    c.runs(Said(text="Name?"), outcome=ASKS)
    assert c.all(AnswerGiven) == []
    c.says("Ann")
    assert [given.text for given in c.all(AnswerGiven)] == ["Ann"]
    c.runs(outcome=Ended())
    assert c.shown() == ["Name?"], "it was before the question, and nobody answers it now"


def test_an_answer_that_is_worked_on_is_not_overdue() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=ASKS)
    c.says("in time")
    c.time_is(3600)
    assert c.all(AnswerOverdue) == []


def test_a_message_tells_where_its_person_is_and_what_it_speaks() -> None:
    c = Conversation(scripts={})
    c.says("hello")
    c.person = Person(id="p", locale="pt-BR")
    c.says("olá", slot=9)
    assert c.shown()[-1].startswith("Este bot ainda")
    assert [one.partition for one in c.out if isinstance(one.event, MessageReady)] == [3, 3, 9, 9]


@pytest.mark.parametrize(
    ("locale", "beginning"), [("en-GB", "This bot has nothing"), ("pt-BR", "Este bot ainda"), ("und", "This bot")]
)
def test_without_a_model_the_responder_says_so(locale: str, beginning: str) -> None:
    c = Conversation(scripts={}, locale=locale)
    c.open()
    c.says("hello")
    assert c.shown()[0].startswith(beginning)


def test_where_the_channel_tells_no_language_the_bots_own_counts() -> None:
    for locale, beginning in (("und", "Este bot ainda"), ("en", "This bot")):
        c = Conversation(scripts={}, locale=locale, config={"locale": "pt-BR"})
        c.open()
        c.says("hello")
        assert c.shown()[0].startswith(beginning)


def test_offers_travel_with_the_last_message_of_the_turn_and_menus_go_with_the_answer() -> None:
    c = Conversation()
    c.open()
    c.runs(
        Said(text="Hi"),
        Said(text="Size?"),
        SuggestionAdded(suggestion=Suggestion(text="Small", value="small"), until_answered=True),
        SuggestionAdded(suggestion=Suggestion(text="Help", value="help")),
        SuggestionAdded(suggestion=Suggestion(text="Help", value="help")),
        outcome=ASKS,
    )
    first, second = (ready.message for ready in c.all(MessageReady))
    assert first.suggestions == ()
    assert [offered.text for offered in second.suggestions] == ["Small", "Help"]
    c.says("small")
    c.runs(Said(text="Thanks"), outcome=Ended())
    assert [offered.text for offered in c.all(MessageReady)[-1].message.suggestions] == ["Help"]


@pytest.mark.parametrize(("text", "kept"), [("x", 200), ("x" * 9_990, 20), ("x" * 300_000, 1)])
def test_of_too_many_contexts_the_newest_stay(text: str, kept: int) -> None:
    c = Conversation()
    c.open()
    for number in range(100, 400):
        c.runs(ContextSet(name=f"n{number}", text=text), outcome=ASKS)
    assert c.state is not None
    assert list(c.state.contexts) == [f"n{number}" for number in range(400 - kept, 400)]


def test_long_names_of_contexts_count_as_their_texts_do() -> None:
    c = Conversation()
    c.open()
    names = [f"{number} " + "n" * 9_996 for number in range(100, 140)]
    for name in names:
        c.runs(ContextSet(name=name, text=""), outcome=ASKS)
    c.runs(ContextSet(name="last", text="x" * 150_000), outcome=ASKS)
    assert c.state is not None
    assert list(c.state.contexts) == [*names[-4:], "last"]


def test_a_context_that_is_set_again_is_the_newest() -> None:
    c = Conversation()
    c.open()
    c.runs(*(ContextSet(name=f"n{number}", text="x") for number in range(200)), outcome=ASKS)
    c.runs(ContextSet(name="n0", text="y"), ContextSet(name="new", text="z"), outcome=ASKS)
    assert c.state is not None
    assert list(c.state.contexts) == [*(f"n{number}" for number in range(2, 200)), "n0", "new"]
    assert c.state.contexts["n0"] == "y"


def test_a_context_that_gives_way_is_no_longer_active() -> None:
    c = Conversation()
    c.open()
    c.runs(ContextSet(name="first", text="x"), outcome=ASKS)
    assert c.state is not None
    assert c.state.active_contexts == ["first"]
    c.runs(*(ContextSet(name=f"n{number}", text="x") for number in range(200)), outcome=ASKS)
    assert "first" not in c.state.contexts
    assert c.state.active_contexts == []


def test_an_option_that_is_offered_anyway_is_shown_once() -> None:
    c = Conversation()
    c.open()
    small = Suggestion(text="Small", value="Small")
    c.runs(
        SuggestionAdded(suggestion=small),
        Said(text="Size?"),
        SuggestionAdded(suggestion=small, until_answered=True),
        outcome=ASKS,
    )
    assert c.all(MessageReady)[-1].message.suggestions == (small,)
    c.says("Small")
    c.runs(Said(text="Thanks"), outcome=Ended())
    assert c.all(MessageReady)[-1].message.suggestions == (small,)


def test_of_too_many_offers_the_newest_stay() -> None:
    c = Conversation()
    c.open()
    offers = [SuggestionAdded(suggestion=Suggestion(text=f"{n} " + "s" * 996, value="v")) for n in range(100, 180)]
    c.runs(*offers, Said(text="Which?"), outcome=ASKS)
    offered = c.all(MessageReady)[-1].message.suggestions
    assert [each.text[:3] for each in offered] == [str(n) for n in range(161, 180)]


def test_picking_a_suggestion_activates_its_context() -> None:
    c = Conversation()
    c.open()
    c.runs(
        ContextSet(name="sales", text="sell"),
        ContextSet(name="care", text="help"),
        SuggestionAdded(suggestion=Suggestion(text="Care", value="Care"), context="care"),
        outcome=Ended(),
    )
    c.says("Care")
    assert c.state is not None
    assert c.state.active_contexts == ["care"]


def test_busy_with_the_world_shows_typing() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="One moment"), outcome=AwaitsWorld(what="timer"))
    assert len(c.all(TypingShown)) == 1


def test_a_run_that_asks_for_the_history_is_told_how_far_the_transcript_goes() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="One"), outcome=AwaitsWorld(what="timer"))
    c.says("not now")
    out = c.runs(Said(text="Two"), outcome=AwaitsWorld(what="history"))
    assert kinds(out) == ["message.ready", "transcript.written"]
    (written,) = c.all(TranscriptWritten)
    assert (written.run, written.seq) == (c.all(RunRequested)[0].run, 3)
    assert [row.values[1] for row in c.rows if row.statement == "messages.insert"] == [1, 2, 3]
    c.give(ConversationClosed, reason="client")
    assert c.runs(Said(text="late"), outcome=AwaitsWorld(what="history")) == []


def test_secret_answer_is_not_in_the_transcript() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=AwaitsAnswer(deadline_at=None, secret=True))
    c.says("hunter22")
    assert c.all(AnswerGiven)[0].text == "hunter22"
    assert "hunter22" not in str(c.rows)
    assert "hunter22" not in str(c.all(MessageReady))


def test_what_is_said_while_a_secret_answer_is_worked_on_is_none() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=AwaitsAnswer(deadline_at=None, secret=True))
    c.says("hunter22")
    c.says("hello?")
    assert [ready.message.text for ready in c.all(MessageReady)][-1] == "hello?"


def test_question_that_waits_too_long_is_overdue_once_and_the_next_message_begins_anew() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=ASKS)
    assert c.all(TimerRequested)[-1].due_at == ASKS.deadline_at
    c.give(TimerFired, timer="session", due_at=ASKS.deadline_at)
    assert len(c.all(AnswerOverdue)) == 1
    c.runs(outcome=Failed(code="E_TIMEOUT", message="", script="start", line=2))
    assert c.shown()[-1].startswith("There was no answer")
    c.says("back again")
    assert len(c.all(RunRequested)) == 2


def test_answers_in_time_cost_one_timer() -> None:
    c = Conversation()
    c.open()
    for minute in range(20):
        deadline = BEGIN + timedelta(hours=1, minutes=minute)
        c.runs(Said(text="?"), outcome=AwaitsAnswer(deadline_at=deadline))
        c.says("!")
    assert len(c.all(TimerRequested)) == 2  # the sweep of unspoken conversations, then the nearer question
    c.runs(outcome=AwaitsAnswer(deadline_at=BEGIN + timedelta(hours=2)))
    c.give(TimerFired, timer="session", due_at=BEGIN + timedelta(hours=1))
    assert c.all(AnswerOverdue) == []
    assert c.all(TimerRequested)[-1].due_at == BEGIN + timedelta(hours=2)


def test_conversation_in_which_nobody_spoke_is_swept_after_a_day() -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=AwaitsAnswer(deadline_at=None))
    c.give(TimerFired, timer="session", due_at=BEGIN + timedelta(days=1))
    assert c.state is None
    assert c.rows[-1].statement == "conversations.forget"
    assert len(c.all(RunCancelled)) == 1


def test_idle_conversation_is_closed_and_begins_afresh() -> None:
    c = Conversation(config={"idle-timeout-secs": "600"})
    c.open()
    c.runs(outcome=AwaitsAnswer(deadline_at=None))
    c.time_is(600)
    assert c.all(RunCancelled) == [], "nobody has spoken yet"
    c.says("hi")
    assert c.all(TimerRequested)[-1].due_at == BEGIN + timedelta(seconds=600)
    c.now += timedelta(seconds=60)
    c.give(PersonTyping)
    c.time_is(600)
    assert c.all(RunCancelled) == []
    c.time_is(660)
    assert len(c.all(RunCancelled)) == 1
    c.says("hello?")
    assert len(c.all(RunRequested)) == 2


def test_reset_word_begins_anew() -> None:
    c = Conversation(config={"reset-words": "Restart;recomeçar"})
    c.open()
    c.runs(Said(text="Name?"), outcome=ASKS)
    for word in (" RECOMEÇAR ", "restart"):
        assert kinds(c.says(word)) == ["message.ready", "run.cancelled", "run.requested"]
    assert c.all(AnswerGiven) == []


def test_a_reset_forgets_what_was_held_and_set() -> None:
    c = Conversation(config={"reset-words": "restart", "overlap-policy": "debounce"})
    c.open()
    c.runs(ContextSet(name="care", text="Be kind."), outcome=ASKS)
    c.says("care", "m1")
    c.says("restart", "m2")
    assert c.state is not None
    assert (c.state.contexts, c.state.active_contexts, c.state.held) == ({}, [], [])
    c.runs(outcome=ASKS)
    c.time_is(2)
    assert c.answers() == []


def test_failed_run_apologises_in_the_bots_words() -> None:
    c = Conversation(config={"apology": "Oops."})
    c.open()
    c.runs(outcome=Failed(code="E_TYPE", message="secret detail", script="start", line=2, column=7))
    assert c.shown() == ["Oops."]
    assert c.notes == [("script_failed", {"script": "start", "line": 2, "column": 7, "code": "E_TYPE"})]


def test_a_package_that_cannot_be_read_gets_the_apology() -> None:
    c = Conversation()
    c.package = b'{"scripts": 5'
    c.open()
    c.says("hello?")
    assert c.shown() == ["Sorry, something went wrong on our side. You can go on, or write again later."]
    assert c.notes == [("bot_unreadable", {"version": c.version})]
    assert c.all(RunRequested) == []


def test_set_aside_answer_leaves_the_question_standing() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="Name?"), outcome=ASKS)
    c.says("boom")
    c.give(TurnFailed, actor="basic", failed=SESSION_ID, dead_letter=SESSION_ID, error="ValueError")
    assert c.shown()[-1].startswith("Sorry")
    c.says("Ann")
    assert [given.text for given in c.all(AnswerGiven)] == ["boom", "Ann"]


def test_a_step_that_could_not_be_taken_ends_its_run() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="Name?"), outcome=ASKS)
    c.says("boom")  # its step is set aside: nobody will ever say how it went on
    c.give(
        TurnFailed,
        actor="session",
        failed=SESSION_ID,
        failed_type="run.advanced.v1",
        dead_letter=SESSION_ID,
        error="ValueError",
    )
    assert c.shown()[-1].startswith("Sorry")
    assert len(c.all(RunCancelled)) == 1
    c.says("Ann")
    assert [given.text for given in c.all(AnswerGiven)] == ["boom"]


@pytest.mark.parametrize(
    ("failed_type", "outcome"),
    [("message.received.v1", AwaitsWorld(what="timer")), ("run.advanced.v1", ASKS)],
    ids=["it was a message", "the question stands"],
)
def test_what_else_is_set_aside_ends_no_run(failed_type: str, outcome: Any) -> None:
    c = Conversation()
    c.open()
    c.runs(outcome=outcome)
    ids = {"failed": SESSION_ID, "dead_letter": SESSION_ID}
    c.give(TurnFailed, actor="session", failed_type=failed_type, error="ValueError", **ids)
    assert c.shown()[-1].startswith("Sorry")
    assert c.all(RunCancelled) == []


def test_closing_cancels_and_resuming_tells_how_far_the_transcript_goes() -> None:
    c = Conversation()
    c.open()
    c.runs(Said(text="Name?"), outcome=ASKS)
    assert kinds(c.give(ConversationClosed, reason="client"))[0] == "run.cancelled"
    resumed = c.give(ConversationResumed, slot=5)
    assert isinstance(resumed[0], ConversationAttached)
    assert resumed[0].seq == 1
    assert c.out[-1].partition == 5


def test_what_comes_for_a_swept_conversation_is_dropped() -> None:
    assert Conversation().give(ConversationClosed, reason="idle") == []


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 12)),
        st.tuples(st.just("ask"), st.integers(0, 2)),
        st.tuples(st.just("world"), st.integers(0, 2)),
        st.tuples(st.just("end"), st.integers(0, 2)),
        st.tuples(st.just("fail"), st.integers(0, 2)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("time"), st.integers(0, 5000)),
        st.tuples(st.just("open"), st.just(0)),
    ),
    max_size=40,
)


@given(_STEPS, st.sampled_from(["queue", "interrupt", "debounce"]))
def test_whatever_happens_numbers_are_dense_and_every_message_is_acknowledged_once(
    steps: list[tuple[str, int]], policy: str
) -> None:
    c = Conversation(config={"overlap-policy": policy})
    said: set[str] = set()
    for what, n in steps:
        c.now += timedelta(seconds=1)
        if what == "say":
            c.says(f"text {n}", f"m{n}")
            said.add(f"m{n}")
        elif what == "open":
            c.open()
        elif what == "close":
            c.give(ConversationClosed, reason="client")
        elif what == "time":
            c.now += timedelta(seconds=n)
            c.give(TimerFired, timer="session", due_at=c.now)
        elif c.all(RunRequested):
            outcome = {
                "ask": AwaitsAnswer(deadline_at=c.now + timedelta(hours=1)),
                "world": AwaitsWorld(what="history" if n else "timer"),
                "end": Ended(),
                "fail": Failed(code="E_TYPE", message="", script="start", line=1),
            }[what]
            c.runs(*(Said(text="bot") for _ in range(n)), outcome=outcome)
    ready = [one.message for one in c.all(MessageReady) if not one.repeat]
    assert [message.seq for message in ready] == list(range(1, len(ready) + 1))
    assert sorted(str(one.client_id) for one in c.all(MessageReady) if one.client_id and not one.repeat) == sorted(said)
    cancelled = {one.run for one in c.all(RunCancelled)}
    assert len(cancelled) == len(c.all(RunCancelled))
