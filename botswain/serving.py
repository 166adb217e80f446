"""A process that serves: its socket, its HTTP server, and what runs beside."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from botswain.errors import Problem
from botswain.settings import Settings
from bus.stopping import Stop

__all__ = ["background", "calm_garbage_collector", "listening", "serve_http"]

BACKLOG: Final = 2048
CLOSE_SOCKETS_WITHIN_S: Final = 5
# Between two pings of an idle socket; proxies mostly close what is silent for 60 s.
PING_S: Final = 25.0


def calm_garbage_collector() -> None:
    """
    For when all is loaded. What is there by now stays, and is looked at no more; and since nearly all that a turn makes
    goes by reference counts, the collector need not come after every 700 new objects: it took a tenth of a turn.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@contextmanager
def listening(host: str, port: int, variable: str = "BOTSWAIN_PORT") -> Iterator[tuple[socket.socket, str]]:
    """
    A socket that listens, and the address to tell people. Made before anything else is: a port in use is known at once.

    Args:
        variable: sets the port.

    Raises: Problem: the port is in use, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise Problem(
            f"There is no address {host!r} here: {error.strerror}.", "Set --host or BOTSWAIN_HOST."
        ) from error
    with made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
            made.listen(BACKLOG)
        except OSError as error:
            why = {errno.EADDRINUSE: "is in use", errno.EACCES: "may not be used by this user"}
            advice = f"Stop what uses it, or take another one: --port PORT or {variable} (0: any that is free)."
            if variable == "BOTSWAIN_PORT":
                advice += f'\nWith make: make up UP_ARGS="--port {port + 1 if port < 65_535 else 0}"'
            raise Problem(
                f"Port {port} of {host} {why.get(error.errno or 0, f'cannot be used: {error.strerror}')}.",
                advice,
            ) from error
        shown = "localhost" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host  # noqa: S104
        yield made, f"http://{shown}:{made.getsockname()[1]}"


async def serve_http(
    app: Any, listener: socket.socket, settings: Settings, stopping: Stop, ready: Callable[[], None]
) -> None:
    """
    Serve *app* until a stop is requested; then sockets are closed with 1012 (restart), so that clients come back.

    Args:
        ready: called when requests are answered.
    """
    import uvicorn

    from edge.corked import CorkedWebSocket

    config = uvicorn.Config(
        app,
        http="httptools",
        ws=CorkedWebSocket,
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn by itself would believe whoever connects from this machine
        proxy_headers=bool(settings.edge.trusted_proxies),
        forwarded_allow_ips=["*"] if "*" in settings.edge.trusted_proxies else list(settings.edge.trusted_proxies),
        # a frame a little over our limit is answered with an error; far over it, the socket is closed
        ws_max_size=settings.edge.max_frame_bytes * 4,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # costs more memory a socket than our short frames are worth
        timeout_graceful_shutdown=CLOSE_SOCKETS_WITHIN_S,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                ready()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # ours are caught already

    server = Server(config)
    with stopping.calls(lambda: setattr(server, "should_exit", True)):
        await server.serve(sockets=[listener])
    if not server.started:
        raise Problem("The web server did not start; the log above says why.")


@asynccontextmanager
async def background(coroutine: Any) -> AsyncIterator[None]:
    """Run *coroutine* beside the body, and end it with the body."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coroutine)
        try:
            yield
        finally:
            task.cancel()
