"""What a benchmark found: samples, and the rows of the table."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Benchmark", "Row", "Samples", "Scale", "Section"]


@dataclass(frozen=True, slots=True)
class Scale:
    """
    How long and how large. Everything a benchmark starts is bounded by these.

    Args:
        seconds: of one slice of load.
        rounds: how often baseline and ours take turns.
        events: turns of a round, bus to bus.
        history: messages of the long conversation.
        log, sessions, bots: rows, conversations and published bots of the grown installation.
        snapshot_s: how long the reader's snapshot is held open.
        sockets: idle ones.
    """

    name: str
    seconds: float
    rounds: int
    events: int
    history: int
    log: int
    sessions: int
    bots: int
    snapshot_s: float
    sockets: int


QUICK = Scale("quick", 2, 2, 10_000, 10_000, 100_000, 10_000, 500, 20, 1_000)
USUAL = Scale("usual", 4, 4, 40_000, 100_000, 1_000_000, 200_000, 5_000, 60, 10_000)
FULL = Scale("full", 6, 6, 100_000, 100_000, 10_000_000, 1_000_000, 5_000, 300, 10_000)
SCALES = {scale.name: scale for scale in (QUICK, USUAL, FULL)}


@dataclass(slots=True)
class Samples:
    """The same thing measured several times."""

    unit: str = ""
    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        """The median, and the range if there is one: ``5,210/s (4,980-5,300)``."""
        text = f"{shown(self.median)}{self.unit}"
        if len(self.values) > 1:
            text += f" ({shown(min(self.values))}–{shown(max(self.values))})"
        return text


def shown(number: float) -> str:
    """Three digits are all that such a figure is good for."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. *reached* is None where the figure is only reported."""

    what: str
    baseline: str
    ours: str
    ratio: str
    must: str
    reached: bool | None = None


@dataclass(slots=True)
class Section:
    """What one benchmark found."""

    title: str
    about: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One that can be asked for by *name*."""

    name: str
    about: str
    run: Callable[[Scale], Awaitable[Section]]
