"""
What the bus and the worker tell those who measure.

Labels have few values: topics and actors, never a key or an id.
"""

from __future__ import annotations

__all__ = ["SILENT", "Observer"]


class Observer:
    """Told what happens, as it happens; must be quick and must not raise. Override what you care for."""

    def published(self, topic: str, count: int) -> None:
        """*count* events were made durable on *topic*."""

    def handled(self, actor: str, count: int, duration_s: float) -> None:
        """A batch of *count* events was decided and committed (or one event performed) in *duration_s*."""

    def retried(self, actor: str, reason: str) -> None:
        """A batch or a call is tried again; *reason* is the class of the error."""

    def dead_lettered(self, actor: str, count: int) -> None:
        """*count* events were set aside."""

    def noted(self, what: str) -> None:
        """A decider noted something for those who run the installation; *what* is a constant of its code."""

    def lag(self, actor: str, seconds: float) -> None:
        """How old the newest event of a batch was when its turn was committed."""


SILENT = Observer()
