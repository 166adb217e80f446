"""Throughput while somebody reads for minutes: a transaction keeps its snapshot, and nothing can be vacuumed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from tests.bench.figures import Row, Samples, Scale, Section
from tests.bench.load import closed_loop
from tests.bench.servers import Installation, Running, open_folder, up

__all__ = ["held_snapshot"]

CLIENTS: Final = 100
LEAST: Final = 0.9
SLICE_S: Final = 5.0


@asynccontextmanager
async def _snapshot(url: str) -> AsyncIterator[None]:
    """A reader in the middle of a long report."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT count(*) FROM messages")
            yield
    finally:
        await connection.close()


async def held_snapshot(scale: Scale) -> Section:
    """Two servers take turns, on one of them the snapshot is open all the time: both handle as much, and grow alike."""
    section = Section(
        "A reader's snapshot held open",
        f"Two installations take turns under {CLIENTS} clients, closed loop, in slices of {SLICE_S:g} s. On one of "
        "them a REPEATABLE READ transaction is open from the beginning, while the slices there amount to "
        f"{scale.snapshot_s:g} s. The first line is about all slices, the second about the last quarter of them, when "
        "most has piled up.",
    )
    with open_folder() as one, open_folder() as other:
        async with up(Installation.make(one)) as free, up(Installation.make(other)) as watched:
            without, with_it = await _slices(free, watched, scale.snapshot_s)
    quarter = -max(1, len(without.turns.values) // 4)
    for what, begin in (("all of the time", 0), ("the last quarter", quarter)):
        base, ours = Samples("/s", without.turns.values[begin:]), Samples("/s", with_it.turns.values[begin:])
        share = sum(ours.values) / sum(base.values)
        section.rows.append(
            Row(f"turns with a snapshot open, {what}", str(base), str(ours), f"{share:.0%}", "≥ 90 %", share >= LEAST)
        )
    section.notes.append(
        f"processor time a turn: server {with_it.process_us}, database {with_it.database_us}, "
        f"against {without.process_us} and {without.database_us}"
    )
    return section


class _Side:
    """With or without the snapshot, and what was seen of it."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.turns = Samples("/s")
        self.process_us = Samples(" µs")
        self.database_us = Samples(" µs")

    async def slice(self) -> float:
        """Load for a slice; the seconds that it took in all."""
        began = time.monotonic()
        meter = self.server.meter()
        urls = [self.server.url] * CLIENTS
        found = await closed_loop(urls, seconds=SLICE_S, warm_up=0.5, edge_of_time=meter.mark)
        used = meter.per_turn_us(found.turns)
        self.turns.add(found.per_second)
        self.process_us.add(used.server)
        self.database_us.add(used.database)
        return time.monotonic() - began


async def _slices(free: Running, watched: Running, snapshot_s: float) -> tuple[_Side, _Side]:
    without, with_it = _Side(free), _Side(watched)
    for server in (free, watched):
        await closed_loop([server.url] * CLIENTS, seconds=1)
    async with _snapshot(watched.postgres):
        loaded = 0.0
        while loaded < snapshot_s:
            # whoever goes second gains or loses by what the first one left to write; so they change places
            if len(without.turns.values) % 2:
                loaded += await with_it.slice()
                await without.slice()
            else:
                await without.slice()
                loaded += await with_it.slice()
    return without, with_it
