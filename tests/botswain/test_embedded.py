"""The embedded PostgreSQL: start, adopt, recover, refuse."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest
from structlog.testing import capture_logs

from botswain import embedded
from botswain.embedded import PidFile, embedded_postgres, find_home, lock_data, running_database
from botswain.errors import Problem

NAMELESS = 2_000_000_011  # a user that no machine has a name for


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that the server's user can reach (pytest's own folders are closed to others)."""
    with tempfile.TemporaryDirectory(prefix="botswain-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


async def value_of(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_what_was_written_is_there_at_the_next_start(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            await value_of(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
        async with embedded_postgres(data) as server:
            assert not server.adopted
            assert await value_of(server.url, "SELECT n FROM kept") == 42


async def test_nothing_is_lost_for_speed_and_nobody_else_gets_in(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            for setting, value in {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}.items():
                assert await value_of(server.url, f"SHOW {setting}") == value
            assert await value_of(server.url, "SHOW listen_addresses") == ""
            assert server.socket.stat().st_mode & 0o077 == 0


def start_and_be_killed(data: Path) -> PidFile:
    """Another process starts the database and is ended with SIGKILL; the database runs on."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from botswain.embedded import embedded_postgres, lock_data\n"
        "async def main():\n"
        "    data = Path(sys.argv[1])\n"
        "    with lock_data(data):\n"
        "        async with embedded_postgres(data):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(data)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    found = PidFile.read(find_home(data))
    assert found is not None
    return found


async def test_a_database_left_running_is_adopted(data: Path) -> None:
    left = start_and_be_killed(data)
    with lock_data(data):
        async with embedded_postgres(data) as server:
            assert server.adopted
            assert await value_of(server.url, "SELECT pg_postmaster_start_time() IS NOT NULL")
            assert psutil.pid_exists(left.pid)
    assert PidFile.read(find_home(data)) is None, "what we adopted, we stop"


async def test_a_killed_server_leaves_a_stale_pid_file_and_the_next_start_works(data: Path) -> None:
    left = start_and_be_killed(data)
    os.kill(left.pid, signal.SIGKILL)
    assert find_home(data).pid_file.exists()
    with lock_data(data):
        async with embedded_postgres(data) as server:
            assert not server.adopted
            assert await value_of(server.url, "SELECT 1") == 1


async def test_what_a_killed_server_leaves_behind_is_ended(data: Path) -> None:
    """One that does not notice by itself would be waited for, and its successor not start, for minutes."""
    left = start_and_be_killed(data)
    home = find_home(data)
    assert embedded._orphans(home) == [], "they have a server"
    children = psutil.Process(left.pid).children()
    stuck, *_ = children
    stuck.suspend()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], cwd=home.data, stdin=subprocess.PIPE)
    try:
        os.kill(left.pid, signal.SIGKILL)
        psutil.wait_procs(children[1:], timeout=20)
        assert embedded._orphans(home) == [stuck]
        with lock_data(data), capture_logs() as logs:
            async with asyncio.timeout(60), embedded_postgres(data) as server:
                assert await value_of(server.url, "SELECT 1") == 1
        assert not stuck.is_running() or stuck.status() == psutil.STATUS_ZOMBIE
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()
    said = [line for line in logs if line["event"] == "database_waits"]
    assert stuck.pid in said[0]["pids"]


async def test_a_stale_pid_file_may_name_a_process_that_lives_and_is_not_ours(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            home = server.home
            content = home.pid_file.read_text().splitlines()
        # this very process: PostgreSQL itself would take it for a living server
        home.pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]) + "\n")
        async with embedded_postgres(data) as server:
            assert await value_of(server.url, "SELECT 1") == 1


async def test_the_server_of_another_directory_is_left_alone(data: Path) -> None:
    """A directory that was copied while its server ran has the number and the socket of that one."""
    with lock_data(data), lock_data(data.parent / "copied"):
        async with embedded_postgres(data.parent / "copied") as server:
            copied = server.home
        async with embedded_postgres(data) as theirs:
            assert embedded._orphans(copied) == [], "the children of another server"
            copied.pid_file.write_text(theirs.home.pid_file.read_text())
            async with embedded_postgres(data.parent / "copied") as server:
                assert not server.adopted
                assert await value_of(server.url, "SHOW data_directory") == str(copied.data)
            assert await value_of(theirs.url, "SHOW data_directory") == str(theirs.home.data)


async def test_a_zombie_is_no_server(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            home = server.home
            content = home.pid_file.read_text().splitlines()
        dead = subprocess.Popen([sys.executable, "-c", ""])
        async with asyncio.timeout(20):
            while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0)
        try:
            home.pid_file.write_text("\n".join([str(dead.pid), *content[1:]]) + "\n")
            async with embedded_postgres(data) as server:
                assert await value_of(server.url, "SELECT 1") == 1
        finally:
            dead.wait()


@pytest.mark.parametrize("lines", range(8))
async def test_a_server_that_was_killed_while_it_started(data: Path, lines: int) -> None:
    """It writes its file line by line; the line of the socket is empty at first."""
    with lock_data(data):
        async with embedded_postgres(data) as server:
            pid_file = server.home.pid_file
            content = pid_file.read_text().splitlines()
        with subprocess.Popen([sys.executable, "-c", ""]) as dead:
            pass
        written = [str(dead.pid), *content[1:4], "", *content[5:]][:lines]
        pid_file.write_text("".join(f"{line}\n" for line in written))
        assert await running_database(data) is None
        async with embedded_postgres(data) as server:
            assert await value_of(server.url, "SELECT 1") == 1


async def test_a_server_that_still_starts_keeps_its_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            pid_file = server.home.pid_file
        with subprocess.Popen(["sleep", "1000"], cwd=pid_file.parent) as starts:
            try:
                pid_file.write_text(f"{starts.pid}\n{pid_file.parent}\n1700000000\n5432\n\n")
                monkeypatch.setattr(embedded, "READY_WITHIN_S", 0)
                with pytest.raises(Problem, match=rf"process {starts.pid}\) works in .* but does not answer"):
                    async with embedded_postgres(data):
                        pass
                assert pid_file.exists()
            finally:
                starts.kill()


async def test_a_server_that_has_written_nothing_yet_is_waited_for(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            first = server.home.pid_file.read_text()
            process, server._process = server._process, None  # as one that is not ours
            server.home.pid_file.write_text("")
            adopting = asyncio.ensure_future(server._adopt())
            await asyncio.wait([adopting], timeout=0.2)
            assert not adopting.done()
            server.home.pid_file.write_text(first)
            assert await adopting
            server._process = process


async def test_who_leaves_while_the_database_starts_leaves_no_server_behind(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed, and is being started again when we are told to end."""
    read = PidFile.read
    with lock_data(data):
        async with embedded_postgres(data) as server:
            first = read(server.home)
            assert first is not None
            never_ready = lambda home: (found := read(home)) and replace(found, status="starting")  # noqa: E731
            monkeypatch.setattr(PidFile, "read", never_ready)
            os.kill(first.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while (new := read(server.home)) is None or new.pid in {0, first.pid}:
                    await asyncio.sleep(0)
        assert not psutil.pid_exists(new.pid)


async def test_a_server_that_dies_is_started_again(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            first = PidFile.read(server.home)
            assert first is not None
            await value_of(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
            os.kill(first.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert await value_of(server.url, "SELECT n FROM kept") == 42
                        break
                    except (asyncpg.PostgresError, OSError):
                        await asyncio.sleep(0)
            async with asyncio.timeout(30):
                while server.trouble:
                    await asyncio.sleep(0)


async def test_a_first_start_that_was_cut_short_leaves_nothing_behind(data: Path) -> None:
    with lock_data(data):
        home = find_home(data)
        (home.path / "making-1234").mkdir()
        (home.path / "making-1234" / "PG_VERSION").write_text("18\n")
        async with embedded_postgres(data):
            assert not list(home.path.glob("making-*"))


async def test_a_database_of_another_major_version_is_refused_untouched(data: Path) -> None:
    with lock_data(data):
        home = find_home(data)
        home.data.mkdir()
        (home.data / "PG_VERSION").write_text("13\n")
        with pytest.raises(Problem, match=r"made by PostgreSQL 13"):
            async with embedded_postgres(data):
                pass
        assert [file.name for file in home.data.iterdir()] == ["PG_VERSION"]


@pytest.mark.parametrize("name", ["a" * 60 + "/" + "b" * 60, 'o\'brien, and "sons" 100%', "dados à mão"])
async def test_a_long_or_odd_path_gets_its_socket_elsewhere(data: Path, name: str) -> None:
    deep = data / name
    with lock_data(deep):
        async with embedded_postgres(deep) as server:
            assert server.socket != server.home.path
            assert await value_of(server.url, "SELECT 1") == 1
        assert not server.socket.exists()


def test_two_cannot_hold_one_directory(data: Path) -> None:
    with (
        lock_data(data, note="http://127.0.0.1:8080"),
        pytest.raises(Problem, match=rf"in use by another botswain \(process {os.getpid()}, http://127.0.0.1:8080\)"),
        lock_data(data),
    ):
        pass


def test_a_directory_that_cannot_be_made_is_a_plain_message(data: Path) -> None:
    data.parent.joinpath("file").write_text("")
    with pytest.raises(Problem, match="cannot be written"), lock_data(data.parent / "file" / "below"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
async def test_root_below_a_folder_that_others_cannot_enter(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "SHARED_PLACE", data.parent / "shared")
    closed = data.parent / "closed"
    closed.mkdir(mode=0o700)
    with lock_data(closed / "data"):
        async with embedded_postgres(closed / "data") as server:
            assert await value_of(server.url, "SELECT 1") == 1
    assert (closed / "data" / "postgresql").is_symlink()
    assert (data.parent / "shared") in server.home.path.parents


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_root_runs_the_server_as_the_owner_of_its_files_though_he_has_no_name_here(data: Path) -> None:
    with lock_data(data):
        async with embedded_postgres(data) as server:
            assert await value_of(server.url, "SELECT 1") == 1
        home = find_home(data)
        for path in (home.path, *home.path.rglob("*")):
            os.chown(path, NAMELESS, NAMELESS, follow_symlinks=False)
        home.log.unlink()
        async with embedded_postgres(data) as server:
            assert await value_of(server.url, "SELECT 1") == 1
    owners = {path.stat().st_uid for path in (home.path, *home.path.rglob("*"))}
    assert owners == {NAMELESS}, "he can start it himself, and write its log"
