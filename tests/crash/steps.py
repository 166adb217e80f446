"""Every point at which a process waits, made countable, so that it can be ended there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import CodeType, FrameType
from typing import Any, Literal

__all__ = ["Point", "stepping"]

Phase = Literal["waits", "goes on"]

# Name of the task, and where it waits: the lines of all coroutines in it, innermost last.
Point = tuple[str, tuple[tuple[str, int], ...], Phase]


class _Steps(Coroutine[Any, Any, Any]):
    """
    A coroutine that tells when it really waits (it gives way to the event loop) and when it goes on after that.

    Where it waits for I/O, the request is under way by then; where it goes on, the answer is there and nobody has
    looked at it.
    """

    def __init__(self, inner: Coroutine[Any, Any, Any], passed: Callable[[_Steps, Phase], None]) -> None:
        self.inner = inner
        self._passed = passed
        self._waited = False

    def send(self, value: Any) -> Any:
        if self._waited:
            self._passed(self, "goes on")
        found = self.inner.send(value)
        self._waited = True
        self._passed(self, "waits")
        return found

    def throw(self, *error: Any) -> Any:
        found = self.inner.throw(*error)
        self._passed(self, "waits")
        return found

    def close(self) -> None:
        self.inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.inner.__await__()

    def place(self) -> tuple[tuple[str, int], ...]:
        """Where it waits."""
        found: list[tuple[str, int]] = []
        inner: Any = self.inner
        while inner is not None:
            frame: FrameType | None = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
            code: CodeType | None = getattr(inner, "cr_code", None) or getattr(inner, "gi_code", None)
            if frame is None or code is None:
                break
            found.append((code.co_filename.rpartition("/")[2], frame.f_lineno))
            inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
        return tuple(found)


def stepping(loop: asyncio.AbstractEventLoop, passed: Callable[[Callable[[], Point]], None]) -> None:
    """
    From now on *passed* is called at every such point of every task that begins.

    Args:
        passed: is handed a function that says which point it is, since to find out is dear.
    """

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        def tell(steps: _Steps, phase: Phase) -> None:
            passed(lambda: (coroutine.__qualname__, steps.place(), phase))

        return asyncio.Task(_Steps(coroutine, tell), loop=loop, **options)

    loop.set_task_factory(factory)
