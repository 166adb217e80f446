"""A batch in hand: what it changes, which states it touches, and what becomes of them after the commit."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bus.actor import Turn
from bus.desk import Desk
from bus.protocol import StateWrite, Transaction, Turns
from bus.states import Kept

__all__ = ["Work"]


@dataclass(slots=True)
class Work:
    """
    Args:
        desk: whose batch it is.
        stack: what ends with the batch. The database transaction is opened by the first query in it, if there is one.
        touched: the states that were decided on.
        borrowed: desks of other actors that work for this batch until its end.
        decided: events that were decided, by actor.
    """

    desk: Desk
    turns: Turns
    stack: AsyncExitStack
    touched: dict[Kept, tuple[Desk, str]] = field(default_factory=dict)
    borrowed: dict[Desk, None] = field(default_factory=dict)
    transaction: Transaction | None = None
    notes: list[Turn] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)

    def take(self, turn: Turn) -> None:
        """What a turn that went well adds, besides its state and its events."""
        if turn.rows:
            self.turns.rows += turn.rows
        if turn.notes:
            self.notes.append(turn)

    def conclude(self) -> None:
        """
        The writes that follow from what was decided.

        Raises whatever the serializer of a state raises.
        """
        for kept, (desk, key) in self.touched.items():
            if not kept.dirty:
                kept.keep()
            # One that is not there and is not to be is written, too: so it is certain that it still is not there.
            write = StateWrite(key, kept.version + 1, kept.value)
            if desk is self.desk:
                self.turns.states.append(write)
            else:
                self.turns.others.setdefault(desk.name, []).append(write)

    def committed(self) -> None:
        """All of it is durable."""
        for kept, (desk, key) in self.touched.items():
            size = kept.size
            kept.committed()
            desk.states.put(key, kept, size)
        for desk in (self.desk, *self.borrowed):
            desk.states.trim()
            if desk.listener is not None:
                desk.listener.committed(self.turns)
        for advance in self.turns.advances:
            self.desk.positions[advance.partition] = advance.end

    def void(self) -> None:
        """What was decided did not happen: the states in memory are wrong."""
        for desk, key in self.touched.values():
            desk.states.drop((key,))

    def end(self) -> None:
        """Give back what was borrowed."""
        for desk in self.borrowed:
            desk.give()
        self.borrowed.clear()
