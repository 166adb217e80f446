"""Whole installations: real processes, real databases, a real Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.botswain_process import BotswainProcess, data_directory, free_port

ROOT = Path(__file__).parents[2]

Launch = Callable[..., BotswainProcess]


@pytest.fixture
def data() -> Iterator[Path]:
    with data_directory() as made:
        yield made


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts ``botswain`` with arguments and settings; ends what is left of it. Edges and ``up`` get a port."""
    started: list[BotswainProcess] = []

    def launched(command: str, *arguments: str | Path, **settings: str) -> BotswainProcess:
        port = free_port() if command in ("up", "edge") else None
        given = {"BOTSWAIN_BOTS": str(ROOT / "bots")} | settings
        if port is not None:
            given["BOTSWAIN_PORT"] = str(port)
        process = BotswainProcess(
            command, *map(str, arguments), log=tmp_path / f"{command}-{len(started)}.log", port=port, settings=given
        )
        process.start()
        started.append(process)
        return process

    yield launched
    for process in started:
        process.kill()
        print(f"--- {process.log.name}\n{process.tail()}")


async def output(launch: Launch, command: str, *arguments: str | Path, **settings: str) -> str:
    """What a command prints; it has to end well."""
    process = launch(command, *arguments, **settings)
    assert await process.exit_code(30) == 0, process.tail()
    return process.log.read_text()
