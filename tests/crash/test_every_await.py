"""
A conversation is repeated once for every point at which its process waits, and the process ends there.

What is left at the end, in the hands of the client and in every table, is what a conversation without a crash leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from pydantic_core import from_json

from bus import codec
from bus.memory import Disk, MemoryBus
from schemas.conversation import Message
from tests.crash.conversation import PACKAGE, VERSION, Client, life, normal
from tests.crash.steps import stepping
from tests.simulation import virtual

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Left:
    """What a conversation leaves: what the client has, and all that is durable."""

    shown: Sequence[Message]
    acknowledged: dict[str, int]
    tables: dict[str, Any]


# --- in memory: at each point ----------------------------------------------------------------------------------------


async def one_life(disk: Disk, client: Client, crash_at: int | None) -> int:
    """A process, ended at that point if it comes so far. Returns: the points passed."""
    bus = MemoryBus(disk)
    loop = asyncio.get_running_loop()
    died: asyncio.Future[None] = loop.create_future()
    passed = 0

    def step(_: object) -> None:
        nonlocal passed
        if passed == crash_at:
            bus.crash()
            died.set_result(None)
        passed += 1

    async def transcript(after: int) -> Sequence[Message]:
        await bus.breathe()
        rows = [row.values for row in disk.rows if row.statement == "messages.insert"]
        return [Message.model_validate_json(body) for _, seq, _, _, body in rows if seq > after]

    stepping(loop, step)
    living = asyncio.ensure_future(life(bus, client, transcript))
    await asyncio.wait([living, died], return_when=asyncio.FIRST_COMPLETED)
    loop.set_task_factory(None)
    if died.done() and not living.done():
        # Nothing of what its tasks do while they are thrown away reaches the disk.
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
    else:
        await living
    return passed


def in_memory(crash_at: int | None) -> tuple[int, Left]:
    """The conversation with a crash at that point. Returns: the points passed before or without it, what is left."""
    disk, client = Disk(resources={VERSION: PACKAGE}), Client()

    async def lives() -> int:
        passed = await one_life(disk, client, crash_at)
        if crash_at is not None:
            await one_life(disk, client, None)
        return passed

    with structlog.testing.capture_logs():
        passed = virtual.run(0, lives())
    return passed, Left(client.shown, client.acknowledged, left_on(disk))


def left_on(disk: Disk) -> dict[str, Any]:
    logs = {
        topic: normal([codec.decode(record) for records in partitions for record in records])
        for topic, partitions in disk.log.items()
    }
    return {
        "log": logs,
        "states": {place: from_json(stored.value)["state"] for place, stored in disk.states.items()},
        "rows": disk.rows,
        "tables": {name: dict(table) for name, table in disk.tables.items()},
        "dead": disk.dead,
        "unread": {
            (actor, topic, partition): disk.end_of(topic, partition) - position
            for (actor, topic, partition), position in disk.positions.items()
            if actor != "edge"
        },
    }


def test_in_memory_a_crash_at_any_point_changes_nothing() -> None:
    points, calm = in_memory(None)
    assert len(calm.shown) == 1 + 4 * 3
    assert calm.tables["dead"] == {}
    for point in range(points):
        try:
            _, left = in_memory(point)
            assert left == calm
        except BaseException as error:
            error.add_note(f"the process ended at point {point} of {points}")
            raise
    print(f"{points} points")
