"""
A stage for one bot: the real session and basic actors, without log, database or clock.

Events go round in memory, one at a time, each decided as the worker would do it; states pass through JSON at each
turn, as in the database. Time stands still until somebody waits. The same conversation always goes the same way.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import GeneratorType
from typing import Any, Final
from uuid import UUID

import msgspec

from actors.basic import BasicActor
from actors.basic.limits import Limits
from actors.session import SessionActor
from botswain.failing import excerpt_of, place_of
from bus.actor import Decider, Resource, Turn, derived_id
from bus.errors import QueryFailed
from bus.protocol import Outgoing, Query, Rows
from schemas.conversation import ConversationOpened, MessageReady, MessageReceived, Person
from schemas.dialog import AwaitsWorld, Failed, RunAdvanced
from schemas.envelope import Event
from schemas.package import BotPackage, digest_of
from schemas.schedule import TimerCancelled, TimerFired, TimerRequested
from schemas.topics import SESSION

__all__ = ["Heard", "Rehearsal"]

ROOT: Final = UUID(int=0)
MAX_EVENTS: Final = 10_000
# What a script waits for by itself (WAIT 2) passes without being told to, up to here.
SHORT_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the bot said."""

    text: str
    suggestions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text + (f"\n? {' | '.join(self.suggestions)}" if self.suggestions else "")


