"""A database that is not there for a while: red health, nothing acknowledged, and everything goes on by itself."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from tests.end_to_end.client import WebClient, check, exchanges, play, transcript
from tests.end_to_end.conftest import Launch
from tests.support.breaking import breaking_line

DESK = exchanges(Path(__file__).parent / "chats" / "service-desk.chat")


async def test_health_is_red_while_the_database_is_away_and_the_conversation_goes_on_after(
    postgres_url: str, launch: Launch
) -> None:
    parts = urlsplit(postgres_url)
    socket = Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432"
    with tempfile.TemporaryDirectory(prefix="botswain-line-", dir="/tmp") as folder:
        url = parts._replace(query=f"host={quote(folder)}").geturl()
        async with breaking_line(socket, Path(folder) / ".s.PGSQL.5432") as line:
            up = launch("up", BOTSWAIN_POSTGRES_URL=url)
            async with asyncio.timeout(30):
                await up.ready()
            client = WebClient(lambda: up.port, "service-desk")
            await play(client, DESK[:2])
            async with line.down():
                text = await up.until_health(503, within_s=10)
                assert '"database":"PostgreSQL' in text
                async with httpx.AsyncClient() as api:
                    assert (await api.get(f"http://127.0.0.1:{up.port}/health/live")).status_code == 200
                    listed = await api.get(f"http://127.0.0.1:{up.port}/api/v1/bots")
                    assert listed.status_code == 503
                    assert listed.headers["content-type"] == "application/problem+json"
                await client.say(DESK[2].said, wait=False)
            await client.acknowledged()
            await check(client, DESK[2])
            await up.until_health(200, within_s=15)
            await play(client, DESK[3:])
            assert client.entries == await transcript(up.port, client.session)
            await client.hang_up()
            up.kill()
