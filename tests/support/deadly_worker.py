"""A worker whose process ends when it hears 'die', until there is nothing left to do: ``deadly_worker.py URL``."""

from __future__ import annotations

import asyncio
import os
import sys

from msgspec import Struct

from bus.actor import Turn
from bus.clock import SystemClock
from bus.postgres import open_postgres_bus
from bus.worker import Options, run_worker
from schemas.conversation import Message, MessageReady, MessageReceived
from schemas.topics import CHANNEL_WEB, SESSION

DIED = 77


class Heard(Struct):
    """How much was said."""

    count: int = 0


class Mortal:
    """Says back what it hears, if it can."""

    name = topic = SESSION
    state = Heard

    def decide(self, turn: Turn, state: Heard | None) -> Heard:
        state = state or Heard()
        if isinstance(turn.event, MessageReceived):
            if turn.event.text == "die":
                os._exit(DIED)
            state.count += 1
            message = Message(
                seq=state.count, id=turn.new_id("answer"), role="bot", text=turn.event.text, at=turn.event.at
            )
            turn.write("messages.insert", turn.event.key, message.seq, message.id, message.at, message.text)
            turn.emit(CHANNEL_WEB, MessageReady, message=message)
        return state


async def main(url: str) -> None:
    async with open_postgres_bus(url, clock=SystemClock(), life_s=2) as bus:
        await run_worker(bus, [Mortal()], until_idle=True, options=Options(idle_s=1.0))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
