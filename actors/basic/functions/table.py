"""The shape of a row of the function table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from random import Random
from typing import Protocol

__all__ = ["ANY", "Context", "Function", "named"]

ANY = 1_000
"""The maximum of arguments where there is none."""


class Context(Protocol):
    """What functions may know of the world; all of it comes from the event of the turn, so that a run is repeatable."""

    @property
    def now(self) -> datetime:
        """The moment of the turn, in *zone*."""

    @property
    def zone(self) -> tzinfo:
        """The bot's."""

    @property
    def random(self) -> Random:
        """Seeded by the turn."""


@dataclass(frozen=True, slots=True)
class Function:
    """
    A built-in function.

    Args:
        name: lower case.
        minimum, maximum: how many arguments it takes; ``ANY`` is no maximum.
        call: takes the arguments, after the context if *context* is set; raises BasicError.
        context: it needs the clock or random numbers; all others are pure.
        steps: that a call with small arguments takes.
    """

    name: str
    minimum: int
    maximum: int
    call: Callable[..., object]
    context: bool = False
    steps: int = 0


def named(
    names: str, minimum: int, maximum: int, call: Callable[..., object], context: bool = False
) -> Iterator[Function]:
    """The rows of one function under each of its *names*, separated by blanks."""
    for name in names.split():
        yield Function(name, minimum, maximum, call, context)
