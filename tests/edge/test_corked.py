"""What is written to a corked transport arrives whole and in order, at the end of the loop's turn or at its close."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest

from edge.corked import _Corked

Ends = tuple[asyncio.Transport, socket.socket]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """A corked transport, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with theirs:
        inner, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        yield cast("asyncio.Transport", _Corked(inner)), theirs
        inner.abort()


async def test_what_is_written_in_one_turn_of_the_loop_leaves_at_its_end(ends: Ends) -> None:
    corked, theirs = ends
    for piece in (b"one ", b"two ", b"three"):
        corked.write(piece)
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    await asyncio.sleep(0)
    assert theirs.recv(100) == b"one two three"
    corked.write(b"four")
    await asyncio.sleep(0)
    assert theirs.recv(100) == b"four"


async def test_what_waits_leaves_before_a_close(ends: Ends) -> None:
    corked, theirs = ends
    corked.write(b"last ")
    corked.write(b"words")
    corked.close()
    assert corked.is_closing()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        assert await loop.sock_recv(theirs, 100) == b"last words"
        assert await loop.sock_recv(theirs, 100) == b""
