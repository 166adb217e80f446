"""What the authors' documentation holds, for the tests of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AUTHORS", "ROOT", "Block", "blocks", "section"]

ROOT = Path(__file__).parents[2]
AUTHORS = ROOT / "docs" / "authors"

_FENCE = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the name behind it, where it begins, and what is in it."""

    file: Path
    line: int
    language: str
    name: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.file.name}:{self.line}"


def blocks(file: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of *file* that name a language, in order."""
    content = file.read_text("utf-8")
    return [
        Block(file, content.count("\n", 0, found.start()) + 1, found[1], found[2].strip(), found[3])
        for found in _FENCE.finditer(content)
        if language is None or found[1] == language
    ]


def section(file: Path, title: str) -> str:
    """What stands below the heading *title*, up to the next heading of the same level or a higher one."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*)", file.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{file.name} has no heading {title!r}"
    return re.split(rf"^#{{1,{len(found[1])}}} ", found[2], flags=re.MULTILINE)[0]
