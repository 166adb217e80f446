"""Regular expressions: the same answers as Python's, in bounded time."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from actors.basic import values
from actors.basic.errors import BasicError

ATOMS = st.sampled_from(
    ["a", "b", ".", r"\d", r"\w", r"\W", r"\s", "[ab]", "[^a]", "[a-c1]", r"\.", "^", "$", r"\b", r"\B"]
)
NO_PATTERN = "".join(random.Random(1).choices("ab", k=100_000))
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + "|".join(parts) + ")"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(PATTERNS, st.text("abc1. \n", max_size=8))
def test_the_same_as_python(pattern: str, text: str) -> None:
    assume(text or "\\B" not in pattern)  # Python's versions do not agree on \\B in an empty text
    end = re.sub(r"(?<!\\)\$", r"\\Z", pattern)  # here $ is the very end
    assert values.matches(text, pattern) is (re.search(end, text) is not None)


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("order 123", r"\d{3}", True), ("order 12", r"^\d{3}$", False), ("ABC", "(?i)abc", True), ("ABC", "abc", False),
        ("a-b", r"[\w-]+", True),
        ("x]", "[]]", True), ("a{b", "a{b", True), ("tab\there", r"\t", True), ("é", r"^\w$", True),
        ("A", r"\x41", True), ("", "", True), ("abc", "b|", True),
        ("foo@bar.com", r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", True),
    ],
)  # fmt: skip
def test_examples(text: str, pattern: str, found: bool) -> None:
    assert values.matches(text, pattern) is found


@pytest.mark.parametrize(
    "pattern", ["(", ")", "[a", "*a", "a{3,1}", r"\1(a)", "(?=a)", "(?P<n>a)", "\\", r"\q", "[b-a]", "a{2000}"]
)
def test_bad_patterns_are_an_error_that_says_where(pattern: str) -> None:
    with pytest.raises(BasicError, match="character") as caught:
        values.matches("x", pattern)
    assert caught.value.code == "E_VALUE"


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "a*a*a*a*a*a*b", "(a?){30}a{30}$", "([a-z]+)*!"]
)
def test_no_pattern_is_slow(pattern: str) -> None:
    begin = time.process_time()
    assert values.matches("a" * 5_000 + "?", pattern) is False
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("x" * 1_100_000, "y"), ("x", "a" * 1_100), ("x", "((a{100}){100}){100}"), (NO_PATTERN, "(a|b)*a(a|b){900}c"),
        ("x", "((((a{9}){9}){9}){9}){9}"),
    ],
)  # fmt: skip
def test_too_much_is_refused_quickly(text: str, pattern: str) -> None:
    begin = time.process_time()
    with pytest.raises(BasicError) as caught:
        values.matches(text, pattern)
    assert caught.value.code == "E_LIMIT"
    assert time.process_time() - begin < 3
