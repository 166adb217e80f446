"""How far every actor is behind its inbox, whatever carries the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from botswain.installation import kafka_options
from botswain.settings import Settings
from bus.postgres.reads import Reads
from schemas.topics import CHANNEL_WEB

__all__ = ["GroupOverview", "TopicOverview", "overview"]

ASK_S: Final = 10.0
# Who listens there begins at the end each time, and keeps no position: there is nothing to be behind of.
LIVE: Final = frozenset({CHANNEL_WEB})


@dataclass(slots=True)
class GroupOverview:
    """*owned* partitions are in somebody's work; *lag* counts events to be read, None where only news are read."""

    owned: int = 0
    lag: int | None = 0


@dataclass(slots=True)
class TopicOverview:
    """*newest* is the sum of the newest offsets of the partitions."""

    topic: str
    partitions: int = 0
    newest: int = 0
    groups: dict[str, GroupOverview] = field(default_factory=dict)


async def overview(settings: Settings, reads: Reads) -> list[TopicOverview]:
    """All topics in the order of their declaration. Raises ``BusUnavailable``."""
    heads = {(row.topic, row.partition): row.head for row in await reads.topics()}
    elsewhere = settings.bus == "kafka"
    if elsewhere:
        from bus.kafka.topics import log_ends  # an extra: who does not use it need not have it

        options = kafka_options(settings)
        ends = await log_ends(settings.kafka.bootstrap, heads, topic_name=options.name, timeout_s=ASK_S)
        heads = {place: ends.get(place, 0) for place in heads}
    found: dict[str, TopicOverview] = {}
    for (topic, _), head in heads.items():
        entry = found.setdefault(topic, TopicOverview(topic))
        entry.partitions += 1
        entry.newest += head
    for row in await reads.groups():
        entry = found.setdefault(row.topic, TopicOverview(row.topic))
        group = entry.groups.setdefault(row.group, GroupOverview())
        group.owned += row.owned
        if row.topic in LIVE or group.lag is None:
            group.lag = None
        else:
            lag = heads.get((row.topic, row.partition), 0) - row.position if elsewhere else row.lag
            group.lag += max(0, lag)
    return list(found.values())
