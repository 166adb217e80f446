"""Connections: how sessions are set up, and the one border where the driver's errors become ours."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeAlias

import asyncpg

from bus.errors import BusError, BusUnavailable, PartitionLost

__all__ = ["FREE_PLANS", "OWN_PLANS", "Connection", "Database", "connect", "mapped", "open_database"]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_TIMEOUT_S: Final = 5.0
COMMAND_TIMEOUT_S: Final = 30.0  # a server that does not answer for so long is taken for unreachable
LATE_S: Final = 3.0  # an answer that people wait for and that is not there after so long is worth a word

# Statements are few, short and always of the same shape: their plans are made once. A plan that was made while a table
# was empty must still be right when it has millions of rows, so all find their rows one by one in an index.
_OURS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",  # it would read all versions of a row for the newest, dead ones as well
}

# Within a transaction: for a query that is not ours, as PostgreSQL does by itself; and back.
FREE_PLANS: Final = "; ".join(f"SET LOCAL {name} = {'auto' if 'mode' in name else 'on'}" for name in _OURS)
OWN_PLANS: Final = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _OURS.items())

# To compile plans (JIT) costs more than it saves here. A hung process must not hold locks that others wait for.
_SESSION: Final = {
    "jit": "off",
    "idle_in_transaction_session_timeout": "15s",
    "timezone": "UTC",
}

# SQLSTATE classes and codes after which trying again can help: connection, resources, operator intervention, and
# transactions that got into each other's way.
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresSystemError,
    OSError,
    TimeoutError,
)


@contextmanager
def mapped(topic: str = "") -> Iterator[None]:
    """What the driver raises becomes an error of ``bus.errors``. *topic* is for ``PartitionLost``."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == "BW001":
            raise PartitionLost(topic, int(error.detail or -1)) from error
        if isinstance(error, _AWAY):
            raise BusUnavailable(f"PostgreSQL: {error}") from error
        raise BusError(f"PostgreSQL: {error} (SQLSTATE {error.sqlstate})") from error
    except asyncpg.InternalClientError as error:
        raise BusUnavailable(f"PostgreSQL: {error}") from error
    except _AWAY as error:
        raise BusUnavailable(f"PostgreSQL cannot be reached: {error or type(error).__name__}") from error


async def connect(url: str, name: str, *, command_timeout_s: float | None = COMMAND_TIMEOUT_S) -> Connection:
    """A connection of our kind. Raises ``BusUnavailable``."""
    with mapped():
        return await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=command_timeout_s,
            server_settings={**_OURS, **_SESSION, "application_name": name},
        )


class Database:
    """
    A few connections to one database, kept open; lent to one user at a time.

    Who has one through ``connection`` must not ask for a second one; who has one through ``lasting_connection`` may.
    """

    def __init__(self, url: str, name: str, size: int, command_timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        self.url = url
        self.name = name
        self.size = size
        self._command_timeout_s = command_timeout_s
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._lasting = asyncio.Semaphore(size // 2)
        self._urgent: dict[int, float] = {}  # since when each has been under way, the oldest first
        self._number = 0

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """The body is a load, a commit or an append: people wait for it, all of it, until its outcome is known."""
        self._number = number = self._number + 1
        self._urgent[number] = time.monotonic()
        try:
            yield
        finally:
            del self._urgent[number]

    def check(self) -> str:
        """What people wait for, in a sentence; '' if they do not."""
        late_s = time.monotonic() - next(iter(self._urgent.values()), math.inf)
        if late_s < LATE_S:
            return ""
        return f"PostgreSQL has owed an answer for {late_s:.0f} s: a session of ours waits for a lock there, or hangs"

    @asynccontextmanager
    async def lasting_connection(self) -> AsyncIterator[Connection]:
        """
        As ``connection``, for somebody who asks for others while he has it: a transaction of turns, which load states
        and packages meanwhile. At most half of the connections are lent so: if all were, each would wait for a second
        one, and nobody would ever give one back. Where there is only one, ``ValueError``.
        """
        if self.size < 2:
            raise ValueError("transactions take two connections: one besides their own")
        async with self._lasting, self.connection() as connection:
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """
        A connection for a while; outside of a transaction it costs no round trip to borrow and give back.

        Raises: BusUnavailable: none can be made. What the body raises passes unmapped.
        """
        connection = await self._free.get()
        try:
            if connection is None or connection.is_closed():
                connection = None
                connection = await connect(self.url, self.name, command_timeout_s=self._command_timeout_s)
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()  # perhaps in the middle of a statement: not for the next one
                raise
            except BusUnavailable:
                # Perhaps it does not answer any more: who had it next would wait for it as long again.
                connection.terminate()
                raise
            except Exception:
                if connection.is_closed() or connection.is_in_transaction():
                    connection.terminate()
                raise
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        """Close what is not lent out."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None and not connection.is_closed():
                with suppress(*_AWAY, asyncpg.PostgresError):
                    await connection.close(timeout=1)


@asynccontextmanager
async def open_database(
    url: str, name: str, *, size: int, command_timeout_s: float = COMMAND_TIMEOUT_S
) -> AsyncIterator[Database]:
    """
    The database at *url*. Nothing is connected before it is needed.

    Args:
        name: is shown by ``pg_stat_activity``.
        size: so many connections, at most.
        command_timeout_s: a server that does not answer for so long is taken for unreachable.
    """
    database = Database(url, name, size, command_timeout_s)
    try:
        yield database
    finally:
        await database.close()
