"""Every link of the documentation leads somewhere: files and headings that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reading import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
# A file that is named in code signs, perhaps with the end of its folder only: `bus/worker.py`, `sql/rows.sql`.
_NAMED = re.compile(r"`((?:[\w.-]+/)*\w[\w-]*\.(?:py|sql|js))`")
_MADE = ROOT / "docs" / "performance.md"  # by `make bench`


def prose(page: Path) -> str:
    """Without code, in which brackets mean something else."""
    return _CODE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, without signs, dashes for blanks."""
    found = set()
    content = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", content, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


def broken(page: Path) -> Iterator[str]:
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            if file != _MADE:
                yield target
        elif anchor and anchor not in anchors(file):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_files_that_are_named_exist() -> None:
    tops = [top for top in ROOT.iterdir() if top.is_dir() and not top.name.startswith(".")]
    tree = [f"/{path.relative_to(ROOT)}" for top in tops for path in top.rglob("*.*")]
    named = {(page.name, file) for page in PAGES for file in _NAMED.findall(page.read_text("utf-8"))}
    assert len(named) > 30
    missing = {(page, file) for page, file in named if not any(path.endswith(f"/{file}") for path in tree)}
    assert missing == set()


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(prose(index))}
    folders = {path for path in linked if path.is_dir()}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index}
    assert {str(page.relative_to(ROOT)) for page in pages - linked if not folders & set(page.parents)} == set()
