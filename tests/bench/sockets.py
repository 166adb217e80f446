"""Many people who say nothing: what an open web socket costs, and whether messages still flow."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.bench.figures import Row, Scale, Section, shown
from tests.bench.load import ANSWER, Figures, closed_loop, greeted, percentile
from tests.bench.machine import cpu_s, resident
from tests.bench.servers import Installation, Running, open_folder, up

__all__ = ["idle_sockets"]

MOST_KIB: Final = 40.0
TALKERS: Final = 4
SETTLE_S: Final = 2.0


async def idle_sockets(scale: Scale) -> Section:
    """Every socket is a conversation whose script waits in HEAR."""
    section = Section(
        "Idle web sockets",
        f"{scale.sockets:,} web sockets on one `botswain up`, each a conversation whose script said hello and waits in "
        f"HEAR; the growth of the server's resident memory, by socket. Before and meanwhile {TALKERS} others talk, in "
        "a closed loop.",
    )
    with open_folder() as folder:
        async with up(Installation.make(folder)) as server:
            before = await _talk(server, scale.seconds)
            begin = resident(server.pid)
            sockets = await greeted([server.url] * scale.sockets, lambda _socket, _frame: None, greeting=ANSWER)
            await asyncio.sleep(SETTLE_S)
            kib = (resident(server.pid) - begin) / len(sockets) / 1024
            used = cpu_s(server.pid)
            await asyncio.sleep(scale.seconds)
            idle = (cpu_s(server.pid) - used) / scale.seconds
            meanwhile = await _talk(server, scale.seconds)
            lost = sum(socket.closed.done() for socket in sockets)
            for socket in sockets:
                socket.transport.close()
            await asyncio.gather(*(socket.closed for socket in sockets))
    flows = meanwhile.turns > 0 and lost == 0
    section.rows += [
        Row(
            f"{len(sockets):,} idle web sockets, memory of each",
            "–",
            f"{kib:.1f} KiB",
            f"{kib / MOST_KIB:.0%} of it",
            f"≤ {MOST_KIB:g} KiB",
            kib <= MOST_KIB,
        ),
        Row(
            "… and messages still flow (p50, p99)",
            _latencies(before),
            _latencies(meanwhile),
            f"{shown(percentile(meanwhile.latencies, 0.5) / percentile(before.latencies, 0.5))} ×",
            "they do",
            flows,
        ),
    ]
    section.notes.append(f"idle, they take {idle:.1%} of one processor, database included; sockets lost: {lost}")
    return section


async def _talk(server: Running, seconds: float) -> Figures:
    return await closed_loop([server.url] * TALKERS, seconds=seconds)


def _latencies(found: Figures) -> str:
    return f"{shown(percentile(found.latencies, 0.5))} ms, {shown(percentile(found.latencies, 0.99))} ms"
