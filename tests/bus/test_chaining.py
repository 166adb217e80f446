"""What a turn emits to another decider of the process is decided with it; the log and the order are as without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Generator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.schedule import ScheduleActor
from bus.actor import Decider, Turn
from bus.clock import LoopClock
from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus, Tables
from bus.protocol import Outgoing, Query, Rows, StateWrite, Stored, Subscription, Turns
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.dialog import AnswerGiven
from schemas.envelope import Event
from schemas.topics import BASIC, CHANNEL_WEB, SESSION, partition_of
from tests.simulation.crew import (
    EPOCH,
    Counter,
    Echo,
    Echoed,
    Host,
    Hosted,
    Killer,
    deaths_until_it_lives,
    decoded,
    said,
    shown,
    stored,
    to_session,
)
from tests.simulation.virtual import virtual_time

ANSWERED = ["1 one", "2 1 one", "3 2 one"]


class Counting(MemoryBus):
    """Keeps what was committed."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.commits: list[Turns] = []

    async def commit(self, turns: Turns) -> None:
        await super().commit(turns)
        self.commits.append(turns)


def ids(disk: Disk) -> dict[str, list[UUID]]:
    return {topic: [event.id for event in decoded(disk, topic)] for topic in (SESSION, BASIC, CHANNEL_WEB)}


def decided(disk: Disk, topic: str) -> list[bool]:
    return [event.decided for event in decoded(disk, topic)]


async def talk(bus: MemoryBus, *actors: Decider[Any], say: str = "one", number: int = 1) -> None:
    await bus.publish(to_session(said("a", say, number)))
    await run_worker(bus, actors, until_idle=True)


@virtual_time
async def test_a_message_and_all_that_follows_is_one_commit() -> None:
    disk = Disk()
    bus = Counting(disk)
    await talk(bus, Host(), Echo())
    assert shown(disk, "a") == ANSWERED
    assert decided(disk, BASIC) == [True]
    assert decided(disk, SESSION) == [False, True, True]
    working = [turns for turns in bus.commits if turns.states or turns.outgoing]
    assert len(working) == 1
    assert set(working[0].others) == {BASIC}
    assert stored(disk, "a", BASIC) == {"count": 2}


@virtual_time
async def test_what_was_decided_already_is_passed_over_for_good() -> None:
    disk = Disk()
    await talk(MemoryBus(disk), Host(), Echo())
    before = ids(disk)
    for topic, actor in ((SESSION, SESSION), (BASIC, BASIC)):
        partition = partition_of("a", disk.topics[topic].partitions)
        assert disk.positions[actor, topic, partition] == disk.end_of(topic, partition)
    disk.positions.clear()  # as if it had been forgotten how far they were
    disk.states.pop((SESSION, "a"))
    await run_worker(MemoryBus(disk), [Echo()], until_idle=True)
    assert ids(disk) == before


@virtual_time
async def test_what_is_passed_over_again_and_again_is_not_waiting_to_be_read() -> None:
    """A position that stood still as long as people talk would look like a worker that does not keep up."""
    disk = Disk()
    bus, stop = MemoryBus(disk), Stop()
    partition = partition_of("a", disk.topics[BASIC].partitions)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(bus, [Host(), Echo()], stopping=stop))
        for number in range(1, 41):
            await bus.publish(to_session(said("a", "one", number)))
            await asyncio.sleep(0.1)
        behind = disk.end_of(BASIC, partition) - disk.positions.get((BASIC, BASIC, partition), 0)
        stop.request()
    assert set(decided(disk, BASIC)) == {True}
    assert behind < disk.end_of(BASIC, partition) / 2


@virtual_time
async def test_events_are_the_same_whether_they_travel_or_not() -> None:
    together, apart = Disk(), Disk()
    await talk(MemoryBus(together), Host(), Echo())
    await talk(MemoryBus(apart), Host())
    assert decided(apart, BASIC) == [False]
    await run_worker(MemoryBus(apart), [Echo()], until_idle=True)
    await run_worker(MemoryBus(apart), [Host()], until_idle=True)
    assert decided(apart, SESSION) == [False] * 3
    assert shown(apart, "a") == ANSWERED
    assert ids(apart) == ids(together)


