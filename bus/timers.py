"""
Says when timers are due, in the process that owns the partitions of the schedule actor.

All timers of a partition are set by the actor that runs beside this service, so it knows the nearest one without
asking the database again and again: it asks when it takes a partition over, and when something is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from bus import codec
from bus.actor import derived_id
from bus.errors import BusUnavailable
from bus.protocol import Outgoing, Query, Record, Rows, Turns, Undecodable
from bus.surroundings import Surroundings
from schemas.envelope import Event
from schemas.schedule import TimerDue, TimerRequested
from schemas.topics import SCHEDULE

__all__ = ["TimerService"]

log = structlog.get_logger(__name__)

_NAMESPACE: Final = UUID("0b7cbd6a-5f0f-5b57-8a55-0f0b9f0c2a11")
_WRITE: Final = "timers.write"
_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)  # a day later than the first: a driver may take off a time zone
_END: Final = datetime(9999, 12, 30, tzinfo=UTC)

# The clock of the machine may be set while we sleep, so we look at it that often. The database is not asked.
_LOOK_S: Final = 1.0
_LIMIT: Final = 500

Place = tuple[int, str, str, str]  # partition, key, reply_to, timer


class TimerService:
    """Publishes ``TimerDue``. It may say so twice; the schedule actor fires once."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._partitions: frozenset[int] = frozenset()
        self._wake = asyncio.Event()
        self._next = _BEGINNING
        self._seen_to = _BEGINNING
        self._said: dict[Place, datetime] = {}  # and not yet decided

    # Told by the runner of the schedule actor.

    def owns(self, partitions: Collection[int]) -> None:
        """What is ours from now on."""
        if self._partitions != (now := frozenset(partitions)):
            self._partitions = now
            self._said = {place: due for place, due in self._said.items() if place[0] in now}
            self._next = self._seen_to = _BEGINNING
            self._wake.set()

    def committed(self, turns: Turns) -> None:
        """Timers were set and forgotten."""
        for row in turns.rows:
            if row.statement == _WRITE:
                partition, key, reply_to, timer, due_at, _ = row.values
                self._said.pop((partition, key, reply_to, timer), None)
                if due_at is not None:
                    self._expect(due_at)

    def passed(self, event: Event | Undecodable) -> None:
        """It was decided elsewhere: mostly here, but perhaps by a process that has not asked for what is ours now."""
        if isinstance(event, TimerRequested):
            self._expect(event.due_at)

    def _expect(self, due_at: datetime) -> None:
        self._seen_to = min(self._seen_to, due_at)
        if due_at < self._next:
            self._next = due_at
            self._wake.set()

    async def run(self) -> None:
        """Until a stop is requested."""
        around = self._around
        backoff = around.backoff()
        around.idle.begin()
        try:
            while not around.stop.requested:
                try:
                    await self._wait()
                    if self._partitions and self._next <= around.clock.now():
                        await self._say()
                    backoff.reset()
                except BusUnavailable as error:
                    log.warning("timers_wait_for_the_bus", error=str(error))
                    await around.pause(backoff)
        finally:
            around.idle.end()

    async def _wait(self) -> None:
        """Until a timer is due, or it is time to look at the clock, or something changed."""
        ahead_s = (self._next - self._around.clock.now()).total_seconds()
        if ahead_s <= 0 and self._partitions:
            return
        async with self._around.stop.interrupts():
            with self._around.idle.waiting():
                try:
                    async with asyncio.timeout(min(ahead_s, _LOOK_S) if self._partitions else None):
                        await self._wake.wait()
                except TimeoutError:
                    return
        self._wake.clear()

    async def _say(self) -> None:
        """Publish what is due, and find out what comes next."""
        now = self._around.clock.now()
        partitions = sorted(self._partitions)
        self._next = _END
        # What is set, or becomes ours, while we ask may be due before *now* and not among the answers.
        seen_to, self._seen_to = self._seen_to, _END
        try:
            async with self._around.bus.transaction() as transaction:
                due = await transaction.query(Query("timers.due", (partitions, now, seen_to, _LIMIT)))
                following = await transaction.query(Query("timers.next", (partitions, now)))
            # What was said of a timer that had just been moved is never decided: it is about another time.
            fresh = {
                place: row
                for row in due
                if self._said.get(place := _place(row)) != row["due_at"] and place[0] in self._partitions
            }
        except BaseException:
            self._next, self._seen_to = _BEGINNING, min(seen_to, self._seen_to)
            raise
        if fresh:
            self._said.update({place: row["due_at"] for place, row in fresh.items()})
            try:
                await self._around.bus.publish([_due(row) for row in fresh.values()])
            except BaseException:
                for place in fresh:
                    self._said.pop(place, None)
                self._next, self._seen_to = _BEGINNING, min(seen_to, self._seen_to)
                raise
        self._seen_to = min([now, self._seen_to, *self._said.values()])
        if len(due) == _LIMIT:
            # There may be more, which is asked for when some of these were decided and are gone.
            following = [{"due_at": now + timedelta(seconds=0.1)}]
        self._next = min(self._next, _first(following))


def _place(row: Mapping[str, Any]) -> Place:
    return row["partition"], row["key"], row["reply_to"], row["timer"]


def _first(rows: Rows) -> datetime:
    found = rows[0]["due_at"] if rows else None
    return _END if found is None else found


def _due(row: Mapping[str, Any]) -> Outgoing:
    request = codec.decode(Record(row["key"], "timer.requested.v1", row["request"]))
    assert isinstance(request, TimerRequested), "the schedule actor wrote it"
    due_at: datetime = row["due_at"]
    name = f"{request.key}/{request.reply_to}/{request.timer}/{due_at.astimezone(UTC).isoformat()}"
    return Outgoing(
        SCHEDULE,
        TimerDue(
            id=derived_id(_NAMESPACE, name),
            at=due_at,
            tenant=request.tenant,
            bot=request.bot,
            bot_version=request.bot_version,
            key=request.key,
            cause=request.id,
            turn=request.turn,
            reply_to=request.reply_to,
            trace=request.trace,
            timer=request.timer,
            due_at=due_at,
        ),
    )
