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
    quarter = max(1, len(with_it.values) // 4)
    late, late_with = Samples("/s", without.values[-quarter:]), Samples("/s", with_it.values[-quarter:])
    for what, base, ours in (("all of the time", without, with_it), ("the last quarter", late, late_with)):
        share = sum(ours.values) / sum(base.values)
        section.rows.append(
            Row(f"turns with a snapshot open, {what}", str(base), str(ours), f"{share:.0%}", "≥ 90 %", share >= LEAST)
        )
    return section


async def _slices(free: Running, watched: Running, snapshot_s: float) -> tuple[Samples, Samples]:
    without, with_it = Samples("/s"), Samples("/s")
    for server in (free, watched):
        await closed_loop([server.url] * CLIENTS, seconds=1)
    async with _snapshot(watched.postgres):
        loaded = 0.0
        while loaded < snapshot_s:
            # whoever goes second gains or loses by what the first one left to write; so they change places
            order = [(free, without), (watched, with_it)]
            for server, samples in order if len(without.values) % 2 else order[::-1]:
                began = time.monotonic()
                found = await closed_loop([server.url] * CLIENTS, seconds=SLICE_S, warm_up=0.5)
                samples.add(found.per_second)
                if server is watched:
                    loaded += time.monotonic() - began
    return without, with_it
