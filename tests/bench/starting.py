"""From the command to the first reply, and what an idle installation holds."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Final

from tests.bench.figures import Row, Samples, Scale, Section
from tests.bench.load import ANSWER, Socket
from tests.bench.machine import cpu_s, memory_of_tree, resident
from tests.bench.servers import Installation, end, free_port, open_folder, start, up

__all__ = ["starts"]

FIRST_S: Final = 3.0
LATER_S: Final = 1.5
IDLE_MB: Final = 250.0
IDLE_AFTER_S: Final = 3.0
WITHIN_S: Final = 60.0


async def starts(scale: Scale) -> Section:
    """
    Each round makes a new installation, starts it twice and ends it.

    All are removed at the end: for minutes after a thousand files were deleted, ext4 looks for a free inode beyond all
    of theirs, which would add a second to the next first start. Nobody's first start comes after that.
    """
    section = Section(
        "Starting, and being idle",
        "From the start of `botswain up` to the bot's first words at a web socket: with an empty data directory (the "
        "database is made), and with one that is there. Memory is that of the process and its database, pages that "
        "several share counted once (PSS), a few seconds after a conversation.",
    )
    first, later, memory, own = Samples(" s"), Samples(" s"), Samples(" MB"), Samples(" MB")
    first_cpu, later_cpu = Samples(" s"), Samples(" s")
    with ExitStack() as folders:
        for _ in range(scale.rounds):
            installation = Installation.make(folders.enter_context(open_folder()))
            for took, used in ((first, first_cpu), (later, later_cpu)):
                seconds, processor = await _first_reply(installation)
                took.add(seconds)
                used.add(processor)
            async with up(installation) as server:
                await _greeting(server.port)
                await asyncio.sleep(IDLE_AFTER_S)
                memory.add(memory_of_tree(server.pid) / 1e6)
                own.add(resident(server.pid) / 1e6)
    section.rows += [
        _row("first start to first reply", first, FIRST_S, "s"),
        _row("later start to first reply", later, LATER_S, "s"),
        _row("memory, idle, with the database", memory, IDLE_MB, "MB"),
    ]
    section.notes.append(f"processor time until then, database included: {first_cpu} the first time, later {later_cpu}")
    section.notes.append(f"of the memory, resident memory of the process itself: {own}")
    return section


def _row(what: str, found: Samples, most: float, unit: str) -> Row:
    share = found.median / most
    return Row(what, "–", str(found), f"{share:.0%} of it", f"≤ {most:g} {unit}", share <= 1)


async def _first_reply(installation: Installation) -> tuple[float, float]:
    """Start, greet, stop; seconds from the start to the greeting, and the processor time in it."""
    port = free_port()
    began = time.perf_counter()
    process = start(installation, port)
    try:
        await _greeting(port)
        took = time.perf_counter() - began
        return took, cpu_s(process.pid)
    finally:
        await end(process)


async def _greeting(port: int) -> None:
    """Open the chat as soon as somebody listens, and wait for the bot's first words."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            said = asyncio.Event()

            def received(_: Socket, frame: bytes, said: asyncio.Event = said) -> None:
                if ANSWER in frame:
                    said.set()

            try:
                socket = await Socket.connect(f"ws://127.0.0.1:{port}/ws/echo", received)
            except OSError:
                await asyncio.sleep(0.005)
                continue
            waiting = asyncio.ensure_future(said.wait())
            try:
                await asyncio.wait([waiting, socket.closed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
            socket.transport.close()
            if said.is_set():
                return
            await asyncio.sleep(0.005)  # refused: not ready yet
