"""TALK, HEAR and what else is said and shown; contexts and prompts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from actors.basic.errors import BasicError
from actors.basic.host import Handler, Host, Wait
from actors.basic.values import File, iterate, to_number, to_text
from schemas.conversation import Attachment
from schemas.dialog import ContextCleared, ContextSet, SuggestionsCleared, SystemPromptSet

__all__ = ["HANDLERS", "hear", "heard", "overdue"]

Clauses = tuple[tuple[str, Any], ...]

TRIES: Final = 3
_SECRET: Final = frozenset({"password", "secret"})


def talk(host: Host, arguments: tuple[Any, ...], clauses: Clauses) -> None:
    (said,) = arguments
    if isinstance(said, File):
        host.talk("", (attachment_of(said),))
    else:
        host.talk(host.text(said))


def attachment_of(file: File) -> Attachment:
    return Attachment(name=file.name, url=file.url or file.path, mime_type=file.mime_type, size=file.size)


def hear(host: Host, what: dict[str, Any]) -> Wait:
    """Prompt, and wait for the person. Raises: BasicError: E_INPUT, there is nobody to hear."""
    if not host.run.trigger.session:
        raise BasicError("E_INPUT", "There is nobody to hear: this run has no conversation.")
    prompt = host.text(what.get("prompt"))
    if prompt:
        host.talk(prompt)
    return Wait("hear", {"what": what, "tries": 1}, None, what["kind"] in _SECRET)


def heard(host: Host, wait: dict[str, Any], text: str, attachments: tuple[Attachment, ...]) -> Any:
    return text.strip()


def overdue(host: Host, wait: dict[str, Any]) -> Any:
    raise BasicError("E_TIMEOUT", "Nobody answered in time.")


HANDLERS: Final[dict[str, Handler]] = {"talk": talk}
