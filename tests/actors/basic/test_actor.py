"""The basic actor: events in, one ``RunAdvanced`` out."""

# ruff: noqa: E501 - a script a line reads best
from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from schemas.conversation import Attachment
from schemas.dialog import (
    AnswerGiven,
    AwaitsAnswer,
    AwaitsWorld,
    ContextSet,
    Ended,
    RunAdvanced,
    SuggestionAdded,
    SystemPromptSet,
)
from schemas.schedule import TimerFired
from tests.support.scripts import BEGAN, World, play


def test_five_lines_with_one_hear() -> None:
    world = World('TALK "What is your name?"\nHEAR name\nTALK "Hello, " + name + "!"\nTALK "Bye."\nRETURN 5').begin()
    assert world.said == ["What is your name?"]
    assert world.outcome == AwaitsAnswer(deadline_at=BEGAN + timedelta(hours=1))
    world.answer(" Ana ")
    assert world.just_said == ["Hello, Ana!", "Bye."]
    assert world.result == 5
    assert world.state is None


def test_every_event_of_a_run_gives_one_answer_of_the_same_id_again() -> None:
    worlds = [World("HEAR x\nTALK x + RANDOM()", stored=stored).begin().answer("a") for stored in (True, False)]
    first, second = ([outgoing.event for outgoing in world.turn.outgoing] for world in worlds if world.turn)
    assert [type(event) for event in first] == [RunAdvanced]
    assert first == second


def test_what_comes_for_no_run_is_ignored() -> None:
    world = World("HEAR x\nWAIT 5").begin()
    world.send(AnswerGiven, run=UUID(int=5), text="stray")
    assert world.turn is not None
    assert world.turn.outgoing == []
    world.answer("a")
    assert world.outcome == AwaitsWorld(what="timer")
    world.answer("late").fire()
    assert isinstance(world.outcome, Ended)
    world.fire()
    assert world.turn.outgoing == []


def test_a_timer_that_comes_late_ends_no_later_wait() -> None:
    world = World("WAIT 5\nWAIT 5").begin().fire()
    first, second = world.timers
    assert world.turn is not None
    world.send(TimerFired, timer=first.timer, due_at=first.due_at)
    assert world.turn.outgoing == []
    world.send(TimerFired, timer=second.timer, due_at=second.due_at)
    assert isinstance(world.outcome, Ended)


def test_a_cancelled_run_is_forgotten_with_its_timer() -> None:
    world = World("WAIT 60").begin()
    assert world.timers[0].due_at == BEGAN + timedelta(seconds=60)
    world.cancel()
    assert world.turn is not None
    (outgoing,) = world.turn.outgoing
    assert outgoing.event.type == "timer.cancelled.v1"
    assert world.state is None


def test_three_bad_answers_are_an_error_each_with_a_hint_before() -> None:
    world = play('HEAR n AS INTEGER WITH "How many?"', "x", "y", "z")
    assert world.said[0] == "How many?"
    assert world.said[1] == world.said[2] != ""
    assert world.failure.code == "E_INPUT"


@pytest.mark.parametrize("blank", ["", "-", "  "])
def test_an_empty_answer_takes_the_default(blank: str) -> None:
    assert play("HEAR n AS INTEGER DEFAULT 7\nRETURN n", blank).result == 7


def test_options_of_a_menu_are_offered_until_answered() -> None:
    world = World('HEAR c AS "Red", "Green" WITH "Which?"\nRETURN c').begin()
    offered = [act for act in world.acts if isinstance(act, SuggestionAdded)]
    assert [act.suggestion.text for act in offered] == ["Red", "Green"]
    assert all(act.until_answered for act in offered)
    assert world.answer("2").result == "Green"


def test_nobody_answers() -> None:
    assert World("HEAR x").begin().overdue().failure.code == "E_TIMEOUT"
    assert World("HEAR x DEFAULT 5 TIMEOUT 30\nRETURN x").begin().overdue().result == 5
    assert World("WAIT FOR RESPONSE AS r TIMEOUT 9\nRETURN r IS NULL").begin().overdue().result is True
    world = World("HEAR x", {"hear-timeout-secs": "60"}).begin()
    assert world.outcome == AwaitsAnswer(deadline_at=BEGAN + timedelta(seconds=60))


