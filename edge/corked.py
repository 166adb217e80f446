"""
Web sockets whose frames leave together: what is written within one turn of the event loop is one system call.

An answer mostly comes with the acknowledgement of what it answers, and a system call costs more than a frame.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["CorkedWebSocket"]


class _Corked:
    """A transport that gathers until the end of the loop's turn; all but writing is the transport's own."""

    __slots__ = ("_gathered", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._gathered: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._uncork)
        self._gathered.append(data)

    def close(self) -> None:
        self._uncork()
        self._transport.close()

    def _uncork(self) -> None:
        gathered = self._gathered
        if gathered:
            self._gathered = []
            self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))


class CorkedWebSocket(WebSocketsSansIOProtocol):
    """The web socket protocol of uvicorn over a corked transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", _Corked(cast("asyncio.Transport", transport))))
