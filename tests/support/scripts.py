"""Talk to the basic actor without a worker: events in, what it says out."""

from __future__ import annotations

from datetime import UTC, datetime
from types import GeneratorType
from typing import Any, Literal
from uuid import UUID

import msgspec

from actors.basic import BasicActor, BasicState, Limits
from bus import codec
from bus.actor import Resource, Turn
from bus.protocol import Query
from schemas.conversation import Attachment, Message, Person
from schemas.dialog import (
    Act,
    AnswerGiven,
    AnswerOverdue,
    AwaitsAnswer,
    AwaitsWorld,
    Ended,
    Failed,
    Outcome,
    RunAdvanced,
    RunCancelled,
    RunRequested,
    Said,
    TranscriptWritten,
)
from schemas.envelope import Event
from schemas.package import BotPackage, digest_of
from schemas.schedule import TimerFired, TimerRequested

__all__ = ["World", "play"]

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)


class World:
    """
    One conversation with a bot.

    Args:
        stored: after every event the state goes through JSON and a new actor takes over, as after a restart.
    """

    def __init__(
        self,
        scripts: dict[str, str] | str,
        config: dict[str, str] | None = None,
        *,
        stored: bool = True,
        limits: Limits | None = None,
    ) -> None:
        sources = {"start": scripts} if isinstance(scripts, str) else scripts
        self.resources: dict[str, bytes] = {}
        self.stored = stored
        self.limits = limits
        self.actor = BasicActor(limits)
        self.state: BasicState | None = None
        self.memory: dict[tuple[Any, ...], bytes] = {}
        self.at = BEGAN
        self.events = 0
        self.run = UUID(int=77)
        self.acts: list[Act] = []
        self.last: list[Act] = []
        self.outcome: Outcome | None = None
        self.timers: list[TimerRequested] = []
        self.transcript: list[Message] = []
        self.turn: Turn | None = None
        self.publish(BotPackage(name="testbot", scripts=sources, config=config or {}))

    def publish(self, package: BotPackage) -> None:
        data = package.to_bytes()
        self.version = digest_of(data)
        self.resources[self.version] = data

    # --- events -----------------------------------------------------------------------------------------------------

    def begin(self, script: str = "start", *, trigger: str = "start", message: str = "", **arguments: Any) -> World:
        return self.send(
            RunRequested,
            run=self.run,
            script=script,
            arguments=arguments,
            trigger=trigger,
            channel="web",
            person=Person(id="p1", name="Pat", email="pat@example.com"),
            message=message,
        )

    def answer(self, text: str, *attachments: Attachment) -> World:
        self.enter("user", text, *attachments)
        return self.send(AnswerGiven, run=self.run, text=text, attachments=attachments)

    def overdue(self) -> World:
        assert isinstance(self.outcome, AwaitsAnswer)
        assert self.outcome.deadline_at is not None
        self.at = self.outcome.deadline_at
        return self.send(AnswerOverdue, run=self.run)

    def fire(self) -> World:
        timer = self.timers[-1]
        self.at = timer.due_at
        return self.send(TimerFired, timer=timer.timer, due_at=timer.due_at)

    def written(self, seq: int | None = None) -> World:
        """The session says that the transcript has what the run said."""
        return self.send(TranscriptWritten, run=self.run, seq=len(self.transcript) if seq is None else seq)

    def enter(self, role: Literal["user", "bot"], text: str, *attachments: Attachment) -> None:
        """The session writes an entry of the transcript."""
        seq = len(self.transcript) + 1
        self.transcript.append(
            Message(seq=seq, id=UUID(int=seq), role=role, text=text, attachments=attachments, at=self.at)
        )

    def cancel(self) -> World:
        return self.send(RunCancelled, run=self.run, reason="test")

    def send(self, kind: type[Event], **fields: Any) -> World:
        self.events += 1
        event = kind(
            id=UUID(int=self.events), at=self.at, bot="testbot", bot_version=self.version, key="session-1", **fields
        )
        turn = self.turn = Turn("basic", 0, self.events, event)
        state = self.state
        if self.stored:
            self.actor = BasicActor(self.limits)
            if state is not None:
                state = msgspec.json.decode(msgspec.json.encode(state), type=BasicState)
        found = self.actor.decide(turn, state)
        if isinstance(found, GeneratorType):
            found = self._driven(found)
        assert found is None or isinstance(found, BasicState)
        self.state = found
        self.last = []
        for outgoing in turn.outgoing:
            # Its fields were not checked when it was made.
            assert codec.decode(codec.encode(outgoing.event)) == outgoing.event
            if isinstance(outgoing.event, RunAdvanced):
                self.last = list(outgoing.event.acts)
                self.acts += self.last
                for act in self.last:
                    if isinstance(act, Said):
                        self.enter("bot", act.text, *act.attachments)
                self.outcome = outgoing.event.outcome
            elif isinstance(outgoing.event, TimerRequested):
                self.timers.append(outgoing.event)
        return self

    def _driven(self, deciding: GeneratorType[Any, Any, Any]) -> Any:
        answer: Any = None
        while True:
            try:
                ask = deciding.send(answer)
            except StopIteration as end:
                return end.value
            answer = self.resources.get(ask.digest) if isinstance(ask, Resource) else self._query(ask)

    def _query(self, query: Query) -> list[dict[str, Any]]:
        table, operation = query.sql.split(".")
        match operation:
            case "get":
                value = self.memory.get((table, *query.values))
                return [] if value is None else [{"value": value}]
            case "set":
                self.memory[(table, *query.values[:-1])] = query.values[-1]
            case "clear":
                for key in [key for key in self.memory if key[:-1] == (table, *query.values)]:
                    del self.memory[key]
            case "all":
                found = [(key[-1], value) for key, value in self.memory.items() if key[:-1] == (table, *query.values)]
                return [{"name": name, "value": value} for name, value in sorted(found)]
            case "newest":
                _, upto, most, _ = query.values
                return [{"body": entry.to_json().decode()} for entry in self.transcript[:upto][: -most - 1 : -1]]
            case _:
                raise AssertionError(query.sql)
        return []

    # --- what was said ----------------------------------------------------------------------------------------------

    @property
    def said(self) -> list[str]:
        """All that was said so far."""
        return [act.text for act in self.acts if isinstance(act, Said)]

    @property
    def just_said(self) -> list[str]:
        return [act.text for act in self.last if isinstance(act, Said)]

    @property
    def result(self) -> Any:
        assert isinstance(self.outcome, Ended), self.outcome
        return self.outcome.result

    @property
    def failure(self) -> Failed:
        assert isinstance(self.outcome, Failed), self.outcome
        return self.outcome


def play(
    scripts: dict[str, str] | str,
    *answers: str,
    stored: bool = True,
    config: dict[str, str] | None = None,
) -> World:
    """Run ``start`` and answer what it hears, in order; timers fire at once. Ends when the answers do."""
    world = World(scripts, config, stored=stored).begin()
    waiting = list(answers)
    while isinstance(world.outcome, AwaitsAnswer | AwaitsWorld):
        if isinstance(world.outcome, AwaitsWorld):
            world.written() if world.outcome.what == "history" else world.fire()
        elif waiting:
            world.answer(waiting.pop(0))
        else:
            break
    return world
