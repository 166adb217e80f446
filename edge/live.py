"""Following a conversation over HTTP: waiting for the answers to a message, and a stream of what is said (SSE)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from edge import frames
from edge.reading import Reader
from edge.transcript import is_behind, stretch
from schemas.conversation import (
    ConversationAttached,
    Message,
    MessageDelta,
    MessageReady,
    TypingShown,
)
from schemas.envelope import Event

__all__ = ["Ear", "Heard", "hear_answers", "server_sent"]

_MOST: Final = 256
_QUIET_S: Final = 0.3
_HEARTBEAT_S: Final = 15.0


class Ear:
    """
    A ``Listener`` that is asked, instead of told: events wait in it, at most 256. With one more it is *closed*, and
    whoever asks it has to begin anew.
    """

    def __init__(self, bot: str) -> None:
        self.bot = bot
        self.closed = False
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= _MOST:
            self.closed = True
        else:
            self._events.append(event)
        self._arrived.set()

    def close(self) -> None:
        """Tell who asks that nothing comes any more."""
        self.closed = True
        self._arrived.set()

    async def next(self, timeout_s: float) -> Event | None:
        """The next event, None if there is none in time or nothing comes any more."""
        if not self._events and not self.closed:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return self._events.popleft() if self._events else None


@dataclass(slots=True)
class Heard:
    """
    What came of something said.

    Args:
        seq: the number it got, None while that is not known.
        complete: the bot said something and has then been silent for a moment.
    """

    seq: int | None = None
    messages: list[Message] = field(default_factory=list)
    complete: bool = False


async def hear_answers(ear: Ear, reader: Reader, session: str, client_id: str | None, wait_s: float) -> Heard:
    """
    What the bot says to the message *client_id*, or on opening (None), for at most *wait_s*.

    A turn has no mark for its end, since a script may say more at any time; a moment of silence after an answer is
    taken for it, and a typing sign for more to come.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    heard = Heard(seq=0 if client_id is None else None)
    busy = False
    while (left := deadline - loop.time()) > 0 and not ear.closed:
        settled = bool(heard.messages) and not busy
        event = await ear.next(min(left, _QUIET_S) if settled else left)
        if event is None:
            heard.complete = settled and deadline - loop.time() > 0
            if heard.complete:
                return heard
        elif isinstance(event, MessageReady):
            entry = event.message
            if heard.seq is None:
                if event.client_id == client_id:
                    heard.seq = entry.seq
                    if event.repeat:
                        await _answered_before(heard, reader, session)
            elif entry.role != "user" and entry.seq > (heard.messages[-1].seq if heard.messages else heard.seq):
                heard.messages.append(entry)
                busy = False
        elif isinstance(event, (TypingShown, MessageDelta)):
            busy = True
    return heard


async def _answered_before(heard: Heard, reader: Reader, session: str) -> None:
    """The message was said before: its answers are those that follow it in the transcript, up to the next one."""
    assert heard.seq is not None
    newest = await reader.newest_seq(session)
    async for entry in stretch(reader, session, heard.seq, min(newest, heard.seq + _MOST)):
        if entry.role == "user":
            return
        heard.messages.append(entry)


async def server_sent(ear: Ear, reader: Reader, session: str, after: int) -> AsyncIterator[bytes]:
    """
    The conversation as server-sent events: ``message`` with its number as event id, ``typing`` and ``delta``. Ends when
    *ear* is closed, since the client reads too slowly or the server stops, or when something is announced that the
    transcript does not have; it then comes again with ``Last-Event-ID``.
    """
    yield b"retry: 1000\n\n"
    while not ear.closed:
        event = await ear.next(_HEARTBEAT_S)
        if event is None and not ear.closed:
            yield b": still here\n\n"
        elif isinstance(event, (MessageReady, ConversationAttached)):
            # A repeat names an entry, and need not have its text: that is in the transcript.
            entry_comes = isinstance(event, MessageReady) and not event.repeat
            upto = event.seq if isinstance(event, ConversationAttached) else event.message.seq - entry_comes
            async for entry in stretch(reader, session, after, upto):
                yield _sse("message", frames.message(entry), entry.seq)
                after = entry.seq
            if after < upto and await is_behind(reader, session, after, upto):
                if isinstance(event, MessageReady):
                    return  # the client comes again with what it really has
                continue
            after = max(after, upto)
            if isinstance(event, MessageReady) and event.message.seq > after:
                after = event.message.seq
                yield _sse("message", frames.message(event.message), after)
        elif isinstance(event, TypingShown):
            yield _sse("typing", frames.typing(event))
        elif isinstance(event, MessageDelta):
            yield _sse("delta", frames.delta(event))


def _sse(name: str, data: str, id_: int | None = None) -> bytes:
    head = f"id: {id_}\n" if id_ is not None else ""
    return f"{head}event: {name}\ndata: {data}\n\n".encode()