def test_a_secret_is_announced_as_one() -> None:
    world = World("HEAR p AS PASSWORD").begin()
    assert isinstance(world.outcome, AwaitsAnswer)
    assert world.outcome.secret


def test_a_file_is_heard() -> None:
    file = Attachment(name="a.png", url="https://x/a.png", mime_type="image/png", size=3)
    world = World("HEAR f AS IMAGE\nTALK f\nRETURN f.name").begin().answer("", file)
    assert world.result == "a.png"


def test_suggestions_contexts_and_prompts_are_acts() -> None:
    world = play(
        'ADD SUGGESTION "help" AS "Help me"\nSET CONTEXT "help" AS "Be kind."\nSET CONTEXT "All"\n'
        "CLEAR SUGGESTIONS\nBEGIN SYSTEM PROMPT\nYou are ${1 + 1}.\nEND SYSTEM PROMPT\nBEGIN TALK\n  one\n\n  two\nEND TALK"
    )
    kinds = [act.kind for act in world.acts]
    assert kinds == [
        "suggestion_added",
        "context_set",
        "context_set",
        "suggestions_cleared",
        "system_prompt_set",
        "said",
    ]
    assert ContextSet(name="help", text="Be kind.") in world.acts
    assert SystemPromptSet(text="You are 2.") in world.acts
    assert world.said == ["one\n\ntwo"]


def test_a_job_cannot_hear() -> None:
    world = World("HEAR x").begin(trigger="schedule")
    assert world.failure.code == "E_INPUT"


def test_parameters_are_converted_and_named_when_they_do_not_fit() -> None:
    script = (
        'PARAM n AS INTEGER\nPARAM s AS STRING DEFAULT "d"\nPARAM o AS OBJECT OPTIONAL\nRETURN [n + 1, s, o IS NULL]'
    )
    assert World(script).begin(n="41").result == [42, "d", True]
    assert "parameter n" in World(script).begin(n="x").failure.message


def test_a_parameter_is_one_of_its_choices_also_in_a_script_that_is_called() -> None:
    script = 'PARAM n AS INTEGER ENUM [1, -2] DEFAULT 1\nPARAM s AS STRING ENUM ["Red", "one"]\nRETURN [n, s]'
    assert World(script).begin(n="-2", s="ONE").result == [-2, "one"]
    assert World(script).begin(s="any").failure.message == "The parameter s must be one of Red, one."
    assert World(script).begin().result == [1, None]
    assert World(script).begin(n="2").failure.message == "The parameter n must be one of 1, -2."
    world = World({"start": 'RETURN CALL "other", "-2"', "other": script}).begin()
    assert world.result == [-2, None]
    assert World({"start": 'CALL "other", "2"', "other": script}).begin().failure.code == "E_VALUE"


def test_predefined_names_are_there_and_can_be_covered() -> None:
    script = 'RETURN [user.name, bot.name, message, session.id, limit + 1, GET "config", "param-limit"]'
    world = World(script, {"param-limit": "4"}).begin(message="hi")
    assert world.result == ["Pat", "testbot", "hi", "session-1", 5, 4]
    assert World("limit = limit + 1\nRETURN limit", {"param-limit": "4"}).begin().result == 5


def test_session_values_outlive_a_run() -> None:
    world = World({"start": 'SET SESSION "k", [1]\nSET m, 5', "later": 'RETURN [GET SESSION "k", GET "session.m"]'})
    world.begin()
    assert world.state is not None
    assert world.begin("later").result == [[1], 5]


def test_memory_of_bot_and_person() -> None:
    world = play(
        'SET BOT MEMORY "a", 1\nSET "bot.b", 2\nSET USER MEMORY "c", 3\nREMEMBER "d" = 4\nREMEMBER "e", 5, "1 day"\n'
        'WAIT 100000\nRETURN [GET BOT MEMORY "a", GET "bot.b", GET USER MEMORY("c"), RECALL "d", RECALL "e", GET "user.c"]'
    )
    assert world.result == [1, 2, 3, 4, None, 3]
