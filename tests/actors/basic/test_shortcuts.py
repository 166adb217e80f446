"""Functions that are written out where they are called say the same as the functions themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic import Limits
from actors.basic.errors import BasicError
from actors.basic.functions import FUNCTIONS
from schemas.dialog import Failed
from tests.support.scripts import World, play

TEXTS = st.text('aZ0ß é[]{}`,"fox1-', max_size=12) | st.sampled_from(
    ["[1, 2]", ' {"a": 1}', "```\n[1]\n```", "ŉ" * 400]
)
VALUES = TEXTS | st.integers(-3, 1_500) | st.none() | st.booleans() | st.floats(-3, 3) | st.just([1, 2, 3])

CALLS = {
    "LEN(a)": ("len", 1), "UCASE(a)": ("ucase", 1), "LCASE(a)": ("lcase", 1), "TRIM(a)": ("trim", 1),
    "LTRIM(a)": ("ltrim", 1), "RTRIM(a)": ("rtrim", 1), "INSTR(a, b)": ("instr", 2), "LEFT(a, b)": ("left", 2),
    "RIGHT(a, b)": ("right", 2), "MID(a, b, c)": ("mid", 3), "REPLACE(a, b, c)": ("replace", 3),
}  # fmt: skip


def _same(call: str, *given: Any) -> None:
    name, count = CALLS[call]
    try:
        wanted: Any = FUNCTIONS[name].call(*given[:count])
    except BasicError as error:
        wanted = error.code
    world = World(f"PARAM o AS OBJECT\na = o.a\nb = o.b\nc = o.c\nRETURN {call}", stored=False)
    world.begin(o=dict(zip("abc", given, strict=True)))
    found = world.failure.code if isinstance(world.outcome, Failed) else world.result
    assert (found, type(found)) == (wanted, type(wanted)), (call, given)


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=60, deadline=None)
@given(a=VALUES, b=VALUES, c=VALUES)
def test_a_function_written_out_says_the_same(call: str, a: Any, b: Any, c: Any) -> None:
    _same(call, a, b, c)


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ('REPLACE(UCASE(s), "FOX", "hen")', "A hen"),
        ('REPLACE(s, "", "")', "a fox"),
        ("MID(s, 3, 3)", "fox"),
        ("MID(s, 0, 1)", "a"),
        ("MID(s, i + 2, i + 1)", "fo"),
        ("LEFT(s, -1)", ""),
        ("RIGHT(s, 99)", "a fox"),
        ('INSTR(s, "")', 0),
        ('INSTR(s, "fox")', 3),
        ("LEN(\"[1, 2, 3]\")", 3),
        ("LEN(s) + LEN(MID(s, 1, 2))", 7),
    ],
)  # fmt: skip
def test_literals_and_expressions_are_written_out_too(call: str, result: Any) -> None:
    assert play(f's = "a fox"\ni = 1\nRETURN {call}').result == result


def test_arguments_are_evaluated_once_and_in_order() -> None:
    script = (
        "log = ''\nFUNCTION t(x)\n log = log & x\n RETURN x\nEND FUNCTION\n"
        "a = MID(t('abcdef'), t(2), 3)\nb = INSTR(t(5), t('5'))\nc = LEFT(t(NULL), t(1))\nRETURN [a, b, c, log]"
    )
    assert play(script).result == ["bcd", 1, "", "abcdef2551"]


def test_a_variable_that_a_later_argument_changes_is_read_before() -> None:
    script = "s = 'old'\nFUNCTION f()\n s = 'new'\n RETURN 3\nEND FUNCTION\nRETURN LEFT(s, f())"
    assert play(script).result == "old"


# --- texts that grow ------------------------------------------------------------------------------------------------

COPIED = {
    "kept elsewhere": "t = s\ns = s & 'x'",
    "made anew": "s = t\ns = s & 'x'",
    "made anew in a loop": "FOR EACH s IN [t]\ns = s & 'x'\nNEXT",
}


@pytest.mark.parametrize("name", COPIED)
def test_a_text_that_is_copied_to_grow_is_paid_for(name: str) -> None:
    script = f"t = REPEAT('ab', 200000)\ns = t\nFOR i = 1 TO 1000\n{COPIED[name]}\nNEXT"
    assert World(script, limits=Limits(max_steps=200_000)).begin().failure.code == "E_LIMIT"


def test_a_text_that_grows_where_it_lies_costs_little() -> None:
    script = "s = REPEAT('ab', 200000)\nFOR i = 1 TO 10000\ns = s & 'x'\nNEXT\nRETURN LEN(s)"
    assert World(script, limits=Limits(max_steps=60_000)).begin().result == 410_000


def test_a_text_cannot_grow_past_its_limit() -> None:
    grown = "s = REPEAT('a', 9999999)\ns = s & 'x'\nn = LEN(s)\n"
    assert World(grown + "RETURN n").begin().result == 10_000_000
    assert World(grown + "s = s & 'x'").begin().failure.code == "E_LIMIT"
    assert World(grown + "y = 'x'\ns = s & y").begin().failure.code == "E_LIMIT"
