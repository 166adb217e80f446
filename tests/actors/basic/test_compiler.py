"""What compiled scripts compute, in the plain form and in the framed one."""

# ruff: noqa: E501, ISC004 - a script a line reads best
from __future__ import annotations

import marshal
from typing import Any

import pytest

from actors.basic import Limits
from actors.basic.compiler import compile_tree
from actors.basic.parser import parse
from tests.support.scripts import World, play

# script -> result; each runs as it is, and again with a HEAR in every loop and branch, which lowers all of it
CASES: dict[str, tuple[str, Any]] = {
    "counting": ("t = 0\nFOR i = 1 TO 5\n t = t + i\n@\nNEXT\nRETURN t", 15),
    "down": ("t = ''\nFOR i = 3 TO 1 STEP -1\n t = t + i\n@\nNEXT\nRETURN t", "321"),
    "already past": ("i = 9\nFOR i = 3 TO 1\n i = 5\n@\nNEXT\nRETURN i", 9),
    "last value stays": ("FOR i = 1 TO 3\n@\nNEXT\nRETURN i", 3),
    "fractions": ("t = 0\nFOR i = 0 TO 1 STEP 0.25\n t = t + 1\n@\nNEXT\nRETURN t", 5),
    "counter changed": ("t = 0\nFOR i = 1 TO 10\n t = t + 1\n i = i + 1\n@\nNEXT\nRETURN t", 5),
    "counter changed, continue": ("t = 0\nFOR i = 1 TO 9\n i = i + 2\n t = t + 1\n@\n CONTINUE\nNEXT\nRETURN t", 3),
    "counter becomes text": ("t = 0\nFOR i = 1 TO 9\n t = t + 1\n i = '5'\n@\n IF t = 3 THEN i = 9\nNEXT\nRETURN t", 3),
    "counter becomes nonsense": (
        "TRY\n FOR i = 1 TO 9\n  i = 'x'\n@\n NEXT\nCATCH e\n r = e.code\nEND TRY\nRETURN r", "E_TYPE",
    ),
    "each": ("t = ''\nFOR EACH x IN [1, 2, 3]\n t = t + x\n@\nNEXT\nRETURN t", "123"),
    "each of a list that grows": ("L = [1, 2]\nFOR EACH x IN L\n APPEND L, x\n@\nNEXT\nRETURN UBOUND(L)", 4),
    "each last": ("t = ''\nFOR EACH x IN [1, 2, 3] LAST 2\n t = t + x\n@\nNEXT\nRETURN t", "23"),
    "while": ("i = 0\nWHILE i < 4\n i = i + 1\n@\nWEND\nRETURN i", 4),
    "do until": ("i = 0\nDO\n i = i + 1\n@\nLOOP UNTIL i >= 3\nRETURN i", 3),
    "do until, continue": ("i = 0\nDO\n i = i + 1\n@\n CONTINUE\nLOOP UNTIL i >= 3\nRETURN i", 3),
    "do while": ("i = 0\nDO WHILE i < 3\n i = i + 1\n@\nLOOP\nRETURN i", 3),
    "exit for through do": (
        "n = 0\nFOR i = 1 TO 5\n DO\n  n = n + 1\n@\n  IF n = 3 THEN EXIT FOR\n  IF n MOD 2 = 0 THEN EXIT DO\n LOOP\nNEXT\n"
        "RETURN i + ':' + n",
        "2:3",
    ),
    "continue": ("t = ''\nFOR i = 1 TO 4\n@\n IF i = 2 THEN CONTINUE\n t = t + i\nNEXT\nRETURN t", "134"),
    "break": ("t = ''\nFOR i = 1 TO 4\n@\n IF i = 3 THEN BREAK\n t = t + i\nNEXT\nRETURN t", "12"),
    "exit for of an inner loop": (
        "t = ''\nFOR i = 1 TO 3\n FOR j = 1 TO 3\n@\n  IF j = 2 THEN EXIT FOR\n  t = t + i + j\n NEXT\nNEXT\nRETURN t", "112131",
    ),
    "break of an inner loop": (
        "t = ''\nWHILE t <> 'aaa'\n WHILE TRUE\n@\n  t = t + 'a'\n  BREAK\n WEND\nWEND\nRETURN t", "aaa",
    ),
    "select": (
        "r = ''\nFOR EACH x IN [1, 5, 'b', 99]\n SELECT CASE x\n CASE 1, 2\n  r = r + 'one'\n CASE 4 TO 6\n  r = r + 'mid'\n@\n"
        " CASE 'b'\n  r = r + 'bee'\n CASE IS > 50\n  r = r + 'big'\n CASE ELSE\n  r = r + '?'\n END SELECT\nNEXT\nRETURN r",
        "onemidbeebig",
    ),
    "if chain": (
        "r = ''\nFOR i = 1 TO 3\n IF i = 1 THEN\n  r = r + 'a'\n@\n ELSE IF i = 2 THEN\n  r = r + 'b'\n ELSE\n  r = r + 'c'\n"
        " END IF\nNEXT\nRETURN r",
        "abc",
    ),
    "with": ("a = 2\nWITH o\n a = a + 1\n .b = 'x'\n@@END WITH\nRETURN o", {"a": 3, "b": "x"}),
    "methods": (
        "L = [1]\nL.PUSH(2)\nL.append('c')\n@\nm = missing?.trim()\nRETURN L.join('-') + L.splice(0, 1).length + L.contains('c') + "
        "' a '.trim().toUpperCase() + 'a,b'.split(',').indexOf('b') + m",
        "1-2-c1trueA1",
    ),
    "short circuit": ("x = NULL\n@\ny = x OR 'd'\nz = 1 AND 'e'\nw = x ?? 'f'\nRETURN y + z + w", "def"),
    "members of nothing": ("@\nx.a = 1\nx.b = x.c\nRETURN x", {"a": 1, "b": None}),
    "lists grow": ("L[0] = 'a'\n@\nAPPEND o.items, 1\nAPPEND o.items, 2\nRETURN o.items", [1, 2]),
    "text": ("a = 5\n@\nRETURN \"${a} of \" + a * 2 + ' ' + (a > 3)", "5 of 10 true"),
    "goto": ("i = 0\nagain:\n i = i + 1\n@\n IF i < 4 THEN GOTO again\nRETURN i", 4),
    "procedures share variables": (
        "n = 1\nSUB more(by)\n n = n + by\n by = 99\nEND SUB\nb = 2\nCALL more(b)\n@\nmore(3)\nRETURN n + ':' + b", "6:2",
    ),
    "recursion": ("FUNCTION f(n)\n IF n < 2 THEN RETURN 1\n RETURN n * f(n - 1)\nEND FUNCTION\n@\nRETURN f(20)",
                  2432902008176640000),
    "missing arguments": ("FUNCTION f(a, b)\n RETURN b\nEND FUNCTION\n@\nRETURN f(1) IS NULL", True),
    "a parameter's default": (
        "SUB s(a)\n PARAM b AS STRING DEFAULT 'x'\n@\n r = r + a + b\nEND SUB\nCALL s(1)\nCALL s(2, 'y')\nRETURN r", "1x2y",
    ),
    "a parameter's type": (
        "FUNCTION s(a)\nPARAM n AS INTEGER DEFAULT '7'\nPARAM day AS DATE\nPARAM c AS 'Red', 'Blue'\n"
        "PARAM s AS NUMBER ENUM [-1, 1]\nPARAM l AS ARRAY\n@\nRETURN [a, n, day, c, s, l]\nEND FUNCTION\n"
        "RETURN s('1', ' 41', '5/3/2026', 'RED', '-1', 'x, y') + s(NULL, NULL) + s(a)",
        ["1", 41, "2026-03-05", "Red", -1, ["x", "y"], *[None] * 6, None, 7, *[None] * 4],
    ),
    "a parameter's type is not that of the value": (
        "FUNCTION s(a)\nPARAM n AS INTEGER\nPARAM c AS INTEGER ENUM [1, 2]\n@\nRETURN 1\nEND FUNCTION\n"
        "ON ERROR RESUME NEXT\nx = s(1, 'two')\nr = [x, ERROR_MESSAGE]\nx = s(1, 2, 3)\nRETURN r + [x, ERROR_MESSAGE]",
        [None, "The parameter n must be a whole number.", None, "The parameter c must be one of 1, 2."],
    ),
    "a function without brackets": (
        "FUNCTION four()\n@\n RETURN 4\nEND FUNCTION\nFUNCTION two(four)\n RETURN four\nEND FUNCTION\n"
        'RETURN "${four}" + two(2) + four * 2', "428",
    ),
    "a name that is a procedure's, and a text here": (
        "SUB help\n@\n TALK 'no'\nEND SUB\nSET BOT MEMORY help, 1\nRETURN GET BOT MEMORY 'help'", 1,
    ),
    "operands are read from the left": (
        "FUNCTION f()\n x = [7, 8]\n n = 2\n@\n RETURN 1\nEND FUNCTION\nx = [1, 2]\nn = 1\ns = 'a'\n"
        "s = s + n + f()\nx = [1, 2]\nn = 1\nRETURN s + x[f()] + n", "a1122",
    ),
    "an index is computed once": (
        "FUNCTION f()\n n = n + 1\n@\n RETURN n\nEND FUNCTION\nL = [1, 2, 3]\nL[f()] += 5\nL[n] *= f()\nRETURN L", [1, 14, 3],
    ),
    "what a value makes is there when it is stored": (
        "FUNCTION f()\n o = {a: 1}\n@\n RETURN 2\nEND FUNCTION\no.b = f()\nRETURN o", {"a": 1, "b": 2},
    ),
    "an effect that succeeds ends the error": (
        "ON ERROR RESUME NEXT\nx = 1 / 0\n@\nx = 1 / 0\ny = FIRST [1]\nr = [ERROR]\ny = GET SESSION 'k'\n"
        "APPEND r, ERROR\nRETURN r", [True, False],
    ),
    "try": (
        "TRY\n x = 1\n@\n y = 1 / 0\n x = 2\nCATCH e\n r = e.code + e.line\nEND TRY\nRETURN r + x", None,
    ),
    "resume next": (
        "ON ERROR RESUME NEXT\nx = 1\n@\nx = 1 / 0\nIF ERROR THEN r = ERROR_MESSAGE\nCLEAR ERROR\nIF NOT ERROR THEN r = r + '!'\n"
        "RETURN [x, r]",
        [None, "Division by zero.!"],
    ),
    "resume next in a procedure": (
        "SUB s()\n y = 1 / 0\n z = 'went on'\nEND SUB\nON ERROR RESUME NEXT\n@\ns()\nRETURN z", "went on",
    ),
    "goto handler": ("ON ERROR GOTO oops\n@\nx = 1 / 0\nRETURN 'no'\noops:\nRETURN 'handled ' + ERR", "handled 3"),
    "throw": ("TRY\n@\n THROW 'bang'\nCATCH e\n r = e.message + e.code\nEND TRY\nRETURN r", "bangE_USER"),
    "big numbers": ("x = 1\nFOR i = 1 TO 70\n x = x * 2\n@\nNEXT\nRETURN x = 1180591620717411303424", True),
}  # fmt: skip


