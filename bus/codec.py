"""
Events to records and back. Nobody else touches the wire form.

A record's data is the whole event as one JSON object. On Kafka its envelope stands in ``ce_*`` headers as well: the
binary mode of the CloudEvents 1.0 Kafka binding, so that any Kafka tool can route and filter without our schemas.
"""

from __future__ import annotations

from datetime import UTC

from pydantic import ValidationError

from bus.protocol import Record, Undecodable
from schemas.catalog import EVENTS, upcast
from schemas.envelope import Event

__all__ = ["attributes", "decode", "encode"]


def encode(event: Event) -> Record:
    """The record of *event*. Fields that are null are left out: they are the defaults."""
    return Record(event.key, event.type, event.__pydantic_serializer__.to_json(event, exclude_none=True))


def decode(record: Record) -> Event | Undecodable:
    """The event of *record*, lifted to its newest version; what is none is told with the reason, never raised."""
    known = EVENTS.get(record.type)
    if known is None:
        return Undecodable(record, f"unknown type {record.type!r}")
    try:
        return upcast(known.__pydantic_validator__.validate_json(record.data))
    except (ValidationError, ValueError, RecursionError) as error:
        return Undecodable(record, f"{type(error).__name__}: {error}")


def attributes(event: Event) -> dict[str, str]:
    """
    The CloudEvents attributes of *event*, without the ``ce_`` prefix of the Kafka binding. Names of extension
    attributes are lower case letters and digits only (CloudEvents 1.0, section 3.1); unset ones are left out.
    """
    found = {
        "specversion": "1.0",
        "id": str(event.id),
        "type": event.type,
        "source": f"/{event.tenant}/{event.bot}",
        "time": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "tenant": event.tenant,
        "bot": event.bot,
        "botversion": event.bot_version,
    }
    optional = {
        "cause": event.cause,
        "turn": event.turn,
        "replyto": event.reply_to,
        "traceparent": event.trace,
        "origin": event.origin,
    }
    found.update({name: str(value) for name, value in optional.items() if value is not None})
    return found
