"""Scripts that fail while they run, as their authors are told: the place, the line and a caret."""

from __future__ import annotations

from actors.basic import excerpts
from actors.basic.analyser import script_name
from actors.basic.errors import MEANINGS
from botswain.terminal import paint, show
from schemas.dialog import Failed
from schemas.package import BotPackage

__all__ = ["Failures", "excerpt_of", "place_of"]


def place_of(failed: Failed) -> str:
    """``start.bas:3:7``, as far as it is known."""
    if not failed.line:
        return failed.script
    return f"{failed.script}.bas:{failed.line}" + (f":{failed.column}" if failed.column else "")


def excerpt_of(package: BotPackage, failed: Failed) -> list[str]:
    """The line of the script and a caret under the place; nothing where that is not known."""
    sources = {script_name(name): source for name, source in package.scripts.items()}
    return excerpts.excerpt_of(sources.get(failed.script, ""), failed.line, failed.column)


class Failures:
    """
    Shows on the terminal where scripts fail. A script that fails again and again at one place is shown once, until
    something else fails; the log has a line for each.
    """

    def __init__(self) -> None:
        self._last: tuple[str, str, str] | None = None

    def show(self, package: BotPackage, failed: Failed) -> None:
        """Not the message: it may quote what somebody said."""
        if failed.code == "E_TIMEOUT":  # nobody's mistake
            return
        this = (package.name, failed.code, place_of(failed))
        if this == self._last:
            return
        self._last = this
        meaning = MEANINGS.get(failed.code, "")
        head = f"{package.name}: {place_of(failed)}: {paint('failed', err=True, fg='red')}: {failed.code}"
        show("\n".join([head + (f", {meaning}" if meaning else ""), *excerpt_of(package, failed)]), err=True)
