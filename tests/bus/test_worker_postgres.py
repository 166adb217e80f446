"""The worker on a real PostgreSQL: what a bus in memory cannot show."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from actors.schedule import ScheduleActor
from bus.actor import Ask, Turn
from bus.clock import SystemClock
from bus.dead_letters import redrive
from bus.errors import QueryFailed
from bus.postgres import PostgresBus, open_postgres_bus
from bus.postgres.reads import open_reads
from bus.protocol import Delivery, Query, Rows
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.conversation import MessageReady, MessageReceived
from schemas.topics import CHANNEL_WEB, SESSION
from tests.simulation.crew import Echo, Hosted, said, to_session
from tests.simulation.crew import Host as SmallSession


async def shown(bus: PostgresBus, count: int, group: str = "edge") -> list[str]:
    """What was said to people, once that is *count* messages."""
    found: list[Delivery] = []
    async with asyncio.timeout(20), bus.subscribe(CHANNEL_WEB, group=group) as subscription:
        while len(found) < count:
            found += (await subscription.take(100)).deliveries
    assert len(found) == count
    return [f"{d.event.message.seq} {d.event.message.text}" for d in found if isinstance(d.event, MessageReady)]


async def test_three_actors_and_a_timer_hold_a_conversation(postgres_url: str) -> None:
    stop, clock = Stop(), SystemClock()
    at = clock.now() - timedelta(seconds=29.8)  # 'later' is half a minute after the message
    async with open_postgres_bus(postgres_url, clock=clock) as bus, asyncio.TaskGroup() as group:
        group.create_task(run_worker(bus, [SmallSession(), Echo(), ScheduleActor()], stopping=stop))
        await bus.publish(to_session(said("a", "one", 1, at=at), said("a", "later two", 2, at=at)))
        answers = await shown(bus, 5)
        late = clock.now() - at - timedelta(seconds=30)
        stop.request()
    # The timer may come before or after the other answers.
    assert [answer.partition(" ")[0] for answer in answers] == ["1", "2", "3", "4", "5"]
    assert {answer.partition(" ")[2] for answer in answers} == {"one", "1 one", "2 one", "later two"}
    assert timedelta() <= late < timedelta(seconds=2)


async def test_what_a_killed_worker_had_in_hand_is_done_once(postgres_url: str) -> None:
    """The process goes away in the middle: its tasks are cancelled at whatever they wait for, again and again."""
    clock = SystemClock()
    async with open_postgres_bus(postgres_url, clock=clock) as bus:
        await bus.publish(to_session(*(said(f"key {n % 10}", f"{n}", n) for n in range(100))))
        for _ in range(10):
            working = asyncio.ensure_future(run_worker(bus, [SmallSession(), Echo()], options=Options(batch=3)))
            await bus.load(SESSION, ["key 1"])
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        stop = Stop()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_worker(bus, [SmallSession(), Echo()], stopping=stop))
            answers = await shown(bus, 300)
            stop.request()
    # Ten messages of each person, each answered twice, numbered without a gap.
    assert sorted(answer.partition(" ")[0] for answer in answers) == sorted(
        f"{n}" for n in range(1, 31) for _ in range(10)
    )


class Clerk:
    """Keeps what it hears in a table of its own, and shows how many lines there are."""

    name = topic = SESSION
    state = Hosted

    def decide(self, turn: Turn, state: Hosted | None) -> Generator[Ask, Rows | bytes | None, Hosted | None]:
        state = state or Hosted()
        if not isinstance(turn.event, MessageReceived):
            return state
        text = turn.event.text
        try:
            yield Query("INSERT INTO ledger (line) VALUES ($1)", (text,))
        except QueryFailed as error:
            SmallSession().show(turn, state, "bot", error.code)
            return state
        rows: Any = yield Query("SELECT count(*) AS lines FROM ledger")
        if text == "fail":
            raise ValueError(text)
        SmallSession().show(turn, state, "bot", f"{rows[0]['lines']} lines")
        return state


@pytest.fixture
async def ledger(postgres_url: str) -> str:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE ledger (line text NOT NULL UNIQUE)")
    await connection.close()
    return postgres_url


async def test_queries_run_in_the_transaction_of_the_turn(ledger: str) -> None:
    async with open_postgres_bus(ledger, clock=SystemClock()) as bus:
        await bus.publish(to_session(*(said("a", text, n) for n, text in enumerate(("one", "fail", "one", "two")))))
        await run_worker(bus, [Clerk()], until_idle=True)
        assert await shown(bus, 3) == ["1 1 lines", "2 23505", "3 2 lines"]
        connection = await asyncpg.connect(ledger)
        assert [row[0] for row in await connection.fetch("SELECT line FROM ledger ORDER BY line")] == ["one", "two"]
        assert await connection.fetchval("SELECT count(*) FROM turn_queries") == 4
        await connection.close()
        async with open_reads(ledger) as reads:
            (letter,) = await reads.letters(limit=10)
            assert letter.reason == "ValueError: fail"
            assert await redrive(bus, reads, letter.id)
            await run_worker(bus, [Clerk()], until_idle=True)
            assert not await redrive(bus, reads, letter.id)
            waiting = await reads.letters(limit=10)
    assert [(again.reason, again.id == letter.id) for again in waiting] == [("ValueError: fail", False)]
