"""
Who owns which partition: leases in a table, and members whose life is a session of PostgreSQL.

A member holds an advisory lock on a connection of its own. A killed process loses it at once, and its partitions pass
to others at their next look; a hung one, whose connection still stands, loses its membership when its time is up. What
such an owner still tries to commit is refused by the positions, not by the lease: a lease only says who should work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

from bus.errors import BusUnavailable
from bus.postgres.database import Connection, Database, connect, mapped
from bus.postgres.feed import Place
from bus.postgres.statements import sql

__all__ = ["CHANNEL", "LIFE_S", "Members", "Subscriber"]

CHANNEL: Final = "botswain"
TICK_S: Final = 0.5
BEAT_S: Final = 2.0
LIFE_S: Final = 10.0
PAYLOAD_BYTES: Final = 7_900  # NOTIFY takes less than 8,000


class Subscriber(Protocol):
    """A subscription, as far as the leases go."""

    group: str
    topic_id: int
    partitions: int
    most: int | None
    id: int
    closed: bool

    def owned(self) -> Collection[int]:
        """What it believes to own, whether it has been asked to give it back or not."""
        ...

    async def take_over(self, claimed: dict[int, bool]) -> None:
        """These are its own now: {partition: clean}."""
        ...

    def give_back(self, partitions: Collection[int]) -> None:
        """Others need these, or have them already."""
        ...


class Members:
    """This process as a member, its subscribers, and what it hears from the others."""

    def __init__(self, database: Database, heard: Callable[[Place | None, int], None], life_s: float = LIFE_S) -> None:
        """*heard*: another process says that a place has events up to an offset (or, if None, that any may have)."""
        self.others = False
        self.id = 0
        self._database = database
        self._heard = heard
        self._life_s = life_s
        self._subscribers: list[Subscriber] = []
        self._joining = 0
        self._leaving: set[int] = set()
        self._bell = asyncio.Event()
        self._beaten_at = float("-inf")
        self._news: dict[Place, None] = {}
        self._news_bell = asyncio.Event()

    async def join(self, subscriber: Subscriber) -> None:
        """Take part in its group. Raises ``BusUnavailable``."""
        self._joining += 1
        try:
            async with self._database.connection() as connection:
                with mapped():
                    subscriber.id = await connection.fetchval(
                        sql("subscribers.join"), self.id, subscriber.group, subscriber.topic_id
                    )
                    await self._say_leases(connection)
            self._subscribers.append(subscriber)
        finally:
            self._joining -= 1
        self._bell.set()

    async def leave(self, subscriber: Subscriber, clean: Collection[int]) -> None:
        """
        Release all it owns, and take no more part; if the database is away now, as soon as it is back.

        Args:
            clean: those of its partitions that are let go of as clean; all are not, if the database is away.
        """
        self._subscribers.remove(subscriber)
        self._leaving.add(subscriber.id)
        try:
            async with self._database.connection() as connection:
                with mapped():
                    await connection.execute(sql("subscribers.leave"), subscriber.id, list(clean))
                    await self._say_leases(connection)
        finally:
            self._leaving.discard(subscriber.id)
        self._bell.set()

    async def release(self, subscriber: Subscriber, partitions: Collection[int], clean: bool) -> None:
        """Let go of these in good order; *clean* as for ``Subscription.release``."""
        async with self._database.connection() as connection:
            with mapped():
                await connection.execute(sql("leases.release"), subscriber.id, list(partitions), clean)
                await self._say_leases(connection)
        self._bell.set()

    def notify(self, places: Collection[Place]) -> None:
        """There are new events: tell the other processes soon, many places at once."""
        if self.others:
            self._news.update(dict.fromkeys(places))
            self._news_bell.set()

    async def tell_forever(self) -> None:
        """Sends the news; at most one NOTIFY at a time, whatever came in the meantime goes with the next."""
        while True:
            await self._news_bell.wait()
            self._news_bell.clear()
            news, self._news = self._news, {}
            payload = f"{self.id} " + " ".join(f"{topic}/{partition}" for topic, partition in news)
            if len(payload) > PAYLOAD_BYTES:
                payload = f"{self.id} *"
            # A lost one costs the others a poll, 200 ms.
            with suppress(BusUnavailable):
                async with self._database.connection() as connection:
                    with mapped():
                        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    async def live_forever(self) -> None:
        """Keeps the membership, looks what has changed, and comes back after the database was away."""
        pause_s = 0.05
        while True:
            try:
                await self._live()
            except BusUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)
            else:
                pause_s = 0.05

    async def enter(self) -> None:
        """Become a member: from now on ``join`` works."""
        async with self._database.connection() as connection:
            with mapped():
                self.id = await connection.fetchval(sql("members.name"))

    async def depart(self) -> None:
        """Be no member any more."""
        async with self._database.connection() as connection:
            with mapped():
                await connection.execute(sql("members.leave"), self.id)
                await self._say_leases(connection)

    # --- the life of a member ---------------------------------------------------------------------------------------

    async def _live(self) -> None:
        connection = await connect(self._database.url, self._database.name)
        gone = asyncio.Event()

        def ended(_connection: object) -> None:
            gone.set()
            self._bell.set()

        try:
            with mapped():
                connection.add_termination_listener(ended)
                await connection.add_listener(CHANNEL, self._hear)
                self._beaten_at = float("-inf")
                held = False
                while not gone.is_set():
                    held = held or await connection.fetchval(sql("members.hold"), self.id)
                    await self._tick(connection)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TICK_S):
                            await self._bell.wait()
                    self._bell.clear()
            raise BusUnavailable("the member's connection was lost")
        finally:
            connection.terminate()

    async def _tick(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        subscribers = [subscriber for subscriber in self._subscribers if not subscriber.closed]
        if now - self._beaten_at >= min(BEAT_S, self._life_s / 4):
            first = self._beaten_at == float("-inf")
            await connection.execute(sql("members.beat"), self.id, self._database.name, self._life_s)
            if first:
                await connection.execute(
                    sql("subscribers.rejoin"),
                    [subscriber.id for subscriber in subscribers],
                    [self.id] * len(subscribers),
                    [subscriber.group for subscriber in subscribers],
                    [subscriber.topic_id for subscriber in subscribers],
                )
                await connection.execute(sql("members.bury"))
                self._heard(None, 0)
            self._beaten_at = now
        living = [tuple(row) for row in await connection.fetch(sql("subscribers.living"))]
        self.others = any(member != self.id for _, member, _, _ in living)
        if not self._joining:
            # Who is leaving now says itself what is clean.
            ours = {subscriber.id for subscriber in self._subscribers} | self._leaving
            for id_, member, _, _ in living:
                if member == self.id and id_ not in ours:
                    # It left, or never learned that it had joined, while the database was away.
                    await connection.execute(sql("subscribers.leave"), id_, [])
        if not subscribers:
            return
        owned: dict[int, set[int]] = {subscriber.id: set() for subscriber in subscribers}
        for owner, partition in await connection.fetch(sql("leases.owned"), list(owned)):
            owned[owner].add(partition)
        if not owned.keys() <= {id_ for id_, _, _, _ in living}:
            # We were taken for dead, or are not held to live yet: enter again at the next look.
            self._beaten_at = float("-inf")
        for subscriber in subscribers:
            peers = [
                id_ for id_, _, group, topic in living if (group, topic) == (subscriber.group, subscriber.topic_id)
            ]
            if subscriber.id in peers:
                await self._balance(connection, subscriber, owned[subscriber.id], peers)

    async def _balance(self, connection: Connection, subscriber: Subscriber, owned: set[int], peers: list[int]) -> None:
        believed = set(subscriber.owned())
        if lost := believed - owned:
            subscriber.give_back(lost)
        share, rest = divmod(subscriber.partitions, len(peers))
        want = share + (peers.index(subscriber.id) < rest)
        if subscriber.most is not None:
            want = min(want, subscriber.most)
        if len(owned) > want:
            subscriber.give_back(sorted(owned, reverse=True)[: len(owned) - want])
        elif len(owned) < want:
            rows = await connection.fetch(
                sql("leases.take"), subscriber.id, subscriber.group, subscriber.topic_id, subscriber.partitions, want
            )
            claimed = {row["taken_partition"]: row["was_clean"] for row in rows}
            if claimed:
                await subscriber.take_over(claimed)
        # Ours by the table, and never told: the answer of an earlier claim was lost.
        if unknown := owned - believed - lost:
            await subscriber.take_over(dict.fromkeys(unknown, False))

    async def _say_leases(self, connection: Connection) -> None:
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{self.id} leases")

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        sender, *words = str(payload).split()
        if sender == str(self.id):
            return
        for word in words:
            if word == "leases":
                self._bell.set()
            elif word == "*":
                self._heard(None, 0)
            else:
                topic, _, partition = word.partition("/")
                self._heard((int(topic), int(partition)), 1 << 62)
