"""Lists, objects and errors: keywords that only compute."""

from __future__ import annotations

from typing import Any, Final

from actors.basic import values
from actors.basic.errors import CODES, BasicError
from actors.basic.functions import FUNCTIONS
from actors.basic.host import Clauses, Handler, Host
from actors.basic.values import ErrorValue, Rows, get_member, to_text, truth
from actors.basic.values.conversion import json_value

__all__ = ["HANDLERS"]


def _end(arguments: tuple[Any, ...], last: bool) -> Any:
    """FIRST and LAST: the element, of *n* elements a list, of a text the word, of a list and a name that field."""
    subject = arguments[0]
    if isinstance(subject, str) and values.parse_json(subject) is None:
        words = subject.split()
        return (words[-1] if last else words[0]) if words else ""
    items = values.iterate(subject)
    if len(arguments) == 1:
        return (items[-1] if last else items[0]) if items else None
    if isinstance(arguments[1], str) and values.numeric(arguments[1]) is None:
        return get_member(items[-1 if last else 0], arguments[1]) if items else None
    count = max(0, int(values.to_number(arguments[1])))
    part = items[len(items) - count :] if last and count < len(items) else items if last else items[:count]
    return Rows(part) if isinstance(subject, Rows) else part


def first(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    return _end(arguments, last=False)


def last(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    return _end(arguments, last=True)


def append(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    """APPEND to a list that is not a place of its own, such as the result of a call."""
    given = arguments[1:] or tuple(value for word, value in clauses if word == "with")
    if isinstance(arguments[0], str):
        return "".join(map(to_text, (arguments[0], *given)))
    return FUNCTIONS["push"].call(arguments[0], *given)


def new_object(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    return {}


def new_array(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    return []


def json_parse(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    text = arguments[0]
    if not isinstance(text, str):
        return text
    values.worked(30 + (len(text) >> 1))
    try:
        return json_value(text.strip())
    except ValueError:
        raise BasicError("E_VALUE", "This text is not JSON.") from None


# --- errors ---------------------------------------------------------------------------------------------------------


def error_message(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> Any:
    return host.failing("error_message")


def clear_error(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    host.clear_error()


def throw(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    """An error that was caught is thrown with its code; everything else is the message of an ``E_USER``."""
    thrown = arguments[0]
    if isinstance(thrown, ErrorValue):
        code = thrown.code if thrown.code in CODES else "E_USER"
        raise BasicError(code, thrown.message)
    raise BasicError("E_USER", to_text(thrown))


def assert_(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    if not truth(arguments[0]):
        raise BasicError("E_ASSERT", to_text(arguments[1]) if len(arguments) > 1 else "An assertion does not hold.")


HANDLERS: Final[dict[str, Handler]] = {
    "first": first,
    "last": last,
    "append": append,
    "push": append,
    "new object": new_object,
    "new array": new_array,
    "create object": new_object,
    "json parse": json_parse,
    "error message": error_message,
    "clear error": clear_error,
    "throw": throw,
    "raise": throw,
    "assert": assert_,
}
