"""What the session needs to know of a bot version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from actors.session import texts
from schemas.package import BotPackage

__all__ = ["NO_BOT", "UNREADABLE", "BotFacts", "Overlap", "facts_in", "facts_of"]

Overlap = Literal["queue", "debounce", "interrupt"]
_DEBOUNCE: Final = timedelta(seconds=1.5)


@dataclass(frozen=True, slots=True)
class BotFacts:
    """
    Args:
        overlap: what happens to a message that comes while a turn is open (``overlap-policy``).
        debounce: with that policy, how long a silence ends what the person has to say (``debounce-secs``, 1.5).
        idle: after how long without a word the conversation is closed (``idle-timeout-secs``; None: never).
        reset_words: messages that begin the conversation anew, folded (``reset-words``, separated by ``;``).
        locale: BCP 47 tag of the bot's language, for people whose channel does not tell theirs (``locale``, en).
    """

    has_start: bool = False
    overlap: Overlap = "queue"
    debounce: timedelta = _DEBOUNCE
    idle: timedelta | None = None
    reset_words: frozenset[str] = frozenset()
    apology: str = ""
    locale: str = "en"
    readable: bool = True


NO_BOT: Final = BotFacts()
UNREADABLE: Final = BotFacts(readable=False)
"""Of a package of which nothing can be known: its conversations hear the apology."""


def facts_in(data: bytes) -> BotFacts:
    """Of the package as it is stored; ``UNREADABLE`` if it was damaged, or written by a program that is not like us."""
    try:
        package = BotPackage.from_bytes(data)
    except ValueError:
        return UNREADABLE
    return facts_of(package)


def facts_of(package: BotPackage) -> BotFacts:
    """Read them from the package. What ``botswain check`` reports as a wrong value counts as not set."""
    overlap = package.setting("overlap-policy").strip().lower()
    idle = _seconds(package.setting("idle-timeout-secs"))
    return BotFacts(
        has_start="start" in package.scripts,
        overlap=overlap if overlap in ("debounce", "interrupt") else "queue",  # type: ignore[arg-type]  # narrowed by hand
        debounce=_seconds(package.setting("debounce-secs")) or _DEBOUNCE,
        idle=idle or None,
        reset_words=frozenset(word for raw in package.setting("reset-words").split(";") if (word := texts.folded(raw))),
        apology=package.setting("apology").strip(),
        locale=package.setting("locale").strip() or "en",
    )


def _seconds(text: str) -> timedelta | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return timedelta(seconds=seconds) if 0 < seconds < 10 * 365 * 86400 else None
