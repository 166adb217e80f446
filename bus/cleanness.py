"""What the next owner of a partition is told when we leave: may an owner before have died of an event of it?"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["Cleanness"]


class Cleanness:
    """
    For one subscription, from its claims and from what its reader said.

    A reader that leaves in good order has handled what it was suspicious of, or has said otherwise with ``release``. A
    reader that leaves with an error had no chance to say anything: what was not clean when it came stays so.
    """

    def __init__(self) -> None:
        self._doubtful: set[int] = set()  # not clean when they came, and nobody has said that they are clean now
        self._unclean: set[int] = set()  # of those: the reader does not know of them yet, or has said so itself

    def claimed(self, partition: int, clean: bool) -> None:
        """It is ours now; the reader has not been told."""
        self.released(partition, clean)

    def told(self, partitions: Collection[int]) -> None:
        """The reader knows of its claims to these."""
        self._unclean.difference_update(partitions)

    def released(self, partition: int, clean: bool) -> None:
        """What the reader said when it let go of it, whether the lease could be given back at once or not."""
        for kept in (self._doubtful, self._unclean):
            if clean:
                kept.discard(partition)
            else:
                kept.add(partition)

    def clean(self, partitions: Collection[int], *, failed: bool) -> list[int]:
        """Those of *partitions* that are clean if we leave now; *failed*: with an error."""
        unclean = self._doubtful if failed else self._unclean
        return [partition for partition in partitions if partition not in unclean]
