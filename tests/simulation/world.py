"""
The worker, its actors and the people who talk to them, in a world where everything that can fail does.

``simulate`` plays a script; the same seed gives the same world, byte for byte. ``check`` holds what people saw against
what was promised: each message that was acknowledged is answered once, in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import UUID, uuid5

import structlog

from bus.actor import Decider, Performer
from bus.clock import LoopClock
from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus
from bus.protocol import Outgoing
from bus.stopping import Stop
from bus.worker import Options, run_worker
from schemas.conversation import Message, MessageReady, MessageReceived, Person
from schemas.envelope import Event
from schemas.topics import CHANNEL_WEB, SESSION
from tests.simulation import virtual
from tests.simulation.crew import decoded
from tests.simulation.faults import NO_FAULTS, Faults, FaultyBus

_NAMES: Final = UUID("6f2d1c80-7a4e-4b57-9c0e-000000000001")
PATIENCE_S: Final = 3600.0

Actors = Callable[[], Sequence[Decider[Any] | Performer]]


class Client:
    """One person, at one end of a conversation."""

    def __init__(self, world: World, name: str, bot: str, bot_version: str) -> None:
        self.name = name
        self.key = str(uuid5(_NAMES, name))
        self.saw: list[MessageReady] = []
        self._world = world
        self._bot = bot
        self._bot_version = bot_version
        self._said = 0
        self._came = asyncio.Condition()

    async def say(self, text: str) -> None:
        """Returns when it is durable; as a client does, it sends again what was not acknowledged."""
        self._said += 1
        message_id = f"{self.name}/{self._said}"
        await self.publish(
            MessageReceived,
            id=uuid5(_NAMES, message_id),
            message_id=message_id,
            channel="web",
            person=Person(id=self.key),
            text=text,
            slot=0,
        )

    async def publish(self, event: type[Event], **fields: Any) -> None:
        """Something else that an edge says, to the session actor."""
        name = f"{self.name}/{event.__name__}/{self._said}"
        envelope = {"id": uuid5(_NAMES, name), "at": self._world.clock.now(), "key": self.key}
        made = event(**{**envelope, "bot": self._bot, "bot_version": self._bot_version, **fields})
        while True:
            try:
                await self._world.edge.publish([Outgoing(SESSION, made)])
                return
            except BusUnavailable:
                await asyncio.sleep(0.5)

    def messages(self) -> list[Message]:
        """The conversation as the person sees it: a message that came twice is shown once."""
        return list({ready.message.id: ready.message for ready in self.saw if not ready.repeat}.values())

    def answers(self) -> list[str]:
        return [message.text for message in self.messages() if message.role != "user"]

    async def hears(self, count: int) -> None:
        """Until so many answers have come since the conversation began."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.answers()) >= count)

    async def see(self, ready: MessageReady) -> None:
        async with self._came:
            self.saw.append(ready)
            self._came.notify_all()


@dataclass(slots=True)
class World:
    """What a script has at hand."""

    disk: Disk
    edge: MemoryBus
    clock: LoopClock
    clients: dict[str, Client] = field(default_factory=dict)

    def client(self, name: str, *, bot: str = "test", bot_version: str = "") -> Client:
        """A person who has said nothing yet."""
        client = Client(self, name, bot, bot_version)
        self.clients[client.key] = client
        return client


