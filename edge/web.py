"""
The web chat: one socket is one view of one conversation.

This is a bare ASGI application, since a socket lives in it for hours: an idle one costs a waiting coroutine and a small
object, no task, no buffer. What is to be sent waits in the socket's queue; a task that writes exists only while there
is something to write, so frames of a socket leave in order and one slow socket holds up nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import structlog
from starlette.types import Receive, Scope, Send

from bus.errors import BusError, BusUnavailable, TooLarge
from edge import frames
from edge.directory import BotDirectory
from edge.frames import ClientMessage, ClientTyping, Refusal
from edge.hub import Hub
from edge.limits import Address, Addresses, Bucket
from edge.metrics import Metrics
from edge.origins import language_of, origin_allowed
from edge.problems import refuse_upgrade
from edge.reading import Reader
from edge.settings import EdgeSettings
from edge.tokens import BadToken, Ticket, Tokens
from edge.transcript import is_behind, stretch
from schemas.conversation import (
    ConversationAttached,
    ConversationOpened,
    ConversationResumed,
    MessageDelta,
    MessageReady,
    MessageReceived,
    Person,
    PersonTyping,
    TypingShown,
)
from schemas.envelope import Event

__all__ = ["WebChat"]

log = structlog.get_logger()

# Close codes, RFC 6455 section 7.4.1 and the IANA registry beside it.
POLICY: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013

_MOST_DIGITS: Final = 18  # of a number that is read; no conversation has so many messages

# Messages of a socket that may wait for their acknowledgement. A client sends all of them again when it has lost its
# socket, and the session knows the ids of the last 64 messages only: of more, some would be said twice.
_PENDING: Final = 32
_TYPING_EVERY_S: Final = 2.0
_RETRY_AFTER_S: Final = 2.0
_NOT_STORED: Final = "The message could not be stored; send it again."
_EPHEMERAL: Final = (TypingShown, MessageDelta)


@dataclass(frozen=True, slots=True)
class _Hello:
    """What a client asked for when it connected."""

    bot: str
    token: str | None
    after: str | None
    locale: str


@dataclass(frozen=True, slots=True)
class _FillTo:
    """Send what the transcript has up to *seq*."""

    seq: int


class _Gone(Exception):  # says what is the case, as all of ours do
    """The socket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Stop(Exception):  # says what is the case, as all of ours do
    """Ends the task group of the writers."""


