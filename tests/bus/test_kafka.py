"""The bus on a real Apache Kafka: the contract, and what only Kafka has."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import NotLeaderForPartitionError

from bus.clock import SystemClock
from bus.codec import encode
from bus.errors import BusError, BusUnavailable
from bus.kafka import KafkaBus, KafkaOptions, open_kafka_bus
from bus.kafka.background import EndedError, unending
from bus.postgres.database import open_database
from bus.postgres.log import declare_topics
from bus.postgres.store import Store
from bus.protocol import (
    Advance,
    Claim,
    Delivery,
    Outgoing,
    Record,
    StateWrite,
    Subscription,
    Turns,
    Undecodable,
)
from schemas.conversation import PersonTyping
from schemas.envelope import Event, Origin
from schemas.topics import TOPICS, Topic, partition_of
from tests.bus.conformance import BusConformance
from tests.support.breaking import BreakingLine, breaking_line
from tests.support.kafka import KafkaServer, kafka_server, require_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka")]

INBOX = Topic("inbox", 4, "read by the tests")
NEXT = Topic("next", 2, "where turns send to")
NOTICED_S = 30.0
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaServer]:
    require_kafka()
    with kafka_server() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Fresh topics and groups for each test."""
    return f"{uuid4().hex[:12]}."


OpenBus = Callable[..., AbstractAsyncContextManager[KafkaBus]]


@pytest.fixture
def open_bus(kafka: KafkaServer, prefix: str, postgres_url: str) -> OpenBus:
    """Opens one more process of the installation."""

    def opened(**options: float) -> AbstractAsyncContextManager[KafkaBus]:
        return open_kafka_bus(
            kafka.bootstrap,
            postgres_url,
            clock=SystemClock(),
            topics=[INBOX, NEXT],
            options=KafkaOptions(prefix=prefix, **options),  # type: ignore[arg-type]
        )

    return opened


@pytest.fixture
async def bus(open_bus: OpenBus) -> AsyncIterator[KafkaBus]:
    async with open_bus() as opened:
        yield opened


def typing(key: str = "a", origin: Origin | None = None, trace: str | None = None) -> PersonTyping:
    """An event without content of its own."""
    return PersonTyping(
        id=uuid4(),
        at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        bot="b",
        bot_version="v",
        key=key,
        origin=origin,
        trace=trace,
    )


