"""An event loop whose time is made up: it jumps to the next timer when there is nothing else to do."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DeadlockError(Exception):
    """Everybody waits, and no timer will ever wake them."""


class _Selector(selectors.SelectSelector):
    """Nothing comes from outside; to wait is to let time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError
        self.now += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """What is ready at the same time runs in an order that *random* decides: the same one for the same seed."""

    _ready: deque[Any]

    def __init__(self, random: Random) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self.random = random

    def time(self) -> float:
        return self._clock.now

    def _run_once(self) -> None:
        if len(self._ready) > 1:
            ready = list(self._ready)
            self.random.shuffle(ready)
            self._ready.clear()
            self._ready.extend(ready)
        super()._run_once()  # type: ignore[misc] # what every loop of asyncio's is made of, though typeshed has it not


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that takes no time, however long it waits."""

    @functools.wraps(test)
    def under_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(0, test(*args, **kwargs))

    return under_virtual_time


def run(seed: int | str, main: Coroutine[Any, Any, T]) -> T:
    """The result of *main* under virtual time. Raises whatever it raises, and ``DeadlockError``."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(Random(f"{seed}/loop"))) as runner:
        return runner.run(main)
