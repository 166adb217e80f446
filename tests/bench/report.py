"""The table, for the terminal and as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.figures import Row, Scale, Section
from tests.bench.machine import Machine

__all__ = ["page", "table"]

_HEAD = ("what", "baseline", "ours", "ratio", "must", "reached")


def _cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "**no**", None: "reported"}[row.reached]
    return row.what, row.baseline, row.ours, row.ratio, row.must, reached


def table(sections: Sequence[Section]) -> str:
    """All rows, in columns."""
    rows = [_HEAD, *(_cells(row) for section in sections for row in section.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def page(machine: Machine, scale: Scale, sections: Sequence[Section]) -> str:
    """``docs/performance.md``."""
    lines = [
        "# Performance",
        "",
        f"Written by `make bench` (scale: {scale.name}). Each figure stands beside its baseline in the same run, since",
        "absolute figures differ from machine to machine; baseline and ours take turns, the median is given, and in",
        "brackets the range. Server, database and load share one machine and talk over loopback; `fsync` and",
        "`synchronous_commit` are on everywhere.",
        "",
        *(f"- {line}" for line in machine.lines()),
        "",
        table(sections),
    ]
    for section in sections:
        lines += [f"## {section.title}", "", section.about, "", *(f"- {note}" for note in section.notes), ""]
    return "\n".join(lines).rstrip() + "\n"