class Victim:
    """A member in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, owned: list[int]) -> None:
        self.process = process
        self.owned = owned

    async def die(self) -> None:
        self.process.kill()
        await self.process.wait()


class KafkaWorld:
    """Topics of its own on the broker, and a database. Both are reached by a line that can be cut."""

    holds_the_log = False

    def __init__(self, kafka: KafkaServer, prefix: str, postgres_url: str, line_url: str, line: BreakingLine) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self.line = line
        self.stack = AsyncExitStack()
        self._postgres_url = postgres_url
        self._line_url = line_url

    async def open(self) -> KafkaBus:
        return await self.stack.enter_async_context(
            open_kafka_bus(
                f"127.0.0.1:{self.kafka.line_end_port}",
                self._line_url,
                clock=SystemClock(),
                options=KafkaOptions(prefix=self.prefix, life_s=2.0),
            )
        )

    async def victim(self, topic: str, group: str) -> Victim:
        arguments = [self.kafka.bootstrap, self._postgres_url, self.prefix, topic, group]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "tests/support/kafka_member.py"),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.stack.push_async_callback(self._end, process)
        assert process.stdout is not None
        async with asyncio.timeout(NOTICED_S):
            return Victim(process, json.loads(await process.stdout.readline()))

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def append(self, topic: str, partition: int, record: Record) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap) as producer:
            await producer.send_and_wait(
                self.prefix + topic,
                record.data,
                record.key.encode(),
                partition,
                headers=[("ce_type", record.type.encode())],
            )

    async def publish_slowly(self, outgoing: Outgoing, hold_s: float) -> None:
        record = encode(outgoing.event)
        await asyncio.sleep(hold_s)  # on Kafka an append is its own commit, and can only be late as a whole
        await self.append(outgoing.topic, partition_of(record.key, 8), record)

    def lose_answer(self, bus: object, marker: str, *, durable: bool) -> AbstractAsyncContextManager[None]:
        return self.line.armed(marker, durable=durable)

    async def outlive(self) -> None:
        places = [TopicPartition(self.prefix + topic.name, n) for topic in TOPICS for n in range(topic.partitions)]
        await drop_before(self.kafka, dict.fromkeys(places, -1))


@pytest.fixture
async def world(
    kafka: KafkaServer, prefix: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KafkaWorld]:
    parts = urlsplit(postgres_url)
    (host,) = parse_qs(parts.query)["host"]
    socket = ".s.PGSQL.5432"
    folder = tmp_path_factory.mktemp("w")
    line_url = parts._replace(query=f"host={quote(str(folder))}").geturl()
    async with breaking_line(Path(host) / socket, folder / socket) as line:

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await line.pass_on(reader, writer, *await asyncio.open_connection("127.0.0.1", kafka.line_port))

        listening = await asyncio.start_server(pass_on, "127.0.0.1", kafka.line_end_port)
        world = KafkaWorld(kafka, prefix, postgres_url, line_url, line)
        async with world.stack:
            yield world
        listening.close()
    async with kafka_admin(kafka) as admin:
        await admin.delete_topics([prefix + topic.name for topic in TOPICS])


@asynccontextmanager
async def kafka_admin(kafka: KafkaServer) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def drop_before(kafka: KafkaServer, offsets: dict[TopicPartition, int]) -> None:
    """What retention does; -1 is the end."""
    places = {place: RecordsToDelete(before_offset=offset) for place, offset in offsets.items()}
    async with kafka_admin(kafka) as admin, asyncio.timeout(NOTICED_S):
        while True:
            try:
                await admin.delete_records(places)
            except NotLeaderForPartitionError:  # of a topic that was made a moment ago
                continue
            return


class TestKafkaBus(BusConformance):
    """``world`` is the module's."""

    # What each process has decided it publishes by itself. Who takes a partition over in earnest publishes first what
    # the other left.
    commits_in_order = False


class Reading:
    """A subscription as a test looks at it."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.claims: dict[int, Claim] = {}
        self.deliveries: list[Delivery] = []

    async def until(self, done: Callable[[], bool]) -> None:
        """Take until *done*; what is asked back is let go."""
        async with asyncio.timeout(NOTICED_S):
            while not done():
                batch = await self.subscription.take(100)
                for partition in batch.revoked:
                    self.claims.pop(partition, None)
                if batch.revoked:
                    await self.subscription.release(batch.revoked)
                self.claims.update({claim.partition: claim for claim in batch.acquired})
                self.deliveries += batch.deliveries

    async def events(self, count: int) -> list[UUID]:
        """The ids of the first *count* events."""
        await self.until(lambda: len(self.deliveries) >= count)
        return ids(self.deliveries)


def ids(deliveries: Sequence[Delivery]) -> list[UUID]:
    return [delivery.event.id for delivery in deliveries if isinstance(delivery.event, Event)]


@asynccontextmanager
async def reading(bus: KafkaBus, topic: Topic, group: str, *, partitions: int | None = None) -> AsyncIterator[Reading]:
    """A subscription that owns what it should."""
    async with bus.subscribe(topic.name, group=group) as subscription:
        reading = Reading(subscription)
        await reading.until(lambda: len(reading.claims) == (topic.partitions if partitions is None else partitions))
        yield reading


@asynccontextmanager
async def kafka_consumer(kafka: KafkaServer, topic: str, partitions: int) -> AsyncIterator[AIOKafkaConsumer]:
    """Any Kafka tool that reads *topic* from its beginning."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        yield consumer
    finally:
        await consumer.stop()


