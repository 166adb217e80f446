"""The SQL of the program, by name: every ``-- name:`` section of ``bus/postgres/sql/*.sql``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from bus.postgres.arrays import as_text

__all__ = ["STATEMENTS", "batch_sql", "columns_of", "parameters_of", "renumbered", "sql"]


def _load() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / "sql").glob("*.sql")):
        for section in re.split(r"^-- name: ", file.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            name, body = section.split("\n", 1)
            lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
            if name in found:
                raise ValueError(f"two statements are called {name}")
            found[name] = "\n".join(lines).strip()
    return found


STATEMENTS: Final = _load()


def sql(name: str) -> str:
    """The statement called *name*. Raises ``KeyError``."""
    return STATEMENTS[name]


@cache
def parameters_of(name: str) -> int:
    """How many parameters the statement takes."""
    return max((int(number) for number in re.findall(r"\$(\d+)", STATEMENTS[name])), default=0)


_ARRAY: Final = re.compile(r"\$(\d+)::(\w+)\[\]")


@cache
def batch_sql(name: str) -> str:
    """The statement as ``columns_of`` writes its arguments: arrays come as text, but for those of bytes."""
    return _ARRAY.sub(lambda found: found[0] if found[2] == "bytea" else f"${found[1]}::text::{found[2]}[]", sql(name))


@cache
def columns_of(name: str) -> tuple[Callable[[Sequence[Any]], Any], ...]:
    """What writes the values of a column, for each parameter of a statement that takes one array a parameter."""
    types = {int(number): type_ for number, type_ in _ARRAY.findall(sql(name))}
    return tuple(as_text.get(types[number], list) for number in range(1, parameters_of(name) + 1))


def renumbered(text: str, first: int) -> str:
    """SQL with its ``$1`` called ``$first``, and so on."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + first - 1}", text)
