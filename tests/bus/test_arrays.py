"""What is written as text or as one value comes back from PostgreSQL as the list that it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.postgres import arrays, migrate

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from('"\\{},\x1f \n'))


@pytest.fixture
async def database(postgres_url: str) -> Any:
    await migrate(postgres_url)
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


def drawn(values: st.SearchStrategy[Any]) -> list[list[Any]]:
    """Many lists, the same in every run."""
    found: list[list[Any]] = []

    @settings(max_examples=100, derandomize=True, database=None, deadline=None)
    @given(st.lists(st.none() | values, max_size=8))
    def draw(some: list[Any]) -> None:
        found.append(some)

    draw()
    assert sum(map(len, found)) > 100
    return found


TIMES = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 - the zones come with it
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3))]),
)
CASES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "uuid": st.uuids(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "timestamptz": TIMES,
}


@pytest.mark.parametrize(
    "text", ["", " ", "\\", '"', '\\"', ",", "{", "}", "{}", "\n", "\x1f", "NULL", "null", "á"], ids=repr
)
async def test_texts_that_mean_something_in_an_array(database: Any, text: str) -> None:
    for values in ([text], [text, text], [text, None, f"a{text}b"], ["\x1f", text]):
        assert await database.fetchval("SELECT $1::text::text[]", arrays.of_texts(values)) == values


@pytest.mark.parametrize("type_", CASES)
async def test_lists_as_text(database: Any, type_: str) -> None:
    for values in [[], [None], *drawn(CASES[type_])]:
        found = await database.fetchval(f"SELECT $1::text::{type_}[]", arrays.as_text[type_](values))
        assert found == values


async def test_bytes_as_one_value(database: Any) -> None:
    cases: list[list[bytes | None]] = [[], [None], [b""], *drawn(st.binary(max_size=200))]
    for values in cases:
        assert await database.fetchval("SELECT cut($1, $2::text::int[])", *arrays.pieces(values)) == values


@pytest.mark.parametrize(("type_", "value"), [("bigint", "1,2"), ("int", None), ("text", 5)])
def test_values_of_another_kind_are_refused(type_: str, value: Any) -> None:
    if value is None:
        assert arrays.as_text[type_]([None]) == "{NULL}"
    else:
        with pytest.raises((TypeError, ValueError, AttributeError)):
            arrays.as_text[type_]([value])


async def test_a_text_cannot_become_two(database: Any) -> None:
    key = "00000000-0000-0000-0000-000000000001"
    assert await database.fetchval("SELECT $1::text::uuid[]", arrays.as_text["uuid"]([UUID(key)])) == [UUID(key)]
    with pytest.raises(asyncpg.PostgresError):
        await database.fetchval("SELECT $1::text::uuid[]", arrays.as_text["uuid"]([f"{key},{key}"]))
