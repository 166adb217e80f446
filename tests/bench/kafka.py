"""The whole turn once more, with the log on Apache Kafka."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.bench.figures import Row, Samples, Scale, Section, shown
from tests.bench.load import closed_loop, percentile
from tests.bench.servers import Installation, open_folder, up
from tests.support.kafka import kafka_server

__all__ = ["kafka_turn"]

CLIENTS: Final = 100
BATCH: Final = 500
VALUE: Final = b"x" * 400


async def kafka_turn(scale: Scale) -> Section:
    """Left out where Java or Maven are missing."""
    section = Section(
        "A whole durable turn, the log on Kafka",
        "As the first section, with `BOTSWAIN_BUS=kafka` and a broker on the same machine. The baseline of the "
        f"throughput is a bare aiokafka loop with that broker: consume, produce, batches of {BATCH}, `acks=all`; that "
        "of one client is one hop, from a producer to a waiting consumer. No line is drawn yet.",
    )
    if missing := [tool for tool in ("java", "mvn") if shutil.which(tool) is None]:
        section.notes.append(f"left out: {' and '.join(missing)} not found")
        return section
    logging.getLogger("aiokafka").setLevel("CRITICAL")  # a topic that was just made is not known at once
    bare, ours = Samples("/s"), Samples("/s")
    hop, alone = Samples(" ms"), Samples(" ms")
    process_us, database_us = Samples(" µs"), Samples(" µs")
    with kafka_server() as kafka, open_folder() as folder:
        async with up(
            Installation.make(folder), BOTSWAIN_BUS="kafka", BOTSWAIN_KAFKA__BOOTSTRAP=kafka.bootstrap
        ) as server:
            for number in range(scale.rounds):
                bare.add(await _consume_produce(kafka.bootstrap, f"bench-{number}", scale.events))
                meter = server.meter()
                found = await closed_loop([server.url] * CLIENTS, seconds=scale.seconds, edge_of_time=meter.mark)
                ours.add(found.per_second)
                used = meter.per_turn_us(found.turns)
                process_us.add(used.server)
                database_us.add(used.database)
                hop.add(await _hop(kafka.bootstrap, f"bench-hop-{number}"))
                found = await closed_loop([server.url], seconds=scale.seconds / 2)
                alone.add(percentile(found.latencies, 0.5))
    section.rows += [
        Row(
            f"whole turn on Kafka, {CLIENTS} clients",
            str(bare),
            str(ours),
            f"{ours.median / bare.median:.0%}",
            "reported",
        ),
        Row(
            "whole turn on Kafka, one client, p50",
            str(hop),
            str(alone),
            f"{shown(alone.median / hop.median)} ×",
            "reported",
        ),
    ]
    section.notes.append(f"processor time a turn: {process_us} in the server and {database_us} in its database")
    return section


async def _make(bootstrap: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1) for topic in topics])
    finally:
        await admin.close()


async def _consume_produce(bootstrap: str, name: str, count: int) -> float:
    """Records a second that are read from one topic and written to another, each batch durable before the next."""
    source, target = f"{name}-in", f"{name}-out"
    await _make(bootstrap, source, target)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await _produce(producer, source, [VALUE] * count)
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        async with consumer:
            place = TopicPartition(source, 0)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            done = 0
            began = time.perf_counter()
            while done < count:
                records = (await consumer.getmany(timeout_ms=1_000, max_records=BATCH)).get(place, [])
                if records:
                    await _produce(producer, target, [record.value for record in records])
                    done += len(records)
            return done / (time.perf_counter() - began)


async def _produce(producer: AIOKafkaProducer, topic: str, values: list[bytes]) -> None:
    """By the interface for batches; durable when it returns."""
    sent = []
    batch = producer.create_batch()
    for value in values:
        if batch.append(key=b"key", value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(key=b"key", value=value, timestamp=None)
    sent.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*sent)


async def _hop(bootstrap: str, topic: str) -> float:
    """Milliseconds, p50, from a producer to a consumer that waits."""
    await _make(bootstrap, topic)
    times = []
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        async with consumer:
            place = TopicPartition(topic, 0)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            for _ in range(200):
                began = time.perf_counter()
                await producer.send(topic, VALUE, partition=0)
                while not await consumer.getmany(place, timeout_ms=1_000, max_records=1):
                    pass
                times.append((time.perf_counter() - began) * 1000)
    return percentile(times, 0.5)
