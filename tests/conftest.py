"""Fixtures that more than one part needs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from types import FrameType

import pytest
from hypothesis import settings

from bus.postgres import migrate
from tests.support.postgres import create_database, drop_database, running_postgres

pytest.register_assert_rewrite("tests.bus.conformance")

# The machine may be busy, so no example has a deadline; what fails prints how to run it again.
settings.register_profile("tests", deadline=None, print_blob=True)
settings.load_profile("tests")


def pytest_configure() -> None:
    """Shells start what is in the background deaf to Ctrl-C: the browser's driver would end of it, and nothing else."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """What was started is ended before us, also when Ctrl-C is pressed twice; a third one leaves it behind."""

    def once_more(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, once_more)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a migrated database without content; copies of it are cheap."""

    async def make() -> str:
        url = await create_database(postgres_server)
        await migrate(url)
        return url.split("?")[0].rsplit("/", 1)[1]

    return asyncio.run(make())


@pytest.fixture
async def postgres_url(postgres_server: str, postgres_template: str) -> AsyncIterator[str]:
    """URL of a migrated database of this test's own."""
    url = await create_database(postgres_server, template=postgres_template)
    yield url
    await drop_database(postgres_server, url)
