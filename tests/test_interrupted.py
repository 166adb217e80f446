"""Ctrl-C ends the tests, and all that they have started."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]

# Says where it is by files, since its output comes when all is over.
WAITS = """
import asyncio, pathlib, time
import pytest

here = pathlib.Path(__file__).parent

@pytest.fixture
def slow_to_end(postgres_server):
    yield
    (here / "leaving").touch()
    while not (here / "go on").exists():
        time.sleep(0.01)

async def test_waits(slow_to_end):
    (here / "waiting").touch()
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize("deaf", [False, True], ids=["in the foreground", "in the background"])
def test_ctrl_c_twice_ends_the_tests_and_leaves_nothing_behind(tmp_path: Path, deaf: bool) -> None:
    (tmp_path / "test_waits.py").write_text(WAITS)
    arguments: list[str | Path] = [
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        ROOT / "pyproject.toml",
        tmp_path,
    ]
    shell = ["sh", "-c", 'trap "" INT; exec "$@"' if deaf else 'exec "$@"', "sh"]
    tests = subprocess.Popen(
        [*shell, sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    started: list[psutil.Process] = []
    try:
        _until((tmp_path / "waiting").exists, tests)
        started = psutil.Process(tests.pid).children(recursive=True)
        assert any(process.name() == "postgres" for process in started)
        tests.send_signal(signal.SIGINT)
        _until((tmp_path / "leaving").exists, tests)
        tests.send_signal(signal.SIGINT)
        (tmp_path / "go on").touch()
        said, _ = tests.communicate(timeout=20)
        assert tests.returncode == pytest.ExitCode.INTERRUPTED, said.decode()
        assert not psutil.wait_procs(started, timeout=5)[1]
    finally:
        tests.kill()
        for process in started:
            if process.is_running():
                process.kill()


def _until(there: Callable[[], bool], tests: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert tests.poll() is None, tests.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
