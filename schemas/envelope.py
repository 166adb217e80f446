"""What every event carries, whatever it says."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, dataclass_transform
from uuid import UUID

from msgspec import Meta, Struct, StructMeta, field
from msgspec.json import Encoder
from msgspec.structs import force_setattr

__all__ = ["Event", "JsonValue", "Moment", "Origin", "Value", "to_json"]

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its zone."""

if TYPE_CHECKING:
    JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
else:
    JsonValue = Any  # what is read is JSON; what is not fails when it is written

to_json: Final = Encoder().encode
"""
Anything made of structs and plain values as JSON. What cannot be JSON raises ``TypeError``, ``UnicodeEncodeError``
(half of a surrogate pair) or ``RecursionError``.
"""


class _Kinds(StructMeta):
    """Structs that are frozen, with fields by name only; the tag of each is an attribute as well as a JSON field."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> _Kinds:
        return super().__new__(cls, name, bases, namespace, **{"frozen": True, "kw_only": True, **config})

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_config: Any) -> None:
        super().__init__(name, bases, namespace)
        config = cls.__struct_config__
        if config.tag_field is not None:
            setattr(cls, config.tag_field, config.tag)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class _Frozen(Struct, metaclass=_Kinds, frozen=True, kw_only=True):
    """What every struct of events is made of."""


class Value(_Frozen):
    """
    A frozen part of an event. Unknown fields are ignored, since old code meets newer events in a rollout. What is in a
    field is checked when it is read, not when it is made.
    """


class Origin(NamedTuple):
    """
    Where a decider-made event comes from: the delivery it was decided with, and its place among what was decided.

    For one (actor, partition) the pair (offset, index) only grows, so a receiver that keeps the last one it has seen
    knows a repeat without a table of ids.
    """

    actor: str
    partition: int
    offset: int
    index: int  # type: ignore[assignment]  # hides tuple.index(), which nobody needs here

    def __str__(self) -> str:
        return f"{self.actor}/{self.partition}/{self.offset}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read what ``str()`` wrote. Raises ``ValueError`` for anything else."""
        actor, partition, offset, index = text.split("/")
        return cls(actor, int(partition), int(offset), int(index))


class Event(_Frozen, tag_field="type", omit_defaults=True):
    """
    A frozen, versioned record of something said, asked or done: the only thing that crosses between actors.

    A subclass names its kind and version in its tag (``tag="message.received.v1"``), which is ``type`` to readers, and
    adds fields. A new optional field keeps the version; any other change is a new class with a function in
    ``schemas.catalog`` that lifts the old one. A field that has its default value is not written: a default is part of
    the version.

    Fields are checked when an event is read, not when it is made; unknown ones are ignored.
    """

    type: ClassVar[str]
    id: Annotated[
        UUID, Meta(description="UUIDv7 from an edge or a performer; UUIDv5 of what it was decided on from a decider")
    ]
    at: Annotated[Moment, Meta(description="UTC; what a decider emits carries the time of what it decided on")]
    tenant: str = "default"
    bot: str
    bot_version: Annotated[
        str, Meta(description="content hash of the bot package in force when the turn began; '' if none")
    ]
    key: Annotated[str, Meta(description="ordering key, mostly the session id")]
    cause: Annotated[UUID | None, Meta(description="the event that led to this one")] = None
    turn: Annotated[UUID | None, Meta(description="the inbound event that opened the turn")] = None
    reply_to: Annotated[str | None, Meta(description="the inbox that wants the answer")] = None
    trace: Annotated[str | None, Meta(description="W3C traceparent")] = None
    origin: Annotated[Origin | None, Meta(description="set on what a decider emits")] = None
    decided: Annotated[
        bool,
        Meta(
            description="its inbox's actor has decided it already, in the transaction of its cause and right after it"
        ),
    ] = False

    def mark_decided(self) -> None:
        """Set ``decided``, before anybody else has seen the event."""
        force_setattr(self, "decided", True)
