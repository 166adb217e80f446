"""Topics on Kafka: made when they are missing, and counted as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bus.errors import BusUnavailable
from bus.kafka.background import apart
from schemas.topics import Topic

__all__ = ["ensure_topics", "log_ends"]

_RETRY_S = 0.2


async def ensure_topics(
    bootstrap: str,
    topics: Sequence[Topic],
    *,
    topic_name: Callable[[str], str],
    replication: int | None,
    max_bytes: int,
    timeout_s: float,
) -> dict[str, int]:
    """
    Make what is missing of *topics*.

    Args:
        replication: copies of each partition that is made; None for 3, or as many as there are brokers.
        max_bytes: largest batch that a new topic takes.

    Returns: topic -> the number of partitions that it has, which may not be ours if it was made before.
    Raises: BusUnavailable: Kafka did not answer within *timeout_s*.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    return await _ensure(bootstrap, topics, topic_name, replication, max_bytes)
                except (KafkaError, OSError) as error:
                    last = error
                    await asyncio.sleep(_RETRY_S)
    except TimeoutError:
        raise BusUnavailable(f"Kafka at {bootstrap} does not answer: {last!r}") from last


async def _ensure(
    bootstrap: str, topics: Sequence[Topic], topic_name: Callable[[str], str], replication: int | None, max_bytes: int
) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="botswain", request_timeout_ms=10_000)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        missing = [topic for topic in topics if topic_name(topic.name) not in there]
        if missing:
            copies = replication or min(3, len((await admin.describe_cluster())["brokers"]))
            configs = {"max.message.bytes": str(max_bytes)}
            answer = await admin.create_topics(
                [NewTopic(topic_name(each.name), each.partitions, copies, topic_configs=configs) for each in missing]
            )
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(name)
        names = {topic_name(topic.name): topic.name for topic in topics}
        found = {each["topic"]: each for each in await admin.describe_topics(list(names))}
        for name in names:
            if name not in found or found[name]["error_code"] or not found[name]["partitions"]:
                raise KafkaError(f"topic {name} is not there yet")
        return {names[name]: len(found[name]["partitions"]) for name in names}
    finally:
        await admin.close()


async def log_ends(
    bootstrap: str, places: Collection[tuple[str, int]], *, topic_name: Callable[[str], str], timeout_s: float
) -> dict[tuple[str, int], int]:
    """
    The offset that the next event of each (topic, partition) will get; a topic that is not there is left out.

    Raises: BusUnavailable: Kafka did not answer within *timeout_s*.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, client_id="botswain", group_id=None)
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            there = await consumer.topics()
            asked = {TopicPartition(topic_name(topic), number): (topic, number) for topic, number in places}
            ends = await consumer.end_offsets([place for place in asked if place.topic in there])
    except (KafkaError, OSError, TimeoutError) as error:
        raise BusUnavailable(f"Kafka at {bootstrap} does not answer: {error!r}") from error
    finally:
        await apart(consumer.stop)
    return {asked[place]: end for place, end in ends.items()}
