"""A process of its own that owns partitions of a topic, to be killed: ``member.py URL TOPIC GROUP``."""

from __future__ import annotations

import asyncio
import json
import sys

from bus.clock import SystemClock
from bus.postgres import open_postgres_bus
from schemas.topics import TOPICS


async def main(url: str, topic: str, group: str) -> None:
    """Print the partitions as JSON when it owns all, and go on for ever."""
    (partitions,) = (known.partitions for known in TOPICS if known.name == topic)
    owned: list[int] = []
    async with (
        open_postgres_bus(url, clock=SystemClock(), life_s=2) as bus,
        bus.subscribe(topic, group=group) as subscription,
    ):
        while len(owned) < partitions:
            owned += [claim.partition for claim in (await subscription.take(100)).acquired]
        print(json.dumps(owned), flush=True)
        while True:
            await subscription.take(100)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
