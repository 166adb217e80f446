"""
The bus in memory, for simulation and tests; it passes the same conformance suite as the others.

What would survive a crash is a ``Disk``; what would not is a ``MemoryBus``. Several buses over one disk are several
processes over one database, and ``MemoryBus.crash`` is the death of one of them.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal
from uuid import UUID

from bus import codec
from bus.cleanness import Cleanness
from bus.errors import PartitionLost, QueryFailed, StateConflict, TooLarge, UnknownTopic
from bus.protocol import (
    Batch,
    Claim,
    DeadLetter,
    Delivery,
    Outgoing,
    Query,
    Record,
    RecordedQuery,
    Row,
    Rows,
    StateWrite,
    Stored,
    Subscription,
    Transaction,
    Turns,
)
from schemas.topics import TOPICS, Topic, partition_of

__all__ = ["Disk", "MemoryBus", "MemorySubscription", "Statement"]

MAX_BYTES: Final = 1 << 20
POLL_S: Final = 0.2

Tables = dict[str, dict[Any, Any]]
Statement = Callable[[Tables, tuple[Any, ...]], Rows]


def _timers_write(tables: Tables, values: tuple[Any, ...]) -> Rows:
    timers = tables.setdefault("timers", {})
    if values[4] is None:
        timers.pop(values[:4], None)
    else:
        timers[values[:4]] = values
    return ()


def _timers_due(tables: Tables, values: tuple[Any, ...]) -> Rows:
    partitions, due, not_before, limit = values
    names = ("partition", "key", "reply_to", "timer", "due_at", "request")
    rows = [row for row in tables.get("timers", {}).values() if row[0] in partitions and not_before <= row[4] <= due]
    rows.sort(key=lambda row: (row[4], row[1:4]))
    return [dict(zip(names, row, strict=True)) for row in rows[:limit]]


def _timers_next(tables: Tables, values: tuple[Any, ...]) -> Rows:
    partitions, after = values
    rows = tables.get("timers", {}).values()
    return [{"due_at": min((row[4] for row in rows if row[0] in partitions and row[4] > after), default=None)}]


def _memory_write(table: str) -> Statement:
    def write(tables: Tables, values: tuple[Any, ...]) -> Rows:
        *place, value = values
        tables.setdefault(table, {})[tuple(place)] = value
        return ()

    return write


def _memory_get(table: str) -> Statement:
    def get(tables: Tables, values: tuple[Any, ...]) -> Rows:
        value = tables.get(table, {}).get(values)
        return [] if value is None else [{"value": value}]

    return get


def _user_memory_all(tables: Tables, values: tuple[Any, ...]) -> Rows:
    found = {name: value for (*owner, name), value in tables.get("user_memory", {}).items() if tuple(owner) == values}
    return [{"name": name, "value": value} for name, value in sorted(found.items()) if value is not None]


def _user_memory_clear(tables: Tables, values: tuple[Any, ...]) -> Rows:
    table = tables.get("user_memory", {})
    for place in [place for place in table if place[:2] == values]:
        del table[place]
    return ()


def _messages_insert(tables: Tables, values: tuple[Any, ...]) -> Rows:
    tables.setdefault("messages", {})[values[:2]] = values
    return ()


def _messages_forget(tables: Tables, values: tuple[Any, ...]) -> Rows:
    table = tables.get("messages", {})
    for place in [place for place in table if place[0] == values[0]]:
        del table[place]
    return ()


def _messages_newest(tables: Tables, values: tuple[Any, ...]) -> Rows:
    session, upto, most, room = values
    table = tables.get("messages", {})
    found: list[dict[str, Any]] = []
    for number in range(upto, 0, -1):
        if len(found) == most or room <= 0:
            break
        if (row := table.get((session, number))) is not None:
            found.append({"seq": number, "body": row[4]})
            room -= len(row[4])
    return found


STATEMENTS: Final[Mapping[str, Statement]] = {
    "timers.write": _timers_write,
    "timers.due": _timers_due,
    "timers.next": _timers_next,
    "messages.insert": _messages_insert,
    "messages.forget": _messages_forget,
    "messages.newest": _messages_newest,
    "bot_memory.set": _memory_write("bot_memory"),
    "bot_memory.get": _memory_get("bot_memory"),
    "user_memory.set": _memory_write("user_memory"),
    "user_memory.get": _memory_get("user_memory"),
    "user_memory.all": _user_memory_all,
    "user_memory.clear": _user_memory_clear,
}


@dataclass(eq=False)
class _Group:
    """Who reads a topic in the name of a group, and who owns which partition."""

    topic: Topic
    members: list[MemorySubscription] = field(default_factory=list)
    owners: dict[int, MemorySubscription] = field(default_factory=dict)
    clean: dict[int, bool] = field(default_factory=dict)

    def balance(self) -> None:
        """Ask those who have more than their share to let go of some; give what is free to whoever has least."""
        if not self.members:
            return
        share = self.topic.partitions // len(self.members)
        if any(len(member.owned) < member.fair(share) for member in self.members):
            for member in self.members:
                spare = len(member.owned) - len(member.leaving) - share
                for partition in sorted(member.owned - member.leaving, reverse=True)[: max(spare, 0)]:
                    member.ask_back(partition)
        for partition in range(self.topic.partitions):
            if partition not in self.owners:
                open_to = [member for member in self.members if member.has_room()]
                if open_to:
                    poorest = min(open_to, key=lambda member: (len(member.owned), member.number))
                    self.give(partition, poorest)

    def give(self, partition: int, member: MemorySubscription) -> None:
        self.owners[partition] = member
        member.receive(partition, clean=self.clean.pop(partition, True))

    def free(self, partition: int, *, clean: bool) -> None:
        del self.owners[partition]
        self.clean[partition] = clean


class Disk:
    """
    All that is durable: log, positions, states, tables, dead letters. Plain attributes, for tests to look at.

    Args:
        statements: what named statements do, added to those of our actors. A row of a statement that nobody knows is
            kept in ``rows``.
        resources: digest -> bytes.
    """

    def __init__(
        self,
        topics: Iterable[Topic] = TOPICS,
        *,
        statements: Mapping[str, Statement] | None = None,
        resources: Mapping[str, bytes] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.topics = {topic.name: topic for topic in topics}
        self.max_bytes = max_bytes
        self.log: dict[str, list[list[Record]]] = {
            topic.name: [[] for _ in range(topic.partitions)] for topic in self.topics.values()
        }
        self.begins: dict[tuple[str, int], int] = {}  # offset of the first record, where older ones were dropped
        self.positions: dict[tuple[str, str, int], int] = {}
        self.states: dict[tuple[str, str], Stored] = {}
        self.tables: Tables = {}
        self.rows: list[Row] = []
        self.recorded: list[RecordedQuery] = []
        self.dead: dict[UUID, DeadLetter] = {}
        self.attempts: dict[tuple[str, str, int, int], int] = {}
        self.resources = dict(resources or {})
        self.statements = {**STATEMENTS, **(statements or {})}
        self.locked = asyncio.Lock()
        self._groups: dict[tuple[str, str], _Group] = {}
        self.numbers = count()

    def append(self, outgoing: Sequence[tuple[Outgoing, Record]]) -> None:
        """Add to the log and wake whoever reads there."""
        touched: dict[str, None] = {}
        for out, record in outgoing:
            topic = self.topics[out.topic]
            partition = partition_of(record.key, topic.partitions) if out.partition is None else out.partition
            self.log[out.topic][partition].append(record)
            touched[out.topic] = None
        for (topic_name, _), group in self._groups.items():
            if topic_name in touched:
                for member in group.members:
                    member.wake()

    def drop_old(self) -> None:
        """Retention takes all that is in the log now."""
        for topic, partitions in self.log.items():
            for partition, records in enumerate(partitions):
                self.begins[topic, partition] = self.end_of(topic, partition)
                records.clear()

    def end_of(self, topic: str, partition: int) -> int:
        """The offset of the next record."""
        return self.begins.get((topic, partition), 0) + len(self.log[topic][partition])

    def read(self, topic: str, partition: int, begin: int, limit: int) -> list[Delivery]:
        """At most *limit* records from offset *begin* on, or from the first that is still there."""
        first = self.begins.get((topic, partition), 0)
        begin = max(begin, first)
        records = self.log[topic][partition][begin - first : begin - first + limit]
        return [
            Delivery(topic, partition, offset, codec.decode(record)) for offset, record in enumerate(records, begin)
        ]

    def group(self, topic: str, group: str) -> _Group:
        if topic not in self.topics:
            raise UnknownTopic(topic)
        if (topic, group) not in self._groups:
            self._groups[topic, group] = _Group(self.topics[topic])
        return self._groups[topic, group]

    def checked(self, outgoing: Sequence[Outgoing]) -> list[tuple[Outgoing, Record]]:
        """The records to append. Raises ``TooLarge`` or ``UnknownTopic`` before anything is changed."""
        records = []
        for out in outgoing:
            if out.topic not in self.topics:
                raise UnknownTopic(out.topic)
            record = codec.encode(out.event)
            if len(record.data) > self.max_bytes:
                raise TooLarge(record.type, len(record.data), self.max_bytes)
            records.append((out, record))
        return records

    def apply(self, turns: Turns) -> None:
        """All of *turns*, or nothing and an error."""
        records = self.checked(turns.outgoing)
        for advance in turns.advances:
            place = (turns.actor, turns.topic, advance.partition)
            if self.positions.get(place, 0) != advance.begin:
                raise PartitionLost(turns.topic, advance.partition)
        writes = [(turns.actor, write) for write in turns.states]
        writes += [(actor, write) for actor, some in turns.others.items() for write in some]
        versions: dict[tuple[str, str], int] = {}
        for actor, write in writes:
            stored = self.states.get((actor, write.key))
            before = versions.get((actor, write.key), stored.version if stored else 0)
            if write.version != before + 1:
                raise StateConflict(f"{actor}/{write.key}: version {write.version} on top of {before}")
            versions[actor, write.key] = write.version
        for actor, write in writes:
            self._write_state(actor, write)
        for advance in turns.advances:
            self.positions[turns.actor, turns.topic, advance.partition] = advance.end
        for row in turns.rows:
            statement = self.statements.get(row.statement)
            if statement is None:
                self.rows.append(row)
            else:
                statement(self.tables, row.values)
        self.recorded.extend(turns.recorded)
        for letter in turns.dead:
            self.dead.setdefault(letter.id, letter)
        self.append(records)

    def _write_state(self, actor: str, write: StateWrite) -> None:
        if write.value is None:
            self.states.pop((actor, write.key), None)
        else:
            self.states[actor, write.key] = Stored(write.version, write.value)


class MemorySubscription:
    """The share of one process; made by ``MemoryBus.subscribe``."""

    def __init__(self, bus: MemoryBus, topic: str, group: str, start: str, most: int | None) -> None:
        self.bus = bus
        self.number = next(bus.disk.numbers)
        self.owned: set[int] = set()
        self.leaving: set[int] = set()
        self._topic = topic
        self._group_name = group
        self._group = bus.disk.group(topic, group)
        self._start = start
        self._most = most
        self._cursors: dict[int, int] = {}
        self._cleanness = Cleanness()
        self._acquired: list[Claim] = []
        self._revoked: list[int] = []
        self._turn: deque[int] = deque()
        self._awake = asyncio.Event()

    # What the group says.

    def has_room(self) -> bool:
        return self._most is None or len(self.owned) < self._most

    def fair(self, share: int) -> int:
        return share if self._most is None else min(share, self._most)

    def receive(self, partition: int, *, clean: bool) -> None:
        position = self.bus.disk.positions.get((self._group_name, self._topic, partition), 0)
        if self._start == "end":
            position = self.bus.disk.end_of(self._topic, partition)
        self.owned.add(partition)
        self._cursors[partition] = position
        self._turn.append(partition)
        self._cleanness.claimed(partition, clean)
        self._acquired.append(Claim(partition, position, clean))
        self.wake()

    def ask_back(self, partition: int) -> None:
        """The process is asked to release it; if it has not heard of having it, it need not hear of this either."""
        unheard = next((claim for claim in self._acquired if claim.partition == partition), None)
        if unheard is None:
            self.leaving.add(partition)
            self._stop_reading(partition)
        else:
            self._acquired.remove(unheard)
            self._cursors.pop(partition)
            self._turn.remove(partition)
            self.owned.discard(partition)
            self._group.free(partition, clean=unheard.clean)

    def lose(self, partition: int) -> None:
        """The partition has gone to another, whatever this process believes."""
        self.owned.discard(partition)
        self.leaving.discard(partition)
        self._stop_reading(partition)

    def _stop_reading(self, partition: int) -> None:
        if self._cursors.pop(partition, None) is not None:
            self._turn.remove(partition)
            self._acquired = [claim for claim in self._acquired if claim.partition != partition]
            self._revoked.append(partition)
            self.wake()

    def wake(self) -> None:
        self._awake.set()

    # What the process asks.

    async def take(self, limit: int) -> Batch:
        while True:
            await self.bus.breathe()
            if self not in self._group.members:
                self.join()
            self._awake.clear()
            acquired, self._acquired = self._acquired, []
            self._cleanness.told([claim.partition for claim in acquired])
            revoked, self._revoked = self._revoked, []
            deliveries = self._read(limit)
            if deliveries or acquired or revoked:
                return Batch(deliveries, acquired, revoked)
            # A wake-up may be lost where processes are several: then reading is late, that is all.
            poll = asyncio.get_running_loop().call_later(POLL_S, self._awake.set)
            try:
                await self._awake.wait()
            finally:
                poll.cancel()

    def _read(self, limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        for _ in range(len(self._turn)):
            if len(found) >= limit:
                break
            partition = self._turn[0]
            self._turn.rotate(-1)
            part = self.bus.disk.read(self._topic, partition, self._cursors[partition], limit - len(found))
            if part:
                found += part
                self._cursors[partition] = part[-1].offset + 1
        return found

    async def advance(self, positions: Mapping[int, int]) -> None:
        await self.bus.breathe()
        for partition, position in positions.items():
            if self._group.owners.get(partition) is self:
                place = (self._group_name, self._topic, partition)
                self.bus.disk.positions[place] = max(position, self.bus.disk.positions.get(place, 0))

    async def release(self, partitions: Collection[int], *, clean: bool = True) -> None:
        if self.bus.crashed:
            return
        for partition in sorted(partitions):
            self._stop_reading(partition)
            self._revoked = [revoked for revoked in self._revoked if revoked != partition]
            self.leave(partition, clean=clean)
        self._group.balance()

    def leave(self, partition: int, *, clean: bool) -> None:
        if self._group.owners.get(partition) is self:
            self.lose(partition)
            self._group.free(partition, clean=clean)

    def join(self) -> None:
        self._group.members.append(self)
        self._group.balance()

    def part(self, *, dead: bool = False, failed: bool = False) -> None:
        """Leave the group with all that is held: in good order, with an error (*failed*), or as one that died."""
        if self in self._group.members:
            self._group.members.remove(self)
            clean = [] if dead else self._cleanness.clean(self.owned, failed=failed)
            for partition in sorted(self.owned):
                self.leave(partition, clean=partition in clean)
            self._group.balance()

    def expire(self) -> None:
        """
        All that is held passes on as if the process were dead, and the process does not know. When it takes the next
        time, it is a member again.
        """
        self.part(dead=True)


class _MemoryTransaction:
    """Tables are put back as they were by whoever raises."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._disk = bus.disk
        self.committed = False

    async def query(self, query: Query) -> Rows:
        await self._bus.breathe()
        statement = self._disk.statements.get(query.sql)
        if statement is None:
            raise QueryFailed(f"no statement {query.sql!r}", "42601")
        return statement(self._disk.tables, query.values)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        before = copy.deepcopy(self._disk.tables)
        try:
            yield
        except BaseException:
            self._disk.tables = before
            raise

    async def commit(self, turns: Turns) -> None:
        await self._bus.breathe()
        self._disk.apply(turns)
        self.committed = True


