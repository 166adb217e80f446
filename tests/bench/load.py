"""
Clients that talk over web sockets, cheap enough to leave the machine to the server.

A web socket library costs more than the server under test; what a client needs of RFC 6455 is little: unfragmented text
frames, masked with the key 0 on the way out (section 5.3 asks for a mask, not for a secret one on loopback).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

__all__ = ["ANSWER", "WELCOME", "Figures", "Socket", "closed_loop", "greeted", "open_loop", "percentile"]

ANSWER: Final = b'"role":"bot"'
WELCOME: Final = b'"welcome"'
AT_ONCE: Final = 50  # connections that are made at once


class Socket(asyncio.Protocol):
    """One connection; *received* is called with each text frame's bytes, *lost* when the connection ends."""

    def __init__(self, host: str, path: str, received: Callable[[Socket, bytes], None]) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self.received = received
        self._buffer = b""
        self._upgraded = False
        self.closed = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    @classmethod
    async def connect(cls, url: str, received: Callable[[Socket, bytes], None]) -> Socket:
        """Connect to ``ws://host:port/path``; returns when the connection stands, before the upgrade is answered."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(
            lambda: cls(parts.netloc, path, received), parts.hostname or "127.0.0.1", parts.port or 80
        )
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        if not self._upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.transport.abort()
                return
            self._upgraded = True
        at = 0
        while len(data) - at >= 2:
            length, begin = data[at + 1] & 127, at + 2
            if length == 126:
                if len(data) < at + 4:
                    break
                length, begin = struct.unpack_from("!H", data, at + 2)[0], at + 4
            elif length == 127:
                if len(data) < at + 10:
                    break
                length, begin = struct.unpack_from("!Q", data, at + 2)[0], at + 10
            if len(data) < begin + length:
                break
            opcode = data[at] & 15
            payload = data[begin : begin + length]
            at = begin + length
            if opcode == 1:
                self.received(self, payload)
            elif opcode == 9:
                self._send(10, payload)
            elif opcode == 8:
                self.transport.close()
        self._buffer = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, text: bytes) -> None:
        self._send(1, text)

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        self.transport.write(head + b"\0\0\0\0" + payload)


def percentile(values: list[float], share: float) -> float:
    """The value that *share* (0 to 1) of the values do not exceed; nan for none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Figures:
    """What a load run saw. Latencies in milliseconds; *turns* only those that were answered in the counted time."""

    turns: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.turns / self.seconds if self.seconds else 0.0

    def as_json(self) -> str:
        return json.dumps(
            {
                "turns": self.turns,
                "per_second": round(self.per_second, 1),
                "p50_ms": round(percentile(self.latencies, 0.5), 3),
                "p99_ms": round(percentile(self.latencies, 0.99), 3),
            }
        )


def _message(prefix: bytes, number: int) -> bytes:
    return b'{"type":"message","id":"%b-%d","text":"%d"}' % (prefix, number, number)


def _refused(waiting: asyncio.Future[None], url: str, _: object) -> None:
    if not waiting.done():
        waiting.set_exception(ConnectionError(f"{url} was closed before it said anything"))


async def greeted(
    urls: Sequence[str], received: Callable[[Socket, bytes], None], *, greeting: bytes = ANSWER
) -> list[Socket]:
    """
    Connect one client for each of *urls*; each is ready when a frame with *greeting* in it has come. From then on
    frames go to *received*.

    Raises:
        ConnectionError: the server closed one of them.
        TimeoutError: one was not greeted within a minute.
    """
    sockets: list[Socket] = []
    loop = asyncio.get_running_loop()
    for begin in range(0, len(urls), AT_ONCE):
        # A frame may come before `connect` returns.
        waiting: defaultdict[Socket, asyncio.Future[None]] = defaultdict(loop.create_future)

        def first(socket: Socket, frame: bytes, waiting: dict[Socket, asyncio.Future[None]] = waiting) -> None:
            if greeting in frame and not waiting[socket].done():
                waiting[socket].set_result(None)

        for url in urls[begin : begin + AT_ONCE]:
            socket = await Socket.connect(url, first)
            socket.closed.add_done_callback(partial(_refused, waiting[socket], url))
            sockets.append(socket)
        async with asyncio.timeout(60):
            await asyncio.gather(*waiting.values())
    for socket in sockets:
        socket.received = received
    return sockets


