"""The worker runs deciders: what a batch of turns leaves behind."""

from __future__ import annotations

from pydantic_core import from_json
from simulation.crew import Counter, said, to_session

from bus import codec
from bus.memory import Disk, MemoryBus
from bus.worker import run_worker
from schemas.conversation import MessageReady
from schemas.topics import CHANNEL_WEB, SESSION


def shown(disk: Disk, key: str) -> list[str]:
    """What was said to the person of *key*, with its number."""
    events = [codec.decode(record) for partition in disk.log[CHANNEL_WEB] for record in partition]
    return [f"{e.message.seq} {e.message.text}" for e in events if isinstance(e, MessageReady) and e.key == key]


def kept(disk: Disk, key: str, actor: str = SESSION) -> dict[str, object]:
    state: dict[str, object] = from_json(disk.states[actor, key].value)["state"]
    return state


async def test_until_idle_answers_everything_once_and_in_order() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("b", "two", 1), said("a", "three", 2)))
    await run_worker(bus, [Counter()], until_idle=True)
    assert shown(disk, "a") == ["1 one", "2 three"]
    assert shown(disk, "b") == ["1 two"]
    assert kept(disk, "a")["heard"] == ["one", "three"]
    await run_worker(bus, [Counter()], until_idle=True)
    assert shown(disk, "a") == ["1 one", "2 three"]


async def test_one_bad_event_is_set_aside_and_the_rest_goes_on() -> None:
    disk = Disk()
    bus = MemoryBus(disk)
    await bus.publish(to_session(said("a", "one", 1), said("a", "fail", 2), said("a", "three", 3), said("b", "two", 1)))
    await run_worker(bus, [Counter()], until_idle=True)
    assert shown(disk, "a") == ["1 one", "2 three"]
    assert shown(disk, "b") == ["1 two"]
    assert kept(disk, "a") == {"heard": ["one", "three"], "failures": 1, "ids": ["a/1", "a/3"]}
    (letter,) = disk.dead.values()
    assert letter.reason == "ValueError: asked to fail"
    assert "asked to fail" in letter.traceback
    assert codec.decode(letter.record) == said("a", "fail", 2)
    assert len(disk.log["dead"][0]) == 1