async def outbox_rows(postgres_url: str) -> int:
    connection = await asyncpg.connect(postgres_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))
    finally:
        await connection.close()


async def commit_and_die(postgres_url: str, turns: Turns) -> None:
    """What a process leaves behind that is killed right after its commit."""
    async with open_database(postgres_url, "killed", size=1) as database:
        async with database.connection() as connection:
            topics = await declare_topics(connection, [INBOX, NEXT])
        await Store(database, topics, None, max_event_bytes=1 << 20).commit(turns)


async def test_any_kafka_tool_can_read_the_envelope(kafka: KafkaServer, prefix: str, bus: KafkaBus) -> None:
    event = typing("session-1", Origin("basic", 3, 17, 0), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await bus.publish([Outgoing(INBOX.name, event)])
    async with kafka_consumer(kafka, prefix + INBOX.name, INBOX.partitions) as consumer, asyncio.timeout(NOTICED_S):
        record = await consumer.getone()
    headers = {name: value.decode() for name, value in record.headers}
    assert record.key == b"session-1"
    assert record.partition == partition_of("session-1", INBOX.partitions)
    assert json.loads(record.value)["id"] == str(event.id)
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(event.id),
        "ce_type": "person.typing.v1",
        "ce_source": "/default/b",
        "ce_time": "2030-01-02T03:04:05Z",
        "ce_tenant": "default",
        "ce_bot": "b",
        "ce_botversion": "v",
        "ce_traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ce_origin": "basic/3/17/0",
    }


async def test_foreign_records_are_delivered_with_their_bytes(kafka: KafkaServer, prefix: str, bus: KafkaBus) -> None:
    foreign = [
        (b"k", None, []),
        (None, b"", []),
        (b"\xff\x00k", b"\x00\xff not JSON", []),
        (b"k", b"{}", [("ce_type", b"\xfe")]),
        (b"k", b"{}", [("ce_type", b"person.typing.v1")]),
        (b"k", b"[" * 100_000, [("ce_type", b"person.typing.v1")]),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for key, value, headers in foreign:
        await producer.send_and_wait(prefix + INBOX.name, value=value, key=key, headers=headers, partition=1)
    await producer.stop()
    event = typing()
    await bus.publish([Outgoing(INBOX.name, event, partition=1)])
    async with reading(bus, INBOX, "g") as inbox:
        await inbox.until(lambda: len(inbox.deliveries) == len(foreign) + 1)
        *strangers, last = [delivery.event for delivery in inbox.deliveries]
        for stranger, (_, value, _) in zip(strangers, foreign, strict=True):
            assert isinstance(stranger, Undecodable)
            assert stranger.record.data == (value or b"")
            assert "\x00" not in stranger.record.key + stranger.record.type
        assert isinstance(last, Event)
        assert last.id == event.id


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_reader_and_writer_go_on_after_a_restart_of_the_broker(
    kafka: KafkaServer, bus: KafkaBus, how: str
) -> None:
    before, between, after = typing("a"), typing("a"), typing("a")
    async with reading(bus, INBOX, "g") as inbox:
        await bus.publish([Outgoing(INBOX.name, before)])
        await inbox.events(1)
        await asyncio.to_thread(kafka.stop if how == "stop" else kafka.kill)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_publish_at_last(bus, between))
            await asyncio.to_thread(kafka.start)
        await bus.publish([Outgoing(INBOX.name, after)])
        await inbox.until(lambda: after.id in ids(inbox.deliveries))
    seen = ids(inbox.deliveries)
    assert list(dict.fromkeys(seen)) == [before.id, between.id, after.id]


async def _publish_at_last(bus: KafkaBus, event: Event) -> None:
    while True:
        try:
            await bus.publish([Outgoing(INBOX.name, event)])
        except BusUnavailable:
            continue
        return


