"""
What outlives a run: memory of the bot, of a person, and expiring notes about a person.

Sessions share it, so it is in the database and read and written inside the turn. A value is kept as JSON of values of
the language; a note of REMEMBER has a date after which it counts as forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from actors.basic import values
from actors.basic.errors import BasicError
from actors.basic.host import Clauses, Handler, Host
from actors.basic.values import to_text
from bus.protocol import Query, Rows

__all__ = ["HANDLERS", "bot_memory", "person_memory", "recalled"]

Asking = Generator[Query, Rows, Any]

ANY_BOT: Final = ""
"""Bot under which what belongs to a person across bots is kept."""

MAX_NAME: Final = 500
MAX_VALUE: Final = 1_000_000

_UNITS: Final = {
    "second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+?)s?")


def _name(value: object) -> str:
    name = to_text(value).replace("\0", "").strip()
    if not name or len(name) > MAX_NAME:
        raise BasicError(
            "E_VALUE",
            f"The name of what is remembered has 1 to {MAX_NAME} characters. Of a variable its value is the name; "
            "write the name itself in quotes.",
        )
    return name


def _encoded(value: object, until: datetime | None = None) -> bytes:
    values.worked(values.approximate_size(value, 8 * MAX_VALUE) >> 3)
    kept = values.dump(value)
    if until is not None:
        kept["until"] = until.isoformat()
    data = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > MAX_VALUE:
        raise BasicError("E_LIMIT", f"This takes {len(data):,} bytes; one memory holds {MAX_VALUE:,}.")
    return data


def _decoded(rows: Rows, at: datetime) -> Any:
    if not rows:
        return None
    values.worked(len(rows[0]["value"]) >> 1)
    kept = json.loads(rows[0]["value"])
    until = kept.pop("until", None)
    if until is not None and datetime.fromisoformat(until) <= at:
        return None
    return values.load(kept)


def _until(host: Host, duration: object) -> datetime | None:
    """When a note of REMEMBER is forgotten: a number of days, ``N seconds`` … ``N years``, ``forever``."""
    if duration is None:
        return None
    text = to_text(duration).strip().lower()
    if text in ("", "forever"):
        return None
    number = values.numeric(text)
    found = _DURATION.fullmatch(text)
    if number is not None:
        seconds = float(number) * _UNITS["day"]
    elif found is not None and found[2] in _UNITS:
        seconds = float(found[1]) * _UNITS[found[2]]
    else:
        raise BasicError("E_VALUE", f'"{text[:40]}" is no duration. Write for example "30 days".')
    try:
        return host.around.at.astimezone(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None


# --- bot ------------------------------------------------------------------------------------------------------------


def bot_memory(host: Host, name: str) -> Asking:
    rows = yield Query("bot_memory.get", (host.run.trigger.bot, name))
    return _decoded(rows, host.around.at)


def set_bot_memory(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    name, value = _name(arguments[0]), _encoded(arguments[1])
    yield Query("bot_memory.set", (host.run.trigger.bot, name, value))
    return None


def get_bot_memory(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    return bot_memory(host, _name(arguments[0]))


# --- person ---------------------------------------------------------------------------------------------------------


def person_memory(host: Host, name: str, bot: str = ANY_BOT) -> Asking:
    rows = yield Query("user_memory.get", (bot, host.run.trigger.person.id, name))
    return _decoded(rows, host.around.at)


def _set_person_memory(host: Host, name: str, value: bytes, bot: str) -> Asking:
    yield Query("user_memory.set", (bot, host.run.trigger.person.id, name, value))
    return None


def set_user_memory(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    return _set_person_memory(host, _name(arguments[0]), _encoded(arguments[1]), ANY_BOT)


def get_user_memory(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    return person_memory(host, _name(arguments[0]))


def clear_user_memory(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    yield Query("user_memory.clear", (ANY_BOT, host.run.trigger.person.id))
    return None


def get_user_facts(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    rows = yield Query("user_memory.all", (ANY_BOT, host.run.trigger.person.id))
    return {row["name"]: _decoded([row], host.around.at) for row in rows}


def remember(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    until = _until(host, arguments[2] if len(arguments) > 2 else None)
    return _set_person_memory(host, _name(arguments[0]), _encoded(arguments[1], until), host.run.trigger.bot)


def recalled(host: Host, name: str) -> Asking:
    return person_memory(host, name, host.run.trigger.bot)


def recall(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Asking:
    return recalled(host, _name(arguments[0]))


HANDLERS: Final[dict[str, Handler]] = {
    "set bot memory": set_bot_memory,
    "get bot memory": get_bot_memory,
    "set user memory": set_user_memory,
    "get user memory": get_user_memory,
    "clear user memory": clear_user_memory,
    "set user fact": set_user_memory,
    "get user facts": get_user_facts,
    "remember": remember,
    "recall": recall,
}
