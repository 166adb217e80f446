"""What an actor cannot handle is set aside, and done again when the cause is mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.end_to_end.client import WebClient, exchanges, play, transcript
from tests.end_to_end.conftest import ROOT, Launch, output

DESK = exchanges(Path(__file__).parent / "chats" / "service-desk.chat")
APOLOGY = "Sorry, something went wrong on our side. You can go on, or write again later."


@pytest.mark.parametrize("how", ["unreadable", "impossible"])
async def test_a_turn_that_fails_is_apologised_for_shown_and_redriven(
    postgres_url: str, launch: Launch, how: str
) -> None:
    settings = {"BOTSWAIN_POSTGRES_URL": postgres_url}
    await output(launch, "publish", ROOT / "bots" / "service-desk.gbai", **settings)
    edge, worker = launch("edge", **settings), launch("worker", **settings)
    await edge.ready()
    async with WebClient(lambda: edge.port, "service-desk") as client:
        await play(client, DESK[:2])
        worker.kill()
        state = await damage(postgres_url, client.session, {"unreadable": unreadable, "impossible": impossible}[how])
        worker.start()
        await client.say("ADA")
        assert [heard.text for heard in await client.hear(1)] == [APOLOGY]

        (letter,) = json.loads(await output(launch, "dead", "list", "--json", **settings))
        assert (letter["group"], letter["type"]) == ("basic", "answer.given.v1")
        shown = await output(launch, "dead", "show", letter["id"], **settings)
        assert "ADA" in shown
        assert "Traceback" in shown

        worker.kill()
        await damage(postgres_url, client.session, lambda _: state)
        worker.start()
        assert f"redriven {letter['id']}" in await output(launch, "dead", "redrive", letter["id"], **settings)
        assert [heard.text for heard in await client.hear(1)] == ["Does it say that the account is locked?"]
        assert "Nothing is set aside." in await output(launch, "dead", "list", **settings)
        again = launch("dead", "redrive", letter["id"], **settings)
        assert await again.exit_code(30) == 1
        assert "Nothing is set aside (any more)" in again.log.read_text()
        assert client.entries == await transcript(edge.port, client.session)


async def test_a_blocked_conversation_goes_on_when_the_letter_is_discarded(
    postgres_url: str, launch: Launch, tmp_path: Path
) -> None:
    bot = tmp_path / "careful.gbai"
    (bot / "careful.gbot").mkdir(parents=True)
    (bot / "careful.gbot" / "config.csv").write_text("name,value\nfailed-turn,block\n")
    (bot / "start.bas").write_text('HEAR first WITH "First?"\nHEAR second WITH "Second?"\nTALK first + second\n')
    settings = {"BOTSWAIN_POSTGRES_URL": postgres_url}
    await output(launch, "publish", bot, **settings)
    edge, worker = launch("edge", **settings), launch("worker", **settings)
    await edge.ready()
    async with WebClient(lambda: edge.port, "careful") as client:
        assert [heard.text for heard in await client.hear(1)] == ["First?"]
        worker.kill()
        before = json.loads(await damage(postgres_url, client.session, impossible))
        worker.start()
        await client.say("a")
        listed = ""
        while not re.search(r"answer\.given", listed):
            listed = await output(launch, "dead", "list", **settings)
        await client.say("b", wait=False)
        worker.kill()

        def mended(state: bytes) -> bytes:
            return json.dumps(json.loads(state) | {"state": before["state"]}).encode()

        await damage(postgres_url, client.session, mended)
        worker.start()
        (letter,) = json.loads(await output(launch, "dead", "list", "--json", **settings))
        assert "discarded" in await output(launch, "dead", "discard", letter["id"], **settings)
        assert [heard.text for heard in await client.hear(2)] == [APOLOGY, "Second?"]
        assert "Nothing is set aside." in await output(launch, "dead", "list", **settings)


def unreadable(_state: bytes) -> bytes:
    """What no program has written."""
    return b"x"


def impossible(state: bytes) -> bytes:
    """What can be read, and no script can go on from."""
    kept = json.loads(state)
    for run in kept["state"]["runs"].values():
        run["frames"] = {"wait": run["frames"]["wait"]}
    return json.dumps(kept).encode()


async def damage(url: str, session: str, how: Callable[[bytes], bytes]) -> bytes:
    """Change the stored state of the conversation's scripts; what it was."""
    connection = await asyncpg.connect(url)
    try:
        value: bytes = await connection.fetchval(
            "SELECT value FROM states WHERE actor = 'basic' AND key = $1 ORDER BY version DESC LIMIT 1", session
        )
        await connection.execute("UPDATE states SET value = $2 WHERE actor = 'basic' AND key = $1", session, how(value))
        return value
    finally:
        await connection.close()
