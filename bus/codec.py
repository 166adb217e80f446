"""
Events to records and back. Nobody else touches the wire form.

A record's data is the whole event as one JSON object. On Kafka its envelope stands in ``ce_*`` headers as well: the
binary mode of the CloudEvents 1.0 Kafka binding, so that any Kafka tool can route and filter without our schemas.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

from msgspec.json import Decoder

from bus.errors import NotEncodable
from bus.protocol import Record, Undecodable
from schemas.catalog import EVENTS, upcast
from schemas.envelope import Event, to_json

__all__ = ["attributes", "decode", "encode"]


_DECODERS: Final = {type_: Decoder(event) for type_, event in EVENTS.items()}


def encode(event: Event) -> Record:
    """
    The record of *event*. Fields that have their default value are left out.

    Raises ``NotEncodable``. Nothing but that is found here: a value of a wrong type that can be JSON is not, and the
    record of it is ``Undecodable``.
    """
    try:
        return Record(event.key, event.type, to_json(event))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotEncodable(event.type, error) from error


def decode(record: Record) -> Event | Undecodable:
    """The event of *record*, lifted to its newest version; what is none is told with the reason, never raised."""
    decoder = _DECODERS.get(record.type)
    if decoder is None:
        return Undecodable(record, f"unknown type {record.type!r}")
    try:
        return upcast(decoder.decode(record.data))
    except (ValueError, RecursionError) as error:  # all that a decoder raises
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
