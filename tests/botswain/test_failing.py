"""What an author sees on the terminal of a script that fails."""

from __future__ import annotations

import pytest

from botswain.failing import Failures, excerpt_of, place_of
from schemas.dialog import Failed
from schemas.package import BotPackage

PACKAGE = BotPackage(name="shop", scripts={"start": "x = 1", "check-out": "\nn = VAL(said)\nTALK 1 / n"})


def failed(line: int = 3, column: int = 8, code: str = "E_DIV0", script: str = "check_out") -> Failed:
    return Failed(code=code, message="Division by 'my secret'.", script=script, line=line, column=column)


def test_place_and_line_are_shown_and_nothing_that_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    Failures().show(PACKAGE, failed())
    said = capsys.readouterr().err
    assert said == "shop: check_out.bas:3:8: failed: E_DIV0, division by zero\n    TALK 1 / n\n           ^\n"


def test_the_same_place_in_a_row_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    failures = Failures()
    for each in (failed(), failed(), failed(line=2), failed()):
        failures.show(PACKAGE, each)
    assert capsys.readouterr().err.count("failed: ") == 3


def test_that_nobody_answered_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    Failures().show(PACKAGE, failed(code="E_TIMEOUT"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("event", "place"),
    [(failed(), "check_out.bas:3:8"), (failed(column=0), "check_out.bas:3"), (failed(0, 0), "check_out")],
    ids=["column", "line", "neither"],
)
def test_a_place_is_told_as_far_as_it_is_known(event: Failed, place: str) -> None:
    assert place_of(event) == place


def test_a_script_that_is_gone_has_no_excerpt() -> None:
    assert excerpt_of(PACKAGE, failed(script="gone")) == []
