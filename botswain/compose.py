"""Puts database, bus, actors and edge together: everything below is handed what it needs, here is where from."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from actors.basic import BasicActor
from actors.basic.limits import Limits
from actors.schedule import ScheduleActor
from actors.session import SessionActor
from botswain.embedded import EmbeddedPostgres, embedded_postgres, lock_data, running_database
from botswain.errors import Problem
from botswain.settings import Settings
from bus.actor import Decider
from bus.clock import SystemClock
from bus.postgres import migrate, open_postgres_bus
from bus.postgres.database import Database, open_database
from bus.protocol import Bus, Clock
from bus.stopping import Stop
from bus.surroundings import Policy
from bus.worker import Options
from schemas.envelope import Event
from schemas.package import BotPackage

__all__ = [
    "Installation",
    "Store",
    "listening",
    "make_actors",
    "open_installation",
    "open_store",
    "policy_of",
    "serve_http",
    "worker_options",
]

BACKLOG: Final = 2048
CLOSE_SOCKETS_WITHIN_S: Final = 5
# Between two pings of an idle socket; proxies mostly close what is silent for 60 s.
PING_S: Final = 25.0


@dataclass(frozen=True, slots=True)
class Store:
    """A database that is there; *server* is the embedded one when this process runs it."""

    url: str
    server: EmbeddedPostgres | None = None

    @property
    def about(self) -> str:
        """For people, without passwords."""
        return "embedded PostgreSQL" if self.server is not None else "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Installation:
    """What edges and workers work on."""

    bus: Bus
    database: Database
    clock: Clock


@asynccontextmanager
async def open_store(settings: Settings, *, note: str = "", share: bool = False) -> AsyncIterator[Store]:
    """
    The database of *settings*: the one of ``postgres_url``, else the embedded one, started and migrated for us.

    Args:
        note: what another process that wants the data directory is told of us.
        share: if another process runs the embedded one, use it beside that process.
    """
    if settings.postgres_url is not None:
        yield Store(settings.postgres_url.get_secret_value())
        return
    if share and (url := await running_database(settings.data)) is not None:
        yield Store(url)
        return
    with lock_data(settings.data, note=note):
        async with embedded_postgres(settings.data) as server:
            await migrate(server.url)
            yield Store(server.url, server)


@asynccontextmanager
async def open_installation(settings: Settings, store: Store) -> AsyncIterator[Installation]:
    """The bus of *settings* over *store*, and connections for everything else."""
    clock = SystemClock()
    async with open_database(store.url, "botswain", size=4) as database:
        if settings.bus == "kafka":
            async with _open_kafka(settings, store, clock) as bus:
                yield Installation(bus, database, clock)
        else:
            async with open_postgres_bus(store.url, clock=clock) as bus:
                yield Installation(bus, database, clock)


@asynccontextmanager
async def _open_kafka(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[Bus]:
    try:
        from bus.kafka import KafkaOptions, open_kafka_bus  # an extra: who does not use it need not have it
    except ModuleNotFoundError as error:
        if error.name != "aiokafka":
            raise
        raise Problem(
            "BOTSWAIN_BUS is kafka, and aiokafka is not installed.", "pip install 'botswain[kafka]'"
        ) from None
    options = KafkaOptions(prefix=settings.kafka.prefix, replication=settings.kafka.replication)
    async with open_kafka_bus(settings.kafka.bootstrap, store.url, clock=clock, options=options) as bus:
        yield bus


def limits_of(settings: Settings) -> Limits:
    """The budgets of BASIC."""
    return Limits(**{field.name: getattr(settings.basic, field.name) for field in fields(Limits)})


def make_actors(settings: Settings, names: Sequence[str] = ()) -> list[Decider[Any]]:
    """All actors, or those of *names*. Raises ``Problem`` for a name that nobody has."""
    actors: list[Decider[Any]] = [SessionActor(), BasicActor(limits_of(settings)), ScheduleActor()]
    known = [actor.name for actor in actors]
    if unknown := [name for name in names if name not in known]:
        raise Problem(f"There is no actor {', '.join(unknown)}.", f"There are: {', '.join(known)}.")
    return [actor for actor in actors if not names or actor.name in names]


def worker_options(settings: Settings) -> Options:
    """The limits of a worker."""
    return Options(**settings.worker.model_dump())


def policy_of(bus: Bus) -> Policy:
    """What becomes of a conversation when a turn of it fails: the bot's ``failed-turn`` is ``skip`` or ``block``."""

    async def policy(actor: str, event: Event) -> Literal["skip", "block"]:
        data = await bus.resource(event.bot_version) if event.bot_version else None
        if data is None:
            return "skip"
        said = BotPackage.from_bytes(data).setting("failed-turn").strip().lower()
        return "block" if said == "block" else "skip"

    return policy


# --- HTTP ------------------------------------------------------------------------------------------------------------


@contextmanager
def listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """
    A socket that listens, and the address to tell people. Made before anything else is: a port in use is known at once.

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
            raise Problem(
                f"Port {port} of {host} {why.get(error.errno or 0, f'cannot be used: {error.strerror}')}.",
                "Stop what uses it, or take another one: --port PORT or BOTSWAIN_PORT (0: any that is free).",
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

    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
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
