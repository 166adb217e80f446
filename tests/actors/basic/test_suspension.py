"""
Every suspension point survives the process.

Each script is run twice: with all state in one process, and with the state taken through JSON and the compiler and the
machine made anew at every event. What people see, and how it ends, must be the same.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.scripts import World, play

SCRIPTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "loops in loops": (
        {
            "start": """
FOR EACH size IN ["s", "m", "l"]
    FOR n = 3 TO 1 STEP -1
        DO
            HEAR x AS INTEGER WITH size + n
            total = total + x
        LOOP UNTIL x > 1
        IF total > 20 THEN EXIT FOR
    NEXT
NEXT
TALK "total " + total
RETURN total
"""
        },
        ["1", "2", "one", "3", "5", "9", "7", "2", "2", "2", "2"],
    ),
    "procedures and shared values": (
        {
            "start": """
basket = []
SUB ask(what, depth)
    line = {"what": what}
    APPEND basket, line
    line.amount = HEAR "How many " + what + "?"
    IF depth > 0 THEN CALL ask(what + "+", depth - 1)
    line.done = TRUE
END SUB
FUNCTION twice(x)
    HEAR y
    RETURN x + y + (HEAR "more?")
END FUNCTION
again = basket
CALL ask("pizza", 2)
TALK TOJSON(again)
TALK twice("a") + twice("b")
"""
        },
        ["1", "2", "3", "p", "q", "r", "s"],
    ),
    "errors across waits": (
        {
            "start": """
ON ERROR RESUME NEXT
TRY
    HEAR x AS INTEGER
    y = 1 / x
    TALK "fine"
CATCH e
    TALK e.code + " " + e.line
END TRY
z = 1 / 0
HEAR w
TALK ERROR_MESSAGE + w
CALL "child", "v"
TALK ERROR
ON ERROR GOTO broken
HEAR q
a = q * "x"
TALK "never"
broken:
HEAR last
TALK "end " + last + ERR
""",
            "child": "PARAM p\nHEAR c\nTALK p + c\nx = [1] * 2\n",
        },
        ["0", "w", "c", "q", "l"],
    ),
    "memory, timers, menus": (
        {
            "start": """
SET BOT MEMORY "n", {"at": NOW(), "list": [1, 2]}
WAIT 90
m = GET BOT MEMORY("n")
SET SESSION "who", "Ana"
HEAR c AS "Red", "Green", "Blue"
REMEMBER "color" = c
WAIT 0.5
TALK c + " " + UBOUND(m.list) + " " + GET SESSION "who" + " " + (RECALL "color") + " " + DATEDIFF(m.at, NOW(), "second")
HEAR d AS DATE DEFAULT TODAY()
TALK d + " " + (GET "session.who" = "Ana")
"""
        },
        ["purple", "gr", "-"],
    ),
    "labels and select": (
        {
            "start": """
menu:
HEAR pick AS "add", "list", "quit" WITH "?"
SELECT CASE pick
CASE "add"
    HEAR item
    APPEND items, item
    GOTO menu
CASE "list"
    FOR EACH it IN items
        TALK it
        IF it = "b" THEN GOTO menu
    NEXT
    GOTO menu
END SELECT
RETURN items
"""
        },
        ["add", "a", "1", "b", "2", "add", "c", "list", "3"],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_stored_run_ends_like_one_that_never_was(name: str) -> None:
    scripts, answers = SCRIPTS[name]
    kept = play(scripts, *answers, stored=False)
    stored = play(scripts, *answers, stored=True)
    assert stored.acts == kept.acts
    assert stored.outcome == kept.outcome
    assert stored.outcome is not None
    assert stored.outcome.kind == "ended", stored.outcome


def test_of_two_branches_only_the_chosen_one_hears() -> None:
    script = """
a = IIF(FALSE, HEAR "first?", HEAR "second?")
b = a = "one" ? "[" + (HEAR "third?") + "]" : 5
c = IIF(HEAR "fourth?", "yes", HEAR "fifth?")
d = "" OR HEAR "sixth?"
e = "x" OR HEAR "never?"
TALK a + b + c + d + e
"""
    world = play(script, "one", "two", "0", "five", "six")
    assert world.said == ["second?", "third?", "fourth?", "fifth?", "sixth?", "one[two]fivesixx"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ('o[HEAR "which?"] = 1', {"k": 1}),
        ('PUSH o[HEAR "which?"], 1', {"k": [1]}),
    ],
)
def test_a_variable_that_has_no_value_becomes_an_object_also_where_its_index_is_asked_for(
    change: str, found: object
) -> None:
    assert play(f"{change}\nRETURN o", "k").result == found


def test_shared_lists_stay_shared() -> None:
    world = play('a = [1]\nb = {"inner": a}\nHEAR x\nAPPEND a, 2\nRETURN b', "")
    assert world.result == {"inner": [1, 2]}


def test_a_waiting_run_ends_on_the_version_it_began_with() -> None:
    world = World('HEAR x\nTALK "old " + x').begin()
    old = world.version
    world.publish(replace(world.actor._bots.get(old).package, scripts={"start": 'TALK "new"'}))  # type: ignore[union-attr]
    world.answer("a")
    assert world.said == ["old a"]
    assert world.begin().just_said == ["new"]


def test_a_run_whose_version_is_gone_fails_and_says_so() -> None:
    world = World("HEAR x").begin()
    world.resources.clear()
    assert world.answer("a").failure.code == "E_NOSCRIPT"
    assert world.state is None


def test_a_run_goes_on_with_no_other_program_than_its_own() -> None:
    """That of the same script is another one where the layout of compiled scripts has changed."""
    world = World('HEAR x\nTALK "new " + x').begin()
    assert world.state is not None
    (run,) = world.state.runs.values()
    run.frames["stack"][0][1] = "0" * 32
    assert world.answer("a").failure.code == "E_NOSCRIPT"
    assert world.said == []
