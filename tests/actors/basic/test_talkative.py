"""What a conversation said of late counts: nobody floods the others with messages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.basic import Limits
from schemas.dialog import AwaitsAnswer, AwaitsWorld
from tests.support.scripts import World

HURRIED = "More than 200 messages with too short pauses: 20 a second may go on for ever."


@pytest.mark.parametrize("stored", [True, False])
def test_a_loop_that_says_much_and_waits_little_is_stopped_where_it_speaks(stored: bool) -> None:
    world = World("WHILE TRUE\nFOR i = 1 TO 100\nTALK i\nNEXT\nWAIT 0.05\nWEND", stored=stored).begin()
    waits = 0
    while isinstance(world.outcome, AwaitsWorld):
        world.fire()
        waits += 1
    failure = world.failure
    assert (failure.code, failure.script, failure.line, failure.message) == ("E_LIMIT", "start", 3, HURRIED)
    assert waits == 2
    assert len(world.acts) == 202  # two for the two pauses of a twentieth of a second


def test_without_a_pause_it_is_said_so() -> None:
    world = World("FOR i = 1 TO 100000\nTALK i\nNEXT").begin()
    assert (world.failure.line, world.failure.message) == (2, "More than 200 messages without a pause.")


@pytest.mark.parametrize("loop", ["TALK 1\nWAIT 0.05", "TALK 1\nTALK 2\nHEAR x TIMEOUT 0.1 DEFAULT 1"])
def test_twenty_a_second_may_go_on_for_ever(loop: str) -> None:
    world = World(f"WHILE TRUE\n{loop}\nWEND", stored=False).begin()
    for _ in range(500):
        if isinstance(world.outcome, AwaitsWorld):
            world.fire()
        else:
            world.overdue()
    assert isinstance(world.outcome, AwaitsWorld | AwaitsAnswer)


@pytest.mark.parametrize(("messages", "answers"), [(5, 300), (6, 195), (100, 2)])
def test_so_may_five_to_each_answer(messages: int, answers: int) -> None:
    world = World(f"WHILE TRUE\nHEAR x\nFOR i = 1 TO {messages}\nTALK i\nNEXT\nWEND", stored=False).begin()
    for number in range(300):
        if not isinstance(world.answer("go on").outcome, AwaitsAnswer):
            assert number == answers
            assert world.failure.message == HURRIED
            return
    assert answers == 300


def test_to_begin_again_is_no_way_round() -> None:
    world = World("FOR i = 1 TO 150\nTALK i\nNEXT").begin()
    assert len(world.last) == 150
    world.begin()
    assert world.failure.message == HURRIED


def test_after_ten_seconds_of_silence_all_may_be_said_again() -> None:
    world = World("FOR i = 1 TO 200\nTALK i\nNEXT").begin()
    for _ in range(3):
        world.at += timedelta(seconds=10)
        assert world.begin().result is None
        assert len(world.last) == 200


def test_who_says_little_leaves_nothing_to_remember() -> None:
    for messages in (100, 101):
        world = World(f"FOR i = 1 TO {messages}\nTALK i\nNEXT").begin()
        assert (world.state is None) is (messages == 100)
    world = World("TALK 1\nHEAR x\nTALK x").begin()
    assert world.state is not None
    assert world.state.talked is None
    assert world.answer("x").state is None


def test_a_bot_may_have_it_said_less() -> None:
    world = World(
        "FOR i = 1 TO 7\nTALK i\nNEXT\nWAIT 0.05\nFOR i = 1 TO 7\nTALK i\nNEXT", limits=Limits(max_messages=8)
    )
    assert len(world.begin().last) == 7
    assert world.fire().failure.line == 6