@pytest.mark.parametrize("framed", [False, True], ids=["plain", "framed"])
@pytest.mark.parametrize("name", CASES)
def test_result(name: str, framed: bool) -> None:
    script, expected = CASES[name]
    script = script.replace("@@", "").replace("@", "HEAR hh" if framed else "")
    world = play(script, *["x"] * 100)
    if expected is None:
        assert world.result in ("E_DIV041", "E_DIV031"), world.outcome
    else:
        assert world.result == expected


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("HEAR o.name\nRETURN o", {"name": "a"}),
        ("o.name = HEAR 'who?'\nRETURN o", {"name": "a"}),
        ("o.n = 1\no.n += HEAR\nRETURN o", {"n": "1a"}),
        ("HEAR o[HEAR 'which?']\nRETURN o", {"b": "a"}),
        ("o[HEAR 'which?'] = 1\nRETURN o", {"a": 1}),
        ("o[HEAR] += HEAR\nRETURN o", {"a": "b"}),
        ("WAIT FOR RESPONSE AS o.x TIMEOUT 5\nRETURN o", {"x": "a"}),
        ("APPEND L, HEAR\nAPPEND L, HEAR\nRETURN L", ["a", "b"]),
        ("APPEND o.L, HEAR\nAPPEND o[HEAR], 3\nRETURN o", {"L": ["a"], "b": [3]}),
        ("APPEND o[HEAR], HEAR\nRETURN o", {"a": ["b"]}),
        ("SET x, HEAR\nRETURN x", "a"),
        ("SET SESSION stage, HEAR\nRETURN GET SESSION 'stage'", "a"),
        ("SET BOT MEMORY visits.Today, HEAR\nRETURN GET BOT MEMORY 'visits.Today'", "a"),
        ("FUNCTION f\n HEAR x\n RETURN x\nEND FUNCTION\nRETURN f + f", "ab"),
    ],
)
def test_what_is_heard_goes_where_any_value_may(script: str, result: object) -> None:
    assert play(script, "a", "b").result == result


