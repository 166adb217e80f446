"""The HTTP API, ``/api/v1``."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bus.dead_letters import NotDecodable, discard, redrive
from bus.errors import TooLarge
from bus.protocol import Bus, DeadLetter
from bus.stopping import Stop
from edge import frames
from edge.access import Access
from edge.directory import BotDirectory, BotFace
from edge.frames import ClientMessage
from edge.hub import Hub
from edge.limits import Addresses
from edge.live import Ear, Heard, hear_answers, server_sent
from edge.operations import Operation, Parameter, body_of, integer, openapi, routes
from edge.problems import Problem
from edge.reading import Reader
from edge.settings import EdgeSettings
from edge.shapes import (
    Answer,
    Bot,
    BotList,
    Conversation,
    ConversationList,
    ConversationRow,
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterRow,
    MessageList,
    NewConversation,
    NewMessage,
    OpenConversation,
    Version,
    VersionList,
)
from edge.tokens import Ticket, Tokens
from schemas.conversation import (
    ConversationClosed,
    ConversationOpened,
    ConversationResumed,
    MessageReceived,
    Person,
)
from schemas.envelope import to_json

__all__ = ["PREFIX", "Api"]

PREFIX: Final = "/api/v1"
_PAGE: Final = 100
_MOST: Final = 500

_LIMIT: Final = Parameter(
    "limit", "at most so many", {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _PAGE}
)
_CURSOR: Final = Parameter("cursor", "`next` of the page before", {"type": "string"})
_AFTER: Final = Parameter("after", "only what comes after this number", {"type": "integer", "minimum": 0})


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Api:
    """The handlers of the API and their table."""

    def __init__(
        self,
        bus: Bus,
        hub: Hub,
        reader: Reader,
        directory: BotDirectory,
        tokens: Tokens,
        addresses: Addresses,
        settings: EdgeSettings,
        stopping: Stop,
    ) -> None:
        self._bus = bus
        self._stopping = stopping
        self._hub = hub
        self._reader = reader
        self._directory = directory
        self._tokens = tokens
        self._addresses = addresses
        self._settings = settings
        self._access = Access(tokens, settings)
        self._document = openapi(PREFIX, self.operations(), _version())

    def routes(self) -> list[Route]:
        """To be mounted at the root."""
        return routes(PREFIX, self.operations())

    def operations(self) -> Sequence[Operation]:
        """All that the API can do."""
        conversation = "/conversations/{conversation}"
        return (
            Operation("GET", "/bots", "listBots", "All bots", self.bots, result=BotList, parameters=(_LIMIT, _CURSOR)),
            Operation("GET", "/bots/{bot}", "getBot", "One bot", self.bot, result=Bot),
            Operation(
                "GET",
                "/bots/{bot}/versions",
                "listVersions",
                "The versions of a bot that were put in force, the newest first",
                self.versions,
                result=VersionList,
                parameters=(_LIMIT,),
            ),
            Operation(
                "POST",
                "/bots/{bot}/conversations",
                "openConversation",
                "Open a conversation with a bot",
                self.open,
                status=201,
                body=NewConversation,
                result=OpenConversation,
                problems=(429,),
            ),
            Operation(
                "GET",
                "/conversations",
                "listConversations",
                "Conversations, the newest first",
                self.conversations,
                access="operator",
                result=ConversationList,
                parameters=(Parameter("bot", "only those with this bot", {"type": "string"}), _LIMIT, _CURSOR),
            ),
            Operation(
                "GET",
                conversation,
                "getConversation",
                "One conversation",
                self.conversation,
                access="conversation",
                result=Conversation,
            ),
            Operation(
                "DELETE",
                conversation,
                "closeConversation",
                "End a conversation: what runs is cancelled, what comes later begins afresh",
                self.close,
                access="conversation",
                status=204,
            ),
            Operation(
                "GET",
                conversation + "/messages",
                "listMessages",
                "The transcript, or a part of it",
                self.messages,
                access="conversation",
                result=MessageList,
                parameters=(_AFTER, _LIMIT),
            ),
            Operation(
                "POST",
                conversation + "/messages",
                "sendMessage",
                "Say something, and wait for the answers",
                self.send,
                access="conversation",
                body=NewMessage,
                result=Answer,
                problems=(429,),
            ),
            Operation(
                "GET",
                conversation + "/events",
                "followConversation",
                "What is said from now on, or after a number, as server-sent events",
                self.events,
                access="conversation",
                media_type="text/event-stream",
                parameters=(
                    _AFTER,
                    Parameter("Last-Event-ID", "as `after`; wins over it", {"type": "string"}, where="header"),
                ),
            ),
            Operation(
                "GET",
                "/dead-letters",
                "listDeadLetters",
                "Events that were set aside, the oldest first",
                self.dead_letters,
                access="operator",
                result=DeadLetterList,
                parameters=(_LIMIT, _CURSOR),
            ),
            Operation(
                "GET",
                "/dead-letters/{letter}",
                "getDeadLetter",
                "One dead letter, whole",
                self.dead_letter,
                access="operator",
                result=DeadLetterDetail,
            ),
            Operation(
                "DELETE",
                "/dead-letters/{letter}",
                "discardDeadLetter",
                "Go on without the event",
                self.discard,
                access="operator",
                status=204,
            ),
            Operation(
                "POST",
                "/dead-letters/{letter}/redrive",
                "redriveDeadLetter",
                "Have the event decided anew",
                self.redrive,
                access="operator",
                status=204,
                problems=(409,),
            ),
            Operation("GET", "/openapi.json", "getOpenapi", "This document", self.document),
        )

    # --- bots -------------------------------------------------------------------------------------------------------

    async def bots(self, request: Request) -> Response:
        """All bots, paged by name."""
        limit, after = _limit(request), request.query_params.get("cursor", "")
        names = [name for name in self._directory.names() if name > after]
        faces = [face for name in names[:limit] if (face := await self._directory.face(name))]
        next_ = names[limit - 1] if len(names) > limit else None
        return _json(BotList(bots=[_bot(face) for face in faces], next=next_))

    async def bot(self, request: Request) -> Response:
        """One bot."""
        return _json(_bot(await self._face(request)))

    async def versions(self, request: Request) -> Response:
        """The versions of a bot."""
        face = await self._face(request)
        limit = _limit(request)
        rows = await self._reader.versions(face.name, limit)
        return _json(VersionList(versions=[Version(id=row.version, published_at=row.published_at) for row in rows]))

    # --- conversations ----------------------------------------------------------------------------------------------

    async def open(self, request: Request) -> Response:
        """A new conversation."""
        face = await self._face(request)
        wanted = await body_of(request, NewConversation, self._settings.max_frame_bytes)
        self._limited(request)
        slot = await self._hub.wait_slot(self._settings.slot_wait_s)
        ticket = Ticket(self._hub.new_id(), face.name)
        session = str(ticket.session)
        ear = Ear(face.name)
        person = Person(id=session, name=wanted.name, locale=wanted.locale)
        with self._hub.listen(session, ear), self._stopping.calls(ear.close):
            event = self._hub.make(ConversationOpened, session, face.name, channel="web", person=person, slot=slot)
            await self._hub.publish(event)
            heard = await hear_answers(ear, self._reader, session, None, self._wait(wanted.wait_s))
        return _json(
            OpenConversation(
                id=ticket.session, token=self._tokens.sign(ticket), bot=face.name, messages=heard.messages
            ),
            201,
        )

    async def conversations(self, request: Request) -> Response:
        """Conversations, for the operator."""
        self._access.operator(request)
        limit, bot = _limit(request), request.query_params.get("bot")
        if bot is not None and "\0" in bot:
            raise Problem(422, "bad_value", "No bot has such a name.", errors=[{"pointer": "bot", "detail": "U+0000"}])
        rows = await self._reader.conversations(bot, before=_cursor(request), limit=limit)
        found = [
            ConversationRow(id=row.id, bot=row.bot, channel=row.channel, opened_at=row.opened_at, seq=row.newest_seq)
            for row in rows
        ]
        next_ = _cursor_at(rows[-1].opened_at, rows[-1].id) if len(rows) == limit else None
        return _json(ConversationList(conversations=found, next=next_))

    async def conversation(self, request: Request) -> Response:
        """One conversation."""
        ticket = self._access.reader(request)
        newest = await self._reader.newest_seq(str(ticket.session))
        return _json(Conversation(id=ticket.session, bot=ticket.bot, seq=newest))

    async def close(self, request: Request) -> Response:
        """The end of a conversation."""
        ticket = self._access.person(request)
        self._limited(request)
        event = self._hub.make(ConversationClosed, str(ticket.session), ticket.bot, reason="client")
        await self._hub.publish(event)
        return Response(status_code=204)

    async def messages(self, request: Request) -> Response:
        """A part of the transcript."""
        ticket = self._access.reader(request)
        limit = _limit(request)
        after = integer(request, "after", 0, 0, 1 << 53)
        found = list(await self._reader.transcript(str(ticket.session), after, limit))
        next_ = found[-1].seq if len(found) == limit else None
        return _json(MessageList(messages=found, next=next_))

    async def send(self, request: Request) -> Response:
        """Something said, and the answers to it."""
        ticket = self._access.person(request)
        wanted = await body_of(request, NewMessage, self._settings.max_frame_bytes)
        client_id = wanted.id or str(self._hub.new_id())
        checked = frames.check_message(client_id, wanted.text, self._settings.max_text_chars)
        if not isinstance(checked, ClientMessage):
            raise Problem(413 if checked.code == "too_large" else 422, checked.code, checked.message)
        self._limited(request)
        session = str(ticket.session)
        slot = await self._hub.wait_slot(self._settings.slot_wait_s)
        ear = Ear(ticket.bot)
        with self._hub.listen(session, ear), self._stopping.calls(ear.close):
            event = self._hub.make(
                MessageReceived,
                session,
                ticket.bot,
                message_id=client_id,
                channel="web",
                person=Person(id=session),
                text=checked.text,
                slot=slot,
            )
            try:
                await self._hub.publish(event)
            except TooLarge:
                raise Problem(413, "too_large", "The message is too large.") from None
            heard: Heard = await hear_answers(ear, self._reader, session, client_id, self._wait(wanted.wait_s))
        return _json(Answer(id=client_id, seq=heard.seq, messages=heard.messages, complete=heard.complete))

    async def events(self, request: Request) -> Response:
        """What is said, as it is said."""
        ticket = self._access.person(request)
        session = str(ticket.session)
        newest = await self._reader.newest_seq(session)
        after = min(integer(request, "after", newest, 0, 1 << 53), newest)
        if last := request.headers.get("last-event-id"):  # empty: the client has not been told one
            if not re.fullmatch(r"[0-9]{1,18}", last):
                raise Problem(422, "bad_value", "Last-Event-ID is not one that this stream gave out.")
            after = min(int(last), newest)
        await self._hub.wait_slot(self._settings.slot_wait_s)  # while it can still be said that there is none

        async def body() -> AsyncIterator[bytes]:
            ear = Ear(ticket.bot)
            with self._hub.listen(session, ear), self._stopping.calls(ear.close):
                # Asked for again: if the slot changes from here on, this conversation is announced again.
                slot = await self._hub.wait_slot(self._settings.slot_wait_s)
                # The answer, ConversationAttached, tells up to where the transcript has to be sent first.
                await self._hub.publish(self._hub.make(ConversationResumed, session, ticket.bot, slot=slot))
                async for part in server_sent(ear, self._reader, session, after):
                    yield part

        return StreamingResponse(
            body(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )

    # --- dead letters -----------------------------------------------------------------------------------------------

    async def dead_letters(self, request: Request) -> Response:
        """What was set aside."""
        self._access.operator(request)
        limit = _limit(request)
        found = await self._reader.letters(limit=limit, after=_letter_cursor(request))
        next_ = found[-1].id.hex if len(found) == limit else None
        return _json(DeadLetterList(dead_letters=[DeadLetterRow(**_letter(letter)) for letter in found], next=next_))

    async def dead_letter(self, request: Request) -> Response:
        """One of them, whole."""
        self._access.operator(request)
        letter = await self._reader.letter(_letter_id(request))
        if letter is None:
            raise _no_letter()
        data = letter.record.data.decode("utf-8", "replace")
        return _json(DeadLetterDetail(**_letter(letter), traceback=letter.traceback, data=data))

    async def discard(self, request: Request) -> Response:
        """Go on without it."""
        self._access.operator(request)
        if not await discard(self._bus, self._reader, _letter_id(request)):
            raise _no_letter()
        return Response(status_code=204)

    async def redrive(self, request: Request) -> Response:
        """Decide it anew."""
        self._access.operator(request)
        try:
            done = await redrive(self._bus, self._reader, _letter_id(request))
        except NotDecodable as error:
            detail = f"This program cannot read the event ({error}); discard it, or redrive it with a program that can."
            raise Problem(409, "not_decodable", detail) from None
        if not done:
            raise _no_letter()
        return Response(status_code=204)

    async def document(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json", headers={"Cache-Control": "no-cache"})

    # --- what handlers share ----------------------------------------------------------------------------------------

    async def _face(self, request: Request) -> BotFace:
        face = await self._directory.face(request.path_params["bot"])
        if face is None:
            raise Problem(404, "not_found", "There is no such bot; GET /api/v1/bots lists those that are there.")
        return face

    def _limited(self, request: Request) -> None:
        now = time.monotonic()
        address = self._addresses.of(request.client.host if request.client else "", now)
        if wait_s := self._addresses.take(address, now):
            raise Problem.busy(429, "rate_limited", "Too many messages from this address.", wait_s)

    def _wait(self, wanted_s: float) -> float:
        return min(wanted_s, self._settings.wait_max_s)


def _json(result: Struct, status: int = 200) -> Response:
    return Response(to_json(result), status, {"Cache-Control": "no-store"}, "application/json")


def _bot(face: BotFace) -> Bot:
    return Bot(name=face.name, version=face.version, title=face.title, description=face.about)


def _limit(request: Request) -> int:
    return integer(request, "limit", _PAGE, 1, _MOST)


def _cursor_at(at: datetime, id_: UUID) -> str:
    """A place in a list that is sorted by (time, id)."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{id_.hex}"


def _cursor(request: Request) -> tuple[datetime, UUID] | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,17})-([0-9a-f]{32})", text)
    if found is None:
        raise _bad_cursor()
    return _EPOCH + timedelta(microseconds=int(found[1])), UUID(hex=found[2])


def _letter_cursor(request: Request) -> UUID | None:
    text = request.query_params.get("cursor")
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise _bad_cursor() from None


def _bad_cursor() -> Problem:
    errors = [{"pointer": "cursor", "detail": "is `next` of the page before"}]
    return Problem(422, "bad_value", "The cursor is not one of ours.", errors=errors)


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "at": letter.at,
        "actor": letter.group,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "type": letter.record.type,
        "key": letter.record.key,
        "reason": letter.reason,
    }


def _letter_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["letter"])
    except ValueError:
        raise _no_letter() from None


def _no_letter() -> Problem:
    return Problem(404, "not_found", "There is no such dead letter; it may have been settled.")


def _version() -> str:
    try:
        return version("botswain")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was not installed
