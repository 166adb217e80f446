"""How ``botswain up`` ends, and what its clients notice."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx

from tests.end_to_end.client import WebClient, check, exchanges, play, transcript
from tests.end_to_end.conftest import Launch

PIZZA = exchanges(Path(__file__).parent / "chats" / "pizza.chat")
STOPS_WITHIN_S = 10.0


async def test_sigterm_in_the_midst_of_talk_loses_nothing(data: Path, launch: Launch) -> None:
    up = launch("up", BOTSWAIN_DATA=str(data))
    await up.ready()
    clients = [WebClient(lambda: up.port, "pizza") for _ in range(5)]
    for client in clients:
        await play(client, PIZZA[:2])
    async with httpx.AsyncClient(timeout=30) as api, asyncio.timeout(60):
        url = f"http://127.0.0.1:{up.port}/api/v1/conversations/{clients[0].session}/events"
        async with api.stream("GET", url, headers={"Authorization": f"Bearer {clients[0].token}"}) as stream:
            assert stream.status_code == 200
            for client in clients:
                await client.say(PIZZA[2].said, wait=False)
            began = time.monotonic()
            up.signal(signal.SIGTERM)
            lines = [line async for line in stream.aiter_lines()]  # it ends
            assert lines[0] == "retry: 1000"
    assert await up.exit_code(STOPS_WITHIN_S) == 0
    assert time.monotonic() - began < STOPS_WITHIN_S
    up.start()
    for client in clients:
        await check(client, PIZZA[2])
        await play(client, PIZZA[3:5])
        assert client.entries == await transcript(up.port, client.session)
        await client.hang_up()


async def test_a_second_signal_ends_it_at_once(data: Path, launch: Launch) -> None:
    up = launch("up", BOTSWAIN_DATA=str(data))
    await up.ready()
    async with WebClient(lambda: up.port, "pizza") as client:
        await play(client, PIZZA[:2])
        await client.say(PIZZA[2].said, wait=False)
        up.signal(signal.SIGTERM)
        async with asyncio.timeout(STOPS_WITHIN_S):
            while "stop_requested" not in up.log.read_text():
                await asyncio.sleep(0)
        up.signal(signal.SIGTERM)
        assert await up.exit_code(2) in (-signal.SIGTERM, 0)
        up.start()
        await check(client, PIZZA[2])
        await play(client, PIZZA[3:4])


async def test_who_comes_first_finds_the_bots(data: Path, launch: Launch) -> None:
    """As soon as the port answers at all, a client is served: nobody is told that there is no such bot."""
    up = launch("up", BOTSWAIN_DATA=str(data))
    async with WebClient(lambda: up.port, "pizza") as client:
        await play(client, PIZZA[:2])
        assert not client.errors
        assert client.connections == 1
    status, text = await up.health()
    assert status == 200, text
