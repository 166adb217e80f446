"""A line to a server that can be cut at a byte that matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["BreakingLine", "breaking_line"]

# ErrorResponse of the protocol between server and client: PostgreSQL's manual, section "Message Formats".
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"
_LAST_WORDS = b"E" + (4 + len(_FIELDS)).to_bytes(4) + _FIELDS


class BreakingLine:
    """
    A proxy between a Unix socket of its own and another one.

    While armed, the first connection whose client sends bytes with the marker in them is cut: before they are passed
    on, or, if *durable*, instead of passing on what the server answers.
    """

    def __init__(self, server: Path) -> None:
        self.cuts = 0
        self._server = server
        self._marker: bytes | None = None
        self._durable = False
        self._down = False
        self._dying: bytes | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Nothing gets through: connections end, and new ones end at once."""
        self._down = True
        for end in list(self._ends):
            end.transport.abort()
        try:
            yield
        finally:
            self._down = False

    @asynccontextmanager
    async def last_words(self, marker: str) -> AsyncIterator[None]:
        """
        To what has *marker* in it the server answers, and in the same breath it says that it ends: as one whose
        postmaster was killed. That the connection is closed is not seen before this is left.
        """
        self._dying = marker.encode()
        yield
        assert self._dying is None, "nobody sent the marker"

    @asynccontextmanager
    async def armed(self, marker: str, *, durable: bool) -> AsyncIterator[None]:
        self._marker, self._durable = marker.encode(), durable
        before = self.cuts
        try:
            yield
        finally:
            self._marker = None
        assert self.cuts == before + 1, "nobody sent the marker"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        await self.pass_on(reader, writer, *await asyncio.open_unix_connection(self._server))

    async def pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there_reader: asyncio.StreamReader,
        there_writer: asyncio.StreamWriter,
    ) -> None:
        """Carry bytes between a client and a server, both connected."""
        doomed, dying = asyncio.Event(), asyncio.Event()

        async def ask() -> None:
            tail = b""
            while data := await reader.read(1 << 16):
                seen = tail + data
                if self._marker is not None and self._marker in seen:
                    self._marker = None
                    self.cuts += 1
                    if not self._durable:
                        return
                    doomed.set()
                if self._dying is not None and self._dying in seen:
                    self._dying = None
                    dying.set()
                tail = seen[-200:]
                there_writer.write(data)
                await there_writer.drain()

        async def answer() -> None:
            while data := await there_reader.read(1 << 16):
                if doomed.is_set():
                    return
                if dying.is_set():
                    writer.write(data + _LAST_WORDS)
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()

        self._ends |= {writer, there_writer}
        tasks = [asyncio.ensure_future(ask()), asyncio.ensure_future(answer())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._ends -= {writer, there_writer}
            for end in (writer, there_writer):
                with suppress(OSError):
                    end.transport.abort()


@asynccontextmanager
async def breaking_line(server: Path, own: Path) -> AsyncIterator[BreakingLine]:
    """A line from the socket *own* to the socket *server*."""
    line = BreakingLine(server)
    listening = await asyncio.start_unix_server(line.serve, own)
    try:
        yield line
    finally:
        listening.close()
