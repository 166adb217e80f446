"""A performer for tests, and a place for it to work."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from bus.actor import Job
from bus.clock import LoopClock
from bus.memory import Disk, MemoryBus
from bus.worker import Options, run_worker
from schemas.conversation import MessageDelta, MessageReceived
from schemas.topics import BASIC, SESSION, partition_of
from tests.simulation.crew import decoded, said, to_session


class Overloaded(Exception):  # a provider's word
    """The other side is busy."""

    retriable: ClassVar[bool] = True


class Model:
    """Takes as many seconds as it is told, then answers. 'busy' is refused twice, 'broken' always fails."""

    name = "model"
    topic = SESSION

    def __init__(self, concurrency: int = 4, budget_s: float = 60.0) -> None:
        self.concurrency = concurrency
        self.budget_s = budget_s
        self.began: list[str] = []
        self.ended: list[str] = []
        self.most = 0
        self._running = 0
        self._refusals = 2

    async def perform(self, job: Job) -> None:
        assert isinstance(job.event, MessageReceived)
        text = job.event.text
        self.began.append(text)
        self._running += 1
        self.most = max(self.most, self._running)
        try:
            match text.split():
                case ["takes", seconds]:
                    await asyncio.sleep(float(seconds))
                case ["busy"] if self._refusals:
                    self._refusals -= 1
                    raise Overloaded
                case ["always-busy"]:
                    raise Overloaded
                case ["broken"]:
                    raise ValueError("cannot be done")
                case _:
                    pass
            job.answer(MessageDelta, index=0, text=text)
            self.ended.append(text)
        finally:
            self._running -= 1

    def failed(self, job: Job, error: Exception) -> None:
        job.answer(MessageDelta, index=1, text=f"{type(error).__name__}")


class Office:
    """A disk with messages to a model."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.bus = MemoryBus(self.disk)

    async def hears(self, *texts: str, key: str = "a", begin: int = 1) -> None:
        events = [said(key, text, n, reply_to=BASIC) for n, text in enumerate(texts, begin)]
        await self.bus.publish(to_session(*events))

    async def works(self, model: Model, options: Options | None = None) -> None:
        await run_worker(self.bus, [model], until_idle=True, clock=LoopClock(), options=options)

    def answers(self) -> list[str]:
        return [event.text for event in decoded(self.disk, BASIC) if isinstance(event, MessageDelta)]

    def position(self, key: str = "a") -> int:
        return self.disk.positions.get(("model", SESSION, partition_of(key, 8)), 0)
