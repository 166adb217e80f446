"""Values of the session, and GET and SET, which reach several stores by the form of the name."""

from __future__ import annotations

import re
from typing import Any, Final

from actors.basic import values
from actors.basic.errors import BasicError
from actors.basic.host import Clauses, Handler, Host
from actors.basic.keywords.memory import HANDLERS as MEMORY
from actors.basic.keywords.memory import bot_memory, recalled
from actors.basic.values import to_text

__all__ = ["HANDLERS", "not_there"]

MAX_NAMES: Final = 500
_PREFIX: Final = re.compile(r"(session|user|bot)\.(.*)", re.IGNORECASE | re.DOTALL)
_ADDRESS: Final = re.compile(r"https?://|/api/", re.IGNORECASE)
_FILE: Final = re.compile(r".+\.(?:txt|md|csv|xlsx?|docx?|pdf|json|xml|html?|png|jpe?g|gif|bas)", re.IGNORECASE)


def _nameless() -> BasicError:
    return BasicError("E_VALUE", "The name of the value is empty. Of a variable its value is the name.")


def _folded(name: str) -> str:
    """Raises: BasicError: E_VALUE, it is empty."""
    folded = name.strip().lower()
    if not folded:
        raise _nameless()
    return folded


def _read(host: Host, name: str) -> Any:
    folded = _folded(name)
    if folded in host.session:
        return host.session[folded]
    trigger = host.run.trigger
    person = trigger.person
    match folded:
        case "id":
            return trigger.session
        case "user_id":
            return person.id
        case "user_name":
            return person.name
        case "user_email":
            return person.email
        case "user_phone":
            return person.phone
        case "channel":
            return trigger.channel
        case _:
            return None


def _write(host: Host, name: str, value: Any) -> None:
    folded = _folded(name)
    if folded not in host.session and len(host.session) >= MAX_NAMES:
        raise BasicError("E_LIMIT", f"A session holds {MAX_NAMES} values.")
    host.session[folded] = value


def set_session(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    if len(arguments) > 2:
        host.missing("SET SESSION of another session")
    _write(host, to_text(arguments[0]), arguments[1])


def get_session(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    if len(arguments) > 1:
        host.missing("GET SESSION of another session")
    return _read(host, to_text(arguments[0]))


def set_(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    """``SET name, v``, ``SET "session.k", v``, ``SET "user.k", v``, ``SET "bot.k", v``."""
    if len(arguments) > 2:
        return host.missing("SET of a table")
    name, value = to_text(arguments[0]), arguments[1]
    found = _PREFIX.fullmatch(name.strip())
    store = "session" if found is None else found[1].lower()
    key = name if found is None else found[2]
    if store == "session":
        _write(host, key, value)
        return None
    return MEMORY["set bot memory" if store == "bot" else "set user memory"](host, (key, value), ())


def get(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    """What the text means: a web address, a file, a store by its prefix, else remembered, session and bot memory."""
    name = to_text(arguments[0]).strip()
    if len(arguments) > 1:
        configured = host.around.settings.get(_folded(to_text(arguments[1])))
        if configured is None:
            return None
        parsed = values.parse_json(configured)
        return values.typed(configured) if parsed is None else parsed
    if missing := not_there(name):
        return host.missing(missing)
    found = _PREFIX.fullmatch(name)
    if found is not None:
        return _from_store(host, found[1].lower(), found[2])
    if not name:
        raise _nameless()
    return _anywhere(host, name)


def not_there(name: str) -> str:
    """What GET of *name* is, if that is known and not there yet; else ''."""
    name = name.strip()
    if _ADDRESS.match(name):
        return "GET of a web address"
    return "GET of a file" if not _PREFIX.fullmatch(name) and ("/" in name or _FILE.fullmatch(name)) else ""


def _from_store(host: Host, store: str, key: str) -> Any:
    if store == "session":
        return _read(host, key)
    return MEMORY["get bot memory" if store == "bot" else "get user memory"](host, (key,), ())


def _anywhere(host: Host, name: str) -> Any:
    value = yield from recalled(host, name)
    if value is None:
        value = _read(host, name)
    if value is None:
        value = yield from bot_memory(host, name)
    return value


HANDLERS: Final[dict[str, Handler]] = {
    "set session": set_session,
    "get session": get_session,
    "set": set_,
    "get": get,
}
