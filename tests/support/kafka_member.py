"""A process of its own that owns partitions of a topic on Kafka, to be killed."""

from __future__ import annotations

import asyncio
import json
import sys

from bus.clock import SystemClock
from bus.kafka import KafkaOptions, open_kafka_bus
from schemas.topics import TOPICS


async def main(bootstrap: str, postgres_url: str, prefix: str, topic: str, group: str) -> None:
    """Print the partitions as JSON when it owns all, and go on for ever."""
    (partitions,) = (known.partitions for known in TOPICS if known.name == topic)
    owned: list[int] = []
    options = KafkaOptions(prefix=prefix, life_s=2.0)
    async with (
        open_kafka_bus(bootstrap, postgres_url, clock=SystemClock(), options=options) as bus,
        bus.subscribe(topic, group=group) as subscription,
    ):
        while len(owned) < partitions:
            owned += [claim.partition for claim in (await subscription.take(100)).acquired]
        print(json.dumps(owned), flush=True)
        while True:
            await subscription.take(100)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
