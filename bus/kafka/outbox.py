"""
The way from the outbox, where a turn's transaction put its events, to the log.

After the commit they go to the writer from memory, and when they are durable in the log their rows are deleted in bulk.
The rows are read only when a partition changes hands: what its last owner left there is published before anything else
of the partition is done. What that owner may publish later still are repeats, in order, which receivers know by their
origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import structlog

from bus.errors import BusUnavailable
from bus.kafka.records import place_decided, place_stored
from bus.kafka.writer import Writer
from bus.postgres.store import Kept, Store
from bus.protocol import Turns

__all__ = ["Outbox"]

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.1  # how long durable events may wait to be cleared with others
PAGE: Final = 1000
RETRY_S: Final = 0.5

Owner = tuple[str, str]  # an actor, and the topic that it reads


class Outbox:
    """The outbox of one process."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer
        self._flying: dict[Owner, set[asyncio.Future[None]]] = {}
        self._durable: dict[Owner, list[Kept]] = {}
        self._wake = asyncio.Event()

    async def wait_room(self) -> None:
        """Wait while too much is on its way; whoever commits asks first, so memory stays bounded."""
        await self._writer.wait_room()

    async def send(self, turns: Turns, kept: Sequence[Kept]) -> None:
        """Publish what has just been committed; *kept* is ``turns.outgoing`` as the outbox has it."""
        if not turns.outgoing:
            return
        if len(kept) < len(turns.outgoing):
            # The answer to the commit was lost, and too much is in the outbox to tell what is ours: all of it goes.
            await self.publish_leftovers(turns.actor, turns.topic, {advance.partition for advance in turns.advances})
            return
        owner = turns.actor, turns.topic
        done = self._writer.post(
            [place_decided(out.event, item) for out, item in zip(turns.outgoing, kept, strict=True)]
        )
        self._flying.setdefault(owner, set()).add(done)
        done.add_done_callback(partial(self._sent, owner, kept))

    def _sent(self, owner: Owner, kept: Sequence[Kept], done: asyncio.Future[None]) -> None:
        self._flying[owner].discard(done)
        if not done.cancelled() and done.exception() is None:
            self._durable.setdefault(owner, []).extend(kept)
            self._wake.set()

    async def settle(self, actor: str, topic: str, timeout_s: float) -> None:
        """Wait until what was sent so far is in the log and no more in the outbox, at most so long."""
        owner = actor, topic
        try:
            async with asyncio.timeout(timeout_s):
                if flying := list(self._flying.get(owner, ())):
                    await asyncio.wait(flying)
                await self._clear(owner)
        except (TimeoutError, BusUnavailable) as error:
            log.warning("outbox_left_behind", actor=actor, reason=repr(error))

    async def publish_leftovers(self, actor: str, topic: str, partitions: Collection[int]) -> None:
        """
        Publish what other owners of *partitions* left in the outbox, in order, and clear it.

        Raises: BusUnavailable: the database cannot be reached; some of it may be published.
        """
        while left := await self._store.outbox_of(actor, topic, partitions, limit=PAGE):
            log.info("outbox_leftovers", actor=actor, topic=topic, count=len(left))
            await self._writer.post([place_stored(item) for item in left])
            await self._store.clear_outbox(actor, topic, left)

    async def clear_forever(self) -> None:
        """Delete the rows of what has become durable, in bulk."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for owner in list(self._durable):
                try:
                    await self._clear(owner)
                except BusUnavailable as error:
                    log.warning("outbox_not_cleared", actor=owner[0], reason=str(error))
                    self._wake.set()
                    await asyncio.sleep(RETRY_S)
            await asyncio.sleep(GATHER_S)

    async def _clear(self, owner: Owner) -> None:
        kept = self._durable.pop(owner, [])
        if not kept:
            return
        try:
            await self._store.clear_outbox(*owner, kept)
        except BaseException:
            self._durable.setdefault(owner, []).extend(kept)
            raise