def test_a_case_asks_no_more_once_it_is_chosen() -> None:
    script = "SELECT CASE 2\nCASE 1, HEAR 'a?', 2, HEAR 'b?'\n TALK 'two'\nCASE HEAR 'c?'\n TALK 'no'\nEND SELECT"
    assert play(script, "x", "y", "z").said == ["a?", "two"]


def test_hear_takes_its_prompt_in_either_quotes() -> None:
    assert play("x = HEAR 'who?'\nHEAR y 'nobody asks\nz = HEAR 'a comment\nRETURN x + y + z", *"abc").said == ["who?"]


def test_suspension_inside_expressions_keeps_the_order() -> None:
    script = 'a = 1\nTALK a + "-" + (HEAR "first") + "-" + (HEAR "second") + "-" + a'
    world = play(script, "x", "y")
    assert world.said[-1] == "1-x-y-1", world.said


@pytest.mark.parametrize(("first", "said"), [("", ["?", "none"]), ("x", ["?", "?", "y"])])
def test_short_circuit_decides_what_is_heard(first: str, said: list[str]) -> None:
    script = 'r = (HEAR "?") AND (HEAR "?")\nTALK r OR "none"'
    world = play(script, first, "y")
    assert world.said == said


def test_nothing_of_python_is_in_reach() -> None:
    world = play("RETURN __import__('os')")
    assert world.failure.code == "E_NOFUNC"
    assert play("x = 'a'\nRETURN x.__class__ IS NULL").result is True
    assert play("RETURN __builtins__ IS NULL AND v_x IS NULL AND M IS NULL").result is True


