"""An event that ends its process is set aside when it has done so three times; all others go on."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import asyncpg
import pytest

from bus.clock import SystemClock
from bus.postgres import open_postgres_bus
from bus.protocol import Outgoing
from schemas.conversation import MessageReceived, Person
from schemas.topics import SESSION
from tests.support.deadly_worker import DIED

ROOT = Path(__file__).parents[2]
NAMES = UUID("1c0ffee0-0000-4000-8000-000000000002")

pytestmark = pytest.mark.crash


def said(person: str, number: int, text: str) -> Outgoing:
    key = str(uuid5(NAMES, person))
    event = MessageReceived(
        id=uuid5(NAMES, f"{person} {number}"),
        at=datetime.now(UTC),
        bot="test",
        bot_version="",
        key=key,
        message_id=f"{person} {number}",
        channel="web",
        person=Person(id=key),
        text=text,
    )
    return Outgoing(SESSION, event)


async def life(url: str) -> int:
    """A worker, until it dies or has done all there is; its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests/support/deadly_worker.py"),
        url,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        async with asyncio.timeout(60):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_an_event_that_kills_three_times_is_set_aside(postgres_url: str) -> None:
    async with open_postgres_bus(postgres_url, clock=SystemClock()) as bus:
        await bus.publish([said(*it) for it in (("a", 1, "one"), ("b", 1, "first"), ("a", 2, "die"))])
        await bus.publish([said(*it) for it in (("a", 3, "three"), ("b", 2, "second"), ("c", 1, "only"))])
    codes = [await life(postgres_url) for _ in range(4)]
    assert codes == [DIED, DIED, DIED, 0]
    connection = await asyncpg.connect(postgres_url)
    try:
        (letter,) = await connection.fetch("SELECT type, data, reason FROM dead_letters")
        rows = await connection.fetch("SELECT session::text, body FROM messages ORDER BY session, seq")
    finally:
        await connection.close()
    assert letter["type"] == "message.received.v1"
    assert b'"die"' in letter["data"]
    assert "died 3 times" in letter["reason"]
    heard: dict[str, list[str]] = {}
    for session, body in rows:
        heard.setdefault(session, []).append(body)
    expected = {"a": ["one", "three"], "b": ["first", "second"], "c": ["only"]}
    assert heard == {str(uuid5(NAMES, person)): texts for person, texts in expected.items()}
