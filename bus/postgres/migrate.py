"""Brings a database to the schema of this program: the numbered files of ``migrations/``, each once, in order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bus.errors import SchemaMismatch
from bus.postgres.database import connect

__all__ = ["Migration", "check_schema", "migrate", "migrations"]

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: ``0001_begin.sql`` has number 1. *sha256* is that of its text."""

    number: int
    name: str
    sha256: str
    text: str


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """The files in order."""
    found = []
    for file in sorted(folder.glob("[0-9]*.sql")):
        data = file.read_bytes()
        found.append(Migration(int(file.name[:4]), file.name, hashlib.sha256(data).hexdigest(), data.decode()))
    return found


async def migrate(url: str, *, folder: Path = MIGRATIONS) -> list[str]:
    """
    Apply what is missing; each file is one transaction. Safe to run by several processes at once.

    Returns: the names of the files that were applied now.
    Raises:
        SchemaMismatch: the database is newer than the program, or was made by other files; or it remains older, since
            somebody uses a table all the time that a file must have for itself.
        BusUnavailable: the database cannot be reached.
    """
    known = migrations(folder)
    connection = await connect(url, "botswain migrate", command_timeout_s=None)
    try:
        # Held by the session: it must outlive the transactions of the single files.
        await connection.execute("SELECT pg_advisory_lock(1651471204, 3)")
        await connection.execute(_TABLE)
        applied = await _applied(connection)
        _compare(known, applied)
        done = []
        for migration in known[len(applied) :]:
            try:
                async with connection.transaction():
                    await connection.execute(migration.text)
                    await connection.execute(
                        "INSERT INTO migrations (number, name, sha256) VALUES ($1, $2, $3)",
                        migration.number,
                        migration.name,
                        migration.sha256,
                    )
            except asyncpg.LockNotAvailableError as error:
                raise SchemaMismatch(
                    f"the database stays older than this program: {migration.name} must have a table to itself for a"
                    " moment, and something holds it for long, perhaps a backup: run `botswain migrate` when that has"
                    " ended"
                ) from error
            done.append(migration.name)
        return done
    finally:
        await connection.close()


async def check_schema(connection: asyncpg.Connection[asyncpg.Record], *, folder: Path = MIGRATIONS) -> None:
    """Raises ``SchemaMismatch``, with what to do, unless the database is at this program's schema."""
    known = migrations(folder)
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        raise SchemaMismatch("the database is empty: run `botswain migrate`")
    applied = await _applied(connection)
    _compare(known, applied)
    if len(applied) < len(known):
        raise SchemaMismatch(f"the database is older than this program ({known[-1].name}): run `botswain migrate`")


async def _applied(connection: asyncpg.Connection[asyncpg.Record]) -> list[tuple[int, str, str]]:
    rows = await connection.fetch("SELECT number, name, sha256 FROM migrations ORDER BY number")
    return [(row["number"], row["name"], row["sha256"]) for row in rows]


def _compare(known: list[Migration], applied: list[tuple[int, str, str]]) -> None:
    if len(applied) > len(known):
        raise SchemaMismatch(
            f"the database is newer than this program ({applied[-1][1]} is applied): install the newer program"
        )
    for migration, (number, name, sha256) in zip(known, applied, strict=False):
        if migration.number != number or migration.sha256 != sha256:
            raise SchemaMismatch(f"the database was made with another {name} than this program has")
