"""The commits of one process: those that come while another is under way share the next transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bus.errors import BusUnavailable
from bus.postgres.store import Store
from bus.protocol import Turns

__all__ = ["Committer"]


class _Waiting:
    """A call of ``commit``."""

    __slots__ = ("done", "turns")

    def __init__(self, turns: Turns, done: asyncio.Future[None]) -> None:
        self.turns = turns
        self.done = done


class Committer:
    """
    Takes the turns of all deciders. A transaction has a price of its own, whatever is in it, so under load few large
    ones do more than many small ones; alone, nobody waits for company. There is at most one call a decider's lane at a
    time, which bounds what comes together.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._bell = asyncio.Event()

    async def commit(self, turns: Turns) -> None:
        """As ``Bus.commit``."""
        waiting = _Waiting(turns, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._bell.set()
        await waiting.done

    async def commit_forever(self) -> None:
        """Commits what comes, one transaction after another."""
        in_hand: list[_Waiting] = []
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                while self._waiting:
                    in_hand, self._waiting = self._waiting, []
                    # Who was cancelled while it waited does not expect to be committed any more.
                    if wanted := [waiting for waiting in in_hand if not waiting.done.done()]:
                        await self._commit(wanted)
        finally:
            for waiting in self._waiting + in_hand:
                if not waiting.done.done():
                    waiting.done.set_exception(BusUnavailable("the bus is closed"))

    async def _commit(self, together: Sequence[_Waiting]) -> None:
        try:
            await self._store.commit(*(waiting.turns for waiting in together))
        except Exception as error:
            if len(together) > 1:
                # Nothing was changed. Each by itself, so that an error meets the one whose it is.
                for waiting in together:
                    await self._commit([waiting])
            else:
                _settle(together, error)
        else:
            _settle(together, None)


def _settle(together: Sequence[_Waiting], error: Exception | None) -> None:
    for waiting in together:
        if waiting.done.done():
            continue  # cancelled meanwhile
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)
