"""Where a script failed: line and column of the part that did, in whatever form it was compiled."""

from __future__ import annotations

import pytest

from actors.basic import Limits
from actors.basic.errors import CODES, MEANINGS, BasicError
from tests.support.scripts import World, play

MARK = "▸"
"""Stands before the place that is to blame."""

FAILING = {
    "arithmetic": 'TALK "a" + (1 ▸/ 0)',
    "arithmetic behind tabs": "\t\tx = 1 ▸/ 0",
    "behind wide characters": "x = 5\n日本 = x + (x ▸/ 0)",
    "in a text": 'n = 0\nTALK "each gets ${1 ▸/ n}!"',
    "in a text block": "BEGIN TALK\n  hello\n  each gets ${1 ▸/ 0}\nEND TALK",
    "in an argument": 'x = LEFT("abc", 4 ▸/ 0)',
    "a function": 'x = 1 + ▸DATEADD(NOW(), 1, "blink")',
    "a method": 'x = "abc".▸polish(1)',
    "an unknown function": "x = 1 + ▸nonsense(4)",
    "a keyword": '  ▸THROW "no"',
    "a keyword that is not there": 'TALK ▸TRANSLATE "x", "pt"',
    "a keyword that asks the database": '  ▸SET BOT MEMORY "", 3',
    "a keyword in an expression": 'x = 1 + ▸RECALL("")',
    "an argument of a keyword that suspends": 'x = RECALL("a" ▸* 3)',
    "a wait": "x = 1\n  ▸WAIT -3",
    "a menu without options": "  ▸HEAR x AS []",
    "a script that is not there": 'x = CALL ▸"nobody.bas"',
    "a script that is not there, at the end": 'x = 1\nIF x THEN\n  CALL ▸"nobody.bas"\nEND IF',
    "a condition": 'IF 3 < 5 AND "x" ▸* 3 THEN TALK "a"',
    "a case": 'SELECT CASE 1\nCASE "a" ▸* 1\nEND SELECT',
    "a loop's collection": 'FOR EACH x IN [1] FIRST "a" ▸/ 1\nNEXT',
    "a loop's body": "FOR i = 1 TO 3\n  y = 7 ▸\\ (i - 1)\nNEXT",
    "a step": "▸FOR i = 1 TO 3 STEP 0\nNEXT",
    "a text that grows": 's = "a"\nFOR i = 0 TO 3\n  s = s + (1 ▸/ i)\nNEXT',
    "an element": 'x = "a"\n▸x[0] = 5',
    "an endless loop": "x = 1\n  ▸DO\nLOOP",
    "thrown on": "TRY\n  x = 1 / 0\nCATCH e\n  ▸THROW e\nEND TRY",
    "a procedure": 'CALL f(3)\nSUB f(a)\n  b = a ▸* "x"\nEND SUB',
    "a procedure with a frame": 'CALL f(3)\nSUB f(a)\n  HEAR x DEFAULT 1\n  b = a ▸* "x"\nEND SUB',
    "behind a jump": "ON ERROR GOTO there\nx = 1 / 0\nthere:\nON ERROR GOTO 0\ny = 2 ▸/ 0",
}


@pytest.mark.parametrize("before", ["", "HEAR begun\n"], ids=["at once", "framed"])
@pytest.mark.parametrize("marked", FAILING.values(), ids=FAILING)
def test_a_failure_tells_line_and_column(marked: str, before: str) -> None:
    marked = before + marked
    until = marked[: marked.index(MARK)]
    failed = play(marked.replace(MARK, ""), "one", "two").failure
    assert (failed.line, failed.column) == (until.count("\n") + 1, len(until) - until.rfind("\n"))


def test_the_place_is_in_the_script_that_failed() -> None:
    scripts = {"start": 'x = 1\nCALL "other", 2', "other": "PARAM n\nx = 5\n  y = n * (n / 0)"}
    scripts["other"] = "PARAM n AS NUMBER\n  y = n * (n / 0)"
    failed = play(scripts).failure
    assert (failed.script, failed.line, failed.column) == ("other", 2, 14)


def test_a_default_that_is_none_is_shown_in_its_script() -> None:
    scripts = {"start": 'x = 1\nx = CALL "other"', "other": "x = 1\n  PARAM n AS NUMBER DEFAULT 1 + 1"}
    failed = play(scripts).failure
    assert (failed.script, failed.line, failed.column) == ("other", 2, 3)


def test_a_run_that_keeps_too_much_tells_where_it_waits() -> None:
    world = World('s = REPEAT("x", 5000)\n  HEAR x\nTALK s', limits=Limits(max_frame=4_000))
    failed = world.begin().failure
    assert (failed.code, failed.line, failed.column) == ("E_LIMIT", 2, 3)


@pytest.mark.parametrize("end", ["HEAR x", "WAIT 5", "RETURN 1"])
def test_a_session_that_is_given_too_much_fails_and_stays_as_it_was(end: str) -> None:
    much = 'SET SESSION "a", 5\nHEAR x\ns = REPEAT("x", 900)\nFOR i = 1 TO 9\n  SET SESSION "k" & i, s\nNEXT\n' + end
    later = 'RETURN [GET SESSION("a"), GET SESSION("k1")]'
    world = World({"start": much, "later": later}, limits=Limits(max_frame=4_000)).begin().answer("go")
    assert world.failure.code == "E_LIMIT"
    assert world.failure.line == (0 if end == "RETURN 1" else 7)
    assert world.begin("later").result == [5, None]


@pytest.mark.parametrize(
    "told",
    [
        "TALK REPEAT(CHR(1), 190000)\nHEAR y",
        "RETURN REPEAT(CHR(1), 400000)",
        'FOR i = 1 TO 20\nCLEAR CONTEXT REPEAT("s", 100000)\nNEXT\nHEAR y',
    ],
    ids=["said", "returned", "set"],
)
def test_what_no_event_can_hold_fails_the_run(told: str) -> None:
    world = World("HEAR x\n" + told).begin().answer("go")
    assert world.failure.code == "E_LIMIT"
    assert world.acts == []
    assert world.state is None


def test_of_a_long_message_the_beginning_is_told() -> None:
    message = play('THROW REPEAT("x", 5000000)').failure.message
    assert message.startswith("xxx")
    assert message.endswith("x…")
    assert len(message) == 2_000


def test_whoever_watches_is_told_of_failures() -> None:
    told: list[tuple[str, int]] = []
    world = World("HEAR x\ny = 1 / 0", stored=False)
    world.actor = type(world.actor)(failed=lambda package, failed: told.append((package.name, failed.line)))
    world.begin().answer("a")
    assert told == [("testbot", 2)]


def test_an_error_without_a_place_has_no_column() -> None:
    assert BasicError("E_TYPE", "no").column == 0


def test_every_code_has_a_meaning() -> None:
    assert MEANINGS.keys() == CODES.keys()
