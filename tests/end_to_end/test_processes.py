"""Two edges and two workers, each a process of its own, on one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.end_to_end.client import WebClient, check, exchanges, play, transcript
from tests.end_to_end.conftest import ROOT, Launch, output
from tests.support.botswain_process import BotswainProcess
from tests.support.postgres import create_database, drop_database

QUIZ = exchanges(Path(__file__).parent / "chats" / "quiz.chat")
DESK = exchanges(Path(__file__).parent / "chats" / "service-desk.chat")
TAKEN_OVER_WITHIN_S = 5.0


async def test_a_killed_worker_is_replaced_and_clients_of_a_killed_edge_go_on_at_the_other(
    postgres_server: str, launch: Launch
) -> None:
    url = await create_database(postgres_server)
    settings = {"BOTSWAIN_POSTGRES_URL": url}
    try:
        assert "applied 0001" in await output(launch, "migrate", **settings)
        assert "up to date" in await output(launch, "migrate", **settings)
        edges = [launch("edge", **settings) for _ in range(2)]
        workers = [launch("worker", **settings) for _ in range(2)]
        for edge in edges:
            await edge.ready()
        await published(launch, edges, **settings)
        here = [edges[0], edges[1]]
        clients = [WebClient(lambda: here[0].port, "quiz"), WebClient(lambda: here[1].port, "service-desk")]
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[:2])

        workers[0].kill()
        began = time.monotonic()
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[2:3])
        assert time.monotonic() - began < TAKEN_OVER_WITHIN_S

        here[0] = edges[1]
        edges[0].kill()
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[3:4])
            assert not client.errors
            assert client.entries == await transcript(edges[1].port, client.session)
        assert [client.connections for client in clients] == [2, 1]

        workers[1].kill()
        await clients[1].say(DESK[4].said, wait=False)  # durable, though nobody works on it
        workers[0].start()
        await check(clients[1], DESK[4])
        for client in clients:
            await client.hang_up()
    finally:
        await drop_database(postgres_server, url)


async def test_workers_that_run_different_actors_hold_the_same_conversations(
    postgres_server: str, launch: Launch
) -> None:
    """Nothing is decided with its cause then, or only where the partitions happen to be in one process."""
    url = await create_database(postgres_server)
    settings = {"BOTSWAIN_POSTGRES_URL": url}
    try:
        await output(launch, "migrate", **settings)
        edge = launch("edge", **settings)
        await edge.ready()
        await published(launch, [edge], **settings)
        workers = [launch("worker", actor, **settings) for actor in ("session", "basic", "schedule")]
        clients = [WebClient(lambda: edge.port, bot) for bot in ("quiz", "service-desk")]
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[:2])
        workers.append(launch("worker", **settings))
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[2:3])
        workers[1].kill()
        for client, talk in zip(clients, (QUIZ, DESK), strict=True):
            await play(client, talk[3:])
            assert client.entries == await transcript(edge.port, client.session)
            assert not client.errors
            await client.hang_up()
    finally:
        await drop_database(postgres_server, url)


async def published(launch: Launch, edges: list[BotswainProcess], **settings: str) -> None:
    """Publish the example bots beside what runs: every edge has them at once."""
    assert "version" in await output(launch, "publish", ROOT / "bots", **settings)
    async with httpx.AsyncClient() as api:
        for edge in edges:
            async with asyncio.timeout(10):
                while True:
                    found = (await api.get(f"http://127.0.0.1:{edge.port}/api/v1/bots")).json()["bots"]
                    if [bot["name"] for bot in found] == ["consulta", "pizza", "quiz", "service-desk"]:
                        break
                    await asyncio.sleep(0.05)


async def test_topics_and_doctor_show_what_is(postgres_url: str, launch: Launch) -> None:
    settings = {"BOTSWAIN_POSTGRES_URL": postgres_url}
    up = launch("up", **settings)
    await up.ready()
    async with WebClient(lambda: up.port, "quiz") as client:
        await play(client, QUIZ)
    async with asyncio.timeout(30):  # a position that only has to pass over what was decided moves a second later
        while True:
            said = json.loads(await output(launch, "topics", "--json", **settings))
            topics = {entry["topic"]: entry for entry in said}
            if all(topics[name]["groups"][name]["lag"] == 0 for name in ("session", "basic")):
                break
    for name in ("session", "basic"):
        assert topics[name]["newest"] > 0
        assert topics[name]["groups"][name] == {"owned": topics[name]["partitions"], "lag": 0}
    assert topics["channel.web"]["groups"]["edge"] == {"owned": 1, "lag": None}

    findings = {it["what"]: it for it in json.loads(await output(launch, "doctor", "--json", **settings))}
    assert findings["schema"]["state"] == "ok"
    assert findings["bots"]["state"] == "ok"

    async with httpx.AsyncClient() as api:
        text = (await api.get(f"http://127.0.0.1:{up.port}/metrics")).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    said = len(QUIZ) - 1
    assert float(figures['botswain_edge_events_total{type="message.received.v1"}']) == said
    assert float(figures['botswain_worker_handled_total{actor="session"}']) >= 2 * said
    assert float(figures['botswain_worker_handled_total{actor="basic"}']) >= said
    assert float(figures["botswain_edge_messages_shown_total"]) >= len(client.entries) - said
    assert "process_resident_memory_bytes" in figures
    assert not [name for name in figures if "dead_lettered" in name]


@pytest.mark.parametrize("command", [("publish", "bots/quiz.gbai"), ("withdraw", "quiz"), ("topics",)])
async def test_a_database_that_is_not_migrated_is_a_plain_message(
    postgres_url: str, launch: Launch, command: Sequence[str]
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    process = launch(*command, BOTSWAIN_POSTGRES_URL=postgres_url)
    assert await process.exit_code(30) == 1
    said = process.log.read_text()
    assert "Traceback" not in said
    assert "botswain migrate" in said


@pytest.mark.parametrize("command", ["up", "edge", "worker", "topics", "migrate"])
async def test_a_database_of_a_newer_program_is_a_plain_message(
    postgres_url: str, launch: Launch, command: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("INSERT INTO migrations (number, name, sha256) VALUES (9999, '9999_future.sql', '')")
    await connection.close()
    process = launch(command, BOTSWAIN_POSTGRES_URL=postgres_url)
    assert await process.exit_code(30) == 1
    said = process.log.read_text()
    assert "Traceback" not in said
    assert "newer" in said
