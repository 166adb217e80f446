"""Deciders that ask: queries run in the transaction of the turn, resources come from memory."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bus.actor import Ask, Resource, Turn
from bus.errors import QueryFailed
from bus.memory import Disk, MemoryBus
from bus.protocol import Query, Rows
from bus.worker import run_worker
from schemas.conversation import MessageReceived
from tests.simulation.crew import Counted, Counter, said, shown, stored, to_session
from tests.simulation.virtual import virtual_time


def add(tables: dict[str, dict[Any, Any]], values: tuple[Any, ...]) -> Rows:
    """Adds a word to the bot's own table, and tells all that are there."""
    (word,) = values
    if word == "refuse":
        raise QueryFailed("a constraint", "23505")
    table = tables.setdefault("words", {})
    table[len(table)] = word
    return [{"word": each} for each in table.values()]


class Asking(Counter):
    """Keeps what it hears in a table, and tells how many words are there."""

    def decide(  # type: ignore[override]
        self, turn: Turn, state: Counted | None
    ) -> Generator[Ask, Rows | bytes | None, Counted | None]:
        state = state or Counted()
        assert isinstance(turn.event, MessageReceived)
        text = turn.event.text
        state.heard.append(text)
        if text == "package":
            data = yield Resource("digest")
            missing = yield Resource("no such thing")
            self.answer(turn, 1, f"{data!r} {missing!r}")
            return state
        try:
            rows = yield Query("words.add", (text,))
        except QueryFailed as error:
            self.answer(turn, 1, f"refused {error.code}")
            return state
        assert rows is not None
        self.answer(turn, 1, f"{len(rows)} words")
        if text == "fail":
            raise ValueError(text)
        return state


def disk_with_words() -> Disk:
    return Disk(statements={"words.add": add}, resources={"digest": b"bytes"})


@virtual_time
async def test_rows_come_back_in_and_are_recorded_with_the_turn() -> None:
    disk = disk_with_words()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("a", "two", 2)))
    await run_worker(bus, [Asking()], until_idle=True)
    assert shown(disk, "a") == ["1 1 words", "1 2 words"]
    assert disk.tables["words"] == {0: "one", 1: "two"}
    assert [(r.offset, r.index, r.query.values, len(r.rows)) for r in disk.recorded] == [
        (0, 0, ("one",), 1),
        (1, 0, ("two",), 2),
    ]


@virtual_time
async def test_what_a_failed_turn_wrote_is_undone_alone() -> None:
    disk = disk_with_words()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("a", "fail", 2), said("b", "two", 1)))
    await run_worker(bus, [Asking()], until_idle=True)
    assert sorted(disk.tables["words"].values()) == ["one", "two"]
    assert stored(disk, "a")["heard"] == ["one"]
    assert len(disk.recorded) == 2
    # The session's own TurnFailed makes this decider fail too, and that is the end of it.
    assert sorted(letter.record.type for letter in disk.dead.values()) == ["message.received.v1", "turn.failed.v1"]


@virtual_time
async def test_a_refused_query_is_raised_where_it_was_asked() -> None:
    disk = disk_with_words()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "refuse", 1), said("a", "one", 2)))
    await run_worker(bus, [Asking()], until_idle=True)
    assert shown(disk, "a") == ["1 refused 23505", "1 1 words"]
    assert not disk.dead


@virtual_time
async def test_resources_are_asked_of_the_bus_once() -> None:
    asked: list[str] = []

    class Counting(MemoryBus):
        async def resource(self, digest: str) -> bytes | None:
            asked.append(digest)
            return await super().resource(digest)

    disk = disk_with_words()
    bus = Counting(disk)
    await bus.publish(to_session(said("a", "package", 1), said("b", "package", 1)))
    await run_worker(bus, [Asking()], until_idle=True)
    assert shown(disk, "a") == shown(disk, "b") == ["1 b'bytes' None"]
    assert asked.count("digest") == 1
    assert asked.count("no such thing") == 2


@virtual_time
async def test_a_batch_whose_commit_is_lost_leaves_no_trace_of_its_queries() -> None:
    disk = disk_with_words()

    class Overtaken(MemoryBus):
        """Another process handles the batch between the query and the commit."""

        async def breathe(self) -> None:
            await super().breathe()
            if "words" in disk.tables and not overtaken:
                overtaken.append(True)
                self.disk.positions = dict.fromkeys(((a, t, p) for a, t in (("session",) * 2,) for p in range(8)), 1)

    overtaken: list[bool] = []
    bus = Overtaken(disk)
    await bus.publish(to_session(said("a", "one", 1)))
    await run_worker(bus, [Asking()], until_idle=True)
    assert overtaken
    assert disk.tables.get("words", {}) == {}
    assert not disk.recorded
    assert not shown(disk, "a")