def test_an_error_names_its_line() -> None:
    failure = play("x = 1\n\n  y = [1] * 2").failure
    assert (failure.code, failure.script, failure.line) == ("E_TYPE", "start", 3)


def test_unknown_things_fail_by_name() -> None:
    assert play("RETURN nosuch(1)").failure.code == "E_NOFUNC"
    assert play('CALL "nosuch"\nTALK "x"').failure.code == "E_NOSCRIPT"
    missing = play('x = LLM "hello"').failure
    assert (missing.code, missing.message) == ("E_CONFIG", "LLM is not there yet.")


def test_scripts_of_one_bot_call_each_other() -> None:
    scripts = {
        "start": 'x = 1\nr = CALL "other.bas", 5, "a,b"\nTALK r + x\n',
        "other": "PARAM n AS INTEGER\nPARAM l AS ARRAY\nx = 9\nHEAR y\nRETURN n + UBOUND(l) + y",
    }
    world = play(scripts, "!")
    assert world.said == ["7!1"]


def test_a_script_that_calls_itself_last_goes_on_for_ever() -> None:
    script = 'HEAR x\nTALK x\nIF x <> "stop" THEN\n CALL "start"\nEND IF'
    world = play(script, *["a"] * 300, "stop")
    assert len(world.said) == 301
    assert world.result is None


def test_end_in_a_called_script_ends_only_it() -> None:
    scripts = {"start": 'CALL "other"\nTALK "on"', "other": "SUB s()\n END\nEND SUB\nCALL s\nTALK 1"}
    assert play(scripts).said == ["on"]


def test_the_world_is_what_the_event_says() -> None:
    first = World("RETURN [NOW(), RANDOM(1, 1000000)]").begin().result
    assert first == World("RETURN [NOW(), RANDOM(1, 1000000)]").begin().result
    assert first[0].startswith("2026-01-05")


@pytest.mark.parametrize(
    "piece",
    ["HEAR x{n}\n", "IF a THEN HEAR x{n}\n", "SUB s{n}()\nIF a THEN HEAR x{n}\nEND SUB\ns{n}()\nx{n} = x{n} + 1\n"],
    ids=["questions", "branches", "procedures"],
)
def test_the_code_grows_as_the_script_does(piece: str) -> None:
    def size(pieces: int) -> int:
        script = parse("".join(piece.format(n=n) for n in range(pieces)), "start.bas")
        return len(marshal.dumps(compile_tree(script, "").factory.__code__))

    assert size(400) < 2.5 * size(200)


def test_what_a_type_takes_to_look_at_counts_as_steps() -> None:
    script = "SUB s\nPARAM p AS {}\nEND SUB\nFOR i = 1 TO 500\nCALL s({})\nNEXT\nRETURN 1"
    limits = Limits(max_steps=10_000)
    assert World(script.format("INTEGER", 1), limits=limits).begin().result == 1
    assert World(script.format("EMAIL", "'a@b.example'"), limits=limits).begin().failure.code == "E_LIMIT"
    large = World("t = REPEAT('a', 1000000)\n" + script.format("STRING", "t"), limits=limits).begin()
    assert large.failure.code == "E_LIMIT"
