"""Work beside a block of code, for as long as the block takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["beside"]


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """
    Run *work*, which never ends by itself, until the block is left. If it fails, the block is cancelled and the error
    comes out as an exception group; what the block raises comes out as it is.
    """
    failed: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in work]
        try:
            yield
        except Exception as error:
            failed = error
        finally:
            for task in running:
                task.cancel()
    if failed is not None:
        raise failed
