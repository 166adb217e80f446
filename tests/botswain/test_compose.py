"""What becomes of a conversation whose turn failed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from botswain.compose import policy_of
from bus.memory import Disk, MemoryBus
from schemas.conversation import PersonTyping
from schemas.package import BotPackage

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
