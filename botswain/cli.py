"""
The command line.

Commands live in ``botswain/commands/`` and are imported when they are called: ``botswain version`` need not wait for a
web server's modules.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

import click

from botswain.errors import Problem
from botswain.terminal import paint, show

__all__ = ["cli", "main"]


class _Lazy(NamedTuple):
    module: str
    summary: str


COMMANDS: Final[Mapping[str, Mapping[str, _Lazy]]] = {
    "Run": {
        "up": _Lazy("serve", "Everything in one process; prints the address to open."),
        "edge": _Lazy("serve", "Only the web chat and the HTTP API, for several processes on one PostgreSQL."),
        "worker": _Lazy("serve", "Only the actors (all, or those named), likewise."),
        "chat": _Lazy("talk", "Talk to a bot in the terminal."),
    },
    "Make bots": {
        "check": _Lazy("bots", "Compile bots and show every error."),
        "test": _Lazy("bots", "Play a bot's *.chat conversations and show differences."),
        "publish": _Lazy("bots", "Publish a bot package as a new version."),
        "withdraw": _Lazy("bots", "Take a bot off the list; its open conversations go on."),
    },
    "Operate": {
        "doctor": _Lazy("operate", "Find out what is missing or wrong; list all settings."),
        "migrate": _Lazy("operate", "Bring the database to this program's version."),
        "topics": _Lazy("operate", "Show the log's topics and how far each actor is."),
        "dead": _Lazy("operate", "Look at what was set aside, do it again, or discard it."),
    },
    "About": {
        "version": _Lazy("about", "Print the version."),
        "completion": _Lazy("about", "Print what makes a shell complete our commands."),
    },
}


class _Commands(click.Group):
    """Commands by name; their modules are imported on use, their summaries stand above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for family in COMMANDS.values() for name in family]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for family in COMMANDS.values():
            if cmd_name in family:
                found = getattr(import_module(f"botswain.commands.{family[cmd_name].module}"), cmd_name)
                assert isinstance(found, click.Command)
                return found
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            raise click.UsageError(
                f"There is no command {args[0]!r}.{f' Did you mean {near[0]}?' if near else ''}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, family in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.summary) for name, lazy in family.items()])


def program_version() -> str:
    """The version of this program."""
    try:
        return version("botswain")
    except PackageNotFoundError:  # a checkout that was never installed as a package
        from botswain import __version__

        return __version__


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Settings come from BOTSWAIN_ variables or botswain.toml: see `botswain doctor --settings`.",
)
@click.version_option(program_version(), message="%(prog)s %(version)s")
def cli() -> None:
    """Botswain runs conversational bots that are folders of BASIC.

    \b
    Examples:
      botswain up                     open the printed address and talk
      botswain check bots/pizza.gbai  is it right?
      botswain test bots/pizza.gbai   does it say what it should?
    """


def _problems(error: BaseException) -> Iterator[Problem]:
    """What there is to tell people in *error*; the groups that task groups make are opened."""
    from bus.errors import BusUnavailable, SchemaMismatch

    if isinstance(error, Problem):
        yield error
    elif isinstance(error, SchemaMismatch):
        yield Problem(f"{str(error)[:1].upper()}{str(error)[1:]}.")
    elif isinstance(error, BusUnavailable):
        yield Problem(f"{error}.", "Is the address right, and does the server run? `botswain doctor` looks at it.")
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f": {error.filename}" if error.filename else ""
        yield Problem(f"{error.strerror}{place}.", "Make room, then try again.")
    elif isinstance(error, OSError) and error.filename and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "Change who may read or write there, or run botswain as another user."
        yield Problem(f"{error.strerror}: {error.filename}.", advice)
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _problems(inner)


def main() -> None:
    """The program. Ends it with 0 (done), 1 (what was asked for failed) or 2 (wrong usage)."""
    try:
        cli(prog_name="botswain")
    except BrokenPipeError:
        # whoever read us has enough; Python would complain again when it flushes at exit
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        found = list(_problems(error))
        if not found:
            raise
        for problem in found:
            show(paint("Error: ", err=True, fg="red", bold=True) + problem.message, err=True)
            if problem.advice:
                show(problem.advice, err=True)
        raise SystemExit(found[0].exit_code) from None
