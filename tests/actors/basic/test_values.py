"""Conversion, operators, members, indexes and methods, rule by rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic import values
from actors.basic.errors import BasicError
from actors.basic.values import ErrorValue, File, Response, Rows
from actors.basic.values.conversion import json_value

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 3, 7, 12, 0, 5, tzinfo=UTC)


def code_of(function: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(BasicError) as caught:
        function(*arguments)
    assert caught.value.message.strip(), "an error says what is wrong"
    return caught.value.code


def cyclic() -> list[object]:
    items: list[object] = [1]
    items.append(items)
    return items


def response(data: object, text: str = "body", status: int = 200) -> Response:
    return Response(status, "OK", {"content-type": "application/json"}, data, text, "https://x.example")


# --- conversion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, False, 0, 0.0, "", "false", "FALSE", "0", [], {}, Rows(), response({}, "", 204), response({}, "x", 404)],
)
def test_false_values(value: object) -> None:
    assert values.truth(value) is False


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        -0.1,
        " ",
        "no",
        "00",
        [0],
        {"a": 0},
        Rows([{}]),
        response({}),
        NOON,
        NOON.date(),
        File("a"),
        ErrorValue(""),
    ],
)
def test_true_values(value: object) -> None:
    assert values.truth(value) is True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (4 / 2, "2"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333333333333"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (1.5e300, "1.5e+300"),
        (0.000001, "0.000001"),
        (1.25e-7, "1.25e-7"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
        (10**30, "1" + "0" * 30),
        (NOON, "2026-03-07 12:00:05"),
        (datetime(7, 1, 2, tzinfo=UTC), "0007-01-02 00:00:00"),
        (date(2026, 3, 7), "2026-03-07"),
        ([1, 2.0, "é", None, True, {"k": date(2026, 1, 2)}], '[1,2,"é",null,true,{"k":"2026-01-02"}]'),
        ([NOON], '["2026-03-07T12:00:05+00:00"]'),
        ([float("nan"), 0.1 + 0.2], "[null,0.3]"),
        (Rows([{"n": 3}]), "3"),
        (Rows([{"n": 3, "m": 4}]), '[{"n":3,"m":4}]'),
        (Rows([{"n": 3}, {"n": 4}]), '[{"n":3},{"n":4}]'),
        (File("a", path="drive/a.txt"), "drive/a.txt"),
        (response({"a": 1}, '{"a": 1}'), '{"a": 1}'),
        (ErrorValue("broken"), "broken"),
    ],
    ids=repr,
)
def test_text(value: object, text: str) -> None:
    assert values.to_text(value) == text


def test_text_of_what_contains_itself_is_an_error_and_not_endless() -> None:
    assert code_of(values.to_text, cyclic()) == "E_LIMIT"
    doubled: list[object] = ["x"]
    for _ in range(60):
        doubled = [doubled, doubled]
    assert code_of(values.to_text, doubled) == "E_LIMIT"
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert code_of(values.to_json, deep) == "E_LIMIT"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True), ("False", False), ("12", 12), ("-3.5", -3.5), ("012", "012"), ("0", 0), ("0.5", 0.5),
        ("123456789012345", 123456789012345), ("1234567890123456", "1234567890123456"), ("2026-01-01", "2026-01-01"),
        ("1e5", "1e5"), ("", ""), ("abc", "abc"), ("+5", "+5"),
    ],
)  # fmt: skip
def test_cells_are_typed_only_where_they_are_plain(cell: str, value: object) -> None:
    typed = values.typed(cell)
    assert typed == value
    assert type(typed) is type(value)


def test_half_a_character_does_not_get_in_by_json() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        json_value('["\\ud800"]')
    assert json_value('["\\ud83d\\ude00"]') == ["😀"]
    assert values.parse_json('{"a": "\\ud800"}') is None


@pytest.mark.parametrize("text", ['```json\n{"a": 1}\n```', '```\n{"a":1}```', ' {"a": 1} '])
def test_json_in_a_fence(text: str) -> None:
    assert values.parse_json(text) == {"a": 1}
    assert values.get_member(text, "A") == 1


@pytest.mark.parametrize("text", ["", "abc", "12", '"x"', "{", "[" * 100_000, "```", "null"])
def test_text_that_is_no_json_list_or_object(text: str) -> None:
    assert values.parse_json(text) is None
    assert values.get_member(text, "x") is None
    assert values.length(text) == len(text)


# --- operators --------------------------------------------------------------------------------------------------------


def test_plus() -> None:
    assert values.add("12", 1) == "121"
    assert values.add([1], [2]) == [1, 2]
    assert values.add(None, 3) == 3
    assert values.add(None, None) is None
    assert values.add(None, "x") == "x"
    assert values.add("a", [1]) == "a[1]"
    assert type(values.add(Rows([{}]), Rows([{}]))) is Rows
    assert values.add(date(2026, 1, 31), 86_400) == date(2026, 2, 1)
    assert values.add(date(2026, 1, 31), 3_600) == datetime(2026, 1, 31, 1, tzinfo=UTC)
    assert values.subtract(date(2026, 1, 31), date(2026, 1, 30)) == 86_400
    assert values.subtract(NOON, "2026-03-07 12:00:00") == 5
    assert code_of(values.add, {"a": 1}, 1) == "E_TYPE"
    assert code_of(values.add, NOON, NOON) == "E_TYPE"
    assert code_of(values.add, [1], 2) == "E_TYPE"


def test_seconds_are_absolute_over_a_change_of_the_clock() -> None:
    before = datetime(2026, 3, 7, 12, tzinfo=NEW_YORK)  # the clocks go forward at 2:00 on the 8th
    after = values.add(before, 86_400)
    assert values.to_text(after) == "2026-03-08 13:00:00"
    assert values.subtract(after, before) == 86_400
    assert values.subtract(datetime(2026, 3, 8, 12, tzinfo=NEW_YORK), before) == 23 * 3_600


def test_a_date_is_midnight_in_the_bots_zone() -> None:
    with values.ambience(SAO_PAULO):
        at = values.add(date(2026, 3, 7), 3_600)
        assert at == datetime(2026, 3, 7, 4, tzinfo=UTC)
        assert values.equal("2026-03-07 01:00", at)
        assert values.get_member(at, "hour") == 1
    assert values.equal(date(2026, 3, 7), datetime(2026, 3, 7, tzinfo=SAO_PAULO))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (None, "", True), (None, Rows(), True), ("", Rows(), True), (None, [], False), (None, 0, False),
        (None, False, False), ("", 0, False), (1, "1.0", True), (1, " 1 ", True), (1, "one", False),
        (True, "TRUE", True), (True, 1, True), (True, 2, False), (False, "0", False), (True, "yes", False),
        ("a", "A", False), (NOON, "2026-03-07 12:00:05", True), (date(2026, 3, 7), "07/03/2026", True),
        (NOON, "soon", False), ([1, ["2"]], [1.0, [2]], True), ({"a": 1}, {"a": 1, "b": None}, False),
        (Rows([{"a": 1}]), {"a": 1}, True), (Rows([{"a": 1}, {}]), {"a": 1}, False),
        (Rows([{"a": 1}]), [{"a": 1}], True),
        (response([{"a": 1}]), {"a": 1}, True), (response({}, "ok"), "ok", True), ([1], "[1]", False),
        (File("a"), File("a"), True), (File("a"), "a", False), (10**30, float(10**30), float(10**30) == 10**30),
        (1, "9" * 5000, False),
    ],
)  # fmt: skip
def test_equality(a: object, b: object, same: bool) -> None:
    assert values.equal(a, b) is same
    assert values.equal(b, a) is same


def test_equality_of_what_contains_itself_ends() -> None:
    assert values.equal(cyclic(), cyclic())
    other = cyclic()
    other[0] = 2
    assert not values.equal(cyclic(), other)
    a: list[object] = [1]
    b: list[object] = [1]
    for _ in range(1_000):
        a, b = [a, a], [b, b]
    assert values.equal(a, b)


@pytest.mark.parametrize("function", [values.less, values.less_equal, values.greater, values.greater_equal])
@pytest.mark.parametrize(
    "pair", [(None, 1), ("a", None), (None, None), (Rows(), 1), (float("nan"), 1), (1, float("nan"))]
)
def test_comparisons_with_nothing_are_false(function: Callable[..., bool], pair: tuple[object, object]) -> None:
    assert function(*pair) is False


def test_order() -> None:
    assert values.less("10", 9) is False
    assert values.less("10", "9") is True
    assert values.less("abc", 5) is False
    assert values.less(date(2026, 1, 1), "2026-01-02") is True
    assert values.between(5, 1, "5") is True
    assert values.between(NOON, "2026-03-07", "2026-03-08") is True


def test_division() -> None:
    assert values.divide(7, 2) == 3.5
    assert (values.int_divide(-7, 2), values.modulo(-7, 2)) == (-3, -1)
    assert values.modulo(7.5, 2) == 1.5
    assert values.divide("6", True) == 6
    for operator in (values.divide, values.int_divide, values.modulo):
        assert code_of(operator, 1, 0) == "E_DIV0"
        assert code_of(operator, 1, None) == "E_DIV0"
    assert code_of(values.multiply, "x", 2) == "E_TYPE"
    assert code_of(values.negate, [1]) == "E_TYPE"
    assert values.negate("5") == -5


def test_power() -> None:
    assert values.power(2, 10) == 1024
    assert values.power(2, -1) == 0.5
    assert values.power(9, 0.5) == 3
    assert values.power(-1, 10**12 + 1) == -1
    assert code_of(values.power, 0, -1) == "E_DIV0"
    assert code_of(values.power, -8, 1 / 3) == "E_VALUE"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (values.power, (2, 10**9)), (values.power, (10**9, 10**9)), (values.power, (10, 1e9)),
        (values.power, (3, 10**18)),
        (values.multiply, (1 << 13_000, 1 << 13_000)), (values.add, ((1 << 14_000) - 1, 1)),
        (values.divide, (1 << 13_000, 3)), (values.multiply, (1 << 13_000, 1.5)), (values.iterate, (10**12,)),
        (values.iterate, (float("inf"),)), (values.to_number, ("9" * 5_000,)),
        (values.set_index, ([], 10**9, 1)), (values.add, ("x" * 6_000_000, "y" * 6_000_000)),
    ],
)  # fmt: skip
def test_results_without_bound_are_stopped_at_once(
    function: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    begin = time.process_time()
    assert code_of(function, *arguments) == "E_LIMIT"
    assert time.process_time() - begin < 1


def test_a_text_that_doubles_is_stopped() -> None:
    text: object = "x"
    while len(str(text)) * 2 <= values.MAX_TEXT:
        text = values.add(text, text)
    assert code_of(values.add, text, text) == "E_LIMIT"
    assert code_of(values.concat, text, text) == "E_LIMIT"


def test_the_meter_is_asked_as_a_run_grows() -> None:
    looks: list[int] = []

    def measure() -> float:
        looks.append(1)
        if len(looks) == 3:
            raise BasicError("E_LIMIT", "The run uses too much memory.")
        return 100_000

    with values.ambience(UTC, measure):
        for _ in range(10_000):
            values.add("x", "y")  # small ones are not worth a look
        assert not looks
        for _ in range(40):
            values.concat("x" * 5_000, "")
        assert len(looks) == 2
        assert code_of(values.concat, "x" * 500_000, "") == "E_LIMIT"
        assert len(looks) == 3
    values.grown(5_000)
    assert len(looks) == 3  # outside, nothing is measured


def test_membership() -> None:
    assert values.contains("Good Morning", "MORN")
    assert values.contains([1, "Ana"], "1")
    assert not values.contains(["Ana"], "ana")
    assert values.contains({"Key": 1}, "key")
    assert not values.contains(None, "a")
    assert values.starts_with("Hello", "hE")
    assert values.ends_with("Hello", "LO")
    assert values.in_(2, ["1", "2"])
    assert values.in_("a", {"a": 1})
    assert values.in_("ell", "hello")
    assert not values.in_("ELL", "hello")
    assert not values.in_("x", None)


# --- members and indexes ----------------------------------------------------------------------------------------------


def test_lenient_reads() -> None:
    nothings: list[object] = [None, 5, True, "text", [], Rows()]
    for value in nothings:
        assert values.get_member(value, "missing") is None
        assert values.get_index(value, "missing") is None
        assert values.get_index(value, 99) is None


def test_members_of_objects_ignore_case_only_where_no_key_is_exact() -> None:
    fields: dict[str, object] = {"Name": 1, "name": 2, "Count": 7}
    assert values.get_member(fields, "name") == 2
    assert values.get_member(fields, "NAME") == 1
    assert values.get_member(fields, "count") == 7
    assert values.get_member(fields, "LENGTH") == 3
    values.set_member(fields, "COUNT", 8)
    assert fields["Count"] == 8
    assert list(fields) == ["Name", "name", "Count"]


def test_indexes() -> None:
    items: list[object] = [1, 2, 3]
    assert [values.get_index(items, i) for i in (0, -1, 3, -4, "1", 1.9, "length")] == [1, 3, None, None, 2, 2, 3]
    assert values.get_index("abc", 1) == "b"
    assert values.get_index('{"a": [5]}', "a") == [5]
    assert values.get_index({"1": "x"}, 1) == "x"
    values.set_index(items, 3, 4)
    values.set_index(items, 6, 7)
    values.set_index(items, -1, 8)
    assert items == [1, 2, 3, 4, None, None, 8]
    assert code_of(values.set_index, items, -10, 0) == "E_VALUE"
    assert code_of(values.set_index, items, "x", 0) == "E_TYPE"
    assert code_of(values.set_index, None, 0, 0) == "E_TYPE"
    assert code_of(values.set_member, None, "x", 0) == "E_TYPE"
    assert code_of(values.set_member, "text", "x", 0) == "E_TYPE"


def test_rows_read_and_write_their_first() -> None:
    rows = Rows([{"email": "a@x"}, {"email": "b@x"}])
    assert values.get_member(rows, "EMAIL") == "a@x"
    assert values.get_index(rows, "email") == "a@x"
    assert values.get_member(rows, "count") == 2
    values.set_member(rows, "email", "c@x")
    assert rows[0] == {"email": "c@x"}
    assert values.get_member(Rows(), "email") is None
    assert values.is_null(Rows())
    assert not values.is_null("")
    assert code_of(values.set_member, Rows(), "email", 1) == "E_TYPE"


def test_responses_merge_body_and_meta() -> None:
    one = response({"id": 7, "status": "open", "items": [1, 2]})
    assert values.get_member(one, "id") == 7
    assert values.get_member(one, "status") == "open"
    assert values.get_member(values.get_member(one, "data"), "id") == 7
    assert values.get_member(one, "ok") is True
    assert values.get_member(one, "statusText") == "OK"
    assert values.get_member(response({}), "status") == 200
    assert values.iterate(one) == [1, 2]
    many = response([{"id": 1}, {"id": 2}])
    assert values.get_member(many, "id") == 1
    assert values.get_index(many, 1) == {"id": 2}
    assert values.length(many) == 2
    assert values.get_member(response("plain", "plain"), "length") == 5


def test_datetime_members() -> None:
    at = datetime(2026, 3, 7, 14, 5, 9, tzinfo=SAO_PAULO)
    expected = {
        "year": 2026, "month": 3, "day": 7, "hour": 14, "minute": 5, "second": 9, "weekday": 7,
        "weekday_name": "Saturday",
        "month_name": "March", "quarter": 1, "day_of_year": 66, "is_weekend": True, "date": date(2026, 3, 7),
        "time": "14:05:09", "timestamp": int(at.timestamp()), "iso": "2026-03-07T14:05:09-03:00",
        "formatted": "2026-03-07 14:05:09", "hour12": 2, "ampm": "PM", "nonsense": None,
    }  # fmt: skip
    assert {name: values.get_member(at, name) for name in expected} == expected
    assert values.get_member(date(2026, 3, 8), "weekday") == 1


def test_for_each_takes_a_copy() -> None:
    items: list[object] = [1, 2]
    turns = values.iterate(items)
    items.append(3)
    assert turns == [1, 2]
    assert values.iterate({"a": 1, "b": 2}) == [1, 2]
    assert values.iterate(3.9) == [0, 1, 2]
    assert values.iterate(-1) == []
    assert values.iterate(None) == values.iterate("") == []
    assert values.iterate("```json\n[1]\n```") == [1]
    assert code_of(values.iterate, "hello") == "E_TYPE"
    assert code_of(values.iterate, True) == "E_TYPE"


def test_methods() -> None:
    items: list[object] = [1]
    assert values.call_method(items, "PUSH", [2]) is items
    values.call_method(items, "append", [3])
    assert values.call_method(items, "pop", []) == 3
    assert values.call_method(items, "contains", ["2"]) is True
    assert values.call_method(items, "indexOf", [2]) == 1
    assert values.call_method(items, "join", ["-"]) == "1-2"
    assert values.call_method([1, 2, 3, 4], "splice", [1, 2]) == [2, 3]
    assert values.call_method(" Ab ", "trim", []) == "Ab"
    assert values.call_method("Ab", "toLowerCase", []) == "ab"
    assert values.call_method("Ab", "toUpperCase", []) == "AB"
    assert values.call_method("a,b", "split", [","]) == ["a", "b"]
    assert values.call_method("Hello", "contains", ["ELL"]) is True
    assert values.call_method("Hello", "startsWith", ["he"]) is True
    assert values.call_method("a-a", "replace", ["a", "b"]) == "b-b"
    assert values.call_method(None, "trim", []) is None
    assert code_of(values.call_method, None, "push", [1]) == "E_TYPE"
    assert code_of(values.call_method, "x", "explode", []) == "E_NOFUNC"
    assert code_of(values.call_method, 5, "trim", []) == "E_NOFUNC"


# --- patterns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern", "whole", "anywhere"),
    [
        ("Hello", "hello", True, True), ("Hello", "ell", False, True), ("Hello", "h%", True, True),
        ("Hello", "%l_", True, True),
        ("Hello", "h*l?", True, True), ("Hello", "h_o", False, False), ("", "", True, True), ("", "%", True, True),
        ("abc", "%b%", True, True), ("aXbXc", "a%b%c", True, True), ("ab", "a%b%b", False, False),
        ("a.c", "a.c", True, True),
        ("abc", "a.c", False, False), ("aab", "a%ab", True, True), ("line\nbreak", "line_break", True, True),
    ],
)  # fmt: skip
def test_like(text: str, pattern: str, whole: bool, anywhere: bool) -> None:
    assert values.like(text, pattern) is whole
    assert values.like_filter(text, pattern) is anywhere


def naive_like(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive_like(text[i:], pattern[1:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and naive_like(text[1:], pattern[1:])


@settings(deadline=None)
@given(st.text("ab", max_size=8), st.text("ab%_", max_size=6))
def test_like_against_the_definition(text: str, pattern: str) -> None:
    assert values.like(text, pattern) is naive_like(text, pattern)


def test_like_is_quick_whatever_the_pattern() -> None:
    begin = time.process_time()
    assert not values.like("a" * 1_000_000, "%a" * 400 + "%b%")
    assert time.process_time() - begin < 2
    assert code_of(values.like, "x", "%" * 2_000) == "E_LIMIT"


def test_members_of_an_error_and_a_file() -> None:
    error: Any = ErrorValue("broken", "E_NET", 3, "start")
    assert [values.get_member(error, n) for n in ("error", "message", "code", "line")] == [True, "broken", "E_NET", 3]
    file = File("a.txt", mime_type="text/plain", modified=NOON)
    assert values.get_member(file, "mime_type") == "text/plain"
    assert values.get_member(file, "modified") == NOON


def test_dates_out_of_range_are_an_error() -> None:
    assert code_of(values.add, NOON, 1e15) == "E_VALUE"
    assert code_of(values.subtract, date(1, 1, 1), 86_400) == "E_VALUE"
    assert code_of(values.add, NOON, float("nan")) == "E_VALUE"
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert values.less(early, NOON)


def many() -> list[object]:
    return list(range(200_000))


@pytest.mark.parametrize(
    "heavy",
    [
        lambda: values.contains(many(), -1),
        lambda: values.equal(many(), [*many()[:-1], 0]),
        lambda: values.to_json(many()),
        lambda: values.get_member({str(n): n for n in range(100_000)}, "missing"),
        lambda: values.length("[" + "1," * 200_000 + "1]"),
        lambda: values.matches("x" * 50_000, "y"),
        lambda: values.like("a" * 1_000_000, "%a_b%"),
        lambda: values.contains("x" * 9_000_000, "y"),
    ],
    ids=["contains", "equal", "json", "member", "parse", "matches", "like", "text"],
)
def test_work_on_large_values_is_counted(heavy: Callable[[], object]) -> None:
    heavy()
    with values.ambience(UTC, max_work=3_000):
        assert code_of(heavy) == "E_LIMIT"
        assert code_of(heavy) == "E_LIMIT", "catching the error gives no new budget"
    heavy()
