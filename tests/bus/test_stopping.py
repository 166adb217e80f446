"""One way to stop; asked twice, the process ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from random import Random

from bus.ids import uuid7
from bus.stopping import Stop, stop_signals

TWICE = """
import asyncio, os, signal
from bus.stopping import stop_signals

async def main():
    async with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        print("asked", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_signal_asks_to_stop() -> None:
    async with stop_signals() as stop, asyncio.timeout(5):
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
    assert stop.requested


def test_the_second_signal_ends_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, timeout=20, check=False)
    assert ended.returncode == -signal.SIGTERM, ended.stderr
    assert b"asked" in ended.stdout


async def test_a_wait_is_interrupted_and_the_next_does_not_begin() -> None:
    stop, passed = Stop(), []
    async with asyncio.timeout(5):
        asyncio.get_running_loop().call_soon(stop.request)
        for _ in range(2):
            async with stop.interrupts():
                await asyncio.Event().wait()
                passed.append(True)
    assert not passed


async def test_a_time_out_of_the_caller_is_not_taken_for_a_stop() -> None:
    stop = Stop()
    try:
        async with asyncio.timeout(0), stop.interrupts():
            await asyncio.Event().wait()
    except TimeoutError:
        return
    raise AssertionError("the time-out was lost")


class _Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_ids_grow_whatever_the_clock_does() -> None:
    clock = _Clock()
    make = uuid7(clock, Random(1))
    made = []
    for step_ms in (0, 0, 1, 0, -5000, 0, 5001, 0):
        clock.at += timedelta(milliseconds=step_ms)
        made += [make() for _ in range(3000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(id_.version == 7 and id_.variant == "specified in RFC 4122" for id_ in made)
    assert abs((made[0].int >> 80) - clock.at.timestamp() * 1000) < 10_000
