"""The bus whose log is Kafka; states, positions, leases and the outbox are in PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import structlog

from bus.errors import BusError, BusUnavailable, TooLarge
from bus.kafka.background import beside
from bus.kafka.outbox import Outbox
from bus.kafka.reader import Reader
from bus.kafka.records import Placed, place
from bus.kafka.subscription import SETTLE_S, KafkaSubscription
from bus.kafka.topics import ensure_topics
from bus.kafka.writer import Writer, open_writer
from bus.postgres.database import Database, open_database
from bus.postgres.leases import LIFE_S, Members
from bus.postgres.log import Topics, declare_topics
from bus.postgres.migrate import check_schema
from bus.postgres.store import Store, StoreTransaction
from bus.protocol import Clock, Outgoing, Query, Rows, Stored, Subscription, Transaction, Turns
from schemas.topics import TOPICS, Topic

__all__ = ["KafkaBus", "KafkaOptions", "open_kafka_bus"]

log = structlog.get_logger(__name__)

START_S: Final = 30.0
SWEEP_S: Final = 1.0
FAREWELL_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """
    How Kafka is used.

    Args:
        prefix: stands before the names of topics on Kafka, so that installations can share a cluster.
        replication: copies of each partition of a topic that is made here; None for 3, or as many as there are brokers.
        max_event_bytes: the size of the largest event as JSON.
        publish_s: how long ``publish`` waits for Kafka.
        life_s: for how long a process that hangs keeps its partitions.
        watch_s: how long a partition may stand still with more to read before its client is replaced.
    """

    prefix: str = ""
    replication: int | None = None
    max_event_bytes: int = 1 << 20
    publish_s: float = 10.0
    life_s: float = LIFE_S
    watch_s: float = 5.0

    def name(self, topic: str) -> str:
        """Kafka's name of *topic*."""
        return self.prefix + topic


class _KafkaTransaction:
    """An open transaction whose commit puts the events into the outbox, and then on their way."""

    def __init__(self, inner: StoreTransaction, outbox: Outbox) -> None:
        self._inner = inner
        self._outbox = outbox

    async def query(self, query: Query) -> Rows:
        return await self._inner.query(query)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._inner.savepoint()

    async def commit(self, turns: Turns) -> None:
        await self._outbox.send(turns, await self._inner.commit(turns))


class KafkaBus:
    """``bus.protocol.Bus`` over Kafka and PostgreSQL. Made by ``open_kafka_bus``."""

    log_commits = False

    def __init__(
        self,
        bootstrap: str,
        options: KafkaOptions,
        *,
        topics: Topics,
        database: Database,
        store: Store,
        writer: Writer,
        outbox: Outbox,
        members: Members,
    ) -> None:
        self._bootstrap = bootstrap
        self._options = options
        self._topics = topics
        self.database = database
        self.store = store
        self._writer = writer
        self._outbox = outbox
        self._members = members
        self._subscriptions: set[KafkaSubscription] = set()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """As ``Bus.publish``. Kafka may take some of the events and refuse others; then it raises."""
        await self._writer.publish(self._address(outgoing), self._options.publish_s)

    def _address(self, outgoing: Sequence[Outgoing]) -> list[Placed]:
        placed = []
        limit = self._options.max_event_bytes
        for out in outgoing:
            _, partitions = self._topics.find(out.topic)
            try:
                record = place(out, partitions)
            except ValueError as error:
                raise BusError(str(error)) from error
            if len(record.value) > limit:
                raise TooLarge(out.event.type, len(record.value), limit)
            placed.append(record)
        return placed

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, group: str, start: Literal["committed", "end"] = "committed", most: int | None = None
    ) -> AsyncIterator[Subscription]:
        """
        As ``Bus.subscribe``. No consumer group of Kafka's has a say: the leases in PostgreSQL, beside the positions
        that they guard, share the partitions out. A killed process is replaced when its connection ends, not after the
        session timeout of a group.
        """
        id_, partitions = self._topics.find(topic)
        subscription = KafkaSubscription(
            topic,
            id_,
            partitions,
            group,
            store=self.store,
            outbox=self._outbox,
            make_reader=partial(
                Reader,
                self._bootstrap,
                topic,
                self._options.name(topic),
                self._options.max_event_bytes,
                self._options.watch_s,
            ),
            most=most,
            from_end=start == "end",
            let_go=self._members.release,
        )
        await self._members.join(subscription)
        self._subscriptions.add(subscription)
        async with beside(*subscription.work()):
            failed = True
            try:
                yield subscription
                failed = False
            finally:
                # Before the clients are closed, which may take seconds: others can take over at once.
                self._subscriptions.discard(subscription)
                subscription.closed = True
                await self._leave(subscription, failed)

    async def _leave(self, subscription: KafkaSubscription, failed: bool) -> None:
        """What its turns decided goes to the log first, so that the next owner finds nothing left behind."""
        try:
            await self._outbox.settle(subscription.group, subscription.topic, SETTLE_S)
            await self._members.leave(subscription, subscription.clean(failed=failed))
        except BusUnavailable as error:
            # The leases end with this process, at the latest.
            log.warning("partitions_not_released", topic=subscription.topic, reason=str(error))

    async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
        """As ``Bus.load``."""
        return await self.store.load(actor, keys)

    async def commit(self, turns: Turns) -> None:
        """As ``Bus.commit``: the events are in the outbox, and on their way to Kafka."""
        await self._outbox.wait_room()
        await self._outbox.send(turns, await self.store.commit(turns))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """As ``Bus.transaction``."""
        await self._outbox.wait_room()
        async with self.store.transaction() as inner:
            yield _KafkaTransaction(inner, self._outbox)

    def partitions(self, topic: str) -> int:
        """As ``Bus.partitions``."""
        return self._topics.find(topic)[1]

    async def resource(self, digest: str) -> bytes | None:
        """As ``Bus.resource``."""
        return await self.store.resource(digest)

    async def count_attempt(self, group: str, topic: str, partition: int, offset: int) -> int:
        """As ``Bus.count_attempt``."""
        return await self.store.count_attempt(group, topic, partition, offset)

    async def check(self) -> str:
        """What is wrong with Kafka or the database beside it, in a sentence; '' if nothing is. What heals goes on."""
        stalled = sorted({f"{each.group} of {each.topic}" for each in self._subscriptions if each.stalled})
        said = [self._writer.trouble] if self._writer.trouble else []
        if stalled:
            said.append(f"nothing comes to {', '.join(stalled)}")
        if late := self.database.check():
            said.append(late)
        return "; ".join(said)


