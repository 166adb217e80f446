"""
Measures everything that a promise about speed was made for, each beside its baseline in the same run.

::

    python -m tests.bench                 # all, takes about a quarter of an hour; writes docs/performance.md
    python -m tests.bench turn basic      # some
    python -m tests.bench --quick turn    # short and small, for a first look; writes nothing
    python -m tests.bench --full          # ten million rows, five minutes of snapshot
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from pathlib import Path

import uvloop

from botswain.logs import configure_logging
from tests.bench.basic import basic_and_python
from tests.bench.deciders import decider_turns
from tests.bench.figures import SCALES, Benchmark, Scale, Section
from tests.bench.growth import growth
from tests.bench.kafka import kafka_turn
from tests.bench.machine import Machine, load_average
from tests.bench.report import page, table
from tests.bench.snapshot import held_snapshot
from tests.bench.sockets import idle_sockets
from tests.bench.starting import starts
from tests.bench.turn import whole_turn

BENCHMARKS = (
    # first, since what the others remove would slow it down
    Benchmark("starting", "time to the first reply, and memory when idle", starts),
    Benchmark("turn", "a whole durable turn, web socket to web socket", whole_turn),
    Benchmark("deciders", "turns of a decider, bus to bus", decider_turns),
    Benchmark("growth", "what a message costs as history, log, sessions and bots grow", growth),
    Benchmark("snapshot", "throughput while a reader's snapshot is open", held_snapshot),
    Benchmark("basic", "loops, recursion and texts in BASIC", basic_and_python),
    Benchmark("sockets", "idle web sockets", idle_sockets),
    Benchmark("kafka", "a whole durable turn with the log on Kafka", kafka_turn),
)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


async def _measure(chosen: list[Benchmark], scale: Scale) -> list[Section]:
    found = []
    for benchmark in chosen:
        print(f"{benchmark.name}: {benchmark.about} …", file=sys.stderr, flush=True)
        began, load = time.monotonic(), load_average()
        section = await benchmark.run(scale)
        took = time.monotonic() - began
        section.notes.append(f"took {took:.0f} s; load average before {load}, after {load_average()}")
        print(table([section]) + "\n" + "".join(f"  {note}\n" for note in section.notes), flush=True)
        found.append(section)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(benchmark.name for benchmark in BENCHMARKS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (all): {names}")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="scale", action="store_const", const="quick", help="short and small")
    size.add_argument("--full", dest="scale", action="store_const", const="full", help="as large as was promised for")
    parser.add_argument("--write", type=Path, help="where the page goes, whatever was measured")
    parser.set_defaults(scale="usual")
    options = parser.parse_args()
    known = {benchmark.name for benchmark in BENCHMARKS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {names}")
    return options


def main() -> int:
    options = _options()
    scale = SCALES[options.scale]
    chosen = [benchmark for benchmark in BENCHMARKS if not options.names or benchmark.name in options.names]
    configure_logging("warning", "console")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each socket of a client is a file of ours
    machine = Machine.here()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sections = runner.run(_measure(chosen, scale))
    if len(chosen) > 1:
        print(table(sections))
    where = options.write or (PAGE if not options.names and scale.name != "quick" else None)
    if where is not None:
        where.write_text(page(machine, scale, sections))
        print(f"written to {where}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
