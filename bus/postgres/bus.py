"""The bus on PostgreSQL: log, states and leases in one database."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final, Literal

from bus.errors import BusUnavailable
from bus.postgres.committer import Committer
from bus.postgres.database import Database, mapped, open_database
from bus.postgres.feed import Feed, Place
from bus.postgres.leases import LIFE_S, Members
from bus.postgres.log import Log, declare_topics
from bus.postgres.migrate import check_schema
from bus.postgres.statements import sql
from bus.postgres.store import Store, StoreTransaction
from bus.postgres.subscription import PostgresSubscription
from bus.protocol import Clock, Outgoing, Query, Rows, Stored, Subscription, Transaction, Turns
from schemas.topics import TOPICS, Topic

__all__ = ["PostgresBus", "open_postgres_bus"]

POLL_S: Final = 0.2
SWEEP_S: Final = 1.0
HOUSEKEEPING_S: Final = 60.0
FAREWELL_S: Final = 2.0


class _Transaction:
    def __init__(self, inner: StoreTransaction) -> None:
        self._inner = inner

    async def query(self, query: Query) -> Rows:
        return await self._inner.query(query)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._inner.savepoint()

    async def commit(self, turns: Turns) -> None:
        await self._inner.commit(turns)


class PostgresBus:
    """As ``bus.protocol.Bus``. Made by ``open_postgres_bus``."""

    log_commits = True

    def __init__(
        self, database: Database, log: Log, store: Store, committer: Committer, feed: Feed, members: Members
    ) -> None:
        self.database = database
        self.log = log
        self.store = store
        self._committer = committer
        self._feed = feed
        self._members = members

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """As ``Bus.publish``."""
        await self.log.publish(outgoing)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, group: str, start: Literal["committed", "end"] = "committed", most: int | None = None
    ) -> AsyncIterator[Subscription]:
        """As ``Bus.subscribe``."""
        subscription = PostgresSubscription(
            self.store,
            self.log,
            self._feed,
            self._members,
            topic,
            group=group,
            start=start,
            most=most,
        )
        await self._members.join(subscription)
        failed = True
        try:
            yield subscription
            failed = False
        finally:
            # If the database is away, the leases end with the membership.
            with suppress(BusUnavailable, TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await subscription.close(failed=failed)

    async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
        """As ``Bus.load``."""
        return await self.store.load(actor, keys)

    async def commit(self, turns: Turns) -> None:
        """As ``Bus.commit``."""
        await self._committer.commit(turns)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """As ``Bus.transaction``."""
        async with self.store.transaction() as inner:
            yield _Transaction(inner)

    def partitions(self, topic: str) -> int:
        """As ``Bus.partitions``."""
        return self.log.topics.find(topic)[1]

    async def resource(self, digest: str) -> bytes | None:
        """As ``Bus.resource``."""
        return await self.store.resource(digest)

    async def count_attempt(self, group: str, topic: str, partition: int, offset: int) -> int:
        """As ``Bus.count_attempt``."""
        return await self.store.count_attempt(group, topic, partition, offset)

    async def check(self) -> str:
        """What of this bus people wait for, in a sentence; '' if they do not. What heals goes on by itself."""
        return self.database.check()


@asynccontextmanager
async def open_postgres_bus(
    url: str,
    *,
    clock: Clock,
    topics: Sequence[Topic] = TOPICS,
    connections: int = 8,
    keep: timedelta = timedelta(days=14),
    max_event_bytes: int = 1024 * 1024,
    patience_s: float = 5.0,
    poll_s: float = POLL_S,
    life_s: float = LIFE_S,
) -> AsyncIterator[PostgresBus]:
    """
    A member of the installation in the database at *url*.

    Args:
        clock: says which day it is, for offsets and retention.
        topics: declared if they are not there yet.
        connections: at most, besides one for the membership; at least 2.
        keep: for how long the log keeps events, read or not; whole days.
        max_event_bytes: what one event may take as JSON.
        patience_s: for how long ``publish`` tries again while the database is away.
        life_s: for how long a process that hangs keeps its partitions; one that died loses them at once.
        poll_s: how late events of other processes may be if their NOTIFY is lost.

    Raises:
        SchemaMismatch: the database must be migrated first, or is newer than the program.
        BusUnavailable: it cannot be reached.
    """
    name = f"botswain {socket.gethostname()[:20]} {os.getpid()} {os.urandom(4).hex()}"
    feed = Feed()

    def heard(place: Place | None, head: int) -> None:
        for known in [place] if place is not None else feed.places():
            feed.reached(known, head if place is not None else 1 << 62)

    async with open_database(url, name, size=connections) as database:
        async with database.connection() as connection:
            await check_schema(connection)
            declared = await declare_topics(connection, topics)
        members = Members(database, heard, life_s)
        log = Log(
            database,
            declared,
            feed,
            clock,
            notify=members.notify,
            max_event_bytes=max_event_bytes,
            patience_s=patience_s,
        )
        store = Store(database, declared, log, max_event_bytes=max_event_bytes)
        async with database.connection() as connection:
            with mapped():
                await log.ensure_days(connection)
        await members.enter()
        committer = Committer(store)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(committer.commit_forever()),
                tasks.create_task(log.flush_forever()),
                tasks.create_task(members.live_forever()),
                tasks.create_task(members.tell_forever()),
                tasks.create_task(_poll(log, feed, poll_s)),
                tasks.create_task(_sweep(store, database)),
                tasks.create_task(_keep_house(log, database, keep)),
            ]
            failure: Exception | None = None
            try:
                yield PostgresBus(database, log, store, committer, feed, members)
            except Exception as error:
                failure = error  # the task group would wrap it
            finally:
                for task in running:
                    task.cancel()
                with suppress(BusUnavailable, TimeoutError):
                    async with asyncio.timeout(FAREWELL_S):
                        await store.superseded.sweep(database)
                        await members.depart()
        if failure is not None:
            raise failure


async def _poll(log: Log, feed: Feed, poll_s: float) -> None:
    """What others have appended shows here even if their NOTIFY was lost."""
    while True:
        await asyncio.sleep(poll_s)
        places = feed.places()
        if places:
            with suppress(BusUnavailable):
                for place, head in (await log.heads(places)).items():
                    feed.reached(place, head)


async def _sweep(store: Store, database: Database) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        with suppress(BusUnavailable):
            await store.superseded.sweep(database)


async def _keep_house(log: Log, database: Database, keep: timedelta) -> None:
    while True:
        with suppress(BusUnavailable):
            async with database.connection() as connection:
                with mapped():
                    await log.ensure_days(connection)
                    await connection.execute(sql("timers.sweep"))
            await log.retain(keep)
        await asyncio.sleep(HOUSEKEEPING_S)
