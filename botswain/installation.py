"""The database and the bus that a process works on, by its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from botswain.embedded import EmbeddedPostgres, embedded_postgres, lock_data, running_database
from botswain.errors import Problem
from botswain.settings import Settings
from bus.clock import SystemClock
from bus.postgres import migrate, open_postgres_bus
from bus.postgres.database import Database, open_database
from bus.protocol import Bus, Clock

__all__ = ["Installation", "Store", "open_installation", "open_store"]


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
