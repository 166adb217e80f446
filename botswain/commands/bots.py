"""The commands of bots' authors: check, test, publish, withdraw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from botswain.errors import Problem, no_bot
from botswain.packages.reading import Draft, find_packages, name_of
from botswain.settings import read_settings
from botswain.terminal import paint, show, show_faults

__all__ = ["check", "publish", "test", "withdraw"]

json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")
data_option = click.option("--data", type=click.Path(path_type=Path), help="Directory of the embedded database.")


def _named(path: Path, bots: Path) -> Path:
    """*path*, or the package of that name in the folder of bots if there is no such path."""
    package = bots / f"{path}.gbai"
    return package if not path.exists() and package.exists() else path


def _drafts(path: Path, bots: Path, max_script_bytes: int) -> list[Draft]:
    """The packages at *path*: one, or all of a folder. A single script counts as its package, a bot's name as well."""
    from botswain.packages.checking import check_package

    path = _named(path, bots)
    if not path.exists():
        raise no_bot(f"There is no {path}.", path.stem, list(map(name_of, find_packages(bots))), f"in {bots}")
    if path.is_file():
        package = next((folder for folder in path.absolute().parents if folder.suffix.lower() == ".gbai"), None)
        if package is None:
            raise Problem(f"{path} is in no package.", "A bot is a folder NAME.gbai.")
        path = package
    folders = find_packages(path)
    if not folders:
        raise Problem(f"There is no bot in {path}.", "A bot is a folder NAME.gbai with scripts in it.")
    return [check_package(folder, max_script_bytes) for folder in folders]


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run *main*, which opens the database. Beside the answer only warnings are logged, to standard error."""
    from botswain.logs import configure_logging

    configure_logging("warning", "auto")
    asyncio.run(main)


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@json_option
def check(path: Path | None, strict: bool, as_json: bool) -> None:
    """Compile the bots at PATH and show every error. Exit code 1 if there are any.

    PATH is a package, a folder of them, or a bot's name; without it, the folder of bots of the settings.

    \b
    Examples:
      botswain check pizza
      botswain check --json bots
    """
    settings = read_settings()
    drafts = _drafts(path or settings.bots, settings.bots, settings.basic.max_script_bytes)
    if as_json:
        faults = [
            {
                "bot": draft.name,
                "file": str(fault.file),
                "line": fault.line,
                "column": fault.column,
                "severity": "warning" if fault.warning else "error",
                "message": fault.message,
            }
            for draft in drafts
            for fault in draft.faults
        ]
        show(json.dumps(faults, indent=2, ensure_ascii=False))
    else:
        for draft in drafts:
            show_faults(draft)
            scripts = f"{len(draft.package.scripts)} script{'' if len(draft.package.scripts) == 1 else 's'}"
            state = paint("ok", fg="green") if draft.publishable else paint("not publishable", fg="red")
            show(f"{draft.name}: {scripts}, {state}")
    if not all(draft.publishable and not (strict and draft.faults) for draft in drafts):
        raise SystemExit(1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@data_option
def publish(path: Path, **given: Any) -> None:
    """Publish the bot package at PATH (or all of a folder) as a new version. Open conversations finish on theirs.

    Works while `botswain up` runs, and on BOTSWAIN_POSTGRES_URL. What does not compile is not published.

    \b
    Example:
      botswain publish bots/pizza.gbai
    """
    settings = read_settings(**given)
    drafts = _drafts(path, settings.bots, settings.basic.max_script_bytes)
    for draft in drafts:
        show_faults(draft, err=True)
    if broken := [draft.name for draft in drafts if not draft.publishable]:
        raise Problem(f"Nothing was published: there are errors in {', '.join(broken)}.")

    async def main() -> None:
        from botswain.packages.publishing import open_shelf

        async with open_shelf(settings, "botswain publish") as shelf:
            for draft in drafts:
                fresh = await shelf.publish(draft.package)
                show(f"{draft.name}: version {draft.version[:12]} is {'now' if fresh else 'already'} in force")

    _run(main())


@click.command()
@click.argument("bot")
@data_option
def withdraw(bot: str, **given: Any) -> None:
    """Take BOT off the list. Its open conversations go on; publishing it again brings it back."""
    settings = read_settings(**given)

    async def main() -> None:
        from botswain.packages.publishing import open_shelf

        async with open_shelf(settings, "botswain withdraw") as shelf:
            if not await shelf.withdraw(bot):
                raise no_bot(f"There is no bot {bot!r}.", bot, await shelf.names(), "in force")
            show(f"{bot} is withdrawn")

    _run(main())


@click.command()
@click.argument("bots", nargs=-1, metavar="[BOT|PATH]...")
@json_option
def test(bots: tuple[str, ...], as_json: bool) -> None:
    """Play the *.chat conversations of BOT (a name, a package, a folder, or one file) and show differences.

    No database and no server is needed; time passes only where the file says so. Exit code 1 if anything differs.

    \b
    Examples:
      botswain test                             all bots
      botswain test pizza
      botswain test bots/pizza.gbai/delivery.chat

    \b
    A *.chat file:
      # a comment
      < Welcome!                     the bot says
      > hello                        the person says
      < /Good (morning|evening)!/    … something that a regular expression matches
      ? Order | Ask                  … with these suggestions
    """
    from botswain.chats import Chat, parse_chat, play
    from botswain.compose import limits_of
    from botswain.rehearsal import Rehearsal

    settings = read_settings()
    results: list[dict[str, Any]] = []
    for draft, files in _chats_of(bots, settings.bots, settings.basic.max_script_bytes):
        if not draft.publishable:
            if not as_json:
                show_faults(draft)
            results.append({"bot": draft.name, "file": str(draft.folder), "line": 0, "difference": "does not compile"})
            continue
        for file in files:
            chat: Chat = parse_chat(file)
            played = play(chat, draft.package, lambda package, now: Rehearsal.of(package, now, limits_of(settings)))
            results.append(
                {
                    "bot": draft.name,
                    "file": str(file),
                    "line": played.line,
                    "messages": played.messages,
                    "difference": played.difference,
                }
            )
            if not as_json:
                _show_played(draft.name, file, played)
    failed = [result for result in results if result["difference"]]
    if as_json:
        show(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        count = f"{len(results) - len(failed)} of {len(results)} conversations went as written"
        show(paint(count, fg="red" if failed else "green"))
    if failed:
        raise SystemExit(1)


def _show_played(bot: str, file: Path, played: Any) -> None:
    if not played.difference:
        show(f"{paint('ok', fg='green')}   {bot}: {file.stem} ({played.messages} messages)")
        return
    show(f"{paint('no', fg='red')}   {bot}: {file.stem}")
    show(f"     {file}:{played.line}:  (- expected, + said)")
    colours = {"-": "red", "+": "green", "!": "yellow"}
    for line in played.difference.splitlines():
        mark = line[2:3]
        show("     " + (paint(line, fg=colours[mark]) if mark in colours else line))


def _chats_of(named: tuple[str, ...], folder: Path, max_script_bytes: int) -> list[tuple[Draft, list[Path]]]:
    found: list[tuple[Draft, list[Path]]] = []
    for name in named or (str(folder),):
        path = _named(Path(name), folder)
        for draft in _drafts(path, folder, max_script_bytes):
            files = [path] if path.is_file() else sorted(draft.folder.rglob("*.chat"))
            found.append((draft, files))
    if not any(files for _, files in found):
        raise Problem("There is no *.chat file to play.", "`botswain test --help` shows how to write one.")
    return found
