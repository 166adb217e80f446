"""
Bugs that a bus could have, each planted for the time of a ``with`` block.

They are here to show that the tests would notice: every one of them must turn something red.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

import asyncpg

from bus.memory import MemoryBus
from bus.postgres import PostgresBus
from bus.postgres import bus as postgres_bus
from bus.protocol import Bus, Outgoing

# Appends do not wait for each other: each takes its offsets when it inserts, and commits when it likes.
_OFFSET_AT_INSERT = """
CREATE SEQUENCE taken;
CREATE OR REPLACE FUNCTION log_append(
    p_topics smallint[], p_partitions int[], p_floor bigint,
    p_groups int[], p_ranks int[], p_keys text[], p_types text[], p_datas bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    heads bigint[] := '{}';
BEGIN
    FOR i IN 1 .. cardinality(p_topics) LOOP
        heads := heads || (p_floor + nextval('taken') * 1000 - 1);
    END LOOP;
    INSERT INTO log (topic, partition, "offset", key, type, data)
    SELECT p_topics[e.g], p_partitions[e.g], heads[e.g] + 1 + e.rank, e.key, e.type, e.data
    FROM unnest(p_groups, p_ranks, p_keys, p_types, p_datas) AS e (g, rank, key, type, data);
    RETURN heads;
END $$;
"""


@asynccontextmanager
async def offset_given_out_at_insert(url: str) -> AsyncIterator[None]:
    """Late commits have low offsets. For the database at *url*, which is not to be used for anything else."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_OFFSET_AT_INSERT)
    finally:
        await connection.close()
    yield


@asynccontextmanager
async def wake_up_by_notify_alone(_url: str) -> AsyncIterator[None]:
    """Nobody looks whether a NOTIFY was lost."""

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    with patch.object(postgres_bus, "_poll", never):
        yield


@contextmanager
def acknowledged_before_durable(kind: type[MemoryBus] | type[PostgresBus]) -> Iterator[None]:
    """``publish`` returns at once; what was published is kept a little later, if nothing comes in between."""
    publish: Any = kind.publish
    later: set[asyncio.Future[None]] = set()

    async def hasty(self: Bus, outgoing: Sequence[Outgoing]) -> None:
        keeping = asyncio.ensure_future(publish(self, outgoing))
        later.add(keeping)
        keeping.add_done_callback(later.discard)

    with patch.object(kind, "publish", hasty):
        yield
