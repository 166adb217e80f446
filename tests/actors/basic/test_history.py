"""``history``: what was said, as text, however the script asks for it."""

from __future__ import annotations

import pytest

from actors.basic import Limits, check_script
from actors.basic.keywords.history import CHARS, MESSAGES
from schemas.conversation import Attachment
from schemas.dialog import AwaitsAnswer, AwaitsWorld, Ended, Failed
from tests.support.scripts import World, play

TALK = 'TALK "Name?"\nHEAR name\nTALK "Hello"\n'
SAID = "Bot: Name?\nUser: Pat\nBot: Hello"


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("RETURN history", SAID),
        ("x = HISTORY\nRETURN x", SAID),
        ('RETURN "<" + history + ">"', f"<{SAID}>"),
        ('RETURN "${history}"', SAID),
        ("RETURN history ?? 1", SAID),
        ('IF history CONTAINS "Pat" THEN RETURN 1 ELSE RETURN 2', 1),
        ("RETURN LEN(history)", len(SAID)),
        ("RETURN history.contains(name)", True),
        ("FOR EACH line IN SPLIT(history, CHR(10))\nlast = line\nNEXT\nRETURN last", "Bot: Hello"),
        ("RETURN told(3)\nFUNCTION told(n)\nRETURN LEFT(history, n)\nEND FUNCTION", "Bot"),
        ("RETURN own(3)\nFUNCTION own(history)\nRETURN history\nEND FUNCTION", 3),
        ("a = [history, history]\nRETURN a[0] = a[1]", True),
        ('TALK history\nTALK "on"\nRETURN LEN(history)', 2 * len(SAID) + len("\nBot: \nBot: on")),
    ],
)
def test_what_was_said_comes_as_text(script: str, result: object) -> None:
    assert [problem.message for problem in check_script(TALK + script, "start")] == []
    assert play(TALK + script, "Pat").result == result


def test_a_called_script_has_it_too() -> None:
    assert play({"start": TALK + "RETURN CALL other", "other": "RETURN history"}, "Pat").result == SAID


def test_what_the_run_has_said_since_the_last_answer_is_in_it_however_late_the_session_is() -> None:
    """The session says up to where the transcript is written; what comes later is not told."""
    world = World('TALK "one"\nWAIT 0\nTALK "two"\nx = history\nTALK "three"\nRETURN x').begin().fire()
    assert world.outcome == AwaitsWorld(what="history")
    assert world.just_said == ["two"]
    before = len(world.transcript)
    world.enter("user", "meanwhile")
    assert world.written(before).result == "Bot: one\nBot: two"


def test_of_a_long_conversation_the_newest_messages_are_told() -> None:
    script = f"FOR i = 1 TO {MESSAGES + 10}\nTALK i\nNEXT\nRETURN history"
    assert play(script).result == "\n".join(f"Bot: {number}" for number in range(11, MESSAGES + 11))


def test_of_long_messages_as_many_as_fit_are_told() -> None:
    script = f'TALK "first"\nTALK REPEAT("a", {CHARS - 10})\nTALK "second"\nTALK "third"\nRETURN history'
    assert play(script).result == "Bot: second\nBot: third"
    assert play(f'TALK REPEAT("a", {2 * CHARS})\nRETURN history').result == "Bot: " + "a" * CHARS


def test_messages_that_fill_the_room_exactly_are_told() -> None:
    half = "a" * (CHARS // 2)
    script = f'TALK "before"\nTALK REPEAT("a", {CHARS // 2})\nTALK REPEAT("a", {CHARS // 2})\nRETURN history'
    assert play(script).result == f"Bot: {half}\nBot: {half}"


def test_reading_what_was_said_counts_as_work() -> None:
    script = "x = history\nFOR i = 1 TO 200\nNEXT\nRETURN LEN(x)"
    outcomes = {}
    for size in (800, 80_000):
        world = World(script, stored=False, limits=Limits(max_steps=5_000)).begin()
        world.enter("user", "a" * size)
        outcomes[size] = world.written().outcome
    assert outcomes[800] == Ended(result=len("User: ") + 800)
    assert isinstance(failed := outcomes[80_000], Failed)
    assert failed.code == "E_LIMIT"


def test_a_bot_may_have_a_value_of_its_own_under_that_name() -> None:
    assert World("RETURN history", {"param-history": "Founded 1890"}).begin().result == "Founded 1890"


def test_a_file_is_told_by_its_name() -> None:
    world = World("HEAR f AS FILE\nRETURN history").begin()
    world.answer("", Attachment(name="a.pdf", url="/a"))
    assert world.written().result == "User: a.pdf"


def test_where_nobody_talks_there_is_none() -> None:
    assert World("RETURN history").begin(trigger="schedule").result == ""


def test_a_run_that_was_cancelled_goes_on_with_nothing() -> None:
    world = World('TALK "one"\nx = history\nTALK "two"').begin().cancel()
    assert world.written().said == ["one"]


def stopped(script: str, rounds: int = 150) -> Failed:
    """How it ended, after it has been given the history every time that it asked."""
    world = World(script, stored=False, limits=Limits(max_steps=100_000)).begin()
    for _ in range(rounds):
        if isinstance(world.outcome, AwaitsWorld | AwaitsAnswer):
            world.written() if world.outcome == AwaitsWorld(what="history") else world.fire()
    return world.failure


def test_a_loop_that_does_nothing_but_ask_is_stopped() -> None:
    failure = stopped('TALK "one"\nWHILE TRUE\nx = history\nWEND')
    assert (failure.code, failure.script) == ("E_LIMIT", "start")
    assert failure.line in (2, 3)
    assert failure.message == (
        "The script made 100,000 steps without a pause. It read `history` 49 times, at 2,000 each: "
        "keep it in a variable."
    )


def test_what_used_the_budget_up_is_named_and_not_the_history_that_was_read_on_the_way() -> None:
    endless = "WHILE TRUE\nWEND"
    assert stopped(f"x = history\n{endless}").message == "The script made 100,000 steps without a pause."
    assert stopped(f"x = history\nWAIT 0\n{endless}").message.startswith(
        "The script made 100,000 steps with too short pauses. A WAIT takes 1,000 of them"
    )
    assert "It read `history`" in stopped("WAIT 0\nWHILE TRUE\nx = history\nWEND").message


def test_an_answer_of_the_person_gives_all_of_the_budget_back() -> None:
    world = World("x = history\nHEAR y\nWHILE TRUE\nx = history\nWEND", limits=Limits(max_steps=100_000)).begin()
    world.written().answer("on")
    for _ in range(49):
        assert world.outcome == AwaitsWorld(what="history")
        world.written()
    assert "It read `history` 49 times" in world.failure.message


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ('[{role: "user", content: "Hi"}, {role: "assistant", content: "Yes?"}]', "User: Hi\nBot: Yes?"),
        ('[{sender: "Ada", message: "Hi"}, {text: "alone"}, "bare", 7]', "Ada: Hi\nalone\nbare\n7"),
        ("[]", ""),
        ("NULL", ""),
        ('"as it is"', "as it is"),
    ],
)
def test_rows_become_a_history(rows: str, text: str) -> None:
    assert play(f"rows = {rows}\nRETURN FORMAT_HISTORY(rows)").result == text
