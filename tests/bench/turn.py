"""A whole durable turn: web socket, log, session, script, session, log, web socket."""

from __future__ import annotations

from tests.bench.figures import Row, Samples, Scale, Section, shown
from tests.bench.load import closed_loop, open_loop, percentile
from tests.bench.servers import Installation, Running, bare_echo, open_folder, up

__all__ = ["whole_turn"]

CLIENTS = 100


class _Side:
    """Baseline or ours, and what was seen of it."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.turns = Samples("/s")
        self.p99 = Samples(" ms")
        self.alone = Samples(" ms")
        self.half = Samples(" ms")
        self.half_p50 = Samples(" ms")
        self.process_us = Samples(" µs")
        self.database_us = Samples(" µs")
        self.load_us = Samples(" µs")

    async def many(self, seconds: float) -> None:
        meter = self.server.meter()
        found = await closed_loop([self.server.url] * CLIENTS, seconds=seconds, edge_of_time=meter.mark)
        used = meter.per_turn_us(found.turns)
        self.turns.add(found.per_second)
        self.p99.add(percentile(found.latencies, 0.99))
        self.process_us.add(used.server)
        self.database_us.add(used.database)
        self.load_us.add(used.load)

    async def one(self, seconds: float) -> None:
        found = await closed_loop([self.server.url], seconds=seconds)
        self.alone.add(percentile(found.latencies, 0.5))

    async def at_half_load(self, seconds: float) -> None:
        found = await open_loop([self.server.url] * CLIENTS, per_second=self.turns.median / 2, seconds=seconds)
        self.half.add(percentile(found.latencies, 0.99))
        self.half_p50.add(percentile(found.latencies, 0.5))


async def whole_turn(scale: Scale) -> Section:
    """Baseline and ours take turns; both servers are there all the time, one of them idle."""
    section = Section(
        "A whole durable turn, web socket to web socket",
        "A script that hears and says back, in `botswain up`, beside a bare durable echo: a socket, a row committed, a "
        "socket. Closed loop: each client waits for its answer. Open loop: messages come at their own times, and a "
        "latency counts from when the message was due.",
    )
    with open_folder() as one, open_folder() as other:
        async with bare_echo(one) as echo, up(Installation.make(other)) as server:
            sides = base, ours = _Side(echo), _Side(server)
            for _ in range(scale.rounds):
                for side in sides:
                    await side.many(scale.seconds)
            for _ in range(scale.rounds):
                for side in sides:
                    await side.one(scale.seconds / 2)
            for _ in range(scale.rounds):
                for side in sides:
                    await side.at_half_load(scale.seconds)
    share = ours.turns.median / base.turns.median
    section.rows += [
        Row(
            f"whole turn, {CLIENTS} clients",
            str(base.turns),
            str(ours.turns),
            f"{share:.0%}",
            "≥ 5,000/s on 2 cores",
            ours.turns.median >= 5_000,
        ),
        Row(
            "… as a share of the bare durable echo",
            str(base.turns),
            str(ours.turns),
            f"{share:.0%}",
            "≥ 20 %",
            share >= 0.2,
        ),
        _latency("whole turn, one client, p50", base.alone, ours.alone, 5),
        _latency("whole turn at half load, open loop, p99", base.half, ours.half, 50),
    ]
    section.notes.append(
        f"processor time a turn with {CLIENTS} clients: {ours.process_us} in the server and {ours.database_us} in its "
        f"database, against {base.process_us} and {base.database_us}; the load itself takes {ours.load_us} a turn, "
        f"against {base.load_us}"
    )
    section.notes.append(
        f"latency with {CLIENTS} clients, closed loop, p99: {ours.p99} against {base.p99}; "
        f"at half load p50 {ours.half_p50} against {base.half_p50}"
    )
    return section


def _latency(what: str, base: Samples, ours: Samples, most_ms: float) -> Row:
    ratio = f"{shown(ours.median / base.median)} ×"
    return Row(what, str(base), str(ours), ratio, f"≤ {most_ms:g} ms", ours.median <= most_ms)
