"""Reading a stretch of a transcript."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import structlog

from edge.reading import Reader
from schemas.conversation import Message

__all__ = ["is_behind", "stretch"]

log = structlog.get_logger()

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


async def is_behind(reader: Reader, session: str, sent: int, upto: int) -> bool:
    """
    A stretch ended at *sent*, before *upto*. Is the transcript not so far, though that was announced? Then the entries
    may still come, under these numbers, and must not count as sent. Else they are no longer kept, and never will come.

    Raises:
        BusUnavailable: the store cannot be reached now.
    """
    newest = await reader.newest_seq(session)
    if newest >= upto:
        return False
    log.warning("transcript_behind", session=session, sent=sent, announced=upto, newest=newest)
    return True
