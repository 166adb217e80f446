"""How much a client may ask of the edge: token buckets, and counts of sockets by network address."""

from __future__ import annotations

from dataclasses import dataclass

from edge.settings import EdgeSettings

__all__ = ["Address", "Addresses", "Bucket"]


class Bucket:
    """A token bucket: *burst* at once, *rate* a second after that."""

    __slots__ = ("_at", "_level")

    def __init__(self) -> None:
        self._at = 0.0
        self._level = 0.0  # how much is in use; drains with time

    def take(self, rate: float, burst: float, now: float) -> float:
        """Take one. Returns 0.0, or the seconds after which one more may be taken. A *rate* of 0 is no limit."""
        if rate <= 0:
            return 0.0
        level = max(0.0, self._level - (now - self._at) * rate)
        self._at = now
        if level + 1 > burst:
            self._level = level
            return (level + 1 - burst) / rate
        self._level = level + 1
        return 0.0

    def idle(self, rate: float, now: float) -> bool:
        """Nothing is in use any more: the bucket may be forgotten."""
        return self._level <= (now - self._at) * rate


@dataclass(slots=True, eq=False)
class Address:
    """One network address: its open sockets and its share of messages."""

    bucket: Bucket
    sockets: int = 0


class Addresses:
    """The network addresses that talk to us. Those without sockets are forgotten when their bucket has recovered."""

    _SWEEP_ABOVE = 1_024

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        self._known: dict[str, Address] = {}
        self._sweep_at = self._SWEEP_ABOVE
        self.sockets = 0

    def of(self, host: str, now: float) -> Address:
        """The entry of *host*."""
        found = self._known.get(host)
        if found is None:
            if len(self._known) >= self._sweep_at:
                self._sweep(now)
            found = self._known[host] = Address(Bucket())
        return found

    def open_socket(self, address: Address) -> bool:
        """Count one more socket; False when there are enough."""
        settings = self._settings
        if self.sockets >= settings.max_sockets or 0 < settings.sockets_per_address <= address.sockets:
            return False
        address.sockets += 1
        self.sockets += 1
        return True

    def close_socket(self, address: Address) -> None:
        """One socket less."""
        address.sockets -= 1
        self.sockets -= 1

    def take(self, address: Address, now: float) -> float:
        """Count one message of *address*; returns the seconds to wait, as ``Bucket.take``."""
        settings = self._settings
        return address.bucket.take(settings.address_messages_per_s, settings.address_message_burst, now)

    def _sweep(self, now: float) -> None:
        rate = self._settings.address_messages_per_s
        self._known = {
            host: entry for host, entry in self._known.items() if entry.sockets or not entry.bucket.idle(rate, now)
        }
        # Twice what is left, so that a sweep costs each newcomer a constant, however many stay.
        self._sweep_at = max(self._SWEEP_ABOVE, 2 * len(self._known))
