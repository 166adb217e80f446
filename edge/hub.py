"""
The edge's side of the log: publishes what clients do, listens on this process's slot, and hands on what arrives.

A *slot* is the partition of ``channel.web`` that this process owns at the moment. The session actor sends what a person
is to see to the slot where that person last connected; when the slot changes, every open conversation is announced
again from the new one, and its ``ConversationAttached`` says up to where the transcript has to be read.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import structlog

from bus.errors import BusError, BusUnavailable
from bus.ids import uuid7
from bus.protocol import Bus, Clock, Outgoing, Undecodable
from edge.metrics import Metrics
from schemas.conversation import ConversationResumed
from schemas.envelope import Event
from schemas.topics import CHANNEL_WEB, SESSION

__all__ = ["Hub", "Listener"]

log = structlog.get_logger()
E = TypeVar("E", bound=Event)

_GROUP = "edge"
_TAKE = 500
_ANNOUNCE = 500
_BACK_OFF_S = (0.1, 5.0)
_REFUSED_FOR_S = 10.0  # then nobody has tried for a while, and somebody should


class Listener(Protocol):
    """Somebody who shows a conversation to a person: an open socket, a request that waits for an answer."""

    bot: str

    def put(self, event: Event) -> None:
        """Take *event*, an event of ``channel.web``. Must not wait and must not raise."""
        ...


class Hub:
    """
    The conversations of this process, and its place on the log.

    Args:
        version_of: the bot version in force, '' for a bot that is not there.
    """

    def __init__(self, bus: Bus, clock: Clock, version_of: Callable[[str], str], metrics: Metrics) -> None:
        self._bus = bus
        self._clock = clock
        self.new_id = uuid7(clock)
        self._version_of = version_of
        self._metrics = metrics
        self._listeners: dict[str, list[Listener]] = {}
        self._slot: int | None = None
        self._refused: tuple[float, str] | None = None  # when the log last took nothing, and why
        self._has_slot = asyncio.Event()

    @property
    def slot(self) -> int | None:
        """The partition of ``channel.web`` that is ours; None while we have none."""
        return self._slot

    async def wait_slot(self, timeout_s: float) -> int:
        """Our slot, as soon as there is one. Raises ``BusUnavailable`` after *timeout_s*."""
        if self._slot is None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._has_slot.wait()
            except TimeoutError:
                raise BusUnavailable("this edge has no slot on channel.web yet") from None
        if self._slot is None:
            raise BusUnavailable("this edge has just lost its slot on channel.web")
        return self._slot

    async def check(self) -> str:
        """For ``/health/ready``. A database that answers may still be unable to keep anything: its disk is full."""
        if self._slot is None:
            return "no slot on channel.web: the log cannot be read, or all slots are taken"
        if self._refused is not None and time.monotonic() - self._refused[0] < _REFUSED_FOR_S:
            return f"what people say cannot be kept: {self._refused[1]}"
        return ""

    @contextmanager
    def listen(self, session: str, listener: Listener) -> Iterator[None]:
        """Hand *listener* what comes for *session*."""
        listeners = self._listeners.setdefault(session, [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners and self._listeners.get(session) is listeners:
                del self._listeners[session]

    def make(self, event: type[E], session: str, bot: str, **fields: Any) -> E:
        """An event that enters the system here: fresh id, the time, the bot version in force."""
        return event(
            id=self.new_id(), at=self._clock.now(), bot=bot, bot_version=self._version_of(bot), key=session, **fields
        )

    async def publish(self, event: Event) -> None:
        """To the session actor; durable when it returns. Raises ``BusUnavailable`` or ``TooLarge``."""
        begin = time.perf_counter()
        try:
            await self._bus.publish((Outgoing(SESSION, event),))
        except BusError as failure:
            self._metrics.publish_failed(failure)
            if isinstance(failure, BusUnavailable):
                self._refused = time.monotonic(), str(failure)
            raise
        self._refused = None
        self._metrics.published(event.type, time.perf_counter() - begin)

    async def run(self) -> None:
        """Listen until cancelled. When the log is away, try again until it is back."""
        wait_s, most_s = _BACK_OFF_S
        while True:
            try:
                await self._follow()
            except BusUnavailable as failure:
                log.warning("edge_slot_lost", reason=str(failure), retry_in_s=wait_s)
            except Exception:
                # Whatever it was, to be deaf for ever would be worse: begin anew, and let the log tell.
                log.exception("edge_slot_failed", retry_in_s=wait_s)
            finally:
                if self._slot is not None:
                    wait_s = _BACK_OFF_S[0]
                self._lose()
            # Jitter, so that edges that lost the log together do not come back together.
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311
            wait_s = min(2 * wait_s, most_s)

    async def _follow(self) -> None:
        async with self._bus.subscribe(CHANNEL_WEB, group=_GROUP, start="end", most=1) as subscription:
            while True:
                batch = await subscription.take(_TAKE)
                for delivery in batch.deliveries:
                    if isinstance(delivery.event, Undecodable):
                        log.error("event_not_decodable", topic=CHANNEL_WEB, reason=delivery.event.reason)
                        continue
                    for listener in self._listeners.get(delivery.event.key, ()):
                        listener.put(delivery.event)
                if batch.revoked:
                    if self._slot in batch.revoked:
                        self._lose()
                    await subscription.release(batch.revoked)
                for claim in batch.acquired:
                    self._slot = claim.partition
                    self._has_slot.set()
                    log.info("edge_slot_acquired", slot=claim.partition)
                    await self._announce(claim.partition)

    def _lose(self) -> None:
        self._slot = None
        self._has_slot.clear()

    async def _announce(self, slot: int) -> None:
        """Tell the sessions of all open conversations where their person is now."""
        open_now = [(session, listeners[0].bot) for session, listeners in self._listeners.items()]
        for begin in range(0, len(open_now), _ANNOUNCE):
            events: Sequence[Outgoing] = [
                Outgoing(SESSION, self.make(ConversationResumed, session, bot, slot=slot))
                for session, bot in open_now[begin : begin + _ANNOUNCE]
            ]
            await self._bus.publish(events)