Script = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a simulation leaves.

    Args:
        log: everything that was ever said, and the states at the end.
        took_s: how long the script took, of virtual time.
        saw: by client name, the conversation as it was shown.
        crashes: how many processes died.
    """

    log: bytes
    took_s: float
    saw: Mapping[str, list[Message]]
    disk: Disk
    crashes: int


def simulate(
    seed: int,
    actors: Actors,
    script: Script,
    faults: Faults = NO_FAULTS,
    *,
    processes: int = 2,
    crews: Sequence[Actors] = (),
    resources: Mapping[str, bytes] | None = None,
    disk: Callable[[], Disk] | None = None,
    patience_s: float = PATIENCE_S,
) -> Outcome:
    """
    Play *script* until it returns and nothing more is to do.

    Args:
        actors: makes the actors of a process that starts.
        crews: of each process, where they are not all *actors*.
        disk: makes the disk, where *resources* are not enough.
        patience_s: how long the script may take, of virtual time.

    Raises:
        ExceptionGroup: when an actor or the worker fails in a way that is none of the faults.
        TimeoutError: the script has not ended in time, for example because an answer never came.
    """
    make_disk = disk or (lambda: Disk(resources=resources))
    all_crews = crews or [actors] * processes
    with structlog.testing.capture_logs():
        return virtual.run(seed, _play(seed, actors, script, faults, all_crews, make_disk, patience_s))


async def _play(
    seed: int,
    actors: Actors,
    script: Script,
    faults: Faults,
    crews: Sequence[Actors],
    make_disk: Callable[[], Disk],
    patience_s: float,
) -> Outcome:
    disk = make_disk()
    # The edge lives on: what it does with its own crashes is its own test's business.
    edge = FaultyBus(disk, Random(f"{seed}/edge"), _of_an_edge(faults))
    world = World(disk, edge, LoopClock())
    crew = [_Process(f"{seed}/{number}", disk, own, faults, world.clock) for number, own in enumerate(crews)]
    async with asyncio.timeout(patience_s), asyncio.TaskGroup() as group:
        reading = asyncio.Event()
        reader = group.create_task(_read(world, reading))
        await reading.wait()
        lives = [group.create_task(process.live()) for process in crew]
        await script(world)
        took_s = asyncio.get_running_loop().time()
        for process in crew:
            process.end()
        for life in lives:
            await life
        # What was still under way is finished in a world without faults.
        await run_worker(
            MemoryBus(disk), actors(), until_idle=True, clock=world.clock, random=Random(seed), options=_OPTIONS
        )
        reader.cancel()
    saw = {client.name: client.messages() for client in world.clients.values()}
    return Outcome(_bytes(disk), took_s, saw, disk, sum(process.crashes for process in crew))


# A process dies of its world here, never of an event: none is to be set aside for that.
_OPTIONS: Final = Options(max_attempts=1_000_000, batch=16, max_states=5)


class _Process:
    """A process that is started again whenever it dies."""

    def __init__(self, seed: str, disk: Disk, actors: Actors, faults: Faults, clock: LoopClock) -> None:
        self.crashes = 0
        self._random = Random(f"{seed}/process")
        self._disk = disk
        self._actors = actors
        self._faults = faults
        self._clock = clock
        self._stop = Stop()
        self._bus: FaultyBus | None = None

    async def live(self) -> None:
        while not self._stop.requested:
            bus = self._bus = FaultyBus(self._disk, self._random, self._faults)
            async with asyncio.TaskGroup() as group:
                worker = group.create_task(
                    run_worker(
                        bus,
                        self._actors(),
                        stopping=self._stop,
                        clock=self._clock,
                        random=self._random,
                        options=_OPTIONS,
                    )
                )
                death = group.create_task(bus.died.wait())
                await asyncio.wait((worker, death), return_when=asyncio.FIRST_COMPLETED)
                worker.cancel()
                death.cancel()
            if bus.died.is_set():
                self.crashes += 1
                await asyncio.sleep(self._random.uniform(0, 5))

    def end(self) -> None:
        if self._bus is not None:
            self._bus.faults = NO_FAULTS
        self._stop.request()


def _of_an_edge(faults: Faults) -> Faults:
    return Faults(
        crash=0,
        delay=faults.delay,
        longest_delay_s=faults.longest_delay_s,
        unavailable=faults.unavailable,
        unknown_outcome=faults.unknown_outcome,
        duplicate=faults.duplicate,
        pause=0,
        lost_wake_up=faults.lost_wake_up,
    )


async def _read(world: World, reading: asyncio.Event) -> None:
    """What an edge does with what is to be shown."""
    async with MemoryBus(world.disk).subscribe(CHANNEL_WEB, group="edge", start="end") as subscription:
        await subscription.take(100)
        reading.set()
        while True:
            batch = await subscription.take(100)
            for delivery in batch.deliveries:
                event = delivery.event
                if isinstance(event, MessageReady) and event.key in world.clients:
                    await world.clients[event.key].see(event)


def _bytes(disk: Disk) -> bytes:
    lines = [
        b"%b/%d %b" % (topic.encode(), partition, record.data)
        for topic, partitions in disk.log.items()
        for partition, records in enumerate(partitions)
        for record in records
    ]
    lines += [b"%b %b %b" % (actor.encode(), key.encode(), s.value) for (actor, key), s in sorted(disk.states.items())]
    return b"\n".join(lines)


def check(outcome: Outcome, expected: Mapping[str, Sequence[str]]) -> None:
    """
    What everybody saw is what was promised.

    Args:
        expected: by client name, the answers, in order.
    """
    for name, answers in expected.items():
        messages = outcome.saw[name]
        assert [message.seq for message in messages] == list(range(1, len(messages) + 1)), f"{name}: numbers"
        assert [message.text for message in messages if message.role != "user"] == list(answers), f"{name}: answers"
    assert not outcome.disk.dead, [letter.reason for letter in outcome.disk.dead.values()]


def check_exactly_once(outcome: Outcome) -> None:
    """What deciders say is in the log once; for worlds that do not repeat it themselves."""
    origins = Counter(
        (topic, str(event.origin))
        for topic in outcome.disk.topics
        for event in decoded(outcome.disk, topic)
        if event.origin is not None
    )
    assert [place for place, times in origins.items() if times > 1] == []
