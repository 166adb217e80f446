"""The topics: one inbox an actor, one topic a channel."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

__all__ = ["BASIC", "CHANNEL_WEB", "DEAD", "INBOXES", "SCHEDULE", "SESSION", "TOPICS", "Topic", "partition_of"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A named log of events; order holds within a partition. *partitions* is fixed when the topic is first made."""

    name: str
    partitions: int
    about: str


SESSION: Final = "session"
BASIC: Final = "basic"
SCHEDULE: Final = "schedule"
CHANNEL_WEB: Final = "channel.web"
DEAD: Final = "dead"

TOPICS: Final[tuple[Topic, ...]] = (
    Topic(SESSION, 8, "inbox of the session actor: what people say, and what comes back for them"),
    Topic(BASIC, 8, "inbox of the basic actor: scripts to run and answers they wait for"),
    Topic(SCHEDULE, 4, "inbox of the schedule actor: timers to set and forget"),
    Topic(CHANNEL_WEB, 64, "what web clients are shown; a partition is the slot of one edge process"),
    Topic(DEAD, 1, "notices of what was set aside"),
)

INBOXES: Final = frozenset({SESSION, BASIC, SCHEDULE})
"""Each read by the decider of that name: what one emits to another may be decided in the same transaction."""


def partition_of(key: str, partitions: int) -> int:
    """The partition of *key*: CRC-32 as librdkafka's default partitioner has it, so its producers agree with ours."""
    return zlib.crc32(key.encode()) % partitions
