"""TALK, HEAR and what else is said and shown; contexts and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from actors.basic import hearing
from actors.basic.errors import BasicError
from actors.basic.hints import hint
from actors.basic.host import Clauses, Handler, Host, Wait
from actors.basic.values import File, iterate, to_number, to_text, type_name
from schemas.conversation import Attachment
from schemas.dialog import ContextCleared, ContextSet, SuggestionsCleared, SystemPromptSet

__all__ = ["HANDLERS", "hear", "heard", "overdue"]

log = structlog.get_logger(__name__)

TRIES: Final = 3
_PRINT_STEPS: Final = 1_000
"""A line in the log takes as long as so many steps."""
MAX_OPTIONS: Final = 100


# --- speaking -------------------------------------------------------------------------------------------------------


def talk(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    said = arguments[0]
    if type(said) is str:
        host.talk(said)
    elif isinstance(said, File):
        host.talk("", (_attachment(said),))
    else:
        host.talk(to_text(said))


def send_file(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    caption = to_text(arguments[1]) if len(arguments) > 1 else ""
    host.talk(caption, (_attachment(arguments[0]),))


def _attachment(file: object) -> Attachment:
    if isinstance(file, File):
        return Attachment(name=file.name, url=file.url or file.path, mime_type=file.mime_type, size=file.size)
    if isinstance(file, list | dict):
        raise BasicError("E_TYPE", f"A file or its address is needed here, not a {type_name(file)}.")
    address = to_text(file).strip()
    if not address:
        raise BasicError("E_NOTFOUND", "There is no file to send.")
    return Attachment(name=urlsplit(address).path.rsplit("/", 1)[-1] or address, url=address)


def print_(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    """PRINT and LOG: to the log of the process, never to the person."""
    parts = [to_text(argument)[:1_000] for argument in arguments]
    host.spend(_PRINT_STEPS)
    log.debug("script_printed", bot=host.run.trigger.bot, run=str(host.run.id), text=" ".join(parts))


# --- hearing --------------------------------------------------------------------------------------------------------


def hear(host: Host, what: dict[str, Any]) -> Wait:
    """
    Prompt, and wait for the person.

    Args:
        what: the HEAR as the compiler hands it over: ``kind``, and where written ``prompt``, ``default``, ``timeout``,
            ``options``, ``open`` and ``null_on_timeout``.

    Raises: BasicError: E_INPUT, there is nobody to hear; E_CONFIG, the type needs a service; E_VALUE, a bad menu or
        time.
    """
    if not host.run.trigger.session:
        raise BasicError("E_INPUT", "There is nobody to hear: this run has no conversation.")
    kind = what["kind"]
    if kind in hearing.NEEDS_SERVICE:
        host.missing(f"HEAR AS {kind.upper()}")
    options = _options(what["options"]) if "options" in what else []
    if kind == "menu" and not options:
        raise BasicError("E_VALUE", "The menu has no options.")
    prompt = to_text(what["prompt"]) if "prompt" in what else ""
    if not prompt and options and not any(act.kind == "said" for act in host.acts):
        prompt = hint("menu", host.locale, options)
    if prompt:
        host.talk(prompt)
    timeout = host.limits.hear_timeout_s
    if "timeout" in what:
        timeout = 0 if what["timeout"] is None else to_number(what["timeout"])
        if not 0 < timeout < 10**9:
            raise BasicError("E_VALUE", "TIMEOUT needs a number of seconds greater than 0.")
    data = {key: value for key, value in what.items() if key in ("kind", "default", "open", "null_on_timeout")}
    data.update(options=options, timeout=timeout, tries=1)
    return _waiting(host, data)


def _options(given: Sequence[Any]) -> list[str]:
    values = iterate(given[0]) if len(given) == 1 and not isinstance(given[0], str) else list(given)
    return list(dict.fromkeys(text for text in (to_text(value).strip() for value in values[:MAX_OPTIONS]) if text))


def _waiting(host: Host, data: dict[str, Any]) -> Wait:
    for option in data["options"]:
        host.suggest(option, option, until_answered=True)
    return Wait("hear", data, host.after(data["timeout"]), data["kind"] in hearing.SECRET)


def heard(host: Host, wait: dict[str, Any], text: str, attachments: tuple[Attachment, ...]) -> Any:
    """The value of the answer, or a ``Wait`` for a better one. Raises: BasicError: E_INPUT after three bad ones."""
    answer = hearing.Answer(text, attachments, host.now.date())
    if "default" in wait and hearing.is_blank(answer):
        return wait["default"]
    found = hearing.hear(wait["kind"], answer, wait["options"], wait.get("open", False), host.locale)
    if isinstance(found, hearing.Accepted):
        return found.value
    if wait["tries"] >= TRIES:
        raise BasicError("E_INPUT", f"No answer fitted HEAR AS {wait['kind'].upper()} in {TRIES} tries.")
    host.talk(found.hint)
    data = {key: value for key, value in wait.items() if key not in ("on", "number")}
    return _waiting(host, {**data, "tries": wait["tries"] + 1})


def overdue(host: Host, wait: dict[str, Any]) -> Any:
    """What HEAR gives when nobody answered. Raises: BasicError: E_TIMEOUT."""
    if "default" in wait:
        return wait["default"]
    if wait.get("null_on_timeout"):
        return None
    raise BasicError("E_TIMEOUT", "Nobody answered in time.")


# --- suggestions, contexts, prompts ---------------------------------------------------------------------------------


def add_suggestion(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    label = to_text(arguments[-1])
    context = _context(arguments[0]) if len(arguments) > 1 else None
    if label:
        host.suggest(label, label, context=context)


def add_suggestion_text(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    value, label = map(to_text, arguments)
    if label and value:
        host.suggest(label, value)


def clear_suggestions(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    host.act(SuggestionsCleared())


def set_context(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    text = to_text(arguments[-1])
    host.act(ContextSet(name=_context(arguments[0]) if len(arguments) > 1 else "", text=text), len(text))


def clear_context(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    host.act(ContextCleared(name=_context(arguments[0]) if arguments else None))


def _context(name: object) -> str:
    """The name of a context. Raises: BasicError: E_VALUE, it is empty: the un-named one is meant by saying none."""
    text = to_text(name)
    if not text.strip():
        raise BasicError("E_VALUE", "The name of the context is empty. Of a variable its value is the name.")
    return text


def system_prompt(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    text = to_text(arguments[0])
    host.act(SystemPromptSet(text=text), len(text))


HANDLERS: Final[dict[str, Handler]] = {
    "talk": talk,
    "send message": talk,
    "send file": send_file,
    "print": print_,
    "log": print_,
    "add suggestion": add_suggestion,
    "add suggestion text": add_suggestion_text,
    "clear suggestions": clear_suggestions,
    "set context": set_context,
    "clear context": clear_context,
    "system prompt": system_prompt,
}
