"""Errors of the HTTP API: problem details (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from bus.errors import BusUnavailable

__all__ = [
    "MEDIA_TYPE",
    "Problem",
    "on_fault",
    "on_gone",
    "on_http_exception",
    "on_problem",
    "on_unavailable",
    "refuse_upgrade",
]

MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):  # says what is the case, as all of ours do
    """
    What a request gets instead of an answer.

    Args:
        code: short and stable, for programs; part of ``type``.
        detail: one or two sentences for people: what is wrong and what to do.
        more: further members of the problem object.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    @classmethod
    def busy(cls, status: int, code: str, detail: str, retry_after_s: float) -> Problem:
        """A problem that goes away by waiting."""
        seconds = max(1, math.ceil(retry_after_s))
        return cls(status, code, detail, headers={"Retry-After": str(seconds)}, retry_after_s=seconds)

    def body(self, instance: str | None = None) -> bytes:
        """The problem as JSON."""
        members = {
            "type": f"urn:botswain:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **({"instance": instance} if instance else {}),
            **self.more,
        }
        return json.dumps(members).encode()

    def response(self, instance: str | None = None) -> Response:
        """The problem as a response."""
        return Response(self.body(instance), self.status, self.headers, MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> Response:
    """Starlette's handler of ``Problem``."""
    assert isinstance(error, Problem)
    return error.response(request.url.path)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler of what its router refuses."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    details = {
        404: "There is nothing at this address.",
        405: f"{request.method} is not possible here; see the Allow header.",
    }
    status = error.status_code
    problem = Problem(
        status, codes.get(status, "refused"), details.get(status, error.detail), headers=error.headers or {}
    )
    return problem.response(request.url.path)


async def on_unavailable(request: Request, error: Exception) -> Response:
    """Starlette's handler of ``BusUnavailable``."""
    assert isinstance(error, BusUnavailable)
    problem = Problem.busy(503, "unavailable", "The store or the log cannot be reached now; try again.", 2)
    return problem.response(request.url.path)


async def on_fault(request: Request, error: Exception) -> Response:
    """Starlette's handler of what nobody foresaw. The server logs it besides."""
    problem = Problem(500, "fault", "Something went wrong on our side; the server's log tells what.")
    return problem.response(request.url.path)


async def on_gone(request: Request, error: Exception) -> Response:
    """Starlette's handler of ``ClientDisconnect``: a client that left in the middle of its request reads no answer."""
    return Response(status_code=400)


async def refuse_upgrade(send: Send, status: int, detail: str) -> None:
    """Answer a web socket's upgrade request with a problem instead of a socket."""
    problem = Problem(status, "forbidden_origin", detail)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": problem.body(), "more_body": False})
