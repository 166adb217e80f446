"""The real session and basic actors in worlds that fail: a dialog of a script is the same in all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.basic import BasicActor
from actors.schedule import ScheduleActor
from actors.session import SessionActor
from bus.actor import Decider
from schemas.conversation import ConversationOpened, Person
from schemas.package import BotPackage, digest_of
from tests.simulation.faults import Faults
from tests.simulation.world import Actors, World, check, simulate

SCRIPT = """
TALK "What is your name?"
HEAR name
FOR i = 1 TO 3
    TALK "Hello " + name + ", number " + i
    HEAR answer
    IF i = 2 THEN WAIT 2.5
NEXT
TALK "Goodbye, " + name + ". Your last word was " + answer
WAIT 0
TALK LEN(SPLIT(history, CHR(10))) + " lines"
"""
PACKAGE = BotPackage(name="greeter", scripts={"start": SCRIPT}).to_bytes()
VERSION = digest_of(PACKAGE)
CLIENTS = 3
SEEDS = 200


def actors() -> Sequence[Decider[Any]]:
    return [SessionActor(), BasicActor(), ScheduleActor()]


async def dialogs(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_dialog(world, f"person {number}"))


async def _dialog(world: World, name: str) -> None:
    client = world.client(name, bot="greeter", bot_version=VERSION)
    await client.publish(ConversationOpened, channel="web", person=Person(id=client.key), slot=0)
    for number, text in enumerate((name, "one", "two", "three"), 1):
        await client.hears(number)
        await client.say(text)
    await client.hears(6)


def expected() -> dict[str, list[str]]:
    return {
        (name := f"person {number}"): [
            "What is your name?",
            *(f"Hello {name}, number {i}" for i in (1, 2, 3)),
            f"Goodbye, {name}. Your last word was three",
            "9 lines",
        ]
        for number in range(CLIENTS)
    }


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_a_dialog_is_the_same_in_all_worlds(first: int) -> None:
    for seed in range(first, first + 20):
        try:
            check(simulate(seed, actors, dialogs, Faults(), resources={VERSION: PACKAGE}, patience_s=600), expected())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize(
    "crews",
    [
        [lambda: [SessionActor()], lambda: [BasicActor()], lambda: [ScheduleActor()]],
        [lambda: [SessionActor(), ScheduleActor()], lambda: [BasicActor()], actors],
    ],
    ids=["each its own", "some have all"],
)
def test_processes_need_not_run_the_same_actors(crews: Sequence[Actors]) -> None:
    """What would be decided at once goes through the log instead."""
    for seed in range(25):
        try:
            outcome = simulate(
                seed, actors, dialogs, Faults(), crews=crews, resources={VERSION: PACKAGE}, patience_s=3600
            )
            check(outcome, expected())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def test_same_seed_same_bytes() -> None:
    once, again = (simulate(7, actors, dialogs, Faults(), resources={VERSION: PACKAGE}) for _ in range(2))
    assert once.log == again.log
