"""Several people who talk at once while something kills what they talk to, and the verdict on what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import httpx

from tests.crash.checker import Acknowledged, Entry, Said, faults
from tests.crash.person import Conversation, Person, ledger
from tests.support.botswain_process import OPERATOR

__all__ = ["Crowd", "Verdict"]

PAGE = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was said, and what was wrong with it."""

    conversations: int
    messages: int
    faults: list[str]


class Crowd:
    """
    *size* people.

    Args:
        address: says where to connect next, host and port.
    """

    def __init__(self, size: int, address: Callable[[], str], random: Random) -> None:
        self._frames = 0
        self._goal = 0
        self._reached = asyncio.Event()
        self._enough = False
        self._people = [Person(f"p{n}", address, Random(random.random()), self._count) for n in range(size)]

    async def during(self, killing: Awaitable[None]) -> None:
        """Everybody talks until *killing* is over; then all finish their conversation."""
        async with asyncio.TaskGroup() as group:
            for person in self._people:
                group.create_task(person.talk(lambda: self._enough))
            await killing
            self._enough = True

    @property
    def durable_frames(self) -> int:
        """How many frames have come that say that something is durable."""
        return sum(
            isinstance(it, Acknowledged | Entry)
            for person in self._people
            for conversation in person.conversations
            for it in conversation.history
        )

    async def sees(self, frames: int) -> None:
        """Until so many more frames have come to anybody."""
        self._goal = self._frames + frames
        self._reached.clear()
        await self._reached.wait()

    def _count(self) -> None:
        self._frames += 1
        if self._frames >= self._goal:
            self._reached.set()

    async def verdict(self, address: str) -> Verdict:
        """Hold what everybody saw against what the server at *address* has."""
        found: list[str] = []
        conversations = [conversation for person in self._people for conversation in person.conversations]
        async with httpx.AsyncClient(
            base_url=f"http://{address}/api/v1", headers={"Authorization": f"Bearer {OPERATOR}"}, timeout=30
        ) as api:
            for conversation in conversations:
                transcript = await _transcript(api, conversation)
                found += [f"{conversation.session}: {it}" for it in faults(conversation.history, transcript, ledger)]
            letters = (await api.get("/dead-letters")).raise_for_status().json()["dead_letters"]
        found += [f"set aside: {letter}" for letter in letters]
        messages = sum(isinstance(it, Said) for conversation in conversations for it in conversation.history)
        return Verdict(len(conversations), messages, found)


async def _transcript(api: httpx.AsyncClient, conversation: Conversation) -> list[Entry]:
    answer = await api.get(f"/conversations/{conversation.session}/messages", params={"limit": PAGE})
    messages = answer.raise_for_status().json()["messages"]
    return [Entry(message["seq"], message["id"], message["role"], message["text"]) for message in messages]
