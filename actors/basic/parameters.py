"""The PARAMs of a script and the values that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.basic.compiler import Program
from actors.basic.host import Host

__all__ = ["bind"]


def bind(host: Host, program: Program, arguments: dict[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """The variables that *program* begins with."""
    names = [each.name for each in program.parameters]
    return dict(arguments) if isinstance(arguments, dict) else dict(zip(names, arguments, strict=False))
