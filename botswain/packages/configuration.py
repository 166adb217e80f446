"""What a bot's ``config.csv`` may say, and what is wrong with what it says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["SETTINGS", "complaint", "doubt"]

LATER: Final = frozenset(
    [
        *("ai", "llm", "model", "embedding", "rag", "kb", "system", "prompt", "mcp", "voice", "image"),
        *("web", "webchat", "whatsapp", "messenger", "instagram", "telegram", "teams", "slack", "sms", "email", "mail"),
        *("smtp", "imap", "meet", "calendar", "transfer", "queue", "database", "db", "table", "find", "drive", "http"),
        *("webhook", "api", "code", "sandbox", "theme", "audit", "crm"),
    ]
)
"""What names begin with that are meant for parts of the language, or channels, which are not there yet."""

YEARS_S: Final = 10 * 365 * 86_400


def _one_of(*values: str) -> Callable[[str], str]:
    return lambda value: "" if value.lower() in values else f"one of {', '.join(values)}"


def _seconds(value: str) -> str:
    return "" if 0 < _number(value) < YEARS_S else "a number of seconds, more than 0 and less than ten years"


def _count(value: str) -> str:
    return "" if 1 <= _number(value) < float("inf") else "a number, at least 1"


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        return "a time zone such as Europe/Lisbon, America/Sao_Paulo or UTC"
    return ""


def _language(value: str) -> str:
    return "" if re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", value) else "a language such as en or pt-BR"


def _text(_value: str) -> str:
    return ""


# name -> says what would be allowed, '' if the value is; an empty value is as if the name were not there
SETTINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "title": _text,
    "description": _text,
    "apology": _text,
    "reset-words": _text,
    "locale": _language,
    "timezone": _zone,
    "overlap-policy": _one_of("queue", "debounce", "interrupt"),
    "failed-turn": _one_of("skip", "block"),
    "debounce-secs": _seconds,
    "idle-timeout-secs": _seconds,
    "hear-timeout-secs": _seconds,
    **{f"basic-max-{what}": _count for what in ("steps", "depth", "messages", "output", "memory", "frame")},
}


def complaint(name: str, value: str) -> str:
    """What is wrong with *value* for the setting *name* (in lower case), '' if nothing is."""
    allowed = SETTINGS[name](value) if name in SETTINGS and value else ""
    return f"{name} is {value!r}, and has to be {allowed}." if allowed else ""


def doubt(name: str, asked: bool = False) -> str:
    """
    Whether *name* is likely a setting that is written wrong; '' if not.

    Args:
        asked: scripts may ask for it: it is their own, unless it is nearly a setting.
    """
    if name in SETTINGS or name.startswith("param-"):
        return ""
    near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.8)
    if near:
        return f"{name} is no setting. Did you mean {near[0]}?"
    if asked or re.split(r"[-_.]", name)[0] in LATER:
        return ""
    words = set(re.split(r"[-_. ]", name))
    alike = max(SETTINGS, key=lambda setting: len(words.intersection(setting.split("-"))))
    if len(words.intersection(alike.split("-"))) > 1:
        return f"{name} is no setting, and no script asks for it. Did you mean {alike}?"
    variable = re.sub(r"\W", "_", name)
    return (
        f"{name} is no setting, and no script asks for it, so it does nothing. "
        f"If scripts are to have it as a variable, call it param-{variable}."
    )
