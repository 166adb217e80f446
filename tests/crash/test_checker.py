"""The checker finds what is wrong in histories that are wrong, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.crash.checker import Acknowledged, Connected, Entry, Happening, Said, Welcomed, faults

TRANSCRIPT = [
    Entry(1, "i1", "bot", "Hello"),
    Entry(2, "i2", "user", "a"),
    Entry(3, "i3", "bot", "You said a"),
    Entry(4, "i4", "user", "b"),
    Entry(5, "i5", "bot", "You said b"),
]
ONE, TWO, THREE, FOUR, FIVE = TRANSCRIPT

# a connection that broke after the first answer; the second message was sent on both, and had arrived on the first
RIGHT: list[Happening] = [
    Connected(0),
    Welcomed("s", 0),
    ONE,
    Said("m1", "a"),
    Acknowledged("m1", 2),
    THREE,
    Said("m2", "b"),
    Connected(3),
    Welcomed("s", 4),
    FOUR,
    Acknowledged("m2", 4),
    FIVE,
]


def answers(texts: Sequence[str]) -> list[tuple[int, str]]:
    return [(0, "Hello"), *((number, f"You said {text}") for number, text in enumerate(texts, 1))]


def test_a_right_history_has_no_fault() -> None:
    assert faults(RIGHT, TRANSCRIPT, answers) == []


def without(history: Sequence[Happening], *happenings: Happening) -> list[Happening]:
    return [happening for happening in history if happening not in happenings]


def instead(history: Sequence[Happening], one: Happening, *others: Happening) -> list[Happening]:
    return [new for happening in history for new in (others if happening == one else (happening,))]


WRONG_HISTORIES: dict[str, tuple[list[Happening], str]] = {
    "an answer is shown twice": (instead(RIGHT, THREE, THREE, THREE), "3 came after 3"),
    "an answer is not shown": (without(RIGHT, THREE), "never shown: [3]"),
    "a gap": (instead(RIGHT, THREE, FIVE), "5 came after 2"),
    "shown in the wrong order": (instead(without(RIGHT, ONE), THREE, THREE, ONE), "1 came after 3"),
    "repeated after a resume": (instead(RIGHT, Welcomed("s", 4), Welcomed("s", 4), THREE), "3 came after 3"),
    "another text after a resume": (instead(RIGHT, FIVE, replace(FIVE, text="else")), "shown was"),
    "another id after a resume": (instead(RIGHT, FIVE, replace(FIVE, id="else")), "shown was"),
    "acknowledged and forgotten": (instead(RIGHT, Welcomed("s", 4), Welcomed("s", 1)), "welcomed with 1 after 3"),
    "two numbers for one message": ([*RIGHT, Acknowledged("m2", 6)], "acknowledged as 4 and as 6"),
    "another one's number": (instead(RIGHT, Acknowledged("m2", 4), Acknowledged("m2", 5)), "where the transcript has"),
    "never acknowledged": (without(RIGHT, Acknowledged("m2", 4)), "m2 was never acknowledged"),
    "acknowledged, never said": ([*RIGHT, Acknowledged("m9", 4)], "m9 was acknowledged and never said"),
    "another session": (instead(RIGHT, Welcomed("s", 4), Welcomed("t", 4)), "2 sessions"),
    "said is not heard": ([*RIGHT, Said("m3", "c")], "heard was"),
    "heard in the wrong order": (
        instead(without(RIGHT, Said("m2", "b")), Said("m1", "a"), Said("m2", "b"), Said("m1", "a")),
        "acknowledged out of order",
    ),
}


@pytest.mark.parametrize(("history", "fault"), WRONG_HISTORIES.values(), ids=WRONG_HISTORIES.keys())
def test_a_wrong_history_is_found(history: list[Happening], fault: str) -> None:
    assert any(fault in found for found in faults(history, TRANSCRIPT, answers))


def renumbered(*entries: Entry) -> list[Entry]:
    return [replace(entry, seq=seq) for seq, entry in enumerate(entries, 1)]


def seen_whole(transcript: Sequence[Entry]) -> list[Happening]:
    """A client that saw all of *transcript* in one go, and said what it has of the person."""
    history: list[Happening] = [Connected(0), Welcomed("s", 0)]
    for entry in transcript:
        if entry.role == "user":
            history += [Said(entry.id, entry.text), Acknowledged(entry.id, entry.seq)]
        else:
            history.append(entry)
    return history


WRONG_TRANSCRIPTS: dict[str, tuple[list[Entry], str]] = {
    "a hole": ([ONE, TWO, THREE, FIVE], "numbered [1, 2, 3, 5]"),
    "answered twice": (renumbered(*TRANSCRIPT, replace(FIVE, id="i6")), "expected"),
    "not answered": (renumbered(ONE, TWO, FOUR, FIVE), "expected"),
    "answers in the wrong order": (renumbered(ONE, TWO, FOUR, FIVE, THREE), "expected"),
    "answered before it was asked": (renumbered(ONE, THREE, TWO, FOUR, FIVE), "before it was asked"),
    "one id twice": (renumbered(ONE, TWO, replace(THREE, id="i1"), FOUR, FIVE), "an id is in the transcript twice"),
}


@pytest.mark.parametrize(("transcript", "fault"), WRONG_TRANSCRIPTS.values(), ids=WRONG_TRANSCRIPTS.keys())
def test_a_wrong_transcript_is_found(transcript: list[Entry], fault: str) -> None:
    assert any(fault in found for found in faults(seen_whole(transcript), transcript, answers))


def test_heard_twice_is_found() -> None:
    twice = renumbered(*TRANSCRIPT, replace(FOUR, id="i6"))
    history = [happening for happening in seen_whole(twice) if getattr(happening, "id", "") != "i6"]
    assert any("heard was" in found for found in faults(history, twice, answers))