class WebChat:
    """
    The ASGI application at ``/ws/{bot}``.

    It works inside ``async with chat.open()`` only, which holds the tasks that write.
    """

    def __init__(
        self,
        hub: Hub,
        reader: Reader,
        directory: BotDirectory,
        tokens: Tokens,
        addresses: Addresses,
        metrics: Metrics,
        settings: EdgeSettings,
    ) -> None:
        self.hub = hub
        self.reader = reader
        self.directory = directory
        self.tokens = tokens
        self.addresses = addresses
        self.metrics = metrics
        self.settings = settings
        self.writers = asyncio.TaskGroup()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve sockets inside; leaving it ends what is still being written."""
        try:
            async with asyncio.TaskGroup() as self.writers:
                yield
                # The server has closed its sockets by now; a writer that is left waits for a peer that does not read.
                raise _Stop
        except* _Stop:
            pass

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from upgrade to close."""
        await receive()  # websocket.connect
        headers = dict(scope["headers"])
        if not origin_allowed(headers, self.settings.allowed_origins):
            await refuse_upgrade(send, 403, "The page that opened this socket is from a foreign origin.")
            return
        host = scope["client"][0] if scope["client"] else ""
        address = self.addresses.of(host, time.monotonic())
        await send({"type": "websocket.accept"})
        if not self.addresses.open_socket(address):
            await self._turn_away(send, "rate_limited", "There are too many open sockets.", TRY_AGAIN_LATER)
            return
        self.metrics.sockets.inc()
        try:
            hello = _hello(scope, headers)
            del headers
            await self._serve(hello, address, receive, send)
        except _Gone as gone:
            await _close(send, gone.code, gone.reason)
        except OSError:
            pass  # the client went away while we were writing: ASGI's way to say so
        finally:
            self.metrics.sockets.dec()
            self.addresses.close_socket(address)

    async def _serve(self, hello: _Hello, address: Address, receive: Receive, send: Send) -> None:
        wait_s = self.addresses.take(address, time.monotonic())
        if wait_s:
            await self._turn_away(send, "rate_limited", "Too many conversations.", TRY_AGAIN_LATER, wait_s)
            return
        try:
            known = await self.directory.find(hello.bot)
        except BusError as failure:
            await self._unavailable(send, failure)
            return
        if not known:
            await self._turn_away(send, "not_found", f"There is no bot {hello.bot[:100]!r} here.", POLICY)
            return
        ticket, complaint = self._ticket(hello)
        session = str(ticket.session)
        try:
            newest = await self.reader.newest_seq(session) if hello.token and not complaint else 0
            resumed = bool(hello.token) and not complaint
            socket = _Socket(self, session, hello, address, receive, send)
            if complaint:
                socket.refuse("unauthorized", complaint)
            socket.start_after(hello.after, newest)
            with self.hub.listen(session, socket):
                # Asked for only now: if the slot changes from here on, this conversation is announced again.
                slot = await self.hub.wait_slot(self.settings.slot_wait_s)
                event: Event
                if resumed:
                    event = self.hub.make(ConversationResumed, session, hello.bot, slot=slot)
                else:
                    event = self.hub.make(
                        ConversationOpened, session, hello.bot, channel="web", person=socket.person, slot=slot
                    )
                # The welcome waits for this: a token is given for what is durable only.
                await self.hub.publish(event)
                socket.begin(frames.welcome(session, self.tokens.sign(ticket), hello.bot, newest))
                await socket.read()
        except BusError as failure:
            await self._unavailable(send, failure)

    def _ticket(self, hello: _Hello) -> tuple[Ticket, str]:
        """The conversation to go on with, or a new one; and what was wrong with the token, if anything."""
        fresh = Ticket(self.hub.new_id(), hello.bot)
        if not hello.token:
            return fresh, ""
        try:
            ticket = self.tokens.read(hello.token)
        except BadToken:
            return fresh, "The token is not valid or too old; this is a new conversation."
        if ticket.bot != hello.bot:
            return fresh, "The token is for another bot; this is a new conversation."
        return ticket, ""

    async def _unavailable(self, send: Send, failure: BusError) -> None:
        log.warning("socket_not_served", reason=str(failure))
        text = "The service is not available at the moment."
        await self._turn_away(send, "unavailable", text, TRY_AGAIN_LATER, _RETRY_AFTER_S)

    async def _turn_away(
        self, send: Send, code: str, text: str, close_code: int, retry_after_s: float | None = None
    ) -> None:
        self.metrics.refused(code)
        if close_code == TRY_AGAIN_LATER and retry_after_s is None:
            retry_after_s = _RETRY_AFTER_S
        await send({"type": "websocket.send", "text": frames.error(code, text, retry_after_s)})
        await _close(send, close_code, code)


