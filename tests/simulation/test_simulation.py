"""Conversations in many worlds that fail in many ways: what people see is always the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.schedule import ScheduleActor
from bus.actor import Decider
from tests.simulation.crew import Echo, Host
from tests.simulation.faults import NO_FAULTS, Faults
from tests.simulation.world import World, check, check_exactly_once, simulate

SEEDS = 200
CLIENTS = 3
MESSAGES = 25
PAUSES = Faults(duplicate=0, pause=0.02)
EXPECTED = ["1 one", "2 one", "3 two", "4 two", "later three", "5 four", "6 four"]


def actors() -> Sequence[Decider[Any]]:
    return [Host(), Echo(), ScheduleActor()]


async def talk(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_one_talks(world, f"client {number}"))


async def _one_talks(world: World, name: str) -> None:
    client = world.client(name)
    await client.say("one")
    await client.hears(2)
    await client.say("two")
    await client.hears(4)
    await client.say("later three")
    await client.hears(5)
    await client.say("four")
    await client.hears(7)


async def chatter(world: World) -> None:
    """People who do not wait for answers."""
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_one_chatters(world, f"client {number}"))


async def _one_chatters(world: World, name: str) -> None:
    client = world.client(name)
    for number in range(MESSAGES):
        await client.say(f"{number}")
    await client.hears(2 * MESSAGES)


def chattered() -> dict[str, list[str]]:
    answers = [f"{number + 1} {number // 2}" for number in range(2 * MESSAGES)]
    return {f"client {number}": answers for number in range(CLIENTS)}


def expected() -> dict[str, list[str]]:
    return {f"client {number}": EXPECTED for number in range(CLIENTS)}


def test_without_faults() -> None:
    check(simulate(0, actors, talk, NO_FAULTS, processes=1), expected())


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_everybody_is_answered_once_and_in_order(first: int) -> None:
    for seed in range(first, first + 20):
        try:
            check(simulate(seed, actors, talk, Faults()), expected())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("seed", range(30))
def test_who_lost_a_partition_says_nothing_more(seed: int) -> None:
    """Processes are paused until others have taken over what they own, and go on as if nothing had happened."""
    outcome = simulate(seed, actors, chatter, PAUSES)
    check(outcome, chattered())
    check_exactly_once(outcome)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_same_seed_same_bytes(seed: int) -> None:
    once, again = (simulate(seed, actors, talk, Faults()) for _ in range(2))
    assert once.log == again.log, f"seed {seed}"
    assert once.crashes == again.crashes
    assert simulate(seed + 1000, actors, talk, Faults()).log != once.log
