"""What commits have superseded and nobody needs any more; deleted in bulk, behind the scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bus.postgres.database import Database, mapped
from bus.postgres.statements import sql
from bus.protocol import Advance, StateWrite

__all__ = ["Superseded"]

MOST_REMEMBERED: Final = 100_000


class Superseded:
    """
    Which versions of states and which positions are old, known from what this process has written.

    A sweep deletes a range that begins where the last one ended. What a process that died had not yet swept goes with
    the first sweep of the next owner that writes the same key, since that range begins at 0.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], int] = {}  # newest version, of those written since the last sweep
        self._positions: dict[tuple[str, int, int], int] = {}  # newest "begin"
        self._swept_states: dict[tuple[str, str], int] = {}
        self._swept_positions: dict[tuple[str, int, int], int] = {}

    def wrote(self, actor: str, topic: int, states: Sequence[StateWrite], advances: Sequence[Advance]) -> None:
        """These are durable now."""
        newest = self._states
        for state in states:
            if state.value is not None:
                newest[actor, state.key] = state.version
        for advance in advances:
            self._positions[actor, topic, advance.partition] = advance.begin

    def _begin(self, place: tuple[str, str], version: int) -> int:
        """Where the last sweep ended, unless versions have begun anew: the state was forgotten, and even that is."""
        swept = self._swept_states.get(place, 0)
        return swept if swept < version else 0

    async def sweep(self, database: Database) -> None:
        """Delete what is superseded by now."""
        states, self._states = self._states, {}
        positions, self._positions = self._positions, {}
        if len(self._swept_states) > MOST_REMEMBERED:
            self._swept_states.clear()
        old = [(*place, self._begin(place, version), version) for place, version in states.items()]
        async with database.connection() as connection:
            with mapped():
                for begin in range(0, len(old), 1000):
                    part = old[begin : begin + 1000]
                    await connection.execute(sql("states.sweep"), *map(list, zip(*part, strict=True)))
                    self._swept_states.update({(actor, key): version for actor, key, _, version in part})
                if positions:
                    ranges = [
                        (*place, self._swept_positions.get(place, 0), newest) for place, newest in positions.items()
                    ]
                    await connection.execute(sql("positions.sweep"), *map(list, zip(*ranges, strict=True)))
                    await connection.execute(
                        sql("attempts.sweep"),
                        *map(list, zip(*[(*place, newest) for place, newest in positions.items()], strict=True)),
                    )
                    self._swept_positions.update(positions)
