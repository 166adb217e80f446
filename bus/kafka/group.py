"""
Membership in a Kafka consumer group: which partitions Kafka wants us to work on.

It says who should own a partition; who does is the lease in PostgreSQL, beside the position that it guards. So this
member never reads: its listener only takes note, waits for nothing and holds no lock that a fetch could want, and a
group that rebalances, hangs or is lost for a while stops nobody from working on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from bus.kafka.reader import RETRY_S, START_S, StalledError, close

__all__ = ["GroupMember"]

log = structlog.get_logger()

_POLL_S: Final = 0.5


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """
    A member of *group_id* that subscribes to one topic.

    Args:
        changed: called when ``assigned`` has changed.
        session_s: a member that is silent for so long is taken for dead.
    """

    def __init__(
        self, bootstrap: str, kafka_topic: str, group_id: str, *, session_s: float, changed: Callable[[], None]
    ) -> None:
        self._bootstrap = bootstrap
        self._kafka_topic = kafka_topic
        self._group_id = group_id
        self._session_s = session_s
        self._changed = changed
        self._settled = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self.assigned: frozenset[int] = frozenset()

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """
        A rebalance begins. Everything is revoked in each, and most of it comes back at its end, so what is ours stays
        ours until then.
        """
        self._settled.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """A rebalance ended."""
        if self._consumer is not None:
            self._consumer.pause(*assigned)
        self._settled.set()
        self.assigned = frozenset(place.partition for place in assigned)
        self._changed()

    async def run(self) -> None:
        """Be a member, for ever; with a new client whenever one fails."""
        while True:
            self._settled.clear()
            self._consumer = consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                client_id="botswain",
                group_id=self._group_id,
                enable_auto_commit=False,
                auto_offset_reset="latest",
                session_timeout_ms=int(self._session_s * 1000),
                heartbeat_interval_ms=int(self._session_s * 1000 / 6),
                rebalance_timeout_ms=int(self._session_s * 1000),
                partition_assignment_strategy=(RangePartitionAssignor,),
                request_timeout_ms=15_000,
                retry_backoff_ms=100,
            )
            try:
                consumer.subscribe([self._kafka_topic], listener=self)
                async with asyncio.timeout(START_S):
                    await consumer.start()
                await self._stay(consumer)
            except Exception as error:
                # Whatever it is, faults of the client included: a new client is the only thing that can help.
                log.warning("kafka_group_joined_anew", group=self._group_id, reason=repr(error))
            finally:
                await close(consumer)
            await asyncio.sleep(RETRY_S)

    async def _stay(self, consumer: AIOKafkaConsumer) -> None:
        """Look at the client now and then. Its errors come out only here; a join that never ends is none to it."""
        loop = asyncio.get_running_loop()
        patience_s = 4 * self._session_s
        settled_at = loop.time()
        while True:
            await consumer.getmany(timeout_ms=0)  # all paused: it brings errors only
            if self._settled.is_set():
                settled_at = loop.time()
            elif loop.time() - settled_at > patience_s:
                raise StalledError(f"no assignment for {patience_s:g} s")
            await asyncio.sleep(_POLL_S)
