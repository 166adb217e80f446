"""What is written for people on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from botswain.packages.reading import Draft

__all__ = ["paint", "show", "show_faults", "wants_colours"]


def wants_colours(stream: Any) -> bool:
    """Colours on a terminal only, and not where https://no-color.org says no."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *, err: bool = False, **style: Any) -> str:
    """*text* in a style, where the stream it goes to has colours."""
    return click.style(text, **style) if wants_colours(sys.stderr if err else sys.stdout) else text


def show(text: str = "", *, err: bool = False) -> None:
    """A line, at once: who waits for an address must not wait for a buffer."""
    stream = sys.stderr if err else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def show_faults(draft: Draft, *, err: bool = False) -> None:
    """All faults of a package, in the order of its files."""
    for fault in draft.faults:
        word, colour = ("warning", "yellow") if fault.warning else ("error", "red")
        show(fault.text.replace(f": {word}: ", f": {paint(word, err=err, fg=colour)}: ", 1), err=err)