@asynccontextmanager
async def open_kafka_bus(
    bootstrap: str,
    postgres_url: str,
    *,
    clock: Clock,
    topics: Sequence[Topic] = TOPICS,
    connections: int = 8,
    options: KafkaOptions | None = None,
) -> AsyncIterator[KafkaBus]:
    """
    A member of the installation whose log is on the Kafka at *bootstrap* and whose state is in the database.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        clock: unused here, since Kafka says itself when it takes and drops; the same for every bus.
        topics: made, on Kafka and in the database, if they are not there yet.
        connections: to PostgreSQL, at most, besides one for the membership; at least 2.

    Raises:
        SchemaMismatch: the database must be migrated first, or is newer than the program.
        BusUnavailable: the database or Kafka cannot be reached.
        BusError: a topic has another number of partitions on Kafka than in the database.
    """
    options = options or KafkaOptions()
    name = f"botswain {socket.gethostname()[:20]} {os.getpid()} {os.urandom(4).hex()}"
    async with open_database(postgres_url, name, size=connections) as database:
        async with database.connection() as connection:
            await check_schema(connection)
            declared = await declare_topics(connection, topics)
        await _declare_on_kafka(bootstrap, topics, declared, options)
        store = Store(database, declared, None, max_event_bytes=options.max_event_bytes)
        members = Members(database, lambda place, head: None, options.life_s)
        await members.enter()
        async with open_writer(bootstrap, topic_name=options.name, max_bytes=options.max_event_bytes) as writer:
            outbox = Outbox(store, writer)
            bus = KafkaBus(
                bootstrap,
                options,
                topics=declared,
                database=database,
                store=store,
                writer=writer,
                outbox=outbox,
                members=members,
            )
            try:
                async with beside(members.live_forever(), outbox.clear_forever(), _sweep(store, database)):
                    yield bus
            finally:
                with suppress(BusUnavailable, TimeoutError):
                    async with asyncio.timeout(FAREWELL_S):
                        await store.superseded.sweep(database)
                        await members.depart()


async def _declare_on_kafka(bootstrap: str, topics: Sequence[Topic], declared: Topics, options: KafkaOptions) -> None:
    """Make what is missing, and make sure that all producers and readers mean the same partitions."""
    wanted = [Topic(topic.name, declared.find(topic.name)[1], topic.about) for topic in topics]
    found = await ensure_topics(
        bootstrap,
        wanted,
        topic_name=options.name,
        replication=options.replication,
        max_bytes=2 * options.max_event_bytes,
        timeout_s=START_S,
    )
    for topic in wanted:
        if found[topic.name] != topic.partitions:
            raise BusError(
                f"topic {options.name(topic.name)} has {found[topic.name]} partitions on Kafka and {topic.partitions} "
                "in the database: keys would change their partition"
            )


async def _sweep(store: Store, database: Database) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        with suppress(BusUnavailable):
            await store.superseded.sweep(database)
