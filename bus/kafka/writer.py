"""
Appends to Kafka: in order per partition, durable when it says so, never a gap that is filled later.

Each partition has a lane: a queue, and at most one batch on its way. What arrives meanwhile goes with the next batch,
so a lone record leaves at once and a crowd leaves together, without a linger time. Nothing is sent before what stands
in front of it in its lane is durable, so a failure in the middle cannot turn the order round: a receiver that knows
repeats by their origin would take the late one for a repeat, and lose it.

The producer is idempotent: its own retries neither double nor reorder. A producer that has failed once may be out of
sequence for good, and one that neither succeeds nor fails may be stuck, so either is replaced by a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bus.errors import BusUnavailable
from bus.kafka.background import apart, begin, beside
from bus.kafka.records import Placed

__all__ = ["Writer", "open_writer"]

log = structlog.get_logger()

BATCH_BYTES: Final = 512 * 1024
BACKLOG_BYTES: Final = 64 * 1024 * 1024
STALL_S: Final = 30.0
CLOSE_S: Final = 5.0
START_S: Final = 15.0
RETRY_S: Final = 0.25


class _Ticket:
    """Records that somebody waits for together: *done* becomes true or an error when the last of them has landed."""

    __slots__ = ("abandoned", "done", "keep", "left")

    def __init__(self, count: int, *, keep: bool) -> None:
        self.left = count
        self.keep = keep  # tried again until it lands, since it is decided already
        self.abandoned = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def landed(self, count: int) -> None:
        self.left -= count
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: BaseException) -> None:
        self.abandoned = True
        if not self.done.done():
            self.done.set_exception(BusUnavailable(f"Kafka did not take the events: {error!r}"))
            self.done.exception()  # whoever waited may be gone


class _Lane:
    """The queue of one partition."""

    __slots__ = ("flying", "queue", "since")

    def __init__(self) -> None:
        self.queue: deque[tuple[_Ticket, Placed]] = deque()
        self.flying: list[tuple[_Ticket, Placed]] = []
        self.since = 0.0


class Writer:
    """Appends records. Made by ``open_writer``."""

    def __init__(self, make_producer: Callable[[], AIOKafkaProducer], topic_name: Callable[[str], str]) -> None:
        self._make_producer = make_producer
        self._topic_name = topic_name
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._ready: set[tuple[str, int]] = set()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._bytes = 0
        self._generation = 0
        self._broken: BaseException | None = None
        self.trouble = ""  # why nothing can be written at the moment, for people

    async def publish(self, records: Sequence[Placed], timeout_s: float) -> None:
        """
        Durable when it returns.

        Raises:
            BusUnavailable: not within *timeout_s*, or Kafka refused. Some of them may be in the log, or come to it.
        """
        ticket: _Ticket | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.wait()
                ticket = self._enqueue(records, keep=False)
                await ticket.done
        except TimeoutError:
            raise BusUnavailable(f"Kafka did not answer within {timeout_s:g} s") from None
        finally:
            if ticket is not None:
                ticket.abandoned = True

    def post(self, records: Sequence[Placed]) -> asyncio.Future[None]:
        """Append what is decided already, however long it takes. The future is done when all are durable."""
        return self._enqueue(records, keep=True).done

    async def drain(self, timeout_s: float) -> None:
        """Wait until the lanes are empty, at most so long."""
        left = [ticket.done for lane in self._lanes.values() for ticket, _ in (*lane.flying, *lane.queue)]
        if left:
            await asyncio.wait(left, timeout=timeout_s)

    async def wait_room(self) -> None:
        """Wait until there is less than the limit in the lanes; whoever posts asks first."""
        await self._room.wait()

    def _enqueue(self, records: Sequence[Placed], *, keep: bool) -> _Ticket:
        ticket = _Ticket(len(records), keep=keep)
        if not records:
            ticket.landed(0)
            return ticket
        for record in records:
            place = record.topic, record.partition
            lane = self._lanes.get(place)
            if lane is None:
                lane = self._lanes[place] = _Lane()
            lane.queue.append((ticket, record))
            self._bytes += len(record.value)
            if not lane.flying:
                self._ready.add(place)
        if self._bytes > BACKLOG_BYTES:
            self._room.clear()
        self._wake.set()
        return ticket

    # --- the pump ---------------------------------------------------------------------------------------------------

    async def pump(self) -> None:
        """Send what the lanes hold, for ever."""
        while True:
            producer = self._make_producer()
            try:
                await begin(producer.start, START_S)
                self.trouble = ""
                await self._send_until_broken(producer)
            except Exception as error:
                # Whatever it is, faults of the client included: a new client is the only thing that can help.
                self._broken = error
            finally:
                await _close(producer)
            self.trouble = f"no connection for writing: {self._broken!r}"
            log.warning("kafka_producer_replaced", reason=repr(self._broken))
            self._start_anew(self._broken or KafkaError("closed"))
            await asyncio.sleep(RETRY_S)

    async def _send_until_broken(self, producer: AIOKafkaProducer) -> None:
        generation = self._generation
        while self._broken is None:
            self._wake.clear()
            for place in list(self._ready):
                self._ready.discard(place)
                lane = self._lanes[place]
                batch = producer.create_batch()
                self._fill(lane, batch)
                if lane.flying:
                    sent = await producer.send_batch(batch, self._topic_name(place[0]), partition=place[1])
                    sent.add_done_callback(partial(self._landed, place, generation))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            self._look_for_stall()

    def _fill(self, lane: _Lane, batch: Any) -> None:
        """Move the front of the queue into *batch*, as far as it takes it. Who no longer waits is left out."""
        queue = lane.queue
        size = 0
        while queue:
            ticket, record = queue[0]
            if ticket.abandoned and not ticket.keep:
                self._forget(record)
                queue.popleft()
                continue
            size += len(record.value)
            if lane.flying and size > BATCH_BYTES:
                break
            taken = batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers)
            if taken is None:
                break
            lane.flying.append(queue.popleft())
        lane.since = time.monotonic()
        batch.close()

    def _landed(self, place: tuple[str, int], generation: int, sent: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if generation != self._generation:
            return  # a producer that was given up; what it carried has been dealt with
        if error is not None:
            self._broken = error
            self._wake.set()
            return
        lane = self._lanes[place]
        flying, lane.flying = lane.flying, []
        start = 0
        for index, (ticket, record) in enumerate(flying, 1):
            self._forget(record)
            if index == len(flying) or flying[index][0] is not ticket:
                ticket.landed(index - start)
                start = index
        if lane.queue:
            self._ready.add(place)
            self._wake.set()

    def _forget(self, record: Placed) -> None:
        self._bytes -= len(record.value)
        if self._bytes <= BACKLOG_BYTES:
            self._room.set()

    def _look_for_stall(self) -> None:
        now = time.monotonic()
        if any(lane.flying and now - lane.since > STALL_S for lane in self._lanes.values()):
            self._broken = KafkaError(f"a batch was under way for more than {STALL_S:g} s")

    def _start_anew(self, error: BaseException) -> None:
        """What flew with the lost producer goes back to the front of its lane if it is decided, else it has failed."""
        self._generation += 1
        self._broken = None
        for place, lane in self._lanes.items():
            flying, lane.flying = lane.flying, []
            for ticket, record in reversed(flying):
                if ticket.keep:
                    lane.queue.appendleft((ticket, record))
                else:
                    self._forget(record)
                    ticket.failed(error)
            if lane.queue:
                self._ready.add(place)
        self._wake.set()


async def _close(producer: AIOKafkaProducer) -> None:
    """
    Stop *producer* at once. By itself it would wait without end for a broker that is down to take its last batches; the
    lanes know what was under way. It offers no other way to give up than this inner one.
    """
    producer._message_accumulator.fail_all(KafkaError("the producer is given up"))
    await apart(producer.client.close, producer.stop)


@contextlib.asynccontextmanager
async def open_writer(bootstrap: str, *, topic_name: Callable[[str], str], max_bytes: int) -> AsyncIterator[Writer]:
    """
    A writer to the Kafka at *bootstrap*; it connects by itself, now and whenever the connection is lost. Left in good
    order, it waits some seconds for what is under way.

    Args:
        topic_name: our name of a topic to Kafka's.
        max_bytes: the size of the largest event.
    """

    def make_producer() -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id="botswain",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=max(BATCH_BYTES, max_bytes) * 2,
            request_timeout_ms=15_000,
            retry_backoff_ms=50,
        )

    writer = Writer(make_producer, topic_name)
    async with beside(writer.pump()):
        yield writer
        await writer.drain(CLOSE_S)
