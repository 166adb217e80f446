"""What is missing or wrong, looked at one thing after the other."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from botswain.errors import Problem
from botswain.settings import Settings, all_settings, read_settings, source_of

__all__ = ["Finding", "examine", "settings_rows"]

LITTLE_SPACE_BYTES: Final = 500_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: it is ``ok``, worth a ``note``, or ``bad``."""

    what: str
    state: Literal["ok", "note", "bad"]
    text: str


def settings_rows(settings: Settings, given: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every setting with its value in force (secrets are not shown) and where that comes from."""
    rows = []
    for setting in all_settings():
        value: Any = settings
        for name in setting.path:
            value = getattr(value, name)
        if value is None or value == ():
            shown = ""
        elif setting.secret:
            shown = "********"
        elif isinstance(value, bool):
            shown = str(value).lower()
        else:
            shown = str(value)
        rows.append(
            {
                "variable": setting.variable,
                "name": setting.name,
                "value": shown,
                "default": setting.default,
                "allowed": setting.allowed,
                "about": setting.about,
                "source": source_of(setting, given, os.environ),
            }
        )
    return rows


async def examine(given: Mapping[str, Any]) -> AsyncIterator[Finding]:
    """Look at everything; what depends on something bad is left out."""
    good = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if good else "bad", platform.python_version() + ("" if good else ", 3.11 is needed"))
    try:
        settings = read_settings(**given)
    except Problem as problem:
        yield Finding("settings", "bad", str(problem))
        return
    set_ = [row for row in settings_rows(settings, given) if row["source"] != "default"]
    yield Finding("settings", "ok", ", ".join(f"{row['name']} ({row['source']})" for row in set_) or "all defaults")
    async for finding in _database(settings):
        yield finding
    yield _bots(settings)
    yield _port(settings)
    if settings.host not in ("127.0.0.1", "localhost", "::1"):
        text = f"{settings.host} is reachable from outside: put a server with TLS before it"
        yield Finding("host", "note", text)
    if settings.bus == "kafka":
        yield _kafka(settings)


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    import asyncpg

    from botswain.embedded import running_database
    from bus.errors import BusError
    from bus.postgres.database import connect
    from bus.postgres.migrate import check_schema

    if settings.postgres_url is None:
        yield _space(settings.data)
        url = await running_database(settings.data)
        if url is None:
            started = (settings.data / "postgresql").exists()
            text = "embedded, not running" if started else "embedded, made at the first `botswain up`"
            yield Finding("database", "ok", text)
            return
        kind = "embedded, running"
    else:
        url, kind = settings.postgres_url.get_secret_value(), "BOTSWAIN_POSTGRES_URL"
    try:
        connection = await connect(url, "botswain doctor")
    except (BusError, ValueError) as error:
        yield Finding("database", "bad", f"{kind}: {error}")
        return
    try:
        server = connection.get_server_version()
        yield Finding("database", "ok" if server.major >= 15 else "bad", f"{kind}, PostgreSQL {server.major}")
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            if await connection.fetchval(f"SHOW {name}") == "off":
                yield Finding("database", "bad", f"{name} is off: what was acknowledged can be lost with the power")
        await check_schema(connection)
        yield Finding("schema", "ok", "at this program's version")
    except (BusError, asyncpg.PostgresError) as error:
        yield Finding("schema", "bad", str(error))
    finally:
        await connection.close()


def _space(data: Path) -> Finding:
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", "bad", f"{there} cannot be written by this user")
    free = shutil.disk_usage(there).free
    text = f"{data.absolute()}, {free / 1e9:.1f} GB free"
    return Finding("data", "note" if free < LITTLE_SPACE_BYTES else "ok", text)


def _bots(settings: Settings) -> Finding:
    from botswain.packages.checking import check_package
    from botswain.packages.reading import find_packages

    if not settings.bots.is_dir():
        return Finding("bots", "note", f"there is no folder {settings.bots.absolute()}")
    drafts = [check_package(folder, settings.basic.max_script_bytes) for folder in find_packages(settings.bots)]
    broken = [draft.name for draft in drafts if not draft.publishable]
    if broken:
        return Finding("bots", "bad", f"errors in {', '.join(broken)}: see `botswain check {settings.bots}`")
    if not drafts:
        return Finding("bots", "note", f"no NAME.gbai in {settings.bots.absolute()}")
    return Finding("bots", "ok", ", ".join(draft.name for draft in drafts))


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1)
        busy = settings.port and probe.connect_ex(("127.0.0.1", settings.port)) == 0
    text = f"{settings.port} is in use (by a botswain that runs, or by something else)"
    return Finding("port", "note", text) if busy else Finding("port", "ok", f"{settings.port} is free")


def _kafka(settings: Settings) -> Finding:
    for broker in settings.kafka.bootstrap.split(","):
        host, _, port = broker.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except (OSError, ValueError) as error:
            return Finding("kafka", "bad", f"{broker}: {error}")
    return Finding("kafka", "ok", settings.kafka.bootstrap)
