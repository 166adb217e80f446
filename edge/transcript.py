"""Reading a stretch of a transcript."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from edge.reading import Reader
from schemas.conversation import Message

__all__ = ["stretch"]

_PAGE: Final = 200


async def stretch(reader: Reader, session: str, after: int, upto: int) -> AsyncIterator[Message]:
    """
    The entries with ``after < seq <= upto``, in order, read in pages; without those that are no longer kept.

    Raises:
        BusUnavailable: the store cannot be reached now.
    """
    while after < upto:
        limit = min(_PAGE, upto - after)
        page = await reader.transcript(session, after, limit)
        for entry in page:
            if entry.seq > upto:
                return
            yield entry
            after = entry.seq
        if len(page) < limit:
            return
