"""What an edge process can be told."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

__all__ = ["EdgeSettings"]


def _proxy(text: str) -> str:
    """The address of a proxy, a network of them, or ``*``. Raises ``ValueError``."""
    if text != "*":
        ip_network(text)
    return text


class EdgeSettings(BaseModel):
    """Sockets, pages and the HTTP API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_origins: tuple[str, ...] = Field(
        default=(), description="origins of web pages that may open a socket, besides the edge's own; '*' for any"
    )
    embed_in: tuple[str, ...] = Field(default=(), description="origins of pages that may show the chat in a frame")
    trusted_proxies: tuple[Annotated[str, AfterValidator(_proxy)], ...] = Field(
        default=(),
        description="proxies whose X-Forwarded-For says who the client is: addresses or networks such as 10.0.0.0/8,"
        " '*' for any; unset: the client is whoever connects",
    )
    admin_token: SecretStr | None = Field(default=None, description="bearer token of the HTTP API's operators")
    token_max_age_s: int = Field(default=30 * 24 * 3600, gt=0, description="how long a conversation can be resumed")
    max_text_chars: int = Field(default=10_000, gt=0, description="longest message of a person")
    max_frame_bytes: int = Field(default=65_536, gt=0, description="largest frame or request body of a client")
    messages_per_s: float = Field(default=10, ge=0, description="frames a second of one socket; 0 for no limit")
    message_burst: int = Field(default=30, gt=0, description="frames of one socket at once")
    address_messages_per_s: float = Field(
        default=200, ge=0, description="frames and API calls a second of one network address; 0 for no limit"
    )
    address_message_burst: int = Field(default=1_000, gt=0, description="of one network address at once")
    sockets_per_address: int = Field(
        default=500, ge=0, description="open sockets of one network address; 0 for no limit"
    )
    max_sockets: int = Field(default=20_000, gt=0, description="open sockets of the process")
    refusals_before_close: int = Field(
        default=100, gt=0, description="bad frames a socket may send; one a second is forgiven"
    )
    max_outgoing: int = Field(default=256, gt=0, description="frames that wait for a slow socket before it is closed")
    slot_wait_s: float = Field(default=5, gt=0, description="how long a new socket waits for the edge to get its slot")
    wait_max_s: float = Field(default=60, gt=0, description="longest wait of an API client for answers")
    development: bool = Field(default=False, description="the chat page shows errors of a bot that is being edited")
