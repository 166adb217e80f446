"""What the parts are given: what becomes of a conversation whose turn failed, and who compiles."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from botswain.compose import make_actors, policy_of
from botswain.settings import Settings
from bus.actor import Resource, Turn
from bus.errors import NotReady
from bus.memory import Disk, MemoryBus
from schemas.conversation import Person, PersonTyping
from schemas.dialog import RunRequested
from schemas.package import BotPackage, digest_of

PACKAGES = {
    "block": BotPackage(name="a", config={"failed-turn": " Block "}).to_bytes(),
    "skip": BotPackage(name="a").to_bytes(),
    "damaged": b'{"name": "a", "config": 5',
    "foreign": b"\xff\x00",
}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("block", "block"), ("skip", "skip"), ("damaged", "skip"), ("foreign", "skip"), ("gone", "skip"), ("", "skip")],
)
async def test_the_bot_says_what_becomes_of_a_failed_turn(version: str, expected: str) -> None:
    """A package that cannot be read says nothing; it must not end the worker that asks."""
    event = PersonTyping(id=UUID(int=1), at=datetime(2026, 1, 1, tzinfo=UTC), bot="a", bot_version=version, key="k")
    assert await policy_of(MemoryBus(Disk(resources=PACKAGES)))("session", event) == expected


def test_a_worker_of_ours_does_not_compile_long_scripts_while_others_wait() -> None:
    package = BotPackage(name="a", scripts={"start": "REM " + "-" * 100_000}).to_bytes()
    (basic,) = make_actors(Settings(), ["basic"])
    asked = RunRequested(
        id=UUID(int=1),
        at=datetime(2026, 1, 1, tzinfo=UTC),
        bot="a",
        bot_version=digest_of(package),
        key="k",
        run=UUID(int=2),
        script="start",
        trigger="start",
        channel="web",
        person=Person(id="p"),
    )
    deciding = basic.decide(Turn("basic", 0, 0, asked), None)
    assert isinstance(deciding, Generator)
    assert next(deciding) == Resource(digest_of(package))
    with pytest.raises(NotReady):
        deciding.send(package)
