"""What the worker of this process counts, for ``/metrics``."""

from __future__ import annotations

import math
import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from bus.errors import BusUnavailable
from bus.observe import Observer

__all__ = ["WorkerFigures"]

REFUSED_FOR_S: Final = 10.0  # a store that takes some and refuses some is not to look well in between
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


class WorkerFigures(Observer):
    """Labels are topics and actors, which are few; never a bot, a session or an id."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        name = "botswain_worker_"
        self._published = Counter(f"{name}published", "Events published by topic", ["topic"], registry=registry)
        self._handled = Counter(f"{name}handled", "Events handled by actor", ["actor"], registry=registry)
        self._duration = Histogram(
            f"{name}batch_seconds", "A batch, decided and committed", ["actor"], buckets=BUCKETS, registry=registry
        )
        self._retried = Counter(f"{name}retried", "Batches tried again", ["actor", "reason"], registry=registry)
        self._dead = Counter(f"{name}dead_lettered", "Events set aside", ["actor"], registry=registry)
        self._refused_at = -math.inf
        self._noted = Counter(f"{name}noted", "What deciders noted: script_failed …", ["what"], registry=registry)
        self._lag = Gauge(
            f"{name}lag_seconds", "Age of the newest event of a batch at its commit", ["actor"], registry=registry
        )

    def published(self, topic: str, count: int) -> None:
        self._published.labels(topic).inc(count)

    def handled(self, actor: str, count: int, duration_s: float) -> None:
        self._handled.labels(actor).inc(count)
        self._duration.labels(actor).observe(duration_s)

    def retried(self, actor: str, reason: str) -> None:
        self._retried.labels(actor, reason).inc()
        if reason == BusUnavailable.__name__:
            self._refused_at = time.monotonic()

    async def check(self) -> str:
        """What is wrong with keeping what actors decide, '' if nothing: for the health page."""
        refused = time.monotonic() - self._refused_at < REFUSED_FOR_S
        return "what actors decide cannot be kept; they try again" if refused else ""

    def dead_lettered(self, actor: str, count: int) -> None:
        self._dead.labels(actor).inc(count)

    def noted(self, what: str) -> None:
        self._noted.labels(what).inc()

    def lag(self, actor: str, seconds: float) -> None:
        self._lag.labels(actor).set(seconds)