async def test_publish_says_that_a_frozen_broker_did_not_answer(kafka: KafkaServer, open_bus: OpenBus) -> None:
    async with open_bus(publish_s=0.5) as bus:
        await bus.publish([Outgoing(INBOX.name, typing())])
        kafka.pause()
        try:
            with pytest.raises(BusUnavailable, match=re.escape("0.5 s")):
                await bus.publish([Outgoing(INBOX.name, typing())])
        finally:
            kafka.resume()
        await _publish_at_last(bus, typing())


async def test_what_a_killed_owner_left_in_the_outbox_is_published_once(
    bus: KafkaBus, open_bus: OpenBus, postgres_url: str
) -> None:
    cause = typing("a")
    partition = partition_of("a", INBOX.partitions)
    await bus.publish([Outgoing(INBOX.name, cause)])
    left = [typing("a", Origin("g", partition, 0, index)) for index in range(3)]
    await commit_and_die(
        postgres_url,
        Turns(
            "g",
            INBOX.name,
            advances=[Advance(partition, 0, 1)],
            states=[StateWrite("a", 1, b"1")],
            outgoing=[Outgoing(NEXT.name, event) for event in left],
        ),
    )
    assert await outbox_rows(postgres_url) == 3
    async with reading(bus, NEXT, "h") as received:
        for _ in range(2):
            async with open_bus() as successor, reading(successor, INBOX, "g") as inbox:
                assert inbox.claims[partition].position == 1
        follows = typing("a")
        await bus.publish([Outgoing(NEXT.name, follows)])
        assert await received.events(4) == [*(event.id for event in left), follows.id]
    assert await outbox_rows(postgres_url) == 0


async def test_the_events_of_a_commit_arrive_and_leave_the_outbox(bus: KafkaBus, postgres_url: str) -> None:
    events = [typing(f"key {number % 7}", Origin("g", 0, number, 0)) for number in range(500)]
    async with reading(bus, NEXT, "h") as received:
        async with reading(bus, INBOX, "g"):
            for number, event in enumerate(events):
                await bus.commit(
                    Turns(
                        "g",
                        INBOX.name,
                        advances=[Advance(0, number, number + 1)],
                        outgoing=[Outgoing(NEXT.name, event)],
                    )
                )
        assert await outbox_rows(postgres_url) == 0
        await received.events(len(events))
    for key in {event.key for event in events}:
        mine = [d.event.id for d in received.deliveries if isinstance(d.event, Event) and d.event.key == key]
        assert mine == [event.id for event in events if event.key == key]


async def test_events_decided_while_the_broker_is_away_arrive_when_it_is_back(
    kafka: KafkaServer, bus: KafkaBus, postgres_url: str
) -> None:
    events = [typing("a", Origin("g", 0, number, 0)) for number in range(20)]
    async with reading(bus, NEXT, "h") as received:
        await asyncio.to_thread(kafka.kill)
        for number, event in enumerate(events):
            await bus.commit(
                Turns("g", INBOX.name, [Advance(0, number, number + 1)], outgoing=[Outgoing(NEXT.name, event)])
            )
        assert await outbox_rows(postgres_url) == len(events)
        await asyncio.to_thread(kafka.start)
        await received.until(lambda: events[-1].id in ids(received.deliveries))
    assert list(dict.fromkeys(ids(received.deliveries))) == [event.id for event in events]


async def test_a_reader_that_stands_still_is_replaced(open_bus: OpenBus) -> None:
    async with open_bus(watch_s=0.2) as bus, bus.subscribe(INBOX.name, group="g") as subscription:
        inbox = Reading(subscription)
        await inbox.until(lambda: len(inbox.claims) == INBOX.partitions)
        client = subscription._reader._consumer  # type: ignore[attr-defined]
        client.pause(*client.assignment())
        event = typing()
        await bus.publish([Outgoing(INBOX.name, event)])
        assert await inbox.events(1) == [event.id]
        assert subscription._reader._consumer is not client  # type: ignore[attr-defined]