class MemoryBus:
    """One process over *disk*. *subscriptions* is the class of its subscriptions."""

    subscriptions: type[MemorySubscription] = MemorySubscription
    log_commits = True

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.crashed = False
        self._subscriptions: list[MemorySubscription] = []

    async def breathe(self) -> None:
        """Every call gives way, as real I/O does, and none returns in a process that is dead."""
        await asyncio.sleep(0)
        if self.crashed:
            await asyncio.get_running_loop().create_future()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        records = self.disk.checked(outgoing)
        await self.breathe()
        self.disk.append(records)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, group: str, start: Literal["committed", "end"] = "committed", most: int | None = None
    ) -> AsyncIterator[Subscription]:
        subscription = self.subscriptions(self, topic, group, start, most)
        await self.breathe()
        subscription.join()
        self._subscriptions.append(subscription)
        failed = True
        try:
            yield subscription
            failed = False
        finally:
            self._subscriptions.remove(subscription)
            subscription.part(dead=self.crashed, failed=failed)

    async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
        await self.breathe()
        return {key: stored for key in keys if (stored := self.disk.states.get((actor, key)))}

    async def commit(self, turns: Turns) -> None:
        await self.breathe()
        async with self.disk.locked:
            self.disk.apply(turns)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        await self.breathe()
        async with self.disk.locked:
            transaction = _MemoryTransaction(self)
            before = copy.deepcopy(self.disk.tables)
            try:
                yield transaction
            finally:
                if not transaction.committed:
                    self.disk.tables = before

    def partitions(self, topic: str) -> int:
        if topic not in self.disk.topics:
            raise UnknownTopic(topic)
        return self.disk.topics[topic].partitions

    async def resource(self, digest: str) -> bytes | None:
        await self.breathe()
        return self.disk.resources.get(digest)

    async def count_attempt(self, group: str, topic: str, partition: int, offset: int) -> int:
        await self.breathe()
        place = (group, topic, partition, offset)
        self.disk.attempts[place] = self.disk.attempts.get(place, 0) + 1
        return self.disk.attempts[place]

    # What dead letters are listed and settled by: ``bus.dead_letters.DeadLetters``.

    async def letters(self, *, limit: int, after: UUID | None = None) -> Sequence[DeadLetter]:
        await self.breathe()
        found = sorted(self.disk.dead.values(), key=lambda letter: (letter.at, letter.id))
        if after is not None:
            found = found[[letter.id for letter in found].index(after) + 1 :]
        return found[:limit]

    async def letter(self, id_: UUID) -> DeadLetter | None:
        await self.breathe()
        return self.disk.dead.get(id_)

    async def settle(self, id_: UUID, fate: Literal["redriven", "discarded"]) -> bool:
        await self.breathe()
        return self.disk.dead.pop(id_, None) is not None

    # What tests and the simulation do to a process.

    def crash(self) -> None:
        """The process is dead: it holds nothing any more and can do nothing. Its tasks are the caller's to cancel."""
        self.crashed = True
        for subscription in list(self._subscriptions):
            subscription.part(dead=True)

    def expire(self) -> None:
        """Others take over all that this process owns, as when it was paused for longer than its lease."""
        for subscription in list(self._subscriptions):
            subscription.expire()
