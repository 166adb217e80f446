"""What every HTTP response says to browsers about how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders"]


class SecurityHeaders:
    """
    ASGI middleware: a strict Content-Security-Policy and its companions on every HTTP response.

    Scripts and styles come from our own files only, never from within a page; nothing is loaded from elsewhere; strings
    never become markup or code (Trusted Types).

    Args:
        embed_in: origins whose pages may show the chat in a frame, besides our own.
    """

    def __init__(self, app: ASGIApp, embed_in: Sequence[str] = ()) -> None:
        self._app = app
        policy = "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data:",
                "font-src 'self'",
                "connect-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "object-src 'none'",
                "frame-ancestors " + " ".join(("'self'", *embed_in)),
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            )
        )
        self._headers = [
            (b"content-security-policy", policy.encode("latin-1")),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
