"""The commands of those who run it: doctor, migrate, topics, dead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from botswain.errors import Problem
from botswain.settings import read_settings
from botswain.terminal import paint, show

if TYPE_CHECKING:
    from botswain.installation import Installation
    from bus.postgres.reads import Reads
    from bus.protocol import DeadLetter

__all__ = ["dead", "doctor", "migrate", "topics"]

data_option = click.option("--data", type=click.Path(path_type=Path), help="Directory of the embedded database.")
json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


def run(main: Coroutine[Any, Any, None]) -> None:
    """
    Run *main*; these commands take moments, so the standard event loop will do. Standard output is for their answer:
    beside it only warnings are logged, to standard error.
    """
    from botswain.logs import configure_logging

    configure_logging("warning", "auto")
    asyncio.run(main)


@click.command()
@click.option("--settings", "list_settings", is_flag=True, help="List every setting with its value and its source.")
@json_option
@data_option
@click.option("--bots", type=click.Path(path_type=Path), help="Folder of bot packages.")
def doctor(list_settings: bool, as_json: bool, **given: Any) -> None:
    """Look at everything that botswain needs, and say what is missing. Exit code 1 if anything is.

    \b
    Examples:
      botswain doctor
      botswain doctor --settings
    """
    from botswain import doctor as doctors

    if list_settings:
        rows = doctors.settings_rows(read_settings(**given), given)
        if as_json:
            show(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            for row in rows:
                show(paint(row["variable"], bold=True) + f" = {row['value'] or '(unset)'}   [{row['source']}]")
                show(f"    {row['about']}. Allowed: {row['allowed']}. Default: {row['default'] or 'unset'}.")
        return
    findings: list[doctors.Finding] = []

    async def examine() -> None:
        async for finding in doctors.examine(given):
            findings.append(finding)
            if not as_json:
                mark = {"ok": ("ok", "green"), "note": ("--", "yellow"), "bad": ("!!", "red")}[finding.state]
                show(f"{paint(mark[0], fg=mark[1])}  {finding.what}: {finding.text}")

    run(examine())
    if as_json:
        show(json.dumps([vars_of(finding) for finding in findings], indent=2, ensure_ascii=False))
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(1)


def vars_of(finding: Any) -> dict[str, str]:
    """A finding as JSON has it."""
    return {"what": finding.what, "state": finding.state, "text": finding.text}


@click.command()
@data_option
def migrate(**given: Any) -> None:
    """Bring the database to this program's version. Safe to repeat, and to run by several processes at once.

    `botswain up` does it by itself for the embedded database.

    \b
    Example:
      BOTSWAIN_POSTGRES_URL=postgresql://… botswain migrate
    """
    from botswain.installation import open_store
    from bus.postgres import migrate as apply

    async def main() -> None:
        async with open_store(read_settings(**given), note="botswain migrate", share=True) as store:
            done = await apply(store.url)
            show("\n".join(f"applied {name}" for name in done) or "The database is up to date.")

    run(main())


@asynccontextmanager
async def reading(given: dict[str, Any]) -> AsyncIterator[Reads]:
    """The read side of the database, beside whatever runs."""
    from botswain.installation import open_store
    from bus.postgres.reads import open_reads

    async with (
        open_store(read_settings(**given), note="a command", share=True) as store,
        open_reads(store.url, connections=1) as reads,
    ):
        yield reads


@asynccontextmanager
async def acting(given: dict[str, Any]) -> AsyncIterator[tuple[Installation, Reads]]:
    """The same with the bus, to publish."""
    from botswain.installation import open_installation, open_store
    from bus.postgres.reads import Reads

    settings = read_settings(**given)
    async with (
        open_store(settings, note="a command", share=True) as store,
        open_installation(settings, store) as installation,
    ):
        yield installation, Reads(installation.database)


@click.command()
@json_option
@data_option
def topics(as_json: bool, **given: Any) -> None:
    """Show the topics of the log and how far each group of readers is behind, on PostgreSQL or Kafka."""
    from dataclasses import asdict

    from botswain.overview import overview

    async def main() -> None:
        async with reading(given) as reads:
            found = await overview(read_settings(**given), reads)
        if as_json:
            show(json.dumps([asdict(entry) for entry in found], indent=2))
            return
        for entry in found:
            show(f"{paint(entry.topic, bold=True)}  {entry.partitions} partitions")
            for name, group in sorted(entry.groups.items()):
                lag = "hears what is new" if group.lag is None else f"{group.lag} to read"
                show(
                    f"    {name}: {paint(lag, fg='yellow' if group.lag else 'green')}, "
                    f"{group.owned} partition{'' if group.owned == 1 else 's'} in work"
                )

    run(main())


# --- dead letters ----------------------------------------------------------------------------------------------------


@click.group()
def dead() -> None:
    """Look at what was set aside, do it again, or discard it.

    An event is set aside when its actor fails on it; its conversation goes on without it (or waits, if the bot's
    config.csv says failed-turn,block).

    \b
    Examples:
      botswain dead list
      botswain dead show 5f1f…
      botswain dead redrive 5f1f…      when the cause is mended
      botswain dead discard 5f1f…
    """


@dead.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--after", type=click.UUID, help="Go on after this one.")
@json_option
@data_option
def dead_list(limit: int, after: UUID | None, as_json: bool, **given: Any) -> None:
    """List what was set aside, oldest first."""

    async def main() -> None:
        async with reading(given) as reads:
            letters = await reads.letters(limit=limit, after=after)
        if as_json:
            show(json.dumps([_described(letter) for letter in letters], indent=2, ensure_ascii=False))
        elif not letters:
            show("Nothing is set aside.")
        for letter in () if as_json else letters:
            show(f"{letter.id}  {letter.at:%Y-%m-%d %H:%M:%S}  {letter.group}  {letter.record.type}")
            show(f"    {letter.reason.splitlines()[0] if letter.reason else ''}")

    run(main())


@dead.command("show")
@click.argument("letter", type=click.UUID)
@json_option
@data_option
def dead_show(letter: UUID, as_json: bool, **given: Any) -> None:
    """All that is known of LETTER: the event (with the person's words), the reason, the traceback."""

    async def main() -> None:
        async with reading(given) as reads:
            found = await reads.letter(letter)
        if found is None:
            raise Problem(f"There is no dead letter {letter}.", "`botswain dead list` shows them.")
        described = _described(found)
        if as_json:
            show(json.dumps(described, indent=2, ensure_ascii=False))
            return
        trace = described.pop("traceback")
        event = described.pop("event")
        for name, value in described.items():
            show(f"{paint(name, bold=True)}: {value}")
        show(f"{paint('event', bold=True)}: {json.dumps(event, indent=2, ensure_ascii=False)}")
        show(trace)

    run(main())


@dead.command("redrive")
@click.argument("letters", type=click.UUID, nargs=-1, required=True)
@data_option
def dead_redrive(letters: tuple[UUID, ...], **given: Any) -> None:
    """Have the events of LETTERS decided again; each is decided once, however often this is repeated."""
    from bus.dead_letters import redrive

    _settle(letters, given, redrive, "redriven")


@dead.command("discard")
@click.argument("letters", type=click.UUID, nargs=-1, required=True)
@data_option
def dead_discard(letters: tuple[UUID, ...], **given: Any) -> None:
    """Drop LETTERS for good; conversations that wait behind them go on."""
    from bus.dead_letters import discard

    _settle(letters, given, discard, "discarded")


def _settle(letters: tuple[UUID, ...], given: dict[str, Any], settle: Any, done: str) -> None:
    async def main() -> None:
        async with acting(given) as (installation, reads):
            unknown = []
            for letter in letters:
                if await settle(installation.bus, reads, letter):
                    show(f"{done} {letter}")
                else:
                    unknown.append(str(letter))
        if unknown:
            raise Problem(f"Nothing is set aside (any more) as {', '.join(unknown)}.")

    run(main())


def _described(letter: DeadLetter) -> dict[str, Any]:
    try:
        event: Any = json.loads(letter.record.data)
    except ValueError:
        event = letter.record.data.decode(errors="backslashreplace")
    return {
        "id": str(letter.id),
        "at": letter.at.isoformat(),
        "group": letter.group,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.record.key,
        "type": letter.record.type,
        "reason": letter.reason,
        "event": event,
        "traceback": letter.traceback,
    }
