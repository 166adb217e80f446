"""A web chat client that holds one conversation, through lost sockets, and remembers what it saw."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from botswain.chats import Expect, Say, parse_chat
from botswain.rehearsal import Heard
from tests.support.botswain_process import OPERATOR

__all__ = ["Exchange", "WebClient", "exchanges", "play", "transcript"]

PATIENCE_S = 30.0
AGAIN_S = 0.02
_GONE = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError)


class WebClient:
    """
    One person's page. When the socket is lost it resumes, with its token and the last number that it saw, and sends
    again what was not acknowledged.

    Args:
        port: says where to connect next.
    """

    def __init__(self, port: Callable[[], int | None], bot: str) -> None:
        self.session = ""
        self.token = ""
        self.connections = 0
        self.entries: list[tuple[int, str, str]] = []  # number, role, text, in the order in which they came
        self.errors: list[dict[str, Any]] = []
        self._port = port
        self._bot = bot
        self._socket: ClientConnection | None = None
        self._unacknowledged: dict[str, str] = {}
        self._heard: deque[Heard] = deque()
        self._sent = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    @property
    def seq(self) -> int:
        """The last number that it saw."""
        return self.entries[-1][0] if self.entries else 0

    async def hear(self, count: int) -> list[Heard]:
        """What the bot says next."""
        await self._until(lambda: len(self._heard) >= count, f"{count} messages")
        return [self._heard.popleft() for _ in range(count)]

    async def say(self, text: str, *, wait: bool = True) -> None:
        """Say it; with *wait* until it is acknowledged, without until it is handed to the socket or that is lost."""
        self._sent += 1
        id_ = f"m{self._sent}"
        self._unacknowledged[id_] = text
        try:
            if self._socket is not None:
                await self._send(id_, text)
        except _GONE:
            self._socket = None
        if wait:
            await self.acknowledged()

    async def acknowledged(self) -> None:
        """Until all that was said is durable."""
        await self._until(lambda: not self._unacknowledged, f"acknowledgement of {list(self._unacknowledged)}")

    async def hang_up(self) -> None:
        """Close the socket; what comes next opens another one."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def silent(self) -> None:
        """Assert that nothing comes that was not asked for, as far as another round trip tells."""
        assert not self._heard, self._heard

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not done():
                    try:
                        await self._frame(self._socket or await self._connect())
                    except _GONE:
                        self._socket = None
                        await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            seen = "\n".join(f"{number} {role}: {text}" for number, role, text in self.entries[-10:])
            raise AssertionError(f"waited in vain for {what}; {self.errors[-3:]}; so far:\n{seen}") from None

    async def _connect(self) -> ClientConnection:
        query = {"token": self.token, "after": self.seq} if self.token else {}
        url = f"ws://127.0.0.1:{self._port()}/ws/{self._bot}?{urlencode(query)}"
        self._socket = await connect(url, compression=None, open_timeout=10, close_timeout=1)
        self.connections += 1
        for id_, text in self._unacknowledged.items():
            await self._send(id_, text)
        return self._socket

    async def _send(self, id_: str, text: str) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps({"type": "message", "id": id_, "text": text}))

    async def _frame(self, socket: ClientConnection) -> None:
        frame = json.loads(await socket.recv())
        match frame["type"]:
            case "welcome":
                assert self.session in ("", frame["session"]), "another conversation than before"
                self.session, self.token = frame["session"], frame["token"]
            case "ack":
                self._note(frame["seq"], "user", self._unacknowledged.pop(frame["id"]))
            case "message":
                self._note(frame["seq"], frame["role"], frame["text"])
                if frame["role"] == "bot":
                    offered = tuple(suggestion["text"] for suggestion in frame["suggestions"])
                    self._heard.append(Heard(frame["text"], offered))
            case "error":
                self.errors.append(frame)
                if frame["code"] not in ("unavailable", "rate_limited"):
                    raise AssertionError(frame)
                await asyncio.sleep(AGAIN_S)
                for id_, text in self._unacknowledged.items():
                    await self._send(id_, text)
            case _:
                pass

    def _note(self, number: int, role: str, text: str) -> None:
        known = {entry[0]: entry for entry in self.entries}
        if number in known:  # acknowledged once more, after a resume that has shown it
            assert known[number] == (number, role, text), (known[number], number, role, text)
            return
        assert number == self.seq + 1, f"{number} came after {self.seq}"
        self.entries.append((number, role, text))


@dataclass(frozen=True, slots=True)
class Exchange:
    """The person says something ('' at the beginning), and what should come of it."""

    said: str
    expected: Sequence[Expect]


def exchanges(file: Path) -> list[Exchange]:
    """The exchanges of a chat file without ``...``, ``@wait`` and ``@new``: so many answers are known to come."""

    def steps() -> Iterator[tuple[int, Say | Expect]]:
        turn = 0
        for step in parse_chat(file).steps[1:]:
            assert isinstance(step, (Say, Expect)), step
            turn += isinstance(step, Say)
            yield turn, step

    found = []
    for _, group in groupby(steps(), key=lambda pair: pair[0]):
        turn = [step for _, step in group]
        said = "".join(step.text for step in turn if isinstance(step, Say))
        found.append(Exchange(said, [step for step in turn if isinstance(step, Expect)]))
    return found


async def play(client: WebClient, talk: Sequence[Exchange]) -> None:
    """Hold the conversation and assert that the bot says what it should, and nothing else."""
    for exchange in talk:
        if exchange.said:
            await client.say(exchange.said)
        await check(client, exchange)


async def check(client: WebClient, exchange: Exchange) -> None:
    """The answers to what was said."""
    for expected, heard in zip(exchange.expected, await client.hear(len(exchange.expected)), strict=True):
        assert expected.fits(heard), f"expected {expected}\nheard {heard}"


async def transcript(port: int | None, session: str) -> list[tuple[int, str, str]]:
    """What the server has of the conversation: number, role, text."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {OPERATOR}"}, timeout=30) as api:
        answer = await api.get(f"http://127.0.0.1:{port}/api/v1/conversations/{session}/messages?limit=500")
    return [(entry["seq"], entry["role"], entry["text"]) for entry in answer.raise_for_status().json()["messages"]]
