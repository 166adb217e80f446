"""One way to stop: take no more, finish what is in hand, then go."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

__all__ = ["Stop", "stop_signals"]

log = structlog.get_logger(__name__)


class Stop:
    """A wish to stop, once said never taken back."""

    def __init__(self) -> None:
        self._said = asyncio.Event()
        self._waits: dict[asyncio.Timeout, None] = {}  # in order, so that a simulation can be repeated
        self._callbacks: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        return self._said.is_set()

    def request(self) -> None:
        """Ends every wait inside ``interrupts``; the second time nothing happens."""
        if self._said.is_set():
            return
        self._said.set()
        now = asyncio.get_running_loop().time()
        for scope in self._waits:
            scope.reschedule(now)
        for callback in self._callbacks:
            callback()

    async def wait(self) -> None:
        """Until somebody asks to stop."""
        await self._said.wait()

    @contextmanager
    def calls(self, callback: Callable[[], None]) -> Iterator[None]:
        """Inside, *callback* is called with the request, or at once if it was made before."""
        if self.requested:
            callback()
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    @asynccontextmanager
    async def interrupts(self) -> AsyncIterator[None]:
        """A wait that ends quietly when a stop is requested: what follows the block looks at ``requested``."""
        # Where a stop was requested before, the first await inside is where it ends.
        scope = asyncio.timeout(0 if self.requested else None)
        try:
            async with scope:
                self._waits[scope] = None
                yield
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._waits.pop(scope, None)


@asynccontextmanager
async def stop_signals() -> AsyncIterator[Stop]:
    """
    SIGTERM and SIGINT ask to stop; the second of them ends the process at once, as if nobody had caught it.

    Must be entered in the main thread, inside the running loop.
    """
    loop = asyncio.get_running_loop()
    stop = Stop()

    def heard(number: signal.Signals) -> None:
        if stop.requested:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        log.info("stop_requested", signal=number.name)
        stop.request()

    watched = (signal.SIGTERM, signal.SIGINT)
    for number in watched:
        loop.add_signal_handler(number, heard, number)
    try:
        yield stop
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