async def test_a_cancellation_that_a_client_lets_out_does_not_end_the_work_unseen() -> None:
    async def work() -> None:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner

    with pytest.raises(EndedError, match="cancelled from within"):
        await unending(work())
    outer = asyncio.ensure_future(unending(asyncio.sleep(60)))
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer


async def test_processes_share_a_group_and_hand_over_cleanly(open_bus: OpenBus) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(reading(await stack.enter_async_context(open_bus()), INBOX, "g"))
        second_bus = await stack.enter_async_context(open_bus())
        second = Reading(await stack.enter_async_context(second_bus.subscribe(INBOX.name, group="g")))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first.until(lambda: len(first.claims) == 2))
            tasks.create_task(second.until(lambda: len(second.claims) == 2))
        assert first.claims.keys() | second.claims.keys() == set(range(INBOX.partitions))
        assert all(claim.clean for claim in second.claims.values())


async def test_an_edge_owns_one_partition_and_sees_what_comes_from_now_on(bus: KafkaBus) -> None:
    await bus.publish([Outgoing(INBOX.name, typing(), partition) for partition in range(INBOX.partitions)])
    async with (
        bus.subscribe(INBOX.name, group="edge", start="end", most=1) as one,
        bus.subscribe(INBOX.name, group="edge", start="end", most=1) as other,
    ):
        edges = [Reading(one), Reading(other)]
        for edge in edges:
            await edge.until(lambda edge=edge: len(edge.claims) == 1)  # type: ignore[misc]
        assert edges[0].claims.keys().isdisjoint(edges[1].claims)
        for edge in edges:
            (slot,) = edge.claims
            event = typing()
            await bus.publish([Outgoing(INBOX.name, event, slot)])
            assert await edge.events(1) == [event.id]


async def test_offsets_that_retention_has_dropped_are_passed_over(
    kafka: KafkaServer, prefix: str, bus: KafkaBus
) -> None:
    events = [typing() for _ in range(5)]
    await bus.publish([Outgoing(INBOX.name, event, partition=0) for event in events])
    await drop_before(kafka, {TopicPartition(prefix + INBOX.name, 0): 3})
    async with reading(bus, INBOX, "g") as inbox:
        assert await inbox.events(2) == [event.id for event in events[3:]]


async def test_another_number_of_partitions_on_kafka_is_refused(
    kafka: KafkaServer, prefix: str, postgres_url: str, bus: KafkaBus
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("UPDATE topics SET partitions = 5 WHERE name = $1", INBOX.name)
    await connection.close()
    with pytest.raises(BusError, match=r"4 partitions on Kafka and 5 in the database"):
        async with open_kafka_bus(
            kafka.bootstrap, postgres_url, clock=SystemClock(), topics=[INBOX], options=KafkaOptions(prefix=prefix)
        ):
            pass


async def test_the_record_of_an_event_is_the_same_from_memory_and_from_the_outbox(
    kafka: KafkaServer, prefix: str, bus: KafkaBus, open_bus: OpenBus, postgres_url: str
) -> None:
    event = typing("a", Origin("g", 0, 0, 0))
    await bus.publish([Outgoing(NEXT.name, event)])
    await commit_and_die(
        postgres_url, Turns("g", INBOX.name, [Advance(0, 0, 1)], outgoing=[Outgoing(NEXT.name, event)])
    )
    async with reading(bus, INBOX, "g"), kafka_consumer(kafka, prefix + NEXT.name, NEXT.partitions) as consumer:
        async with asyncio.timeout(NOTICED_S):
            first, second = await consumer.getone(), await consumer.getone()
    assert first.value == second.value == encode(event).data
    assert (first.key, first.headers, first.partition) == (second.key, second.headers, second.partition)
