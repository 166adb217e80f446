"""What an edge process counts, for ``/metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]


class Metrics:
    """
    The edge's figures in a registry: its own, or that of the process when one is handed in.

    Labels have few values: event types, error codes, classes of errors; never an id, a bot or an address.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        name = "botswain_edge_"
        self.sockets = Gauge(f"{name}sockets", "Open web sockets", registry=self.registry)
        self._events = Counter(f"{name}events", "Events published by type", ["type"], registry=self.registry)
        self._failures = Counter(
            f"{name}publish_failures", "Events that could not be published", ["error"], registry=self.registry
        )
        self._duration = Histogram(
            f"{name}publish_seconds",
            "From publish to durable",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=self.registry,
        )
        self._refused = Counter(f"{name}refused", "Error frames sent by code", ["code"], registry=self.registry)
        self._shown = Counter(f"{name}messages_shown", "Transcript entries sent to clients", registry=self.registry)
        self._slow = Counter(f"{name}sockets_too_slow", "Sockets closed for not reading", registry=self.registry)
        self._by_type: dict[str, Counter] = {}

    def published(self, type_: str, seconds: float) -> None:
        """An event is durable."""
        counter = self._by_type.get(type_)
        if counter is None:
            counter = self._by_type[type_] = self._events.labels(type_)
        counter.inc()
        self._duration.observe(seconds)

    def publish_failed(self, error: Exception) -> None:
        """An event could not be published."""
        self._failures.labels(type(error).__name__).inc()

    def refused(self, code: str) -> None:
        """A client was told an error."""
        self._refused.labels(code).inc()

    def shown(self) -> None:
        """An entry of a transcript went out to a client."""
        self._shown.inc()

    def too_slow(self) -> None:
        """A socket did not read what it was sent."""
        self._slow.inc()
