"""A session of PostgreSQL that does not go on holds up whoever waits for its answer: that is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack

import asyncpg
import pytest

from bus.clock import SystemClock
from bus.postgres import open_postgres_bus
from bus.postgres.statements import sql
from bus.protocol import Advance, StateWrite, Turns
from schemas.topics import SESSION
from tests.bus.conformance import key_of, said, to
from tests.support.postgres import hung

WHO_WAITS_IN = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND strpos(query, $1) > 0
"""


async def test_a_commit_a_load_or_an_append_that_owes_its_answer_is_told(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.postgres.database.LATE_S", 0.3)
    connection = await asyncpg.connect(postgres_url)
    async with open_postgres_bus(postgres_url, clock=SystemClock()) as bus:

        async def until(late: bool) -> str:
            async with asyncio.timeout(20):
                while bool(told := await bus.check()) is not late:
                    await asyncio.sleep(0.02)
            return told

        async def owed(table: str, statement: str, work: Awaitable[object]) -> None:
            with ExitStack() as stack:
                async with connection.transaction():
                    await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                    waiting = asyncio.ensure_future(work)
                    assert "has owed an answer for" in await until(late=True)
                    # And hung in the middle of it, long after the lock is gone.
                    pid = await connection.fetchval(WHO_WAITS_IN, statement)
                    stack.enter_context(hung(pid))
                assert not waiting.done()
                assert await bus.check()
            await waiting
            await until(late=False)

        await bus.publish(to(SESSION, said(key_of(1))))
        assert await bus.check() == ""
        turns = Turns("actor", SESSION, [Advance(1, 0, 1)], [StateWrite("k", 1, b"x")])
        await owed("states", "turns_apply", bus.commit(turns))
        await owed("states", sql("states.load"), bus.load("actor", ["k"]))
        await owed("log", "log_append", bus.publish(to(SESSION, said(key_of(1)))))
    await connection.close()
