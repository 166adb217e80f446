"""The line of a script that a message shows, and the caret below it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.basic import check_script
from actors.basic.excerpts import MAX_WIDTH, excerpt, excerpt_of


def columns(text: str) -> int:
    """How many columns of a terminal *text* takes, for a tab as many as its stop is wide."""
    wide = {"W": 2, "F": 2}
    return sum(8 if each == "\t" else wide.get(unicodedata.east_asian_width(each), 1) for each in text)


@pytest.mark.parametrize(
    ("line", "column", "length", "shown"),
    [
        pytest.param("x = a / b", 7, 1, ["x = a / b", "      ^"], id="one character"),
        pytest.param("TALK nothing", 6, 7, ["TALK nothing", "     ^^^^^^^"], id="several"),
        pytest.param("TALK nothing + 1", 6, 0, ["TALK nothing + 1", "     ^^^^^^^"], id="the word that is there"),
        pytest.param("x = 12.5 + 1", 5, 0, ["x = 12.5 + 1", "    ^^^^"], id="the number that is there"),
        pytest.param("TALK", 6, 1, ["TALK", "     ^"], id="behind the end"),
        pytest.param("", 1, 1, ["", "^"], id="an empty line"),
        pytest.param("TALK a", 6, 50, ["TALK a", "     ^"], id="not longer than the line"),
        pytest.param("\t\tTALK a\t+ b", 11, 1, ["\t\tTALK a\t+ b", "\t\t      \t ^"], id="tabs stay tabs"),
        pytest.param("x = 日本 / 0", 8, 1, ["x = 日本 / 0", "    \u3000\u3000 ^"], id="wide characters"),
        pytest.param("x = 日本", 5, 2, ["x = 日本", "    ^^^^"], id="carets below wide characters"),
        pytest.param("x = cafe\u0301 / 0", 11, 1, ["x = cafe\u0301 / 0", "         ^"], id="a combining mark"),
        pytest.param('x = "\x1b[2J" / 0', 12, 1, ['x = "�[2J" / 0', "           ^"], id="control characters"),
    ],
)
def test_the_caret_stands_under_the_place(line: str, column: int, length: int, shown: list[str]) -> None:
    assert excerpt(line, column, length) == ["    " + each for each in shown]


def test_of_a_long_line_the_surroundings_are_shown() -> None:
    line = "a" * 500 + " / b" + "c" * 500
    shown, caret = excerpt(line, 502, 1)
    assert shown == "    …" + "a" * 39 + " / b" + "c" * 55 + "…"
    assert shown[caret.index("^")] == "/"
    assert len(shown) == 4 + MAX_WIDTH - 1 + 1


def test_the_end_and_the_beginning_of_a_long_line_have_one_mark() -> None:
    end, caret = excerpt("a" * 500 + " / b", 502)
    assert end.startswith("    …a")
    assert end.endswith("a / b")
    assert end[caret.index("^")] == "/"
    beginning, caret = excerpt("a / b" + "c" * 500, 3)
    assert beginning.startswith("    a / b")
    assert beginning.endswith("c…")
    assert beginning[caret.index("^")] == "/"


@given(
    before=st.text("ab \t日é", max_size=300),
    after=st.text("ab \t日é", max_size=300),
    length=st.integers(1, 300),
)
def test_any_line_has_its_caret_right_and_is_not_too_wide(before: str, after: str, length: int) -> None:
    shown, carets = excerpt(before + "#" + after, len(before) + 1, length)
    place = shown.index("#")
    assert columns(shown[:place]) == columns(carets[: carets.index("^")])
    assert [each == "\t" for each in shown[:place]] == [each == "\t" for each in carets[:place]]
    assert columns(shown) <= 4 + MAX_WIDTH
    assert columns(carets) <= columns(shown)


def test_a_line_that_is_not_there_shows_nothing() -> None:
    assert excerpt_of("x = 1\r\ny = 2", 2, 1) == ["    y = 2", "    ^"]
    assert excerpt_of("\ufeffx = 1", 1, 1) == ["    x = 1", "    ^"]
    assert excerpt_of("x = 1", 2, 1) == excerpt_of("x = 1", 0, 0) == excerpt_of("x = 1", 1, 0) == []


def test_an_error_in_a_long_line_is_shown_with_its_surroundings() -> None:
    source = 'TALK "' + "x" * 400 + '" + ) + "' + "y" * 400 + '"'
    (problem,) = check_script(source, "long")
    head, line, caret = problem.render(source).split("\n")
    assert head.startswith("long:1:411: error: ")
    assert line[caret.index("^")] == ")"
    assert len(line) <= 4 + MAX_WIDTH
