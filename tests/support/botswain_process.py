"""Real ``botswain`` processes, to be talked to and to be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

__all__ = ["OPERATOR", "BotswainProcess", "data_directory", "free_port", "kill_postmaster", "postmaster_of"]

OPERATOR = "the operator of the tests"

_SETTINGS = {
    "BOTSWAIN_EDGE__ADMIN_TOKEN": OPERATOR,
    "BOTSWAIN_EDGE__MESSAGES_PER_S": "0",
    "BOTSWAIN_EDGE__ADDRESS_MESSAGES_PER_S": "0",
    "BOTSWAIN_WATCH": "false",
    "BOTSWAIN_LOG__FORMAT": "json",
}


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@contextmanager
def data_directory() -> Iterator[Path]:
    """A data directory that PostgreSQL's user can reach; a server that is left in it is ended."""
    with tempfile.TemporaryDirectory(prefix="botswain-crash-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        try:
            yield data
        finally:
            kill_postmaster(data, signal.SIGQUIT)


def postmaster_of(data: Path) -> int | None:
    """The process of the server that works in *data*, as far as its pid file knows."""
    try:
        return int((data / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def kill_postmaster(data: Path, number: int = signal.SIGKILL) -> bool:
    """Send a signal to the server of *data*; whether there was one that is really its."""
    pid = postmaster_of(data)
    if pid is None:
        return False
    with suppress(OSError):  # it has just ended
        if os.path.samefile(f"/proc/{pid}/cwd", data / "postgresql" / "data"):
            os.kill(pid, number)
            return True
    return False


class BotswainProcess:
    """
    ``botswain`` *arguments*, started again whenever ``start`` is called.

    Args:
        log: where all of its lives write to.
        port: where it serves HTTP; None for a worker.
    """

    def __init__(self, *arguments: str, log: Path, port: int | None = None, settings: Mapping[str, str] = {}) -> None:
        self.log = log
        self.port = port
        self._command = [sys.executable, "-m", "botswain", *arguments]
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin a life."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTSWAIN_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**inherited, **_SETTINGS, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``, and wait for the kernel to be done with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it lives."""
        assert self._process is not None
        return self._process.poll()

    async def exit_code(self, within_s: float) -> int:
        """Wait for its end."""
        async with asyncio.timeout(within_s):
            while (code := self.ended) is None:
                await asyncio.sleep(0.01)
        return code

    async def health(self) -> tuple[int, str]:
        """Status and text of ``/health/ready``; 0 when nobody answers."""
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
            except httpx.TransportError as error:
                return 0, repr(error)
        return answer.status_code, answer.text

    async def until_health(self, status: int, *, within_s: float = 60, mentions: str = "") -> str:
        """Wait for that answer of ``/health/ready``; its text."""
        found, text = 0, ""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    found, text = await self.health()
                    if found == status and mentions in text:
                        return text
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not {status} within {within_s} s but {found}: {text}\n{self.tail()}") from None

    async def ready(self) -> None:
        """Wait until it serves. Raises ``AssertionError`` with its last words if it has ended."""
        while (await self.health())[0] != 200:
            assert self.ended is None, f"ended with {self.ended}\n{self.tail()}"
            await asyncio.sleep(0.02)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
