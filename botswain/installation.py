"""The database and the bus that a process works on, by its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botswain.embedded import EmbeddedPostgres, embedded_postgres, lock_data, running_database
from botswain.errors import Problem
from botswain.settings import Settings
from bus.clock import SystemClock
from bus.postgres import migrate, open_postgres_bus
from bus.postgres.database import Database, open_database
from bus.protocol import Bus, Clock

if TYPE_CHECKING:
    from bus.kafka import KafkaBus, KafkaOptions
    from edge.health import Check

__all__ = ["Installation", "Store", "kafka_options", "open_installation", "open_store"]


@dataclass(frozen=True, slots=True)
class Store:
    """A database that is there; *server* is the embedded one when this process runs it."""

    url: str
    server: EmbeddedPostgres | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What edges and workers work on; *checks* say what is wrong with the bus, for the health page."""

    bus: Bus
    database: Database
    clock: Clock
    checks: Mapping[str, Check] = field(default_factory=dict)


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
                yield Installation(bus, database, clock, {"kafka": bus.check})
        else:
            async with open_postgres_bus(store.url, clock=clock) as bus:
                yield Installation(bus, database, clock, {"commits": bus.check})


def kafka_options(settings: Settings) -> KafkaOptions:
    """How the installation uses Kafka. Raises ``Problem``: the library is missing."""
    try:
        from bus.kafka import KafkaOptions  # an extra: who does not use it need not have it
    except ModuleNotFoundError as error:
        if error.name != "aiokafka":
            raise
        raise Problem(
            "BOTSWAIN_BUS is kafka, and aiokafka is not installed.", "pip install 'botswain[kafka]'"
        ) from None
    return KafkaOptions(prefix=settings.kafka.prefix, replication=settings.kafka.replication)


@asynccontextmanager
async def _open_kafka(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[KafkaBus]:
    options = kafka_options(settings)
    from bus.kafka import open_kafka_bus

    async with open_kafka_bus(settings.kafka.bootstrap, store.url, clock=clock, options=options) as bus:
        yield bus
