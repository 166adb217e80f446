"""How much one turn of a run may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

__all__ = ["MESSAGES_AN_ANSWER", "MESSAGES_A_SECOND", "Limits"]

MESSAGES_A_SECOND: Final = 20
"""May be said for ever: a message takes all that have a part in it far longer than its TALK."""

MESSAGES_AN_ANSWER: Final = 5
"""May be said to each thing that a person says, besides."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The budgets of a run between two suspensions; past one of them the run fails with ``E_LIMIT``.

    Args:
        max_steps: turns of loops and calls of procedures. Short waits give back only some of them (``Host.pause``).
        max_depth: procedures and scripts inside each other.
        max_messages: TALKs; those of the turns before count less and less (``MESSAGES_A_SECOND``).
        max_output: characters of all TALKs together.
        max_memory: bytes by which the process may grow.
        max_frame: bytes of a run as it is stored.
        hear_timeout_s: how long a HEAR without TIMEOUT waits for the person.
    """

    max_steps: int = 1_000_000
    max_depth: int = 200
    max_messages: int = 200
    max_output: int = 200_000
    max_memory: int = 128 * 1024 * 1024
    max_frame: int = 2 * 1024 * 1024
    hear_timeout_s: float = 3600.0

    def lowered(self, setting: Callable[[str], str]) -> Limits:
        """
        These limits with what a bot's configuration says: ``basic-max-steps``, ``basic-max-depth``,
        ``basic-max-messages``, ``basic-max-output``, ``basic-max-memory`` and ``basic-max-frame`` can only be lower
        than here, ``hear-timeout-secs`` is free. Values that are no positive number are ignored.
        """
        changes: dict[str, int | float] = {}
        for name in ("max_steps", "max_depth", "max_messages", "max_output", "max_memory", "max_frame"):
            wanted = _positive(setting("basic-" + name.replace("_", "-")))
            if wanted is not None and 1 <= wanted < getattr(self, name):
                changes[name] = int(wanted)
        timeout = _positive(setting("hear-timeout-secs"))
        if timeout is not None:
            changes["hear_timeout_s"] = timeout
        return replace(self, **changes) if changes else self  # type: ignore[arg-type]


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
