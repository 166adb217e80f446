"""Work beside a block of code, and clients that are not to be trusted with our tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

__all__ = ["EndedError", "apart", "begin", "beside", "unending"]

log = structlog.get_logger(__name__)

APART_S: Final = 5.0
BEGUN_S: Final = 1.0


class EndedError(Exception):
    """What should have gone on for ever has ended."""


async def unending(work: Coroutine[Any, Any, None]) -> None:
    """
    Run *work*, which never ends by itself.

    aiokafka cancels inner tasks of its own and sometimes lets that cancellation out to whoever waits for them. A task
    group takes a cancelled task for one that is done: the work would stop, and nobody would know.

    Raises: EndedError: it ended, or was cancelled by somebody else than us.
    """
    task = asyncio.current_task()
    name = getattr(work, "__qualname__", "it")
    try:
        await work
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        raise EndedError(f"{name} was cancelled from within") from error
    raise EndedError(f"{name} came to an end")


async def begin(start: Callable[[], Coroutine[Any, Any, Any]], timeout_s: float) -> None:
    """
    Start a client. When we are cancelled meanwhile, its start may still come to an end, for a moment: cut short, it
    would forget a connection that is open.

    Raises: TimeoutError.
    """
    task = asyncio.ensure_future(start())
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=BEGUN_S)
        raise
    finally:
        if not task.cancel() and not task.cancelled():
            task.exception()  # whoever waited knows of it, or is gone


async def apart(*steps: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """
    Take *steps*, each in a task of its own and for some seconds at most: the way to close a client that may hang,
    swallow a cancellation or let one out. What goes wrong with one is logged, and the next is taken.
    """
    for step in steps:
        task = asyncio.ensure_future(step())
        try:
            await asyncio.wait({task}, timeout=APART_S)
        finally:
            task.cancel()
        await asyncio.wait({task}, timeout=1.0)
        if not task.done():
            log.warning("kafka_client_left_behind")
        elif task.cancelled() or task.exception() is not None:
            log.info("kafka_client_closed_hard", reason="cancelled" if task.cancelled() else repr(task.exception()))


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """
    Run *work*, which never ends by itself, until the block is left. If it fails, the block is cancelled and the error
    comes out as an exception group; what the block raises comes out as it is.
    """
    failed: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(unending(each)) for each in work]
        try:
            yield
        except Exception as error:
            failed = error
        finally:
            for task in running:
                task.cancel()
    if failed is not None:
        raise failed
