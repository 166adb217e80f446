"""A bot package as it is published: everything a conversation needs, immutable, named by the hash of its content."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from msgspec import Meta, field
from msgspec.json import Decoder
from msgspec.structs import replace

from schemas.envelope import Value, to_json

__all__ = ["BotPackage", "digest_of"]

DIGEST_LENGTH: Final = 64


class BotPackage(Value):
    """
    What deciders and edges read of a bot; kept as the resource named by its digest, the ``bot_version`` of events.

    Args:
        scripts: file stem in lower case -> source text.
        config: names and values of ``config.csv`` as written; of a name that comes twice the last one counts.
    """

    name: Annotated[
        str, Meta(description="lower case letters, digits, '-' and '_': the package's folder without .gbai")
    ]
    scripts: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    theme: Annotated[str, Meta(description="CSS of the .gbtheme folder, files in order of their names")] = ""

    def setting(self, name: str, default: str = "") -> str:
        """The configured value of *name*, compared without case."""
        return self.config.get(name, self.config.get(name.lower(), default))

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same package gives the same bytes."""
        scripts, config = dict(sorted(self.scripts.items())), dict(sorted(self.config.items()))
        return to_json(replace(self, scripts=scripts, config=config))

    @classmethod
    def from_bytes(cls, data: bytes) -> BotPackage:
        """Raises ``ValueError`` for what is no package."""
        return _PACKAGES.decode(data)


_PACKAGES: Final = Decoder(BotPackage)


def digest_of(data: bytes) -> str:
    """SHA-256 of *data*, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()
