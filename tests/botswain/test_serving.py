"""How HTTP is served: who a client is, with a proxy before it and without; and what a worker tells."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from botswain.serving import listening, serve_http
from botswain.settings import Settings
from bus.stopping import Stop
from edge.settings import EdgeSettings
from tests.support.botswain_process import BotswainProcess, free_port

ROOT = Path(__file__).parents[2]


async def asked(settings: Settings, **headers: str) -> str:
    """Whom the application takes for its client."""

    async def who(request: Request) -> PlainTextResponse:
        assert request.client is not None
        return PlainTextResponse(request.client.host)

    stopping, serving = Stop(), asyncio.Event()
    with listening("127.0.0.1", 0) as (listener, address):
        async with asyncio.timeout(20), asyncio.TaskGroup() as group, httpx.AsyncClient() as client:
            app = Starlette(routes=[Route("/", who)])
            group.create_task(serve_http(app, listener, settings, stopping, serving.set))
            await serving.wait()
            answer = await client.get(address, headers=headers)
            stopping.request()
    return answer.text


@pytest.mark.parametrize(
    ("trusted", "client"),
    [
        ((), "127.0.0.1"),
        (("10.0.0.5",), "127.0.0.1"),
        (("10.0.0.5", "127.0.0.1"), "203.0.113.9"),
        (("127.0.0.0/8",), "203.0.113.9"),
        (("*",), "203.0.113.9"),
    ],
    ids=str,
)
async def test_a_proxy_says_who_the_client_is_only_if_it_is_trusted(
    trusted: Any, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own, which is not ours
    settings = Settings(edge=EdgeSettings(trusted_proxies=trusted))
    assert await asked(settings, **{"X-Forwarded-For": "203.0.113.9"}) == client


async def test_a_worker_with_a_port_tells_its_health_and_figures(postgres_url: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {"BOTSWAIN_POSTGRES_URL": postgres_url, "BOTSWAIN_WORKER__BATCH": "10"}
    worker = BotswainProcess("worker", "basic", "--port", str(port), log=tmp_path / "log", port=port, settings=settings)
    worker.start()
    try:
        text = await worker.until_health(200)
        assert '"worker":"ok"' in text
        assert '"database":"ok"' in text
        assert '"commits":"ok"' in text
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/health/live")).json() == {"status": "live"}
            assert "botswain_worker_handled_total" in (await client.get("/metrics")).text
            assert (await client.get("/")).status_code == 404
        worker.signal(signal.SIGTERM)
        assert await worker.exit_code(20) == 0, worker.tail()
    finally:
        worker.kill()


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "not watched"])
async def test_mistakes_are_for_authors_and_not_for_visitors(postgres_url: str, tmp_path: Path, watched: bool) -> None:
    script = tmp_path / "bots" / "flowers.gbai" / "start.bas"
    script.parent.mkdir(parents=True)
    script.write_text('TALK "Hello\n', "utf-8")
    port = free_port()
    settings = {"BOTSWAIN_POSTGRES_URL": postgres_url, "BOTSWAIN_WATCH": str(watched)}
    arguments = ["up", "--port", str(port), "--bots", str(tmp_path / "bots"), "--data", str(tmp_path / "data")]
    up = BotswainProcess(*arguments, log=tmp_path / "log", port=port, settings=settings)
    up.start()
    try:
        await up.until_health(200)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            page = await client.get("/chat/flowers")
            assert (page.status_code, "It has mistakes." in page.text) == (404, watched)
            assert ("/chat/flowers" in (await client.get("/")).text) is watched
            told = await client.get("/dev/problems/flowers")
            assert (told.status_code, "not closed" in told.text) == ((200, True) if watched else (404, False))
            script.write_text('TALK "Hello"\n', "utf-8")
            async with asyncio.timeout(20):
                while watched and (await client.get("/chat/flowers")).status_code == 404:
                    continue
        up.signal(signal.SIGTERM)
        assert await up.exit_code(20) == 0, up.tail()
    finally:
        up.kill()


def test_a_worker_that_tells_its_health_does_not_load_the_web_chat() -> None:
    program = "import sys, edge.health, botswain.compose, botswain.serving; sys.exit('edge.web' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60).returncode == 0
