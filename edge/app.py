"""The edge as one ASGI application: sockets, pages, HTTP API, health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from bus.clock import SystemClock
from bus.errors import BusUnavailable
from bus.protocol import Bus, Clock
from bus.stopping import Stop
from edge import problems
from edge.api import Api
from edge.directory import BotDirectory
from edge.headers import SecurityHeaders
from edge.health import Check, Health
from edge.hub import Hub
from edge.limits import Addresses
from edge.metrics import Metrics
from edge.pages import Pages
from edge.reading import Reader
from edge.settings import EdgeSettings
from edge.tokens import Tokens
from edge.web import WebChat

__all__ = ["Edge", "create_app"]


_FIRST_LOOK_S: Final = 2.0


class Edge:
    """The ASGI application. Sockets go straight to the web chat: an idle one then holds one coroutine, not five."""

    def __init__(self, chat: WebChat, http: Starlette, directory: BotDirectory) -> None:
        self._chat = chat
        self._http = http
        self.directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith("/ws/"):
            await self._chat(scope, receive, send)
        else:
            await self._http(scope, receive, send)


def create_app(
    bus: Bus,
    reader: Reader,
    settings: EdgeSettings,
    *,
    token_keys: Sequence[str],
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    bots_hint: Callable[[], str] = lambda: "",
    problems_of: Callable[[str], Sequence[str]] = lambda _bot: (),
    unpublished: Callable[[], Sequence[str]] = lambda: (),
    checks: Mapping[str, Check] | None = None,
    stopping: Stop | None = None,
) -> Edge:
    """
    The application of one edge process. Its lifespan listens on the log.

    Args:
        token_keys: keys that sign the clients' tokens, the newest last.
        bots_hint: what to tell an author who sees no bots, '' for nothing.
        problems_of: what is wrong with the newest edit of a bot, for its author.
        unpublished: the bots with such an edit.
        stopping: the process's wish to stop: requests that wait for answers then end at once.
        checks: what else has to be there for ``/health/ready``: a name, and a function that says what is wrong with it.
    """
    metrics = metrics or Metrics()
    clock = clock or SystemClock()
    directory = BotDirectory(reader)
    hub = Hub(bus, clock, directory.version_of, metrics)
    addresses = Addresses(settings)
    tokens = Tokens(token_keys, settings.token_max_age_s)
    chat = WebChat(hub, reader, directory, tokens, addresses, metrics, settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as background, chat.open():
            tasks = [background.create_task(hub.run()), background.create_task(directory.run())]
            # Who is served first finds the bots and a slot; if they do not come, health says why.
            with suppress(TimeoutError, BusUnavailable):
                async with asyncio.timeout(_FIRST_LOOK_S):
                    await directory.refresh()
                    await hub.wait_slot(_FIRST_LOOK_S)
            yield
            for task in tasks:
                task.cancel()

    api = Api(bus, hub, reader, directory, tokens, addresses, settings, stopping or Stop())
    health = Health({"slot": hub.check, "bots": directory.check, **(checks or {})}, metrics.registry)
    pages = Pages(directory, settings, hint=bots_hint, problems_of=problems_of, unpublished=unpublished)
    http = Starlette(
        routes=[*pages.routes(), *api.routes(), *health.routes()],
        middleware=[Middleware(SecurityHeaders, embed_in=settings.embed_in)],
        lifespan=lifespan,
        exception_handlers={
            problems.Problem: problems.on_problem,
            HTTPException: pages.on_http_exception,
            BusUnavailable: problems.on_unavailable,
            ClientDisconnect: problems.on_gone,
            Exception: problems.on_fault,
        },
    )
    return Edge(chat, http, directory)
