"""What the headers of a request say about where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

__all__ = ["language_of", "origin_allowed"]

_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def origin_allowed(headers: Mapping[bytes, bytes], allowed: Sequence[str]) -> bool:
    """
    Whether a page of this origin may open a socket. Browsers let any page open one to any host and send its cookies
    along (RFC 6455, section 10.2), so the server has to look. A client that sends no ``Origin`` is no browser.
    """
    origin = headers.get(b"origin", b"").decode("latin-1").lower()
    if not origin or "*" in allowed or origin in (entry.lower().rstrip("/") for entry in allowed):
        return True
    host = headers.get(b"host", b"").decode("latin-1").lower()
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc == host


def language_of(accept_language: str) -> str:
    """The first language tag of an ``Accept-Language`` header (RFC 9110, section 12.5.4), 'und' if it names none."""
    found = _LANGUAGE.match(accept_language.strip())
    return found.group() if found else "und"
