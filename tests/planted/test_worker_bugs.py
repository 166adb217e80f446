"""Each planted bug is noticed by the checks that the worker passes without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from bus.errors import BusUnavailable
from bus.memory import Disk, MemoryBus, MemorySubscription
from bus.protocol import Batch, Outgoing, Turns
from bus.worker import Options, run_worker
from tests.planted import worker_bugs as bugs
from tests.simulation.crew import Counter, Echo, Host, deaths_until_it_lives, said, shown, to_session
from tests.simulation.faults import Faults
from tests.simulation.office import Model, Office
from tests.simulation.test_simulation import PAUSES, actors, chatter, chattered, expected, talk
from tests.simulation.virtual import run
from tests.simulation.world import check, check_exactly_once, simulate

SEEDS = 12

Plant = Callable[[], AbstractContextManager[None]]


def conversations() -> None:
    """Conversations in some worlds with faults: everybody is answered once, in order."""
    for seed in range(SEEDS):
        check(simulate(seed, actors, talk, Faults(), patience_s=300), expected())


def pauses() -> None:
    """Processes that were paused for too long say nothing more."""
    for seed in range(SEEDS):
        outcome = simulate(seed, actors, chatter, PAUSES, patience_s=600)
        check(outcome, chattered())
        check_exactly_once(outcome)


def deadly_events() -> None:
    """An event that kills its process three times is set aside."""

    async def scenario() -> None:
        disk = Disk()
        await MemoryBus(disk).publish(to_session(said("a", "kill", 1), said("a", "two", 2)))
        assert await deaths_until_it_lives(disk) == 3

    run(0, scenario())


def bounded_intake() -> None:
    """A performer has no more in hand than it may."""

    async def scenario() -> None:
        office, model, taken = Office(), Model(), [0]

        class Watched(MemorySubscription):
            async def take(self, limit: int) -> Batch:
                batch = await super().take(limit)
                taken[0] += len(batch.deliveries)
                assert taken[0] - len(model.ended) <= 10
                return batch

        await office.hears(*("takes 1" for _ in range(30)))
        office.bus.subscriptions = Watched
        await office.works(model, Options(intake=10))

    run(0, scenario())


def cancelling() -> None:
    """A worker that is cancelled ends, whatever it waits for."""

    async def scenario() -> None:
        class Hanging(MemoryBus):
            hangs = True

            async def publish(self, outgoing: Sequence[Outgoing]) -> None:
                while self.hangs:
                    await asyncio.sleep(1)

        disk = Disk()
        await MemoryBus(disk).publish(to_session(said("a", "x", 1, reply_to="basic")))
        bus = Hanging(disk)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(run_worker(bus, [Model()]))
            await asyncio.sleep(5)
            working.cancel()
            _, pending = await asyncio.wait([working], timeout=5)
            bus.hangs = False
            for task in pending:
                # What swallowed it once is done waiting now, and ends when it is cancelled where it waits for more.
                while not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=1)
        assert not pending

    run(0, scenario())


def failed_commits() -> None:
    """A commit that fails leaves nothing behind, in memory either."""

    async def scenario() -> None:
        class Refusing(MemoryBus):
            refusals = 3

            async def commit(self, turns: Turns) -> None:
                if self.refusals:
                    self.refusals -= 1
                    raise BusUnavailable("not now")
                await super().commit(turns)

        disk = Disk()
        bus = Refusing(disk)
        await bus.publish(to_session(said("a", "one", 1)))
        await run_worker(bus, [Counter()], until_idle=True)
        assert shown(disk, "a") == ["1 one"]

    run(0, scenario())


def order_of_emission() -> None:
    """An answer is worked on after the one before it, however they travel."""

    async def scenario() -> None:
        disk = Disk()
        await MemoryBus(disk).publish(to_session(said("a", "one", 1)))
        await run_worker(MemoryBus(disk), [Host()], until_idle=True)
        await MemoryBus(disk).publish(to_session(said("a", "two", 2)))
        await run_worker(MemoryBus(disk), [Host(), Echo()], until_idle=True)
        spoken = [line.split(" ", 1)[1] for line in shown(disk, "a")]
        assert [text for text in spoken if text[0].isdigit()] == ["1 one", "2 one", "3 two", "4 two"]

    run(0, scenario())


CASES: list[tuple[Plant, Callable[[], None]]] = [
    (bugs.position_committed_before_the_work, conversations),
    (bugs.repeat_recognised_by_offset_only, conversations),
    (bugs.repeats_not_recognised, conversations),
    (bugs.lost_partition_still_commits, pauses),
    (bugs.attempt_counted_after_the_try, deadly_events),
    (bugs.unbounded_mailbox, bounded_intake),
    (bugs.cancelled_error_swallowed, cancelling),
    (bugs.states_kept_after_a_failed_commit, failed_commits),
    (bugs.decided_before_what_was_emitted_before, order_of_emission),
]


@pytest.mark.parametrize(("plant", "checks"), CASES, ids=[plant.__name__ for plant, _ in CASES])
def test_planted_bug_is_noticed(plant: Plant, checks: Callable[[], None]) -> None:
    with plant(), pytest.raises((AssertionError, TimeoutError, ExceptionGroup)):
        checks()


@pytest.mark.parametrize("checks", {checks: None for _, checks in CASES}, ids=lambda checks: checks.__name__)
def test_without_bugs_nothing_is_noticed(checks: Callable[[], None]) -> None:
    checks()
