"""What is measured, as processes of their own: ``botswain up``, and the bare echo with a database like ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from botswain.embedded import embedded_postgres, lock_data, running_database
from tests.bench.machine import Meter

__all__ = ["Installation", "Running", "bare_echo", "database", "open_folder", "up"]

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SECRET: Final = "a secret of the benchmarks, for loopback only"
READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 30.0

ECHO_SCRIPT: Final = """\
TALK "Hello"
DO
  HEAR text
  TALK text
LOOP
"""

# The load comes from one address and knows no pause.
WITHOUT_LIMITS: Final = {
    "BOTSWAIN_EDGE__MESSAGES_PER_S": "0",
    "BOTSWAIN_EDGE__ADDRESS_MESSAGES_PER_S": "0",
    "BOTSWAIN_EDGE__SOCKETS_PER_ADDRESS": "0",
    "BOTSWAIN_LOG__LEVEL": "warning",
    "BOTSWAIN_SECRET": SECRET,
}


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for data, removed at the end. A database server that is not run by root may enter."""
    folder = Path(tempfile.mkdtemp(prefix="botswain-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Installation:
    """A data directory and a folder of bots below *folder*; the bot ``echo`` says back what it hears."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def bots(self) -> Path:
        return self.folder / "bots"

    @classmethod
    def make(cls, folder: Path) -> Installation:
        made = cls(folder)
        script = made.bots / "echo.gbai" / "echo.gbdialog" / "start.bas"
        script.parent.mkdir(parents=True)
        script.write_text(ECHO_SCRIPT)
        folder.chmod(0o711)
        return made


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. *url* is that of its echo; *postgres* the URL of its database."""

    pid: int
    port: int
    url: str
    postgres: str
    postmaster: int

    def meter(self) -> Meter:
        return Meter(self.pid, self.postmaster)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """Ours without what somebody set for a botswain of his own."""
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith("BOTSWAIN_")}
    return plain | WITHOUT_LIMITS | settings


def start(installation: Installation, port: int, **settings: str) -> subprocess.Popen[bytes]:
    """Begin a ``botswain up``; what it says goes to ``log`` beside its data."""
    with (installation.folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "botswain", "up", "--no-watch", f"--port={port}"),
                *(f"--data={installation.data}", f"--bots={installation.bots}"),
            ],
            cwd=CHECKOUT,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we end it
        )


async def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; if it does not, end it and what it began."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, STOP_WITHIN_S)
    if process.poll() is None:
        process.kill()
        process.wait()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


@asynccontextmanager
async def up(installation: Installation, **settings: str) -> AsyncIterator[Running]:
    """A ``botswain up`` on the installation, without limits on rates, ready for clients."""
    port = free_port()
    process = start(installation, port, **settings)
    try:
        await _ready(process, port, installation.folder / "log", "/health/ready")
        postgres = await running_database(installation.data)
        assert postgres is not None
        postmaster = int((installation.data / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])
        yield Running(process.pid, port, f"ws://127.0.0.1:{port}/ws/echo", postgres, postmaster)
    finally:
        await end(process)


@asynccontextmanager
async def database(installation: Installation) -> AsyncIterator[str]:
    """The URL of the installation's database, while no botswain runs on it."""
    with lock_data(installation.data):
        async with embedded_postgres(installation.data) as server:
            yield server.url


@asynccontextmanager
async def bare_echo(folder: Path) -> AsyncIterator[Running]:
    """The baseline: a socket, a row committed, a socket (``tests/bench/echo.py``)."""
    installation = Installation.make(folder)
    port = free_port()
    async with database(installation) as postgres:
        postmaster = int((installation.data / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.echo", postgres, str(port)],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await _ready(process, port, folder / "log", None)
            yield Running(process.pid, port, f"ws://127.0.0.1:{port}/", postgres, postmaster)
        finally:
            await end(process)


async def _ready(process: subprocess.Popen[bytes], port: int, log: Path, path: str | None) -> None:
    """Wait until a GET of *path* gives 200; without one, until somebody listens. Raises RuntimeError with the log."""
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
    while not await _answers(port, path):
        if process.poll() is not None or asyncio.get_running_loop().time() > deadline:
            raise RuntimeError(f"a server did not start:\n{log.read_text(errors='replace')[-4000:]}")
        await asyncio.sleep(0.02)


async def _answers(port: int, path: str | None) -> bool:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if path is None:
                    return True
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
