"""The session actor: one conversation, and the only one who speaks to people."""

from actors.session.decide import SessionActor
from actors.session.state import SessionState

__all__ = ["SessionActor", "SessionState"]
