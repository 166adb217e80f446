"""
Events as Kafka records and back: the binary mode of the CloudEvents 1.0 Kafka binding.

The value is the event's JSON, the key its ordering key; ``ce_*`` headers repeat the envelope, so any Kafka tool can
show, route and filter without our schemas. Of the headers only ``ce_type`` is needed to read a record.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from bus.codec import attributes, decode, encode
from bus.postgres.store import Kept
from bus.protocol import Outgoing, Record, Undecodable
from schemas.envelope import Event
from schemas.topics import partition_of

__all__ = ["Placed", "place", "place_decided", "place_stored", "read"]

_TYPE: Final = "ce_type"
_CONTENT_TYPE: Final = ("content-type", b"application/json")

Headers = list[tuple[str, bytes]]


class Placed(NamedTuple):
    """A record and where it goes. *topic* is our name of it, without the installation's prefix."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


def place(outgoing: Outgoing, partitions: int) -> Placed:
    """The record of *outgoing*, whose topic has so many partitions. Raises ``ValueError``: it has no such partition."""
    event = outgoing.event
    record = encode(event)
    partition = partition_of(record.key, partitions) if outgoing.partition is None else outgoing.partition
    if not 0 <= partition < partitions:
        raise ValueError(f"{outgoing.topic} has no partition {partition}")
    return Placed(outgoing.topic, partition, record.key.encode(), record.data, _headers(event))


def place_decided(event: Event, kept: Kept) -> Placed:
    """The record of *event*, which the outbox has as *kept*."""
    return Placed(kept.topic, kept.partition, kept.record.key.encode(), kept.record.data, _headers(event))


def place_stored(kept: Kept) -> Placed:
    """A record that was found in the outbox. One that this program cannot read keeps its type, at least."""
    event = decode(kept.record)
    if not isinstance(event, Undecodable):
        return place_decided(event, kept)
    headers = [(_TYPE, kept.record.type.encode()), _CONTENT_TYPE]
    return Placed(kept.topic, kept.partition, kept.record.key.encode(), kept.record.data, headers)


def read(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Event | Undecodable:
    """The event of a record; whatever the bytes are, it does not raise."""
    type_: bytes | None = None
    for name, content in headers:
        if name == _TYPE:
            type_ = content
            break
    return decode(Record(_text(key), _text(type_), value or b""))


def _headers(event: Event) -> Headers:
    headers = [(_header(name), value.encode()) for name, value in attributes(event).items()]
    headers.append(_CONTENT_TYPE)
    return headers


@cache
def _header(attribute: str) -> str:
    return "ce_" + attribute


def _text(found: bytes | None) -> str:
    """Foreign bytes as text that PostgreSQL can keep as well: no invalid UTF-8, no NUL."""
    return (found or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
