"""
Reads partitions of one topic from Kafka, from where it is told: no group, no position kept there.

Memory is bounded: some records are held here while the next are in the client, which fetches no more until those are
taken. The client is watched: where a partition has more than was read and nothing comes, it is thrown away, and a new
one goes on from the same place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from bus.errors import BusUnavailable
from bus.kafka.background import apart, begin, unending
from bus.kafka.records import read
from bus.protocol import Delivery

__all__ = ["Reader", "StalledError"]

log = structlog.get_logger()

FETCH_RECORDS: Final = 1000
FETCH_BYTES: Final = 8 * 1024 * 1024
RETRY_S: Final = 0.25
START_S: Final = 15.0
ENDS_S: Final = 10.0


class StalledError(Exception):
    """A partition has more than was read, and nothing comes."""


class Reader:
    """
    What comes on the partitions it was given. ``run`` does the work; ``take_nowait`` is where it comes out.

    Args:
        topic: our name, for deliveries; *kafka_topic* is Kafka's.
        wake: called when there is something to take.
        watch_s: how long a partition may stand still with more to read.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        kafka_topic: str,
        max_bytes: int,
        watch_s: float,
        wake: Callable[[], None],
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._kafka_topic = kafka_topic
        self._max_bytes = max_bytes
        self._wake = wake
        self._watch_s = watch_s
        self._next: dict[int, int] = {}  # partition -> first offset that has not been taken
        self._held: deque[Any] = deque()
        self._taken = asyncio.Event()
        self._taken.set()
        self._consumer: AIOKafkaConsumer | None = None
        self._running = asyncio.Event()
        self._short: set[int] = set()
        self._failing = False

    @property
    def stalled(self) -> bool:
        """Is there more to read than comes, or is the log not the one we read?"""
        return self._failing or bool(self._short)

    def begin(self, positions: Mapping[int, int]) -> None:
        """Read these partitions too, each from that offset."""
        self._next.update(positions)
        self._assign()

    def drop(self, partitions: Collection[int]) -> None:
        """Read these no more; what was fetched of them is forgotten."""
        known = self._next.keys() & partitions
        for partition in known:
            del self._next[partition]
        if known:
            self._assign()

    def take_nowait(self, limit: int) -> list[Delivery]:
        """What is here, at most *limit*; in order within a partition."""
        found: list[Delivery] = []
        held = self._held
        while held and len(found) < limit:
            record = held.popleft()
            found.append(
                Delivery(self._topic, record.partition, record.offset, read(record.key, record.value, record.headers))
            )
            self._next[record.partition] = record.offset + 1
        if not held:
            self._taken.set()
        return found

    async def ends(self, partitions: Collection[int]) -> dict[int, int]:
        """
        The offset that the next event of each partition will get.

        Raises: BusUnavailable: Kafka does not tell.
        """
        places = [TopicPartition(self._kafka_topic, partition) for partition in partitions]
        try:
            async with asyncio.timeout(ENDS_S):
                await self._running.wait()
                assert self._consumer is not None
                ends = await self._consumer.end_offsets(places)
        except (TimeoutError, KafkaError, OSError) as error:
            raise BusUnavailable(f"Kafka does not tell where {self._topic} ends: {error!r}") from error
        return {place.partition: end for place, end in ends.items()}

    def _assign(self) -> None:
        """Tell the client what to read. It forgets what it has fetched, so what is held goes too and comes again."""
        self._held.clear()
        self._taken.set()
        consumer = self._consumer
        if consumer is None:
            return
        places = {TopicPartition(self._kafka_topic, partition): offset for partition, offset in self._next.items()}
        consumer.assign(list(places))
        for place, offset in places.items():
            consumer.seek(place, offset)

    # --- the client -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read, for ever; through restarts of the broker, and with a new client whenever one fails."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                client_id="botswain",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                fetch_max_wait_ms=500,
                fetch_max_bytes=FETCH_BYTES,
                max_partition_fetch_bytes=max(self._max_bytes, 1024 * 1024),
                request_timeout_ms=15_000,
                retry_backoff_ms=100,
            )
            try:
                await begin(consumer.start, START_S)
                self._consumer = consumer
                self._running.set()
                self._assign()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(unending(self._fetch(consumer)))
                    tasks.create_task(unending(self._watch(consumer)))
            except* Exception as errors:
                # Whatever it is, faults of the client included: a new client is the only thing that can help.
                self._failing = True
                log.warning("kafka_reader_replaced", topic=self._topic, reason=repr(errors.exceptions))
            finally:
                self._consumer = None
                self._running.clear()
                await close(consumer)
            await asyncio.sleep(RETRY_S)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._taken.wait()
            try:
                found = await consumer.getmany(timeout_ms=1000, max_records=FETCH_RECORDS)
            except OffsetOutOfRangeError as error:
                await self._leave_gap(consumer, error)
                continue
            # No await between the fetch and here: what it gave belongs to the partitions that are ours now.
            for records in found.values():
                self._held.extend(records)
            if self._held:
                self._taken.clear()
                self._wake()

    async def _leave_gap(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        """
        The log has no such offset. Where retention was faster than we are, go on with what is left. A log that ends
        before our position is not the log we read (a topic made anew, a cluster restored): that is for people to mend.
        """
        for place, offset in error.args[0].items():
            if self._next.get(place.partition) != offset:
                continue
            first = (await consumer.beginning_offsets([place]))[place]
            if first <= offset:
                log.error("kafka_log_is_shorter_than_position", topic=self._topic, partition=place.partition)
                self._short.add(place.partition)
                await asyncio.sleep(1.0)
                continue
            log.error("events_lost_to_retention", topic=self._topic, partition=place.partition, begin=offset, end=first)
            if self._next.get(place.partition) == offset and place in consumer.assignment():
                self._next[place.partition] = first
                consumer.seek(place, first)

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        """Raise when a partition stands still for *watch_s* with more to read, or its end cannot be learnt so long."""
        seen: dict[TopicPartition, int] = {}
        while True:
            places = [TopicPartition(self._kafka_topic, partition) for partition in self._next]
            async with asyncio.timeout(self._watch_s):
                ends = await consumer.end_offsets(places) if places else {}
            now = {
                place: offset
                for place, end in ends.items()
                if (offset := self._next.get(place.partition)) is not None and offset < end
            }
            stuck = [place.partition for place, offset in now.items() if seen.get(place) == offset]
            if stuck and not self._held:
                raise StalledError(f"partitions {stuck} of {self._topic} stand still")
            self._failing = False
            self._short &= {place.partition for place, end in ends.items() if self._next.get(place.partition, 0) > end}
            seen = {} if self._held else now  # if some are held, whoever takes them is slow, not the client
            await asyncio.sleep(self._watch_s)


async def close(consumer: AIOKafkaConsumer) -> None:
    """Stop *consumer*, whatever state it is in. ``stop`` may end before it has closed the connections."""
    await apart(consumer.stop, consumer._client.close)