@virtual_time
async def test_nothing_is_decided_before_what_was_emitted_before() -> None:
    disk = Disk()
    await talk(MemoryBus(disk), Host())  # there is nobody else yet: what it emits goes through the log
    await talk(MemoryBus(disk), Host(), Echo(), say="two", number=2)
    spoken = [line.split(" ", 1)[1] for line in shown(disk, "a")]
    assert [text for text in spoken if text[0].isdigit()] == ["1 one", "2 one", "3 two", "4 two"]


@virtual_time
async def test_what_comes_for_a_state_that_cannot_be_read_is_set_aside_in_its_own_time() -> None:
    disk = Disk()
    await talk(MemoryBus(disk), Host(), Echo())
    disk.states[BASIC, "a"] = Stored(disk.states[BASIC, "a"].version, b"{")
    async with asyncio.timeout(600):  # virtual time
        await talk(MemoryBus(disk), Host(), Echo(), say="two", number=2)
    assert shown(disk, "a")[3:] == ["4 two"]
    assert [letter.topic for letter in disk.dead.values()] == [BASIC]


class Failing(Echo):
    """Spoils its state and fails when it hears 'fail'."""

    def decide(self, turn: Turn, state: Echoed | None) -> Echoed:
        state = super().decide(turn, state)
        if isinstance(turn.event, AnswerGiven) and turn.event.text == "fail":
            state.count = 1000
            raise ValueError("asked to fail")
        return state


@virtual_time
async def test_a_receiver_that_fails_takes_nobody_with_it() -> None:
    disk = Disk()
    await MemoryBus(disk).publish(to_session(said("b", "good", 1)))
    await talk(MemoryBus(disk), Host(), Failing(), say="fail")
    assert shown(disk, "a") == ["1 fail"]
    assert shown(disk, "b") == ["1 good", "2 1 good", "3 2 good"]
    (letter,) = disk.dead.values()
    assert (letter.group, letter.topic) == (BASIC, BASIC)
    assert stored(disk, "a", BASIC) == {"count": 0}
    await talk(MemoryBus(disk), Host(), Failing(), number=2)
    assert shown(disk, "a") == ["1 fail", "2 one", "3 1 one", "4 2 one"]


class Asking:
    """Answers with what the database says."""

    name = topic = BASIC
    state = Echoed

    def decide(self, turn: Turn, state: Echoed | None) -> Generator[Query, Rows, Echoed]:
        state = state or Echoed()
        state.count += 100  # in place, before it asks: a second try must not see it
        rows = yield Query("one")
        turn.event = _with_text(turn.event, f"{rows[0]['value']}")
        return Echo().decide(turn, state)


def _with_text(event: Event, text: str) -> Event:
    assert isinstance(event, AnswerGiven)
    return AnswerGiven(
        id=event.id,
        at=event.at,
        bot=event.bot,
        bot_version=event.bot_version,
        key=event.key,
        run=event.run,
        text=text,
        reply_to=event.reply_to,
    )


def _one(_tables: Tables, _values: tuple[Any, ...]) -> Rows:
    return [{"value": 1}]


@virtual_time
async def test_a_receiver_that_asks_the_database_is_asked_in_its_own_time() -> None:
    disk = Disk(statements={"one": _one})
    await talk(MemoryBus(disk), Host(), Asking())
    assert shown(disk, "a") == ["1 one", "2 101 1", "3 102 1"]
    assert len(disk.recorded) == 1
    await talk(MemoryBus(disk), Host(), Asking(), say="two", number=2)
    assert shown(disk, "a")[3:] == ["4 two", "5 203 1", "6 204 1"]


class Chatterbox:
    """Keeps the session busy: each answer leads to another question, *rounds* times."""

    name = topic = SESSION
    state = Hosted

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds

    def decide(self, turn: Turn, state: Hosted | None) -> Hosted:
        state = state or Hosted()
        if state.seq < self._rounds:
            state.seq += 1
            turn.emit(BASIC, AnswerGiven, run=turn.new_id("run"), text="again", reply_to=SESSION)
        return state


@virtual_time
async def test_actors_that_keep_each_other_busy_hold_up_nobody() -> None:
    disk = Disk()
    bus = Counting(disk)
    await bus.publish(to_session(said("a", "go", 1)))
    await run_worker(bus, [Chatterbox(300), Echo()], until_idle=True)
    assert stored(disk, "a")["seq"] == 300
    assert stored(disk, "a", BASIC)["count"] == 600
    assert len(bus.commits[0].outgoing) <= 2 * 64


