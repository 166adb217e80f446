"""
Who works on what: a Kafka consumer group says who should own a partition, the lease in PostgreSQL says who does.

The lease stands beside the position that it guards. A new owner waits until the old one has let go of it or is dead, so
it is told how the old one ended, and finds all that it decided in the outbox.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bus.postgres.database import Connection, mapped
from bus.postgres.leases import Members, Subscriber
from bus.postgres.statements import sql

__all__ = ["KafkaMembers", "Placed"]


class Placed(Subscriber, Protocol):
    """A subscription whose partitions somebody else chooses."""

    def chosen(self) -> Collection[int] | None:
        """The partitions that should be its own; None: its share, as the leases give it."""
        ...


class KafkaMembers(Members):
    """The processes of an installation; their subscriptions own what Kafka's groups choose for them."""

    def look(self) -> None:
        """Some choice has changed."""
        self._bell.set()

    async def _balance(self, connection: Connection, subscriber: Subscriber, owned: set[int], peers: list[int]) -> None:
        chosen = getattr(subscriber, "chosen", lambda: None)()
        if chosen is None:
            await super()._balance(connection, subscriber, owned, peers)
            return
        believed = set(subscriber.owned())
        lost = believed - owned
        if gone := lost | (owned - set(chosen)):
            subscriber.give_back(gone)
        claimed: dict[int, bool] = {}
        if missing := set(chosen) - owned:
            with mapped():
                async with connection.transaction():
                    await connection.execute(sql("leases.lock"), subscriber.topic_id)
                    rows = await connection.fetch(
                        sql("leases.take_these"), subscriber.id, subscriber.group, subscriber.topic_id, list(missing)
                    )
            claimed.update((row["partition"], row["clean"]) for row in rows)
        # Ours by the table, and never told: the answer of an earlier claim was lost.
        claimed.update(dict.fromkeys(owned - believed - lost, False))
        if claimed:
            await subscriber.take_over(claimed)
