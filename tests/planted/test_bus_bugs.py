"""Each planted bug is noticed by the proofs that the bus passes without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from bus.memory import MemoryBus
from bus.postgres import PostgresBus
from tests.bus import conformance
from tests.bus import test_postgres as on_postgresql
from tests.crash import test_every_await as every_await
from tests.planted import bus_bugs as bugs

Proof = Callable[[on_postgresql.PostgresWorld], Awaitable[None]]

SUITE = on_postgresql.TestPostgresBus()
CASES: list[tuple[Callable[[str], AbstractAsyncContextManager[None]], Proof]] = [
    (bugs.offset_given_out_at_insert, SUITE.test_late_commits_are_not_skipped),
    (bugs.wake_up_by_notify_alone, SUITE.test_a_lost_wake_up_costs_a_quarter_of_a_second),
]


@pytest.mark.parametrize(("plant", "proof"), CASES, ids=["offset_given_out_at_insert", "wake_up_by_notify_alone"])
async def test_planted_bug_is_noticed(
    plant: Callable[[str], AbstractAsyncContextManager[None]],
    proof: Proof,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conformance, "PATIENCE_S", 8.0)  # what is missed never comes
    async with AsyncExitStack() as stack, plant(postgres_url):
        world = on_postgresql.PostgresWorld(postgres_url, tmp_path, stack)
        with pytest.raises((AssertionError, TimeoutError, ExceptionGroup)):
            await proof(world)


def test_acknowledging_before_it_is_durable_is_noticed_on_postgresql(postgres_url: str) -> None:
    with bugs.acknowledged_before_durable(PostgresBus):
        assert on_postgresql.there_after_the_process_died(postgres_url) < 2


def test_acknowledging_before_it_is_durable_is_noticed() -> None:
    """Some crash loses what the client was told is there: it waits for ever, or what is left is not the same."""
    points, calm = every_await.in_memory(None)
    noticed = 0
    with bugs.acknowledged_before_durable(MemoryBus):
        for point in range(0, points, 3):
            try:
                noticed += every_await.in_memory(point)[1] != calm
            except (AssertionError, TimeoutError, ExceptionGroup):
                noticed += 1
            if noticed:
                break
    assert noticed
