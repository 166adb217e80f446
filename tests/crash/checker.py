"""
Holds what one client saw of a conversation against what was promised, whatever was killed meanwhile.

``faults`` says in sentences what is wrong; an empty list is the proof. It is itself tested with wrong histories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Acknowledged", "Answers", "Connected", "Entry", "Happening", "Said", "Welcomed", "faults"]


@dataclass(frozen=True, slots=True)
class Said:
    """The client decided to say *text*. It may send it several times, always under this id."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A new connection, on which the client asked for everything after *after*."""

    after: int


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The first frame of a connection."""

    session: str
    seq: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What was said under this id is number *seq*."""

    id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as it was shown, or as the transcript has it; *id* is the server's."""

    seq: int
    id: str
    role: str
    text: str


Happening = Said | Connected | Welcomed | Acknowledged | Entry

# What a bot says in a conversation, greeting first, when a person says these texts: (number of texts heard, answer).
Answers = Callable[[Sequence[str]], Sequence[tuple[int, str]]]


def faults(history: Sequence[Happening], transcript: Sequence[Entry], answers: Answers) -> list[str]:
    """
    All that is wrong with a conversation that was talked to its end.

    Args:
        history: what the client did and saw, in order, over all its connections.
        transcript: what the server has at the end.
        answers: what the bot should have said.
    """
    return [
        *_about_connections(history),
        *_about_acknowledgements(history, transcript),
        *_about_entries(history, transcript),
        *_about_transcript(history, transcript, answers),
    ]


def _about_connections(history: Sequence[Happening]) -> list[str]:
    """Within a connection numbers go on without a gap from where the client had come to, and never back."""
    found: list[str] = []
    sessions: set[str] = set()
    newest = here = 0
    known: set[int] = set()  # numbers of this client's own messages: an acknowledgement may be repeated
    for happening in history:
        match happening:
            case Connected(after=after):
                here = after
            case Welcomed(session=session, seq=seq):
                sessions.add(session)
                if seq < newest:
                    found.append(f"welcomed with {seq} after {newest} had been seen")
                newest = max(newest, seq)
            case Acknowledged(seq=seq) if seq in known and seq <= here:
                pass
            case Acknowledged(seq=seq) | Entry(seq=seq):
                if seq != here + 1:
                    found.append(f"{seq} came after {here}")
                here = max(here, seq)
                newest = max(newest, seq)
                if isinstance(happening, Acknowledged) or happening.role == "user":
                    known.add(seq)
            case Said():
                pass
    if len(sessions) > 1:
        found.append(f"{len(sessions)} sessions instead of one")
    return found


def _about_acknowledgements(history: Sequence[Happening], transcript: Sequence[Entry]) -> list[str]:
    """Each message of the person has one number, in the order in which they were said, and is there under it."""
    found: list[str] = []
    numbers: dict[str, int] = {}
    texts = {said.id: said.text for said in history if isinstance(said, Said)}
    by_number = {entry.seq: entry for entry in transcript}
    for happening in history:
        if isinstance(happening, Acknowledged):
            if happening.id not in texts:
                found.append(f"{happening.id} was acknowledged and never said")
            if numbers.setdefault(happening.id, happening.seq) != happening.seq:
                found.append(f"{happening.id} was acknowledged as {numbers[happening.id]} and as {happening.seq}")
    for id_, seq in numbers.items():
        entry = by_number.get(seq)
        if entry is None or entry.role != "user" or entry.text != texts.get(id_):
            found.append(f"{id_} was acknowledged as {seq}, where the transcript has {entry}")
    found += [f"{id_} was never acknowledged" for id_ in texts if id_ not in numbers]
    order = [numbers[id_] for id_ in texts if id_ in numbers]
    if order != sorted(set(order)):
        found.append(f"acknowledged out of order: {order}")
    return found


def _about_entries(history: Sequence[Happening], transcript: Sequence[Entry]) -> list[str]:
    """Whatever was ever shown is in the transcript, the same, and all of the transcript was shown."""
    by_number = {entry.seq: entry for entry in transcript}
    found = [
        f"shown was {happening}, the transcript has {by_number.get(happening.seq)}"
        for happening in history
        if isinstance(happening, Entry) and by_number.get(happening.seq) != happening
    ]
    shown = {happening.seq for happening in history if isinstance(happening, Entry | Acknowledged)}
    if missing := by_number.keys() - shown:
        found.append(f"never shown: {sorted(missing)}")
    return found


def _about_transcript(history: Sequence[Happening], transcript: Sequence[Entry], answers: Answers) -> list[str]:
    """Numbers without gaps; what was said is there once; it is answered once, in order, and after it was said."""
    found: list[str] = []
    numbers = [entry.seq for entry in transcript]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the transcript is numbered {numbers}")
    if len({entry.id for entry in transcript}) != len(transcript):
        found.append("an id is in the transcript twice")
    said = [happening.text for happening in history if isinstance(happening, Said)]
    heard = [entry for entry in transcript if entry.role == "user"]
    if [entry.text for entry in heard] != said:
        found.append(f"said was {said}, heard was {[entry.text for entry in heard]}")
        return found
    expected = answers(said)
    given = [entry for entry in transcript if entry.role != "user"]
    if [entry.text for entry in given] != [text for _, text in expected]:
        found.append(f"answered was {[entry.text for entry in given]}, expected {[text for _, text in expected]}")
        return found
    for (after, text), entry in zip(expected, given, strict=True):
        if after and entry.seq < heard[after - 1].seq:
            found.append(f"{text!r} was answered before it was asked")
    return found
