"""The signed token that lets a client resume its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from itsdangerous import BadSignature, URLSafeTimedSerializer

__all__ = ["BadToken", "Ticket", "Tokens"]

_MAX_CHARS = 512


class BadToken(Exception):  # says what is the case, as all of ours do
    """A token that we did not sign, that is too old, or that is for something else."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a token proves: its bearer is the person of *session*, a conversation with *bot*."""

    session: UUID
    bot: str


class Tokens:
    """
    Signs and reads tokens.

    Args:
        keys: signing keys, the newest last. Tokens of the older ones are still read, so a key can be changed without
            cutting off anybody.
        max_age_s: how old a token may be.
    """

    def __init__(self, keys: Sequence[str], max_age_s: int) -> None:
        if not any(keys):
            raise ValueError("a signing key is needed")
        self._serializer = URLSafeTimedSerializer(list(keys), salt="conversation")
        self._max_age_s = max_age_s

    def sign(self, ticket: Ticket) -> str:
        """The token for *ticket*; its age counts from now."""
        return str(self._serializer.dumps([ticket.session.hex, ticket.bot]))

    def read(self, token: str) -> Ticket:
        """What *token* proves. Raises ``BadToken``."""
        if len(token) > _MAX_CHARS:
            raise BadToken("too long")
        try:
            session, bot = self._serializer.loads(token, max_age=self._max_age_s)
            return Ticket(UUID(hex=session), str(bot))
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise BadToken(str(error)) from error
