"""How HTTP is served: who a client is, with a proxy before it and without."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from botswain.compose import listening, serve_http
from botswain.settings import Settings
from bus.stopping import Stop
from edge.settings import EdgeSettings


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