@dataclass(slots=True)
class Rehearsal:
    """One bot on its stage; all its conversations share the bot's memory."""

    package: BotPackage
    now: datetime
    actors: Sequence[Decider[Any]]
    _events: deque[Outgoing] = field(default_factory=deque)
    _states: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _timers: dict[tuple[str, str, str], TimerRequested] = field(default_factory=dict)
    _memory: dict[tuple[str, ...], bytes] = field(default_factory=dict)
    _transcript: list[MessageReady] = field(default_factory=list)
    _heard: list[Heard] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _waiting: set[UUID] = field(default_factory=set)
    _count: int = 0
    _session: str = ""
    _person: Person = field(default_factory=lambda: Person(id="visitor"))
    _channel: str = "web"

    @classmethod
    def of(cls, package: BotPackage, now: datetime, limits: Limits) -> Rehearsal:
        """The stage for *package*, with the actors as they work in the product."""
        return cls(package, now, (SessionActor(), BasicActor(limits)))

    def take_heard(self) -> list[Heard]:
        """What the bot said since the last call."""
        heard, self._heard = self._heard, []
        return heard

    def take_errors(self) -> list[str]:
        """What failed since the last call, for the bot's author."""
        errors, self._errors = self._errors, []
        return errors

    def begin(self, person: str, channel: str, locale: str) -> None:
        """A person opens a conversation, on a channel that tells; elsewhere it begins with the first message."""
        self._count += 1
        self._session = str(derived_id(ROOT, f"session {self._count}"))
        self._person = Person(id=person, locale=locale)
        self._channel = channel
        if channel in ("web", "telegram", "teams"):
            self._enter(ConversationOpened, channel=channel, person=self._person, slot=0)

    def say(self, text: str) -> None:
        """The person says *text*; the bot does what it does then."""
        self._enter(
            MessageReceived,
            message_id=f"said-{self._count}",
            channel=self._channel,
            person=self._person,
            text=text,
            slot=0,
        )

    def wait(self, duration: timedelta) -> None:
        """Time passes, and timers fire."""
        until = self.now + duration
        while (timer := self._next_timer()) is not None and timer.due_at <= until:
            self._fire(timer)
        self.now = until

    # --- inside ------------------------------------------------------------------------------------------------------

    def _enter(self, event: type[Event], **fields: Any) -> None:
        self._count += 1
        entered = event(
            id=derived_id(ROOT, f"event {self._count}"),
            at=self.now,
            bot=self.package.name,
            bot_version=digest_of(self.package.to_bytes()),
            key=self._session,
            **fields,
        )
        self._events.append(Outgoing(SESSION, entered))
        self._settle()
        limit = self.now + SHORT_WAIT
        while self._waiting and (timer := self._next_timer()) is not None and timer.due_at <= limit:
            self._fire(timer)

    def _next_timer(self) -> TimerRequested | None:
        return min(self._timers.values(), key=lambda timer: (timer.due_at, timer.timer), default=None)

    def _fire(self, timer: TimerRequested) -> None:
        assert timer.reply_to is not None
        del self._timers[timer.key, timer.reply_to, timer.timer]
        self.now = max(self.now, timer.due_at)
        fired = TimerFired(
            id=derived_id(timer.id, "fired"),
            at=timer.due_at,
            bot=timer.bot,
            bot_version=timer.bot_version,
            key=timer.key,
            cause=timer.id,
            turn=timer.turn,
            timer=timer.timer,
            due_at=timer.due_at,
        )
        self._events.append(Outgoing(timer.reply_to, fired))
        self._settle()

    def _settle(self) -> None:
        """Handle events until there are none."""
        by_topic = {actor.topic: actor for actor in self.actors}
        for offset in range(MAX_EVENTS):
            if not self._events:
                return
            out = self._events.popleft()
            self._notice(out.event)
            if out.topic in by_topic:
                actor = by_topic[out.topic]
                try:
                    self._turn(actor, offset, out.event)
                except Exception as error:  # as the worker sets such an event aside
                    place = traceback.extract_tb(error.__traceback__)[-1]
                    where = f"{place.filename}:{place.lineno}"
                    self._errors.append(f"The actor {actor.name} failed: {type(error).__name__}: {error} ({where})")
        self._errors.append(f"The bot does not come to rest: {MAX_EVENTS:,} events after one message.")
        self._events.clear()

    def _notice(self, event: Event) -> None:
        if isinstance(event, MessageReady) and not event.repeat:
            self._transcript.append(event)
        match event:
            case MessageReady() if event.message.role != "user":
                offered = tuple(suggestion.text for suggestion in event.message.suggestions)
                self._heard.append(Heard(event.message.text, offered))
            case RunAdvanced():
                self._waiting.discard(event.run)
                if isinstance(event.outcome, AwaitsWorld):
                    self._waiting.add(event.run)
                if isinstance(event.outcome, Failed):
                    failed = event.outcome
                    said = f"{place_of(failed)}: {failed.code}: {failed.message}"
                    self._errors.append("\n".join([said, *excerpt_of(self.package, failed)]))
            case TimerRequested() if event.reply_to is not None:
                self._timers[event.key, event.reply_to, event.timer] = event
            case TimerCancelled() if event.reply_to is not None:
                self._timers.pop((event.key, event.reply_to, event.timer), None)

    def _turn(self, actor: Decider[Any], offset: int, event: Event) -> None:
        key = (actor.name, event.key)
        stored = self._states.get(key)
        state = None if stored is None else msgspec.json.decode(stored, type=actor.state)
        self._count += 1
        turn = Turn(actor.name, 0, self._count * MAX_EVENTS + offset, event)
        found: Any = actor.decide(turn, state)
        if isinstance(found, GeneratorType):
            answer: Rows | bytes | None = None
            refused: QueryFailed | None = None
            while True:
                try:
                    ask = found.send(answer) if refused is None else found.throw(refused)
                except StopIteration as end:
                    found = end.value
                    break
                answer, refused = None, None
                try:
                    answer = self._resource(ask) if isinstance(ask, Resource) else self._query(ask)
                except QueryFailed as error:
                    refused = error
        if found is None:
            self._states.pop(key, None)
        else:
            self._states[key] = msgspec.json.encode(found)
        self._events.extend(turn.outgoing)

    def _resource(self, ask: Resource) -> bytes | None:
        data = self.package.to_bytes()
        return data if ask.digest == digest_of(data) else None

    def _query(self, ask: Query) -> Rows:
        whose, _, what = ask.sql.partition(".")
        key = (whose, *map(str, ask.values))
        match whose, what:
            case "bot_memory" | "user_memory", "get":
                return [{"value": self._memory[key]}] if key in self._memory else ()
            case "bot_memory" | "user_memory", "set":
                self._memory[key[:-1]] = ask.values[-1]
                return ()
            case "user_memory", "clear":
                for found in [found for found in self._memory if found[:-1] == key]:
                    del self._memory[found]
                return ()
            case "messages", "newest":
                session, upto, most, _ = ask.values
                newest = [entry for entry in self._transcript if entry.key == session and entry.message.seq <= upto]
                return [{"body": entry.message.to_json().decode()} for entry in newest[: -most - 1 : -1]]
            case "user_memory", "all":
                found_all = [(found[-1], value) for found, value in self._memory.items() if found[:-1] == key]
                return [{"name": name, "value": value} for name, value in sorted(found_all)]
        raise QueryFailed(f"{ask.sql!r} needs a database, and a rehearsal has none", "0A000")
