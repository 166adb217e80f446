"""
What a person at the command line is told.

::

    Problem            the thing asked for cannot be done: exit code 1
    └── WrongSettings  a setting is unknown or has a value it cannot have: exit code 2
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import ClassVar

__all__ = ["Problem", "WrongSettings", "no_bot"]


class Problem(Exception):
    """
    Something that a person can read and act on; it is shown without a traceback.

    Args:
        message: what is wrong, in whole sentences.
        advice: what to do about it, shown on lines of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n{self.advice}" if self.advice else self.message


class WrongSettings(Problem):
    """A setting is unknown or has a value it cannot have."""

    exit_code: ClassVar[int] = 2


def no_bot(message: str, name: str, bots: Sequence[str], place: str) -> Problem:
    """
    There is no bot *name*.

    Args:
        message: says so.
        bots: those that there are, in *place*.
    """
    near = get_close_matches(name.lower(), bots, n=1)
    if near:
        message += f" Did you mean {near[0]}?"
    if not bots:
        return Problem(message, f"There are no bots {place}. A bot is a folder NAME.gbai with scripts in it.")
    return Problem(message, f"The bots {place} are: {', '.join(bots)}.")
