"""
A person with a web chat client, as careful as the protocol asks for and no more.

It remembers its token and the number it has come to, resumes with both whenever the socket ends, and sends again, with
the same id, what was not acknowledged. Everything it does and sees goes into a history for the checker.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.crash.checker import Acknowledged, Connected, Entry, Happening, Said, Welcomed

__all__ = ["BOT", "Conversation", "Person", "ledger"]

BOT = "ledger"
PATIENCE_S = 150.0
AGAIN_S = 0.05

_GONE = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError, TimeoutError)


def ledger(texts: Sequence[str]) -> list[tuple[int, str]]:
    """What ``bots/ledger.gbai`` says, after how many messages."""
    said = [(0, "Begin")]
    for number, text in enumerate(texts, 1):
        said.append((number, f"{number}: {text}"))
        said.append((number, f"So far {' '.join(texts[:number])}, last {number}"))
    return said


@dataclass
class Conversation:
    """What a client keeps of one conversation."""

    history: list[Happening] = field(default_factory=list)
    token: str = ""
    session: str = ""
    seq: int = 0
    unacknowledged: dict[str, str] = field(default_factory=dict)

    def answers(self) -> list[str]:
        """What the bot was seen to say."""
        shown = {it.seq: it.text for it in self.history if isinstance(it, Entry) and it.role != "user"}
        return [shown[seq] for seq in sorted(shown)]

    def texts(self) -> list[str]:
        """What the person said."""
        return [it.text for it in self.history if isinstance(it, Said)]


class Person:
    """
    Holds one conversation after the other.

    Args:
        address: says where to connect next, host and port.
        seen: called with each frame.
    """

    def __init__(self, name: str, address: Callable[[], str], random: Random, seen: Callable[[], None]) -> None:
        self.conversations: list[Conversation] = []
        self._name = name
        self._address = address
        self._random = random
        self._seen = seen
        self._heard = 0.0

    async def talk(self, enough: Callable[[], bool]) -> None:
        """Whole conversations, until it is enough."""
        while not enough():
            await self._converse(self._random.randint(2, 8))

    async def _converse(self, messages: int) -> None:
        here = Conversation()
        self.conversations.append(here)
        number = len(self.conversations)
        self._heard = time.monotonic()
        script = [f"{self._name}.{number}.{index}" for index in range(1, messages + 1)]
        while script or not self._answered(here):
            try:
                await self._connected(here, script)
            except _GONE as error:
                if time.monotonic() - self._heard > PATIENCE_S:
                    raise AssertionError(f"nobody there for {PATIENCE_S} s: {error!r}") from error
                await asyncio.sleep(AGAIN_S)

    def _answered(self, here: Conversation) -> bool:
        expected = [text for _, text in ledger(here.texts())]
        answers = here.answers()
        # To wait on would be in vain.
        assert answers == expected[: len(answers)], f"{here.session}: answered {answers}, expected {expected}"
        return not here.unacknowledged and len(answers) == len(expected)

    async def _connected(self, here: Conversation, script: list[str]) -> None:
        """One connection, until the conversation is at its end or the socket is."""
        query = {"token": here.token, "after": here.seq} if here.token else {}
        url = f"ws://{self._address()}/ws/{BOT}?{urlencode(query)}"
        async with connect(url, compression=None, open_timeout=10, close_timeout=1) as socket:
            here.history.append(Connected(here.seq))
            await self._take(here, socket)
            for id_, text in here.unacknowledged.items():
                await self._send(socket, id_, text)
            while True:
                if self._answered(here):
                    if not script:
                        return
                    # Sometimes several at once, as people do who do not wait for the answer.
                    for text in [script.pop(0) for _ in range(min(len(script), self._random.choice((1, 1, 2, 3))))]:
                        here.history.append(Said(f"id {text}", text))
                        here.unacknowledged[f"id {text}"] = text
                        await self._send(socket, f"id {text}", text)
                await self._take(here, socket)

    async def _send(self, socket: ClientConnection, id_: str, text: str) -> None:
        await socket.send(json.dumps({"type": "message", "id": id_, "text": text}))

    async def _take(self, here: Conversation, socket: ClientConnection) -> None:
        """One frame. Fails when there is none for so long that somebody must have forgotten us."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                frame = json.loads(await socket.recv())
                self._heard = time.monotonic()
        except TimeoutError:
            waits = ", ".join(here.unacknowledged) or "an answer"
            raise AssertionError(f"{here.session}: nothing for {PATIENCE_S} s; waits for {waits}") from None
        match frame["type"]:
            case "welcome":
                here.token, here.session = frame["token"], frame["session"]
                here.history.append(Welcomed(frame["session"], frame["seq"]))
            case "ack":
                here.unacknowledged.pop(frame["id"], None)
                here.seq = max(here.seq, frame["seq"])
                here.history.append(Acknowledged(frame["id"], frame["seq"]))
            case "message":
                here.seq = max(here.seq, frame["seq"])
                here.history.append(Entry(frame["seq"], frame["id"], frame["role"], frame["text"]))
            case "error" if frame["code"] == "unavailable":
                await asyncio.sleep(AGAIN_S)
                for id_, text in here.unacknowledged.items():
                    await self._send(socket, id_, text)
            case "error":
                raise AssertionError(f"{here.session}: {frame}")
            case _:
                pass
        self._seen()
