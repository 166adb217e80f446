"""The commands that run until they are told to stop: up, edge, worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from botswain.logs import configure_logging, for_people
from botswain.settings import Settings, read_settings
from botswain.terminal import paint, show, show_faults

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from botswain.installation import Installation, Store
    from botswain.packages.publishing import Workshop
    from botswain.packages.reading import Draft
    from bus.observe import Observer
    from bus.postgres.reads import Reads
    from bus.stopping import Stop
    from edge.app import Edge
    from edge.health import Check

__all__ = ["edge", "up", "worker"]

log = structlog.get_logger(__name__)

host_option = click.option("--host", help="Address to listen on; 0.0.0.0 for all of the machine's.")
port_option = click.option("--port", type=int, help="Port to listen on; 0 takes a free one.")
data_option = click.option("--data", type=click.Path(path_type=Path), help="Directory of the embedded database.")
bots_option = click.option("--bots", type=click.Path(path_type=Path), help="Folder of bot packages, NAME.gbai.")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run *main* in a quick event loop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@click.command()
@host_option
@port_option
@data_option
@bots_option
@click.option("--watch/--no-watch", default=None, help="Publish bots again when their files change (default: yes).")
def up(**given: Any) -> None:
    """Start everything in one process and print the address to open.

    The database is the embedded PostgreSQL in --data, unless BOTSWAIN_POSTGRES_URL names another. Ctrl-C (SIGTERM)
    finishes what is in hand and stops; a second one stops at once. Nothing that was acknowledged is lost either way.

    \b
    Examples:
      botswain up
      botswain up --port 9000 --bots ~/bots
      botswain up --host 0.0.0.0 --data /srv/botswain
    """
    settings = read_settings(**given)
    configure_logging(settings.log.level, settings.log.format)
    run(_up(settings))


@click.command()
@host_option
@port_option
@data_option
def edge(**given: Any) -> None:
    """Start the web chat and the HTTP API only. Actors run elsewhere (botswain worker), on the same PostgreSQL.

    \b
    Example:
      BOTSWAIN_POSTGRES_URL=postgresql://… botswain edge --host 0.0.0.0
    """
    settings = read_settings(**given)
    configure_logging(settings.log.level, settings.log.format)
    run(_edge(settings))


@click.command()
@click.argument("actors", nargs=-1, metavar="[ACTOR]...")
@host_option
@click.option("--port", type=click.IntRange(0, 65535), help="Port for health and figures; without it there is none.")
@data_option
def worker(actors: tuple[str, ...], port: int | None, **given: Any) -> None:
    """Start actors only: all of them, or those named (session, basic, schedule).

    Every actor must run somewhere, or conversations wait for it. Workers that run all are the fastest: what one actor
    asks of another is decided at once there, and goes through the log elsewhere.

    Several workers on one PostgreSQL share the work; one that ends is replaced by the others within seconds. With
    --port (BOTSWAIN_WORKER__PORT) it serves /health/live, /health/ready and /metrics there, and nothing else.

    \b
    Examples:
      BOTSWAIN_POSTGRES_URL=postgresql://… botswain worker
      BOTSWAIN_POSTGRES_URL=postgresql://… botswain worker basic --port 9100
    """
    settings = read_settings(**given, worker=None if port is None else {"port": port})
    configure_logging(settings.log.level, settings.log.format)
    run(_worker(settings, actors))


# --- what they do ----------------------------------------------------------------------------------------------------


async def _up(settings: Settings) -> None:
    from botswain.installation import open_installation, open_store
    from botswain.serving import listening
    from bus.stopping import stop_signals

    if settings.watch:  # somebody writes bots here; without it, what is wrong with one is not for its visitors
        settings = settings.model_copy(update={"edge": settings.edge.model_copy(update={"development": True})})
    with listening(settings.host, settings.port) as (listener, address):
        async with asyncio.TaskGroup() as tasks:
            loading = tasks.create_task(asyncio.to_thread(_load_the_rest))
            async with (
                stop_signals() as stopping,
                open_store(settings, note=address) as store,
                open_installation(settings, store) as installation,
            ):
                await loading
                await _serve(settings, installation, store, stopping, listener, address)
    log.info("stopped")


def _load_the_rest() -> None:
    """
    What ``_serve`` takes: it is imported while the database starts, since the one takes a processor and the other
    mostly waits.
    """
    for name in (
        "botswain.compose",
        "botswain.figures",
        "botswain.packages.publishing",
        "botswain.packages.watching",
        "edge.app",
        "edge.corked",
        "uvicorn.lifespan.on",
        "uvicorn.protocols.http.httptools_impl",
    ):
        import_module(name)


async def _serve(
    settings: Settings,
    installation: Installation,
    store: Store,
    stopping: Stop,
    listener: socket.socket,
    address: str,
) -> None:
    from prometheus_client import CollectorRegistry

    from botswain.compose import make_actors, policy_of, worker_options
    from botswain.failing import Failures
    from botswain.figures import WorkerFigures
    from botswain.packages.checking import check_beside
    from botswain.packages.publishing import Shelf, Workshop
    from botswain.packages.watching import keep_published
    from botswain.serving import background, calm_garbage_collector, serve_http
    from bus.worker import run_worker

    shelf = Shelf(installation.database, installation.clock)
    workshop = Workshop(
        settings.bots, shelf, lambda folder: check_beside(folder, settings.basic.max_script_bytes), _told
    )
    await workshop.publish_changed()
    registry = CollectorRegistry()
    figures = WorkerFigures(registry)
    failed = Failures().show if for_people(settings.log.format) else None
    app = await _app(settings, installation, store, registry, stopping, workshop, {"worker": figures.check})

    def ready() -> None:
        show(_greeting(address, settings, sorted(workshop.drafts), workshop.unpublished()))
        calm_garbage_collector()

    async with AsyncExitStack() as stack:
        if settings.watch:
            await stack.enter_async_context(background(keep_published(workshop)))
        await _together(
            stopping.request,
            serve_http(app, listener, settings, stopping, ready),
            run_worker(
                installation.bus,
                make_actors(settings, failed=failed),
                stopping=stopping,
                clock=installation.clock,
                options=worker_options(settings),
                observer=figures,
                policy=policy_of(installation.bus),
            ),
        )


async def _edge(settings: Settings) -> None:
    from prometheus_client import CollectorRegistry

    from botswain.installation import open_installation, open_store
    from botswain.serving import calm_garbage_collector, listening, serve_http
    from bus.stopping import stop_signals

    with listening(settings.host, settings.port) as (listener, address):
        async with (
            stop_signals() as stopping,
            open_store(settings, note=address, share=True) as store,
            open_installation(settings, store) as installation,
        ):
            app = await _app(settings, installation, store, CollectorRegistry(), stopping)

            def ready() -> None:
                show(f"The web chat is at {address}")
                calm_garbage_collector()

            await serve_http(app, listener, settings, stopping, ready)
    log.info("stopped")


async def _worker(settings: Settings, names: tuple[str, ...]) -> None:
    from botswain.compose import make_actors, policy_of, worker_options
    from botswain.installation import open_installation, open_store
    from botswain.serving import calm_garbage_collector, listening
    from bus.observe import SILENT
    from bus.stopping import stop_signals
    from bus.worker import run_worker

    actors = make_actors(settings, names)
    async with AsyncExitStack() as stack:
        place: tuple[socket.socket, str] | None = None
        if settings.worker.port is not None:
            place = stack.enter_context(listening(settings.host, settings.worker.port, "BOTSWAIN_WORKER__PORT"))
        stopping = await stack.enter_async_context(stop_signals())
        store = await stack.enter_async_context(open_store(settings, note="a worker", share=True))
        installation = await stack.enter_async_context(open_installation(settings, store))
        observer: Observer = SILENT
        mains: list[Coroutine[Any, Any, None]] = []
        if place is not None:
            observer, serving = _tell_health(settings, installation, store, place, stopping)
            mains.append(serving)
        show(f"Working: {', '.join(actor.name for actor in actors)}")
        calm_garbage_collector()
        mains.append(
            run_worker(
                installation.bus,
                actors,
                stopping=stopping,
                clock=installation.clock,
                options=worker_options(settings),
                observer=observer,
                policy=policy_of(installation.bus),
            )
        )
        await _together(stopping.request, *mains)
    log.info("stopped")


def _tell_health(
    settings: Settings, installation: Installation, store: Store, place: tuple[socket.socket, str], stopping: Stop
) -> tuple[Observer, Coroutine[Any, Any, None]]:
    """What counts for a worker, and the server of its health and figures; of the edge, it needs nothing else."""
    from prometheus_client import CollectorRegistry
    from starlette.applications import Starlette

    from botswain.figures import WorkerFigures
    from botswain.serving import serve_http
    from bus.postgres.reads import Reads
    from edge.health import Health

    registry = CollectorRegistry()
    figures = WorkerFigures(registry)
    check = _database_check(store, Reads(installation.database))
    health = Health({"worker": figures.check, "database": check, **installation.checks}, registry)
    listener, address = place
    told = f"Health and figures are at {address}"
    app = Starlette(routes=health.routes())
    return figures, serve_http(app, listener, settings, stopping, lambda: show(told))


async def _app(
    settings: Settings,
    installation: Installation,
    store: Store,
    registry: CollectorRegistry,
    stopping: Stop,
    workshop: Workshop | None = None,
    checks: Mapping[str, Callable[[], Awaitable[str]]] | None = None,
) -> Edge:
    from bus.postgres.reads import Reads
    from edge.app import create_app
    from edge.metrics import Metrics

    reads = Reads(installation.database)
    key = settings.secret.get_secret_value() if settings.secret else (await reads.secret("tokens")).hex()

    return create_app(
        installation.bus,
        reads,
        settings.edge,
        token_keys=[key],
        clock=installation.clock,
        metrics=Metrics(registry),
        bots_hint=workshop.hint if workshop is not None else lambda: "",
        problems_of=workshop.problems_of if workshop is not None else lambda _bot: (),
        unpublished=workshop.unpublished if workshop is not None else lambda: (),
        checks={"database": _database_check(store, reads), **installation.checks, **(checks or {})},
        stopping=stopping,
    )


def _database_check(store: Store, reads: Reads) -> Check:
    from bus.errors import BusUnavailable

    async def database() -> str:
        if store.server is not None and store.server.trouble:
            return str(store.server.trouble)
        try:
            await reads.ping()
        except BusUnavailable as error:
            return str(error)
        return ""

    return database


async def _together(stop: Callable[[], None], *mains: Coroutine[Any, Any, None]) -> None:
    """Run all; when one of them ends, ask the others to stop, too."""

    async def ends(main: Coroutine[Any, Any, None]) -> None:
        try:
            await main
        finally:
            stop()

    async with asyncio.TaskGroup() as tasks:
        for main in mains:
            tasks.create_task(ends(main))


def _told(draft: Draft, fresh: bool) -> None:
    """An author looks here after saving a file."""
    if draft.faults:
        show_faults(draft, err=True)
    if not draft.publishable:
        text = f"{draft.name} was not published; the version in force, if there is one, stays."
        show(paint(text, err=True, bold=True), err=True)


def _greeting(address: str, settings: Settings, bots: list[str], broken: list[str]) -> str:
    good = [name for name in bots if name not in broken]
    if not settings.bots.is_dir():
        said = f"no folder {settings.bots}: make it, or name another one with --bots"
    elif not bots:
        said = f"none yet in {settings.bots}: a bot is a folder NAME.gbai with a start.bas in it"
    else:
        said = (", ".join(good) or "none") + (f" (with errors: {', '.join(broken)})" if broken else "")
    data = "PostgreSQL" if settings.postgres_url else f"{settings.data} (embedded PostgreSQL)"
    if settings.bus == "kafka":
        data += f", events over Kafka at {settings.kafka.bootstrap}"
    return (
        f"\n  {paint('Botswain is running', bold=True)}\n\n"
        f"  open      {paint(address, fg='green', bold=True)}\n"
        f"  bots      {said}\n"
        f"  data      {data}\n\n"
        f"  Ctrl-C stops it; conversations go on where they stood at the next start.\n"
    )
