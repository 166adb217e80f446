"""The built-in functions by example, and all of them on anything."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic.errors import BasicError
from actors.basic.functions import ANY, FUNCTIONS
from actors.basic.values import ErrorValue, Response, Rows, ambience, to_text

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@dataclass
class Turn:
    now: datetime = datetime(2026, 3, 7, 1, 30, 5, tzinfo=UTC)
    zone: tzinfo = UTC
    random: random.Random = field(default_factory=lambda: random.Random(7))


def call(name: str, *arguments: object, turn: Turn | None = None) -> Any:
    function = FUNCTIONS[name]
    assert function.minimum <= len(arguments) <= function.maximum
    return function.call(turn or Turn(), *arguments) if function.context else function.call(*arguments)


def code_of(name: str, *arguments: object) -> str:
    with pytest.raises(BasicError) as caught:
        call(name, *arguments)
    assert caught.value.message
    return caught.value.code


OBJECTS: list[object] = [{"n": 3, "s": "c"}, {"n": 1, "s": "a"}, {"n": "2", "s": "b"}, {"s": None}]

EXAMPLES: list[tuple[str, tuple[object, ...], object]] = [
    # text
    ("len", ("héllo",), 5), ("len", (None,), 0), ("len", ([1, 2],), 2), ("len", ('{"a":1,"b":2}',), 2),
    ("len", (123,), 3),
    ("left", ("hello", 2), "he"), ("left", ("hello", -1), ""), ("left", ("hi", 10**30), "hi"),
    ("right", ("hello", 2), "lo"),
    ("right", ("hello", 0), ""), ("mid", ("hello", 2), "ello"), ("mid", ("hello", 2, 3), "ell"),
    ("mid", ("hi", 0, 1), "h"),
    ("mid", ([1, 2, 3], 1, 1), [2]), ("mid", ("hello", 9), ""),
    ("instr", ("hello", "l"), 3), ("instr", (4, "hello", "l"), 4), ("instr", ("hello", "L"), 0),
    ("instr", ("hello", ""), 0),
    ("lcase", ("ÀB",), "àb"), ("upper", ("àb",), "ÀB"), ("capitalize", ("ana maria",), "Ana maria"),
    ("trim", ("  a ",), "a"),
    ("ltrim", ("  a ",), "a "), ("rtrim", ("  a ",), "  a"), ("replace", ("a-a-A", "a", "b"), "b-b-A"),
    ("replace", ("abc", "", "x"), "abc"), ("split", ("a,b,,c", ","), ["a", "b", "", "c"]), ("split", ("", ","), []),
    ("split", ("abc", ""), ["a", "b", "c"]), ("join", ([1, "a", None],), "1,a,"),
    ("join", ({"a": 1, "b": 2}, "-"), "1-2"),
    ("join", ("plain", "-"), "plain"), ("join", (None,), ""), ("str", (1.50,), "1.5"), ("asc", ("A",), 65),
    ("asc", ("",), 0),
    ("chr", (233,), "é"), ("contains", ("Hello", "ELL"), True), ("startswith", ("Hello", "he"), True),
    ("endswith", ("Hello", "LO"), True), ("extract_before", ("a@b.c", "@"), "a"), ("extract_before", ("abc", "@"), ""),
    ("extract_after", ("a@b.c", "@"), "b.c"), ("extract_after", ("abc", "@"), ""), ("extract_after", ("abc", ""), ""),
    ("extract_between", ("x [id] y", "[", "]"), "id"), ("extract_between", ("x [id", "[", "]"), ""),
    ("repeat", ("ab", 3), "ababab"), ("repeat", ("ab", -1), ""), ("pad", (5, 3, "0"), "005"), ("pad", ("a", 3), "  a"),
    ("pad", ("a", 4, "xy", "right"), "axyx"), ("pad", ("abc", 2), "abc"), ("slice", ("hello", 1, -1), "ell"),
    ("tojson", ({"a": [1, None]},), '{"a":[1,null]}'), ("json", ("é",), '"é"'),
    ("urlencode", ("a b&é/",), "a%20b%26%C3%A9%2F"),
    ("toyaml", ({"a": [1, {"b": 2}], "c": {}},), 'a:\n  - 1\n  - b: 2\nc: {}\n'), ("toyaml", ("yes",), '"yes"\n'),
    ("csv", ([{"a": 1, "b": "x,y"}, {"b": None}],), 'a,b\n1,"x,y"\n,\n'), ("csv", ([[1, 2], [3]],), "1,2\n3\n"),
    ("xml", ({"a b": [1, "<"]},), '<root><a_b name="a b"><item>1</item><item>&lt;</item></a_b></root>'),
    ("parse_json", ("[1]",), [1]), ("parse_json", ("12",), 12), ("parse_json", (5,), 5),
    ("parse_csv", ("a,b\n1,02\ntrue,\n",), [{"a": 1, "b": "02"}, {"a": True, "b": ""}]), ("parse_csv", ("",), []),
    ("hash", ("abc", "md5"), "900150983cd24fb0d6963f7d28e17f72"), ("format", (1234.5, "#,##0.00"), "1,234.50"),
    ("format", (None,), ""),
    # numbers
    ("val", ("12abc",), 12), ("val", (" -3.5kg",), -3.5), ("val", ("abc",), 0), ("val", (7,), 7),
    ("to_number", ("3.5",), 3.5),
    ("int", (-2.5,), -3), ("fix", (-2.5,), -2), ("round", (2.5,), 3), ("round", (-2.5,), -3),
    ("round", (2.675, 2), 2.68),
    ("round", (1250, -2), 1300), ("round", ("1.05", 1), 1.1), ("abs", (-3,), 3), ("sqrt", (9,), 3.0),
    ("pow", (2, 3), 8),
    ("mod", (-7, 3), -1), ("sgn", (-0.5,), -1), ("floor", (2.9,), 2), ("ceiling", (2.1,), 3), ("exp", (0,), 1.0),
    ("log", (8, 2), 3.0), ("log10", (1000,), 3.0), ("max", (3, "10"), "10"), ("min", ([3, 1, None],), 1),
    ("max", ([],), None),
    ("max", (OBJECTS, "n"), 3), ("min", (OBJECTS, "s"), "a"), ("max", (1, 5, 3), 5), ("max", ('[1, 9]',), 9),
    ("sum", ([1, "2", None],), 3), ("sum", (OBJECTS, "n"), 6), ("sum", (None,), 0), ("sum", ([0.1] * 10,), 1.0),
    ("avg", ([1, 2, None],), 1.5), ("avg", ([],), 0), ("average", (OBJECTS, "n"), 2.0), ("cint", (2.5,), 3),
    ("cdbl", ("2",), 2.0), ("cbool", ("false",), False), ("cdate", ("31/12/2026",), date(2026, 12, 31)),
    ("isnumeric", ("1e3",), True), ("isnumeric", ("",), False), ("isnumeric", (True,), False),
    ("isnumeric", (None,), False),
    # lists
    ("ubound", ([1, 2],), 2), ("ubound", (None,), 0), ("ubound", ({"a": 1},), 1), ("ubound", ("[1,2,3]",), 3),
    ("lbound", ([1],), 0),
    ("count", (Rows([{}, {}]),), 2), ("array", (1, "a"), [1, "a"]), ("array", (), []),
    ("slice", ([1, 2, 3], -2), [2, 3]),
    ("slice", ([1, 2, 3], 0, 1), [1]), ("take", ([1, 2, 3], 2), [1, 2]), ("drop", ([1, 2, 3], 2), [3]),
    ("take", ([1], -5), []),
    ("reverse", ([1, 2],), [2, 1]), ("reverse", ("ab",), "ba"), ("unique", ([1, "1", 1.0, "a", "a"],), [1, "1", "a"]),
    ("distinct", ([{"a": 1}, {"a": 1}],), [{"a": 1}]), ("flatten", ([1, [2, [3, []]], 4],), [1, 2, 3, 4]),
    ("concat", ([1], [2], 3, None), [1, 2, 3]), ("concat", ("a", 1), "a1"), ("range", (1, 3), [1, 2, 3]),
    ("range", (3, 1), []), ("range", (3, 1, -1), [3, 2, 1]), ("range", (0, 1, 0.5), [0, 0.5, 1.0]),
    ("index_of", (["a", 1], "1"), 1), ("index_of", (["a"], "b"), -1), ("last_index_of", ([1, 2, 1], 1), 2),
    ("batch", ([1, 2, 3], 2), [[1, 2], [3]]), ("sort", ([3, 1, "2", None],), [None, 1, "2", 3]),
    ("sort", (["b", "a"], "desc"), ["b", "a"]), ("first", ([1, 2],), 1), ("first", ("two words",), "two"),
    ("first", ([],), None),
    ("last", ("two words",), "words"), ("last", ([1, 2, 3], 2), [2, 3]), ("last", (OBJECTS[:1], "s"), "c"),
    # tests and choice
    ("isnull", (None,), True), ("isnull", ("",), False), ("isnull", (Rows(),), True), ("isempty", ("",), True),
    ("isempty", ({},), True), ("isempty", (0,), False), ("nvl", (None, "", 0, 1), 0), ("coalesce", (None, ""), None),
    ("choose", (2, "a", "b"), "b"), ("choose", (3, "a", "b"), None), ("typeof", (None,), "null"),
    ("typeof", (True,), "boolean"),
    ("typeof", (1,), "integer"), ("typeof", (1.5,), "float"), ("typeof", ("",), "string"),
    ("typeof", (date.min,), "datetime"),
    ("typeof", ([],), "array"), ("typeof", (Rows(),), "array"), ("typeof", ({},), "object"),
    ("typeof", (Response(200, data=[1]),), "array"), ("isarray", ([],), True), ("isobject", ({},), True),
    ("isstring", ("",), True), ("isnumber", (True,), False), ("isnumber", (1.5,), True), ("isbool", (False,), True),
    ("isdate", ("2026-01-01",), True), ("isdate", ("soon",), False), ("exists", (None,), False),
    ("error", ("no",), ErrorValue("no")), ("is_error", (ErrorValue("no"),), True), ("is_error", ("no",), False),
    ("get_error_message", (ErrorValue("no"),), "no"), ("get_error_message", (5,), ""),
    # dates
    ("year", ("2026-03-07",), 2026), ("month", ("07/03/2026",), 3), ("day", ("03/17/2026",), 17),
    ("hour", ("2026-03-07 14:05",), 14),
    ("minute", ("2026-03-07T14:05:09Z",), 5), ("second", ("2026-03-07 14:05:09",), 9), ("weekday", ("2026-03-08",), 1),
    ("year", ("soon",), None), ("year", (None,), None), ("dateadd", ("2026-01-31", 1, "month"), date(2026, 2, 28)),
    ("dateadd", ("2026-01-31", "day", 1), date(2026, 2, 1)), ("dateadd", ("d", -1, "2026-03-01"), date(2026, 2, 28)),
    ("dateadd", ("2026-01-31", 1, "q"), date(2026, 4, 30)), ("dateadd", ("2024-02-29", 1, "yyyy"), date(2025, 2, 28)),
    ("dateadd", ("2026-01-31", 90, "min"), datetime(2026, 1, 31, 1, 30, tzinfo=UTC)),
    ("dateadd", ("soon", 1, "d"), None),
    ("datediff", ("2026-01-01", "2026-03-01", "day"), 59), ("datediff", ("day", "2026-01-01", "2026-03-01"), 59),
    ("datediff", ("2026-03-01", "2026-01-01"), 59), ("datediff", ("2026-01-31", "2026-02-28", "m"), 1),
    ("datediff", ("2026-03-01", "2026-01-02", "month"), -1), ("datediff", ("2024-02-29", "2026-02-28", "year"), 2),
    ("datediff", ("2026-01-01 23:00", "2026-01-02 01:00", "hour"), 2),
    ("datediff", ("2026-01-01 23:00", "2026-01-02 01:00", "d"), 0),
    ("datediff", ("2026-01-01", "2026-01-20", "weeks"), 2), ("datediff", ("soon", "2026-01-01", "d"), None),
    ("datevalue", ("2026-03-07 14:05",), date(2026, 3, 7)), ("timevalue", ("14:05",), "14:05:00"),
    ("timevalue", ("x",), None),
    ("days", (2,), 172_800), ("hours", (1.5,), 5_400), ("minutes", ("2",), 120),
    ("days_between", ("2026-01-01", "2026-01-11"), 10),
    ("hours_between", ("2026-01-01", "2026-01-02"), 24), ("seconds_between", ("2026-01-01 00:00:05", "2026-01-01"), -5),
    ("add_days", ("2026-01-31", 1), date(2026, 2, 1)), ("eomonth", ("2026-02-03",), date(2026, 2, 28)),
    ("eomonth", ("2026-01-31", 1), date(2026, 2, 28)), ("format_date", ("2026-03-07", "Ymd"), "20260307"),
    ("format_date", ("2026-03-07",), "2026-03-07"), ("format_date", ("soon",), "soon"),
    ("format_time", ("2026-03-07 09:05",), "09:05"), ("format_time", ("2026-03-07 09:05", None), "09:05"),
    ("format_date", ("2026-03-07", None), "2026-03-07"), ("format_date", ("2026-03-07", ""), "2026-03-07"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "result"), EXAMPLES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EXAMPLES)])
def test_examples(name: str, arguments: tuple[object, ...], result: object) -> None:
    found = call(name, *arguments)
    assert found == result
    assert isinstance(found, bool) is isinstance(result, bool)
    assert isinstance(found, str) is isinstance(result, str)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("parse_json", ("{",), "E_VALUE"), ("chr", (0xD800,), "E_VALUE"), ("chr", (-1,), "E_VALUE"),
        ("sqrt", (-1,), "E_VALUE"),
        ("log", (0,), "E_VALUE"), ("log", (5, 1), "E_DIV0"), ("exp", (10_000,), "E_LIMIT"),
        ("to_number", ("x",), "E_TYPE"),
        ("sum", ([1, "x"],), "E_TYPE"), ("random", (0,), "E_VALUE"), ("random", (5, 1), "E_VALUE"),
        ("range", (1, 2, 0), "E_VALUE"),
        ("batch", ([1], 0), "E_VALUE"), ("push", (None, 1), "E_TYPE"), ("pop", ("x",), "E_TYPE"),
        ("hash", ("x", "crc"), "E_VALUE"),
        ("dateadd", ("2026-01-01", 1, "fortnight"), "E_VALUE"), ("dateadd", ("2026-01-01", 10**9, "year"), "E_VALUE"),
        ("int", (float("inf"),), "E_VALUE"), ("round", (float("nan"),), "E_VALUE"),
        ("left", ("x", float("nan")), "E_VALUE"),
    ],
)  # fmt: skip
def test_errors(name: str, arguments: tuple[object, ...], code: str) -> None:
    assert code_of(name, *arguments) == code


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("repeat", ("x", 10**12)), ("repeat", ("x" * 5_000_000, 3)), ("pad", ("x", 10**9)), ("range", (1, 10**12)),
        ("range", (0, 1, 1e-300)), ("replace", ("a" * 5_000_000, "a", "bbb")), ("split", ("," * 2_000_000, ",")),
        ("join", (["x" * 100_000] * 1_000,)), ("concat", ("x" * 6_000_000, "x" * 6_000_000)),
        ("concat", ([0] * 600_000, [0] * 600_000)), ("pow", (10, 10**9)), ("tojson", (["x" * 1_000_000] * 20,)),
        ("push", ([0] * 1_000_000, 1)), ("csv", ([{str(i): 1} for i in range(2_000)],)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_would_grow_without_bound_is_stopped_quickly(name: str, arguments: tuple[object, ...]) -> None:
    begin = time.process_time()
    assert code_of(name, *arguments) == "E_LIMIT"
    assert time.process_time() - begin < 3


def test_a_list_in_itself_is_not_flattened_for_ever() -> None:
    items: list[object] = [1]
    items.append(items)
    assert code_of("flatten", items) == "E_LIMIT"


def test_lists_are_changed_in_place() -> None:
    items: list[object] = [2]
    assert call("push", items, 3, 4) is items
    assert call("unshift", items, 0, 1) is items
    assert items == [0, 1, 2, 3, 4]
    assert (call("pop", items), call("shift", items)) == (4, 0)
    assert items == [1, 2, 3]
    assert (call("pop", []), call("shift", [])) == (None, None)


def test_sorting_objects() -> None:
    assert [o["s"] for o in call("sort", OBJECTS[:3], "n")] == ["a", "b", "c"]
    assert [o["s"] for o in call("sort", OBJECTS[:3], "s", "desc")] == ["c", "b", "a"]
    assert type(call("sort", Rows([{"n": 1}]), "n")) is Rows


def test_the_clock_is_the_turns() -> None:
    turn = Turn(zone=SAO_PAULO)
    with ambience(SAO_PAULO):
        assert to_text(call("now", turn=turn)) == "2026-03-06 22:30:05"
        assert call("today", turn=turn) == date(2026, 3, 6)
        assert call("time", turn=turn) == "22:30:05"
        assert call("timestamp", turn=turn) == call("timestamp", "2026-03-06 22:30:05") == 1_772_847_005


def test_random_numbers_are_the_turns() -> None:
    first, second = Turn(), Turn()
    for arguments in [(), (10,), (1, 6), (-5, 5)]:
        assert call("random", *arguments, turn=first) == call("random", *arguments, turn=second)
    assert call("uuid", turn=first) == call("guid", turn=second)
    assert {call("random", 1, 3, turn=first) for _ in range(100)} == {1, 2, 3}
    assert {call("random", 2, turn=first) for _ in range(100)} == {0, 1}
    assert 0 <= call("rnd", turn=first) < 1


def test_every_row_is_named_in_lower_case_and_has_an_order_of_arguments() -> None:
    for name, function in FUNCTIONS.items():
        assert name == name.lower() == function.name
        assert 0 <= function.minimum <= function.maximum <= ANY


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1_000, 1_000),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(
        ["day", "desc", "2026-01-01", "[1,2]", '{"a":1}', "md5", ErrorValue("x"), Response(200, data=[1], text="[1]")]
    ),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_arguments_give_a_value_or_an_error_of_the_language(name: str, data: st.DataObject) -> None:
    function = FUNCTIONS[name]
    count = data.draw(st.integers(function.minimum, min(function.maximum, 4)))
    arguments = data.draw(st.lists(VALUES, min_size=count, max_size=count))
    with suppress(BasicError):  # any other exception fails the test
        to_text(call(name, *arguments))