async def closed_loop(
    urls: Sequence[str],
    *,
    seconds: float,
    warm_up: float = 1.0,
    greeting: bytes = ANSWER,
    edge_of_time: Callable[[], None] = lambda: None,
) -> Figures:
    """
    Each client sends, waits for the bot's answer, and sends again, for *seconds* after the warm-up.

    Args:
        edge_of_time: called when the counted time begins, and when it ends.
    """
    figures = Figures()
    sent_at: dict[Socket, float] = {}
    numbers: dict[Socket, int] = {}
    clock = time.perf_counter
    counting = stopped = False
    prefix = os.urandom(4).hex().encode()  # a conversation that is talked to again hears new messages

    def send(socket: Socket) -> None:
        numbers[socket] = number = numbers.get(socket, 0) + 1
        sent_at[socket] = clock()
        socket.send(_message(prefix, number))

    def received(socket: Socket, frame: bytes) -> None:
        if ANSWER in frame:
            if counting:
                figures.turns += 1
                figures.latencies.append((clock() - sent_at[socket]) * 1000)
            if not stopped:
                send(socket)

    sockets = await greeted(urls, received, greeting=greeting)
    for socket in sockets:
        send(socket)
    await asyncio.sleep(warm_up)
    edge_of_time()
    began, counting = clock(), True
    await asyncio.sleep(seconds)
    counting, stopped = False, True
    figures.seconds = clock() - began
    edge_of_time()
    await _leave(sockets)
    return figures


async def open_loop(urls: Sequence[str], *, per_second: float, seconds: float, seed: int = 1) -> Figures:
    """
    Messages come at their own times (Poisson, *per_second* over all clients), answered or not; a latency counts from
    when the message was due, so a server that falls behind cannot hide it.
    """
    figures = Figures()
    clock = time.perf_counter
    pending: dict[Socket, list[float]] = {}
    dice = random.Random(seed)

    def received(socket: Socket, frame: bytes) -> None:
        if ANSWER in frame and pending[socket]:
            figures.turns += 1
            figures.latencies.append((clock() - pending[socket].pop(0)) * 1000)

    sockets = await greeted(urls, received)
    pending.update({socket: [] for socket in sockets})
    number = 0
    begin = due = clock()
    while due - begin < seconds:
        due += dice.expovariate(per_second)
        await asyncio.sleep(max(0.0, due - clock()))
        socket = sockets[number % len(sockets)]
        number += 1
        pending[socket].append(due)
        socket.send(_message(b"o", number))
    async with asyncio.timeout(30):
        while any(pending.values()):  # an event for each answer would cost the machine what it measures
            await asyncio.sleep(0.01)
    figures.seconds = clock() - begin
    await _leave(sockets)
    return figures


async def _leave(sockets: Sequence[Socket]) -> None:
    for socket in sockets:
        socket.transport.close()
    await asyncio.gather(*(socket.closed for socket in sockets))


async def _main(url: str, mode: str, clients: int, amount: float, per_second: float) -> None:
    if mode == "closed":
        figures = await closed_loop([url] * clients, seconds=amount)
    else:
        figures = await open_loop([url] * clients, seconds=amount, per_second=per_second)
    print(figures.as_json())


if __name__ == "__main__":
    import argparse

    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--mode", choices=("closed", "open"), default="closed")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--per-second", type=float, default=1000.0)
    options = parser.parse_args()
    uvloop.run(_main(options.url, options.mode, options.clients, options.seconds, options.per_second))
