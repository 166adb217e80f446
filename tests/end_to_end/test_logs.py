"""What is in the log of a whole installation, and above all what is not."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.client import WebClient, exchanges, play
from tests.end_to_end.conftest import Launch
from tests.support.botswain_process import OPERATOR

PIZZA = exchanges(Path(__file__).parent / "chats" / "pizza.chat")
SIGNING_KEY = "a key that only signs: swordfish"
PASSWORD = "plaice-and-chips"  # the server of the tests trusts everybody, and takes any


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_no_secret_is_in_the_log_and_no_word_of_a_person_at_info(
    postgres_url: str, launch: Launch, level: str
) -> None:
    settings = {
        "BOTSWAIN_POSTGRES_URL": postgres_url.replace("postgresql://postgres@", f"postgresql://postgres:{PASSWORD}@"),
        "BOTSWAIN_SECRET": SIGNING_KEY,
        "BOTSWAIN_LOG__LEVEL": level,
        "BOTSWAIN_WORKER__LOG_TURNS": "true",
    }
    assert PASSWORD in settings["BOTSWAIN_POSTGRES_URL"]
    up = launch("up", **settings)
    await up.ready()
    words = "dragonfruit and haddock"
    async with WebClient(lambda: up.port, "pizza") as client, httpx.AsyncClient() as api:
        await play(client, PIZZA[:2])
        await client.say(words)
        await client.hear(1)
        await client.hang_up()  # the next connection has the token in its address
        await play(client, PIZZA[2:4])
        for path, bearer in (("dead-letters", OPERATOR), ("dead-letters", f"not {OPERATOR}"), ("nothing", "nobody")):
            await api.get(f"http://127.0.0.1:{up.port}/api/v1/{path}", headers={"Authorization": f"Bearer {bearer}"})
        await api.get(f"http://127.0.0.1:{up.port}/ws/pizza?token={client.token}")
    up.signal(signal.SIGTERM)
    assert await up.exit_code(15) == 0
    log = up.log.read_text()
    for secret in (client.token, SIGNING_KEY, PASSWORD, OPERATOR):
        assert secret not in log
    if level == "info":
        assert words not in log
        assert words.encode().hex() not in log
    turns = [json.loads(line) for line in log.splitlines() if '"handled"' in line or "turn" in line]
    assert turns, "a line for each turn was asked for"
