"""
What can go wrong on the bus.

::

    BusError
    ├── BusUnavailable      the database or broker cannot be reached now          (retriable)
    ├── PartitionLost       another owner has gone on with the partition          (retriable, by that owner)
    ├── StateConflict       another owner has written a state meanwhile           (retriable)
    ├── NotReady            a decider needs something that takes long to make   (retriable, once it is made)
    ├── TooLarge            an event is over the size limit
    ├── NotEncodable        something in an event cannot be JSON
    ├── QueryFailed         a decider's query was refused by the database
    ├── SchemaMismatch      the database is older or newer than the program
    └── UnknownTopic        nobody declared the topic
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

__all__ = [
    "BusError",
    "BusUnavailable",
    "NotEncodable",
    "NotReady",
    "PartitionLost",
    "QueryFailed",
    "SchemaMismatch",
    "StateConflict",
    "TooLarge",
    "UnknownTopic",
]


class BusError(Exception):
    """Anything that the bus refuses or cannot do."""

    retriable: ClassVar[bool] = False


class BusUnavailable(BusError):
    """The database or broker cannot be reached now."""

    retriable = True


class PartitionLost(BusError):
    """Another owner has gone on with the partition; what was decided here is void."""

    retriable = True

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"partition {partition} of {topic} has another owner")
        self.topic = topic
        self.partition = partition


class StateConflict(BusError):
    """A state is not at the version that it was decided on; what was decided is void, and is decided anew."""

    retriable = True


class NotReady(BusError):
    """
    Raised by a decider that needs something which takes long to make: the turn is decided anew once it is made.

    Args:
        make: makes it; must end in its time, raise nothing, and not have the decider ask for the same thing again.
    """

    retriable = True

    def __init__(self, message: str, make: Callable[[], Awaitable[None]]) -> None:
        super().__init__(message)
        self.make = make


class TooLarge(BusError):
    """An event is over the size limit."""

    def __init__(self, type_: str, size: int, limit: int) -> None:
        super().__init__(f"{type_} takes {size} bytes, the limit is {limit}")
        self.size = size
        self.limit = limit


class NotEncodable(BusError):
    """Something in an event cannot be JSON: half of a surrogate pair, an object that is no value."""

    def __init__(self, type_: str, error: Exception) -> None:
        super().__init__(f"{type_} cannot be written: {type(error).__name__}: {error}")


class QueryFailed(BusError):
    """A decider's query was refused by the database. *code* is the SQLSTATE."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SchemaMismatch(BusError):
    """The database is older or newer than the program."""


class UnknownTopic(BusError):
    """Nobody declared the topic."""