@virtual_time
async def test_a_state_that_somebody_else_has_written_is_read_again() -> None:
    disk = Disk()
    await talk(MemoryBus(disk), Host(), Echo())

    class Overtaken(Counting):
        """Another owner writes between the decision and its commit, once."""

        async def commit(self, turns: Turns) -> None:
            if turns.others and not self.commits:
                self.commits.append(turns)
                value = disk.states[BASIC, "a"].value.replace(b'"count":2', b'"count":7')
                disk.apply(Turns(BASIC, BASIC, states=[StateWrite("a", 2, value)]))
            await super().commit(turns)

    await talk(Overtaken(disk), Host(), Echo(), say="two", number=2)
    assert shown(disk, "a")[3:] == ["4 two", "5 8 two", "6 9 two"]


@virtual_time
async def test_nobody_decides_on_what_is_not_committed_yet() -> None:
    disk = Disk()

    class Away(Counting):
        """Echo gets an event of its own while what it answered to Host is not committed, nor will be."""

        async def commit(self, turns: Turns) -> None:
            if turns.others and not self.commits:
                self.commits.append(turns)
                own: dict[str, Any] = {"id": uuid4(), "at": EPOCH, "bot": "test", "bot_version": "", "key": "a"}
                answer = AnswerGiven(**own, reply_to=SESSION, run=uuid4(), text="two")
                await self.publish([Outgoing(BASIC, answer)])
                await asyncio.sleep(5)  # virtual time
                raise BusUnavailable("away")
            await super().commit(turns)

    await talk(Away(disk), Host(), Echo())
    assert sorted(line.split(" ")[1] for line in shown(disk, "a")) == ["1", "2", "3", "4", "one"]
    assert stored(disk, "a", BASIC) == {"count": 4}


@pytest.mark.parametrize("actors", [lambda: [Host(), Echo()], lambda: [Echo(), Host()]])
@virtual_time
async def test_whoever_begins_first(actors: Callable[[], list[Decider[Any]]]) -> None:
    disk = Disk()
    for number in range(1, 20):
        await talk(MemoryBus(disk), *actors(), say=f"{number}", number=number)
    assert [line.split(" ", 1)[1] for line in shown(disk, "a")] == [
        text
        for number in range(1, 20)
        for text in (f"{number}", f"{2 * number - 1} {number}", f"{2 * number} {number}")
    ]


@virtual_time
async def test_an_event_that_kills_is_found_behind_any_number_of_decided_ones() -> None:
    """Their positions wait before what was passed over, so the next owner meets all of it first."""
    disk = Disk()
    passed = [said("a", "decided", number) for number in range(1, 1000)]
    for event in passed:
        event.mark_decided()
    await MemoryBus(disk).publish(to_session(*passed, said("a", "kill", 1000), said("a", "one", 1001)))
    assert await deaths_until_it_lives(disk) == 3
    assert shown(disk, "a") == ["1 one"]
    assert len(disk.dead) == 1


@virtual_time
async def test_a_timer_that_somebody_else_has_set_fires() -> None:
    """Who took a partition for his own that is ours has set it, in the middle of our service's sleep."""
    disk = Disk()
    clock = LoopClock(EPOCH)

    async def set_elsewhere() -> None:
        await asyncio.sleep(5)
        elsewhere = Disk()
        await MemoryBus(elsewhere).publish(to_session(said("a", "later on", 1, clock.now())))
        other = Counting(elsewhere)
        await run_worker(other, [Host(), ScheduleActor()], until_idle=True, clock=clock)
        (turns,) = [turns for turns in other.commits if turns.others]
        turns.advances.clear()
        disk.apply(turns)

    stop = Stop()
    asyncio.get_running_loop().call_at(60, stop.request)
    async with asyncio.TaskGroup() as group:
        group.create_task(set_elsewhere())
        group.create_task(run_worker(MemoryBus(disk), [Host(), ScheduleActor()], stopping=stop, clock=clock))
    assert shown(disk, "a") == ["1 later on", "2 later on"]


class Forgetful:
    """Knows nothing any more of who said 'forget'."""

    name = topic = BASIC
    state = Echoed

    def decide(self, turn: Turn, state: Echoed | None) -> Echoed | None:
        found = Echo().decide(turn, state)
        return None if getattr(turn.event, "text", "") == "forget" else found


@virtual_time
async def test_versions_of_a_state_go_on_after_it_was_forgotten() -> None:
    disk = Disk()
    for number, text in enumerate(("one", "forget", "two"), 1):
        await talk(MemoryBus(disk), Host(), Forgetful(), say=text, number=number)
    assert [line.split(" ", 1)[1] for line in shown(disk, "a")][-2:] == ["1 two", "2 two"]
    assert disk.states[BASIC, "a"].version == 3


