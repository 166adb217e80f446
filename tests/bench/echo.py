"""
The baseline of a durable turn: a web socket message comes in, a row is committed, a message goes out. Nothing else.

Rows that come while a commit is under way share the next one. No session, no order, no script, no recovery: what a turn
of Botswain costs beyond this is the price of what it promises.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import asyncpg
import uvicorn

Message = MutableMapping[str, Any]
_SQL = "INSERT INTO echo (client, body) SELECT * FROM unnest($1::text[], $2::text[])"


class Echo:
    """An ASGI application."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._rows: list[tuple[str, str]] = []
        self._committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._some = asyncio.Event()

    async def flush(self) -> None:
        """Commit what is there, again and again."""
        while True:
            await self._some.wait()
            self._some.clear()
            rows, self._rows = self._rows, []
            committed, self._committed = self._committed, asyncio.get_running_loop().create_future()
            await self._connection.execute(_SQL, [row[0] for row in rows], [row[1] for row in rows])
            committed.set_result(None)

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": '{"type":"message","role":"bot","text":"hi"}'})
        while (message := await receive())["type"] == "websocket.receive":
            said = json.loads(message["text"])
            self._rows.append((said["id"], said["text"]))
            committed = self._committed
            self._some.set()
            await asyncio.shield(committed)
            answer = {"type": "message", "role": "bot", "text": said["text"]}
            await send({"type": "websocket.send", "text": json.dumps(answer, separators=(",", ":"))})


async def serve(postgres_url: str, port: int) -> None:
    """Listen on loopback until ended."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP TABLE IF EXISTS echo")
    await connection.execute("CREATE TABLE echo (id bigint GENERATED ALWAYS AS IDENTITY, client text, body text)")
    echo = Echo(connection)
    server = uvicorn.Server(
        uvicorn.Config(
            echo,
            host="127.0.0.1",
            port=port,
            log_level="warning",
            lifespan="off",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            access_log=False,
        )
    )
    async with asyncio.TaskGroup() as group:
        flushing = group.create_task(echo.flush())
        await server.serve()
        flushing.cancel()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
