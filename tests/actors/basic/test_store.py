"""Values that are stored come back the same: types, exact numbers, references."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic.values import ErrorValue, File, Response, Rows, approximate_size, dump, load

ZONES = st.sampled_from(
    [UTC, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/London"), timezone(timedelta(hours=5, minutes=30))]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
MOMENTS = st.datetimes(timezones=ZONES, allow_imaginary=True).map(
    lambda d: d.replace(fold=0) if isinstance(d.tzinfo, timezone) else d  # fold means nothing at a fixed offset
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    TEXTS,
    st.dates(),
    MOMENTS,
    st.builds(File, TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 10**12), TEXTS, st.none() | MOMENTS),
    st.builds(ErrorValue, TEXTS),
)
KEYS = TEXTS | st.sampled_from(["$", "v", "shared", "$ref"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(Rows),
        st.dictionaries(KEYS, inner, max_size=4),
        st.builds(
            Response, st.integers(100, 599), TEXTS, st.dictionaries(KEYS, TEXTS, max_size=2), inner, TEXTS, TEXTS
        ),
    ),
    max_leaves=20,
)


def through_json(value: object) -> Any:
    return load(json.loads(json.dumps(dump(value))))


def same(a: Any, b: Any) -> bool:
    """Equal with equal types, NaN equal to itself, keys in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, Response):
        return all(same(getattr(a, n), getattr(b, n)) for n in Response.__dataclass_fields__)
    if isinstance(a, File):
        return all(same(getattr(a, n), getattr(b, n)) for n in File.__dataclass_fields__)
    if isinstance(a, datetime):
        return a.replace(tzinfo=None) == b.replace(tzinfo=None) and a.fold == b.fold and str(a.tzinfo) == str(b.tzinfo)
    return bool(a == b)


@settings(deadline=None)
@given(VALUES)
def test_what_is_stored_comes_back(value: object) -> None:
    assert same(through_json(value), value)


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Some lists and objects that hold scalars and each other at random: shared parts, cycles, unreachable ones."""
    nodes: list[Any] = [draw(st.sampled_from([list, dict, Rows]))() for _ in range(draw(st.integers(1, 6)))]
    for node in nodes:
        for place in range(draw(st.integers(0, 4))):
            item = draw(st.sampled_from(nodes)) if draw(st.booleans()) else draw(SCALARS)
            if isinstance(node, dict):
                node[draw(KEYS) + str(place)] = item
            else:
                node.append(item)
    return nodes


def shape(root: Any) -> list[Any]:
    """Every container in the order of its first visit, its parts by number or value: equal for equal graphs."""
    numbers: dict[int, int] = {id(root): 0}
    found: list[Any] = [root]
    described: list[Any] = []
    for node in found:
        parts: list[tuple[Any, str, Any]] = []
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(item, list | dict):
                if id(item) not in numbers:
                    numbers[id(item)] = len(found)
                    found.append(item)
                parts.append((key, "->", numbers[id(item)]))
            else:
                parts.append((key, "=", repr(item)))
        described.append((type(node).__name__, parts))
    return described


@settings(deadline=None)
@given(graphs())
def test_references_are_kept(nodes: list[Any]) -> None:
    variables = {f"v{place}": node for place, node in enumerate(nodes)}
    assert shape(through_json(variables)) == shape(variables)


def test_two_variables_share_a_list() -> None:
    items: list[object] = [1]
    back = through_json({"a": items, "b": items, "c": [1]})
    back["a"].append(2)
    assert back == {"a": [1, 2], "b": [1, 2], "c": [1]}


def test_a_response_shares_its_data() -> None:
    body: dict[str, object] = {"n": 1}
    back = through_json({"r": Response(200, data=body, text='{"n": 1}'), "body": body})
    back["body"]["n"] = 2
    assert back["r"].data["n"] == 2


def test_what_lies_deep_is_stored_without_deep_json() -> None:
    deep: list[object] = []
    for _ in range(50_000):
        deep = [deep]
    data = dump({"deep": deep})
    back = load(json.loads(json.dumps(data)))["deep"]
    levels = 0
    while back:
        (back,) = back
        levels += 1
    assert levels == 50_000


def test_nothing_stored_is_shared_with_the_run() -> None:
    items: list[object] = [1]
    data = dump({"a": items})
    items.append(2)
    assert load(data) == {"a": [1]}


def test_a_plain_state_is_plain_json() -> None:
    assert dump({"name": "Ana", "n": 3, "tags": ["x"]}) == {"v": {"name": "Ana", "n": 3, "tags": ["x"]}}


def test_what_is_no_value_of_the_language_is_refused() -> None:
    with pytest.raises(TypeError, match="not a value"):
        dump({"a": object()})
    with pytest.raises(ValueError, match="unknown tag"):
        load({"v": {"$": "surprise", "v": 1}})


def test_small_states_are_quick() -> None:
    state = {"name": "Ana", "n": 3, "x": 1.5, "ok": True, "none": None}
    best = min(_seconds(lambda: [dump(state) for _ in range(1_000)]) for _ in range(5)) / 1_000
    assert best < 50e-6, f"{best * 1e6:.1f} µs"  # about 2 µs when the machine is idle


def _seconds(action: Any) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def test_size() -> None:
    assert approximate_size("x" * 1_000, 10**9) >= 1_000
    big = ["x" * 1_000_000] * 3
    assert approximate_size({"a": big, "b": big}, 10**9) < 4_000_000
    loop: list[object] = []
    loop.append(loop)
    assert approximate_size(loop, 10**9) < 1_000
    assert approximate_size([["y"] for _ in range(100_000)], 5_000) < 2_000_000
    assert approximate_size([1.5, None, date(2026, 1, 1), File("a"), Response(200, text="z" * 500)], 10**9) >= 500