@virtual_time
async def test_a_state_that_was_not_there_must_still_not_be_there() -> None:
    disk = Disk()

    class Overtaken(Counting):
        """Another owner writes the first state between the decision and its commit."""

        async def commit(self, turns: Turns) -> None:
            if turns.others and not self.commits:
                self.commits.append(turns)
                disk.apply(Turns(BASIC, BASIC, states=[StateWrite("a", 1, b'{"state":{"count":7}}')]))
            await super().commit(turns)

    await talk(Overtaken(disk), Host(), Forgetful(), say="forget")
    assert shown(disk, "a") == ["1 forget", "2 8 forget", "3 9 forget"]


@virtual_time
async def test_a_state_that_was_mended_is_read_again() -> None:
    disk = Disk()
    await talk(MemoryBus(disk), Host(), Echo())
    good = disk.states[BASIC, "a"]
    disk.states[BASIC, "a"] = Stored(good.version, b"{")
    stop = Stop()
    bus = MemoryBus(disk)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(bus, [Host(), Echo()], stopping=stop))
        # Host's turn looks at the state of 'a' in vain, together with those of the others in its batch.
        await bus.publish(to_session(said("b", "hello", 1), said("a", "later on", 2)))
        await asyncio.sleep(1)
        disk.states[BASIC, "a"] = good
        await bus.publish(to_session(said("a", "two", 3)))
        await asyncio.sleep(5)
        stop.request()
    assert shown(disk, "a")[-2:] == ["6 3 two", "7 4 two"]
    assert not disk.dead


@virtual_time
async def test_nothing_is_decided_at_a_desk_whose_partitions_have_passed_on() -> None:
    disk = Disk()
    stop, left = Stop(), asyncio.Event()

    class Leaving(MemoryBus):
        """Stops before its first turn, which comes after Echo's partitions have passed on."""

        @asynccontextmanager
        async def subscribe(self, topic: str, **options: Any) -> AsyncIterator[Subscription]:
            async with super().subscribe(topic, **options) as subscription:
                yield subscription
            if topic == BASIC:
                left.set()
                await asyncio.sleep(1)

        async def load(self, actor: str, keys: Collection[str]) -> dict[str, Stored]:
            stop.request()
            await left.wait()
            return await super().load(actor, keys)

    bus = Leaving(disk)
    await bus.publish(to_session(said("a", "one", 1)))
    await run_worker(bus, [Host(), Echo()], stopping=stop, options=Options(lanes=1))
    assert decided(disk, BASIC) == [False]


@virtual_time
async def test_who_stops_before_it_has_tried_what_may_kill_says_so() -> None:
    disk = Disk()
    stop = Stop()

    class Away(MemoryBus):
        async def commit(self, turns: Turns) -> None:
            stop.request()
            raise BusUnavailable("away")

    await MemoryBus(disk).publish(to_session(said("a", "kill", 1)))
    dying = MemoryBus(disk)
    with pytest.raises(BaseExceptionGroup):
        await run_worker(dying, [Killer(dying)])
    await run_worker(Away(disk), [Host()], stopping=stop)
    assert disk.group(SESSION, SESSION).clean[partition_of("a", disk.topics[SESSION].partitions)] is False


@virtual_time
async def test_who_gives_back_what_may_kill_before_it_has_tried_it_says_so() -> None:
    disk, stop = Disk(), Stop()
    partitions = disk.topics[SESSION].partitions
    disk.group(SESSION, SESSION).clean.update(dict.fromkeys(range(partitions), False))  # their owners have died
    events = [said(f"key {n}", "one") for n in range(4 * partitions)]

    async def work() -> None:
        clock = LoopClock(EPOCH)
        await run_worker(MemoryBus(disk), [Counter()], stopping=stop, clock=clock, options=Options(lanes=1))

    async with asyncio.TaskGroup() as group:
        for _ in range(2):  # the first has all of them, and gives half of them back
            group.create_task(work())
            await asyncio.sleep(1)  # virtual time
        await MemoryBus(disk).publish(to_session(*events))
        await asyncio.sleep(5)  # virtual time
        stop.request()
    tried = {partition for _, _, partition, _ in disk.attempts}
    assert tried == {partition_of(event.key, partitions) for event in events}
