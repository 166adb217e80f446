"""Who may call what: a conversation's token opens that conversation, the operator's token opens the rest."""

from __future__ import annotations

import hmac
from uuid import UUID

from starlette.requests import Request

from edge.problems import Problem
from edge.settings import EdgeSettings
from edge.tokens import BadToken, Ticket, Tokens

__all__ = ["Access"]

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="botswain"'}


class Access:
    """Reads the bearer tokens (RFC 6750) of requests."""

    def __init__(self, tokens: Tokens, settings: EdgeSettings) -> None:
        self._tokens = tokens
        self._operator = settings.admin_token.get_secret_value().encode() if settings.admin_token else b""

    def operator(self, request: Request) -> None:
        """Raises ``Problem`` unless the operator asks."""
        if not self._operator:
            raise Problem(
                403,
                "no_admin_token",
                "This needs an operator's token, and none is configured: set admin_token in the settings of the edge"
                " (BOTSWAIN_EDGE__ADMIN_TOKEN) and send it as a bearer token.",
            )
        if not self._is_operator(_bearer(request)):
            raise Problem(401, "unauthorized", "This is not the operator's token.", headers=_CHALLENGE)

    def person(self, request: Request) -> Ticket:
        """The conversation in the path, for its person. Raises ``Problem``."""
        wanted = conversation_of(request)
        try:
            ticket = self._tokens.read(_bearer(request))
        except BadToken:
            raise Problem(401, "unauthorized", "The token is not valid or too old.", headers=_CHALLENGE) from None
        if ticket.session != wanted:
            raise Problem(403, "forbidden", "The token is for another conversation.")
        return ticket

    def reader(self, request: Request) -> Ticket:
        """The conversation in the path, for its person or the operator. Raises ``Problem``."""
        if self._is_operator(_bearer(request)):
            return Ticket(conversation_of(request), "")
        return self.person(request)

    def _is_operator(self, token: str) -> bool:
        # On bytes: with text, compare_digest raises for what is not ASCII, and headers are the client's choice.
        return bool(self._operator) and hmac.compare_digest(token.encode("utf-8", "replace"), self._operator)


def conversation_of(request: Request) -> UUID:
    """The conversation in the path. Raises ``Problem``."""
    try:
        return UUID(request.path_params["conversation"])
    except ValueError:
        raise Problem(404, "not_found", "There is no such conversation.") from None


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, "unauthorized", "This needs a bearer token.", headers=_CHALLENGE)
    return token.strip()