class _Socket:
    """An open socket: where its client stands in the conversation, and what it is still to be sent."""

    __slots__ = (
        "_address",
        "_chat",
        "_ended",
        "_first",
        "_life",
        "_outgoing",
        "_pending",
        "_rate",
        "_receive",
        "_refusals",
        "_send",
        "_sent",
        "_session",
        "_typing_at",
        "_writing",
        "bot",
        "person",
    )

    def __init__(
        self, chat: WebChat, session: str, hello: _Hello, address: Address, receive: Receive, send: Send
    ) -> None:
        self.bot = hello.bot
        self.person = Person(id=session, locale=hello.locale)
        self._chat = chat
        self._session = session
        self._address = address
        self._receive = receive
        self._send = send
        self._outgoing: deque[str | Event | _FillTo] = deque()
        self._writing = True  # nothing leaves before the welcome
        self._sent = 0  # the newest entry that the client has
        self._pending: dict[str, None] | None = None  # ids of the client's messages that wait for their number
        self._first = ("", 0.0)  # the message that was not stored, and until when those behind it wait for it
        self._rate = Bucket()
        self._refusals = Bucket()
        self._typing_at = 0.0
        self._life: asyncio.Timeout | None = None
        self._ended = 0  # the code to close with

    # --- what is sent -----------------------------------------------------------------------------------------------

    def put(self, event: Event) -> None:
        """Send what *event* means to this client, after all that waits already."""
        if self._ended:
            return
        if len(self._outgoing) < self._chat.settings.max_outgoing:
            self._queue(event)
        elif not isinstance(event, _EPHEMERAL):
            self._chat.metrics.too_slow()
            self._end(TRY_AGAIN_LATER)

    def begin(self, welcome: str) -> None:
        """Send the welcome, and after it what waits already."""
        self._outgoing.appendleft(welcome)
        self._chat.writers.create_task(self._write())

    def say(self, frame: str) -> None:
        """Send a frame as it is."""
        self._queue(frame)

    def refuse(self, code: str, text: str, retry_after_s: float | None = None) -> None:
        """Send an error frame. Raises ``_Gone`` when the client has had too many."""
        self._chat.metrics.refused(code)
        if self._refusals.take(1.0, self._chat.settings.refusals_before_close, time.monotonic()):
            raise _Gone(POLICY, "too many bad frames")
        self.say(frames.error(code, text, retry_after_s))

    def start_after(self, after: str | None, newest: int) -> None:
        """The client has everything up to *after*: send what it missed."""
        seq = 0
        if after is not None:
            if not (after.isascii() and after.isdigit()):
                self.refuse("bad_message", 'The query parameter "after" is not a number.')
            elif len(after) > _MOST_DIGITS or int(after) > newest:
                self.refuse("bad_message", f'"after" is {after[:20]}, but the conversation has only come to {newest}.')
                seq = newest
            else:
                seq = int(after)
        self._sent = seq
        if newest > seq:
            self._queue(_FillTo(newest))

    def _queue(self, item: str | Event | _FillTo) -> None:
        self._outgoing.append(item)
        if not self._writing:
            self._writing = True
            self._chat.writers.create_task(self._write())

    async def _write(self) -> None:
        """Send what waits, then end."""
        outgoing = self._outgoing
        try:
            while outgoing:
                item = outgoing.popleft()
                if isinstance(item, str):
                    await self._frame(item)
                elif isinstance(item, MessageReady):
                    await self._entry(item)
                elif isinstance(item, (ConversationAttached, _FillTo)):
                    # If it is behind, there is no more to be had now, and to come again would not change that.
                    await self._fill(item.seq)
                elif isinstance(item, TypingShown):
                    await self._frame(frames.typing(item))
                elif isinstance(item, MessageDelta):
                    await self._frame(frames.delta(item))
            self._writing = False
        except OSError:
            outgoing.clear()  # the client is gone; whoever reads from it is told so
        except BusError as failure:
            log.warning("transcript_not_read", reason=str(failure))
            self._end(TRY_AGAIN_LATER)
        except Exception:
            # One socket's failure is not to take the others with it through the task group.
            log.exception("socket_writer_failed")
            self._end(INTERNAL_ERROR)

    async def _frame(self, frame: str) -> None:
        """Raises ``OSError`` when the client is gone, or the socket is about to be closed."""
        if self._ended:
            raise ConnectionAbortedError
        await self._send({"type": "websocket.send", "text": frame})

    async def _entry(self, event: MessageReady) -> None:
        """The next entry of the transcript; what is missing before it is fetched first."""
        entry = event.message
        client_id = event.client_id
        own = client_id is not None and self._pending is not None and client_id in self._pending
        # A repeat names the entry, and need not have its text: others read that from the transcript.
        if not await self._fill(entry.seq if event.repeat and not own else entry.seq - 1):
            self._end(TRY_AGAIN_LATER)  # the client resumes with what it really has
            return
        if own:
            assert client_id is not None
            assert self._pending is not None
            del self._pending[client_id]
            await self._frame(frames.ack(client_id, entry.seq))
        elif entry.seq > self._sent:
            await self._frame(frames.message(entry))
            self._chat.metrics.shown()
        self._sent = max(self._sent, entry.seq)

    async def _fill(self, upto: int) -> bool:
        """
        Send what the transcript has from the last sent entry to *upto*.

        Returns: False if the transcript is behind: then what is missing does not count as sent.
        """
        if self._sent >= upto:
            return True
        async for entry in stretch(self._chat.reader, self._session, self._sent, upto):
            await self._frame(frames.message(entry))
            self._chat.metrics.shown()
            self._sent = entry.seq
        if self._sent < upto:
            if await is_behind(self._chat.reader, self._session, self._sent, upto):
                return False
            self._sent = upto
        return True

    def _end(self, code: int) -> None:
        """Close the socket, from outside of its reader; the client resumes with what it has."""
        self._outgoing.clear()
        if self._ended:
            return
        self._ended = code
        if self._life is not None:
            self._life.reschedule(asyncio.get_running_loop().time())

    # --- what is read -----------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Take frames until the client leaves. Raises ``_Gone`` when it has to."""
        receive = self._receive
        try:
            async with asyncio.timeout(None) as self._life:
                while not self._ended:
                    received = await receive()
                    if received["type"] == "websocket.disconnect":
                        return
                    await self._take(received.get("text"))
        except TimeoutError:
            if not self._ended:
                raise
        finally:
            self._life = None
            self._end(POLICY)  # however it ended: nothing may be sent behind the close
        raise _Gone(self._ended, "resume")

    async def _take(self, text: str | None) -> None:
        settings = self._chat.settings
        if text is None:
            self.refuse("bad_message", "Frames are text, not binary.")
            return
        if (len(text) if text.isascii() else len(text.encode())) > settings.max_frame_bytes:
            self.refuse("too_large", f"A frame has at most {settings.max_frame_bytes} bytes.")
            return
        now = time.monotonic()
        wait_s = self._rate.take(settings.messages_per_s, settings.message_burst, now)
        wait_s = wait_s or self._chat.addresses.take(self._address, now)
        if wait_s:
            self.refuse("rate_limited", "Too many messages; slow down.", wait_s)
            return
        match frames.read(text, settings.max_text_chars):
            case ClientMessage(id=id_, text=said):
                await self._message(id_, said)
            case ClientTyping():
                await self._typing(now)
            case Refusal(code=code, message=reason):
                self.refuse(code, reason)

    async def _message(self, id_: str, text: str) -> None:
        hub = self._chat.hub
        pending = self._pending
        if pending is None:
            pending = self._pending = {}
        if len(pending) >= _PENDING and id_ not in pending:
            text = f"{_PENDING} messages wait to be acknowledged; send no more before they are."
            self.refuse("rate_limited", text, _RETRY_AFTER_S)
            return
        first, until = self._first
        if id_ != first and time.monotonic() < until:
            self.refuse("unavailable", _NOT_STORED, _RETRY_AFTER_S)
            return
        if hub.slot is None:
            self._not_stored(id_)
            return
        self._first = ("", 0.0)
        pending[id_] = None
        event = hub.make(
            MessageReceived,
            self._session,
            self.bot,
            message_id=id_,
            channel="web",
            person=self.person,
            text=text,
            slot=hub.slot,
        )
        try:
            await hub.publish(event)
        except TooLarge:
            pending.pop(id_, None)
            self.refuse("too_large", "The message is too large.")
        except BusUnavailable:
            # It may have been stored all the same; the acknowledgement then comes with the repeat.
            self._not_stored(id_)

    def _not_stored(self, first: str) -> None:
        """
        A message was not stored. What the client sent behind it is refused as well, until it comes again or had the
        time to: to take the next one first would turn the client's words around.
        """
        self._first = (first, time.monotonic() + _RETRY_AFTER_S)
        self.refuse("unavailable", _NOT_STORED, _RETRY_AFTER_S)

    async def _typing(self, now: float) -> None:
        if now - self._typing_at < _TYPING_EVERY_S:
            return
        self._typing_at = now
        try:
            await self._chat.hub.publish(self._chat.hub.make(PersonTyping, self._session, self.bot))
        except BusUnavailable:
            log.debug("typing_not_published")  # worth nothing a moment later


def _hello(scope: Scope, headers: dict[bytes, bytes]) -> _Hello:
    try:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
    except ValueError:
        query = {}
    bot: str = scope["path"].removeprefix("/ws/")
    token, after = (query[name][0] if name in query else None for name in ("token", "after"))
    return _Hello(bot, token, after, language_of(headers.get(b"accept-language", b"").decode("latin-1")))


async def _close(send: Send, code: int, reason: str) -> None:
    try:
        await send({"type": "websocket.close", "code": code, "reason": reason})
    except OSError:
        return  # it is closed already
