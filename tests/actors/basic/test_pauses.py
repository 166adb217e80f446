"""A loop that waits is a loop: what a wait gives back of the budget is worth the time that it takes."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from actors.basic import BasicState, Limits
from actors.basic.compiler import program_hash
from schemas.dialog import AwaitsAnswer, AwaitsWorld, Failed
from tests.support.scripts import World

LIMITS = Limits(max_steps=10_000)
ENOUGH = 500


def lasting(script: str, *, most: int = ENOUGH) -> tuple[World, int]:
    """The script, its timers fired and its questions unanswered; how often it waited until it ended."""
    world = World(script, stored=False, limits=LIMITS).begin()
    for waits in range(most):
        if isinstance(world.outcome, AwaitsWorld):
            world.fire()
        elif isinstance(world.outcome, AwaitsAnswer):
            world.overdue()
        else:
            return world, waits
    return world, most


@pytest.mark.parametrize(
    "waiting",
    ["WAIT 0", "WAIT 0.02", "CALL pause"],
    ids=["no time", "little time", "in a procedure"],
)
def test_a_loop_that_waits_for_almost_no_time_is_stopped(waiting: str) -> None:
    world, waits = lasting(f"n = 0\nWHILE TRUE\nn = n + 1\n{waiting}\nWEND\nSUB pause\nWAIT 0\nEND SUB")
    failure = world.failure
    assert (failure.code, failure.script) == ("E_LIMIT", "start")
    assert failure.line in (2, 4, 7)
    assert failure.message == (
        "The script made 10,000 steps with too short pauses. "
        "A WAIT takes 100 of them and gives back 2,000 a second: let it WAIT longer, or HEAR."
    )
    assert 50 < waits < 150


def test_a_loop_that_hardly_waits_for_an_answer_is_told_so() -> None:
    world, waits = lasting("WHILE TRUE\nHEAR x TIMEOUT 0.001 DEFAULT 1\nWEND")
    assert world.failure.message == (
        "The script made 10,000 steps with too short pauses. A HEAR that nobody answers takes 100 of them "
        "and gives back 2,000 a second: let its TIMEOUT be longer."
    )
    assert 50 < waits < 150


@pytest.mark.parametrize("wait", ["", "WAIT 0\n"])
def test_work_on_large_values_is_told_of_only_where_it_is_much(wait: str) -> None:
    work = 't = REPEAT("a", 1000000)\n' + wait + 'FOR i = 1 TO {}\nx = INSTR(t, "b")\nNEXT'
    world, _ = lasting(work.format(9_000))
    told = "with too short pauses. A WAIT takes 100" if wait else "without a pause. Work on large lists and texts"
    assert world.failure.message.startswith(f"The script made 10,000 steps {told}")
    world, _ = lasting(wait + "FOR i = 1 TO 9000\nx = [3, 1, 2]\ny = SORT(x)\nNEXT")
    assert world.failure.message.startswith("The script made 10,000 steps with" + ("out a pause." * (not wait)))
    assert "large" not in world.failure.message


@pytest.mark.parametrize("seconds", ["1", "0.1", "3600"])
def test_a_loop_that_waits_as_long_as_its_work_is_worth_goes_on(seconds: str) -> None:
    world, waits = lasting(f"WHILE TRUE\nFOR i = 1 TO 10\nNEXT\nWAIT {seconds}\nWEND")
    assert waits == ENOUGH
    assert isinstance(world.outcome, AwaitsWorld)


def test_what_is_done_between_waits_adds_up() -> None:
    script = "WHILE TRUE\nFOR i = 1 TO 4000\nNEXT\nWAIT {}\nWEND"
    stopped, waits = lasting(script.format(1))
    assert (stopped.failure.code, stopped.failure.line) == ("E_LIMIT", 2)
    assert "with too short pauses" in stopped.failure.message
    assert 2 <= waits <= 5
    assert lasting(script.format(5))[1] == ENOUGH


def test_a_wait_gives_back_no_more_than_it_is_worth() -> None:
    stopped, waits = lasting("WHILE TRUE\nFOR i = 1 TO 8000\nNEXT\nWAIT 3\nWEND")
    assert stopped.failure.code == "E_LIMIT"
    assert "with too short pauses" in stopped.failure.message
    assert waits < 10


def test_a_limit_that_is_lowered_meanwhile_holds_for_runs_that_wait() -> None:
    world = World("WAIT 0\nFOR i = 1 TO 5000\nNEXT", limits=LIMITS).begin()
    world.limits = Limits(max_steps=1_000)
    assert world.fire().failure.message == "The script made 1,000 steps without a pause."


def test_steps_in_hand_when_a_run_waits_are_not_lost() -> None:
    """Several counters had taken some out of the budget in advance: only what was used counts."""
    world, waits = lasting(
        "SUB a\nFOR i = 1 TO 3\nNEXT\nEND SUB\nFOR j = 1 TO 85\nCALL a\nx = [j]\nWAIT 0\nNEXT\nRETURN 7"
    )
    assert (world.result, waits) == (7, 85)


def test_nor_are_they_when_the_counters_were_filled_again_and_again() -> None:
    world, waits = lasting(
        "SUB a\nFOR i = 1 TO 2\nx = [i, i, i]\nNEXT\nEND SUB\n"
        "FOR n = 1 TO 22\nCALL a\nFOR j = 1 TO 300\nNEXT\nWAIT 0\nNEXT\nRETURN 7"
    )
    assert (world.result, waits) == (7, 22)


def test_what_a_person_says_gives_all_of_it_back() -> None:
    world = World("WHILE TRUE\nFOR i = 1 TO 8000\nNEXT\nHEAR x TIMEOUT 1\nWEND", limits=LIMITS).begin()
    for _ in range(10):
        assert isinstance(world.outcome, AwaitsAnswer)
        world.answer("on")
    world.overdue()
    assert isinstance(world.outcome, Failed)


def test_a_question_costs_nothing_where_it_is_asked_with_the_last_steps() -> None:
    for rounds in range(9_900, 10_000, 9):
        world = World(f"FOR i = 1 TO {rounds}\nNEXT\nHEAR x\nRETURN x", limits=LIMITS).begin()
        if not isinstance(world.outcome, Failed):
            assert world.answer("yes").result == "yes"


def test_time_moves_on_however_short_a_wait_is() -> None:
    world, _ = lasting("FOR i = 1 TO 20\nWAIT 0\nWAIT 0.0000001\nNEXT")
    due = [timer.due_at for timer in world.timers]
    assert len(due) == 40
    assert all(before < after for before, after in pairwise(due))


def test_a_run_that_was_stored_before_pauses_were_counted_goes_on_with_all_of_its_steps() -> None:
    source = "n = 1\nWAIT 5\nFOR i = 1 TO 9500\nNEXT\nRETURN n + i"
    world = World(source, limits=LIMITS).begin()
    stored = (
        b'{"runs":{"00000000-0000-0000-0000-00000000004d":{"bot":"testbot","bot_version":"%b","script":"start",'
        b'"trigger":"start","channel":"web","person":{"id":"p1"},"message":"","frames":{"stack":[["start","%b",'
        b'[["",1,0]]]],"wait":{"on":"timer","number":1,"has_default":false},"waits":1,"flat":[{},{},{"n":1}]}}}}'
    )
    digest = program_hash(source).encode()
    world.state = msgspec.json.decode(stored % (world.version.encode(), digest), type=BasicState)
    assert world.fire().result == 9501


@pytest.mark.parametrize("seconds", ["NULL", '""', '" "', "nothing", "a?.b"])
@pytest.mark.parametrize("waiting", ["WAIT {}", "DELAY {}", "HEAR x TIMEOUT {}", "WAIT FOR RESPONSE AS x TIMEOUT {}"])
def test_a_wait_needs_a_time(waiting: str, seconds: str) -> None:
    world = World(waiting.format(seconds)).begin()
    assert world.failure.code == "E_VALUE"
    assert "needs a number of seconds" in world.failure.message
