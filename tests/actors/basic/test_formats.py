"""FORMAT by example."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic.errors import BasicError
from actors.basic.formats import format_date, format_value
from actors.basic.values import Rows

AT = datetime(2026, 3, 7, 14, 5, 9, 123_000, tzinfo=UTC)
MORNING = datetime(2026, 12, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "pattern", "text"),
    [
        (AT, "YYYY-MM-DD", "2026-03-07"),
        (AT, "YYYY-MM-01", "2026-03-01"),
        (AT, "yyyy/M/d", "2026/3/7"),
        (AT, "DD/MM/YY HH:mm:ss.fff", "07/03/26 14:05:09.123"),
        (AT, "H:m:s", "14:5:9"),
        (AT, "hh:mm AM/PM", "02:05 PM"),
        (AT, "h:mm tt", "2:05 PM"),
        (AT, "hh:mm", "14:05"),
        (MORNING, "h:mm am/pm", "12:30 am"),
        (AT, "D MMM YYYY", "7 Mar 2026"),
        (AT, "MMMM", "March"),
        (AT, "dddd", "Saturday"),
        (AT, "D de MMMM de YYYY[pt]", "7 de março de 2026"),
        (AT, "dddd[es]", "sábado"),
        (AT, "YYYYMMDDHHmmss", "20260307140509"),
        (AT, "YYYY-MM-DDTHH:mm:ss", "2026-03-07T14:05:09"),
        (date(2026, 3, 7), "DD/MM/YYYY HH:mm", "07/03/2026 00:00"),
        ("2026-03-07", "DD/MM/YYYY", "07/03/2026"),
        ("07/03/2026", "YYYY-MM-DD", "2026-03-07"),
        ("not a date", "DD/MM/YYYY", "not a date"),
        (AT, None, "2026-03-07 14:05:09"),
        (AT, "JSON", '"2026-03-07T14:05:09.123000+00:00"'),
    ],
)
def test_dates(value: object, pattern: object, text: str) -> None:
    assert format_value(value, pattern) == text


@pytest.mark.parametrize(
    ("value", "pattern", "text"),
    [
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (1234.5, "0.00", "1234.50"),
        (0.5, "#.##", "0.5"),
        (3, "#.##", "3"),
        (3.14159, "0.0##", "3.142"),
        (3, "#0.0", "3.0"),
        (7, "000", "007"),
        (1234, "#,##0", "1,234"),
        (2.675, "0.00", "2.68"),
        (-2.5, "0", "-3"),
        (-0.001, "0.00", "0.00"),
        (1234.5, "$#,##0.00", "$1,234.50"),
        (-1234.5, "R$ #,##0.00", "-R$ 1,234.50"),
        (5, "+0", "+5"),
        (-5, "+0.0", "-5.0"),
        (0.256, "0%", "26%"),
        (0.256, "0.0%", "25.6%"),
        (12, "0 kg", "12 kg"),
        (1234.5, "N2", "1,234.50"),
        (1234.5, "n0", "1,235"),
        (1234.5, "C2", "$1,234.50"),
        (-1234.5, "C2[pt]", "-R$ 1.234,50"),
        (1234.5, "C2[pt-PT]", "1.234,50 €"),
        (1234.5, "#,##0.00[pt_BR]", "1.234,50"),
        (1234.5, "currency", "$1,234.50"),
        ("1234.5", "#,##0.00", "1,234.50"),
        ("abc", "0.00", "abc"),
        (None, "0.00", ""),
        ("", "0.00", ""),
        (True, "0.00", "true"),
        (10**30, "#,##0", "1" + ",000" * 10),
        (1e300, "0", "1" + "0" * 300),
        (float("inf"), "0.00", "Infinity"),
        (5, "no digits", "5"),
        (Rows([{"n": 5}]), "0.0", "5.0"),
        ([1, 2], "0.0", "[1,2]"),
        ({"a": 1}, "json", '{"a":1}'),
    ],
)
def test_numbers(value: object, pattern: object, text: str) -> None:
    assert format_value(value, pattern) == text


def test_format_date() -> None:
    assert format_date(AT) == "2026-03-07"
    assert format_date(AT, "Ymd_His") == "20260307_140509"
    assert format_date(AT, "d/m/Y") == "07/03/2026"
    assert format_date(AT, "DD/MM") == "07/03"


def test_a_long_pattern_is_refused() -> None:
    with pytest.raises(BasicError, match="200"):
        format_value(1, "0" * 201)
    with pytest.raises(BasicError, match="200"):
        format_date(AT, "Y" * 201)


@settings(deadline=None)
@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    st.text("YMDHhmsdtf0#,.%+$ []ptNC2'\"x", max_size=12) | st.text(max_size=12),
)
def test_any_pattern_gives_text(value: object, pattern: str) -> None:
    assert isinstance(format_value(value, pattern), str)
    if isinstance(value, date):
        assert isinstance(format_date(value, pattern), str)


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_grouping_keeps_the_number(number: int) -> None:
    assert format_value(number, "#,##0") == f"{number:,}"
