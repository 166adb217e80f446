"""
Bot packages: folders ``NAME.gbai`` that become versions.

::

    pizza.gbai/
        pizza.gbdialog/*.bas     scripts; loose .bas files beside it count too
        pizza.gbot/config.csv    name,value: split at the first comma
        pizza.gbtheme/*.css      looks of the chat page, in order of the files' names

Sub-folders are matched by their suffix, whatever they are called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from botswain.packages.configuration import complaint, doubt
from schemas.package import BotPackage, digest_of

__all__ = ["Draft", "Fault", "Stamp", "draft_of", "find_packages", "name_of", "stamp_of"]

Stamp: TypeAlias = frozenset[tuple[str, int, int]]

SUFFIX: Final = ".gbai"
MAX_CONFIG_BYTES: Final = 1_000_000
MAX_THEME_BYTES: Final = 500_000
MAX_PACKAGE_BYTES: Final = 32_000_000
CONFIG: Final = "config.csv"
KEEPS_FILES: Final = frozenset([".gbot", ".gbdrive", ".gbkb"])
ASKS: Final = re.compile(r"""["']config["']\s*,\s*(?:"([^"$]*)"|'([^']*)')?""", re.IGNORECASE)  # GET "config", "name"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something wrong (or, as a warning, doubtful) in a file of a package.

    Args:
        line, column: from 1; 0 when it is about the file as a whole.
        text: the whole complaint as an author reads it, with the line and a caret where there is one.
    """

    file: Path
    line: int
    column: int
    message: str
    text: str
    warning: bool = False


@dataclass(slots=True)
class Draft:
    """A package as it lies in its folder, good or not."""

    folder: Path
    name: str
    package: BotPackage
    files: dict[str, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def publishable(self) -> bool:
        return not any(not fault.warning for fault in self.faults)

    @property
    def version(self) -> str:
        """The hash of its content."""
        return digest_of(self.package.to_bytes())


def find_packages(path: Path) -> list[Path]:
    """The package folders at *path*: itself, or those directly in it, in order of their names."""
    if path.suffix.lower() == SUFFIX:
        return [path]
    if not path.is_dir():
        return []
    return sorted(child for child in path.iterdir() if child.suffix.lower() == SUFFIX and child.is_dir())


def name_of(folder: Path) -> str:
    """The bot's name: the folder's, without suffix, in lower case."""
    return _readable(folder.name[: -len(SUFFIX)]).lower()


def _readable(path: Path | str) -> str:
    """As text that can be written: names of files are bytes, and need not be UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def stamp_of(folder: Path) -> Stamp:
    """Path, time of change in ns and size of every file in *folder*: what can be told of an edit without reading it."""
    found: set[tuple[str, int, int]] = set()
    for place, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(place, name)
            with suppress(OSError):  # gone again, or not ours to look at
                status = os.stat(file)
                found.add((file, status.st_ctime_ns, status.st_size))
    return frozenset(found)


def draft_of(folder: Path, *, max_script_bytes: int) -> Draft:
    """
    Read a package. Whatever is wrong is among its faults; nothing is raised for what an author may do.
    """
    reading = _Reading(folder)
    name = name_of(folder)
    if not NAME.fullmatch(name):
        reading.complain(
            folder,
            f"{name!r} is no name for a bot: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit.",
        )
    small = folder.with_name(folder.name.lower())
    with suppress(OSError):  # one of them is gone meanwhile
        if small.name != folder.name and folder.is_dir() and small.is_dir() and not small.samefile(folder):
            reading.complain(
                folder, f"There is a bot {name!r} already: {small.name}. Names of bots are compared without case."
            )
    scripts: dict[str, str] = {}
    files: dict[str, Path] = {}
    by_name: dict[str, Path] = {}  # as CALL finds them
    for file in reading.files(".gbdialog", ".bas", loose=True):
        stem = file.stem.lower()
        if stem != _readable(stem):
            reading.complain(file, "Its name is not UTF-8: rename it.")
            continue
        other = by_name.setdefault(stem.replace("-", "_"), file)
        if other is not file:
            reading.complain(
                file,
                f"There is a script {stem!r} already: {other.relative_to(folder)}. "
                "Names are compared without case, and - is as good as _.",
            )
            continue
        files[stem] = file
        source = reading.text(file, max_script_bytes)
        if source is not None:
            scripts[stem] = source
    config: dict[str, str] = {}
    for file in reading.files(".gbot", ".csv"):
        if file.name.lower() == CONFIG:
            config |= reading.config(file, _asked(scripts.values()))
    reading.strays()
    css = [reading.text(file, MAX_THEME_BYTES) for file in reading.files(".gbtheme", ".css")]
    theme = "\n".join(part for part in css if part)
    if not files and folder.is_dir() and not reading.faults:
        reading.complain(folder, "There is no script in it: put start.bas into a folder that ends in .gbdialog.")
    package = BotPackage(name=name, scripts=scripts, config=config, theme=theme)
    if sum(map(len, scripts.values())) > MAX_PACKAGE_BYTES:
        reading.complain(folder, f"Its scripts take more than {MAX_PACKAGE_BYTES:,} characters together.")
    return Draft(folder, name, package, files, reading.faults)


def _asked(sources: Iterable[str]) -> Callable[[str], bool]:
    """Whether scripts may ask for the setting of a name: they do by its name, or by one that is known only later."""
    names = {first.lower() or second.lower() for source in sources for first, second in ASKS.findall(source)}
    return lambda name: name in names or "" in names


def _refuse(error: OSError) -> NoReturn:
    raise error


class _Reading:
    """Reads the files of one package and keeps what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[Fault] = []

    def complain(self, file: Path, message: str, line: int = 0, column: int = 0, *, warning: bool = False) -> None:
        place = f"{_readable(file)}:{line}" if line else _readable(file)
        message = _readable(message)
        word = "warning" if warning else "error"
        fault = Fault(file, line, column, message, f"{place}: {word}: {message}", warning)
        if fault not in self.faults:  # a folder that cannot be read is found so several times
            self.faults.append(fault)

    def files(self, folder_suffix: str, suffix: str, *, loose: bool = False) -> Sequence[Path]:
        """Files of that suffix in folders of that suffix, at any depth below them; hidden ones are left out."""
        try:
            return sorted(self._walk(folder_suffix, suffix, loose))
        except OSError as error:
            self.complain(Path(error.filename or self.folder), f"It cannot be read: {error.strerror}.")
            return []

    def _walk(self, folder_suffix: str, suffix: str, loose: bool) -> Iterator[Path]:
        for child in self.folder.iterdir():
            if child.name.startswith("."):
                continue
            if child.is_dir() and child.suffix.lower() == folder_suffix:
                # Not rglob: it passes over what it may not read, and the bot would go out without some of its scripts.
                for file in (Path(at, name) for at, _, names in os.walk(child, onerror=_refuse) for name in names):
                    hidden = any(part.startswith(".") for part in file.relative_to(self.folder).parts)
                    if file.suffix.lower() == suffix and file.is_file() and not hidden:
                        yield file
            elif loose and child.suffix.lower() == suffix and child.is_file():
                yield child

    def text(self, file: Path, limit: int) -> str | None:
        """The file's text, None (and a fault) if it has none that we take."""
        try:
            size = file.stat().st_size
            if size > limit:
                self.complain(file, f"It takes {size:,} bytes; at most {limit:,} are read.")
                return None
            data = file.read_bytes()
        except OSError as error:
            self.complain(file, f"It cannot be read: {error.strerror}.")
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            at = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
            line = data.count(b"\n", 0, at) + 1
            self.complain(file, f"It is not UTF-8: byte 0x{data[at]:02x} at offset {at}. Save it as UTF-8.", line=line)
            return None

    def strays(self) -> None:
        """Tell of every ``config.csv`` that is where nobody reads it."""
        try:
            places = [self.folder, *(child for child in self.folder.iterdir() if child.is_dir())]
            found = [file for place in sorted(places) for file in place.iterdir() if file.name.lower() == CONFIG]
        except OSError:
            return  # said of the folder already, or not ours to read
        for file in found:
            folder = file.parent if file.parent != self.folder else None
            if folder is not None and (folder.suffix.lower() in KEEPS_FILES or folder.name.startswith(".")):
                continue
            place = f"{name_of(self.folder)}.gbot"
            message = (
                f"It is not read here. Settings stand in a folder that ends in .gbot: move it to {place}/{CONFIG}."
            )
            self.complain(file, message, warning=True)

    def config(self, file: Path, asked: Callable[[str], bool]) -> dict[str, str]:
        """
        ``name,value`` lines; a value in double quotes, as spreadsheets write them, is taken out of them.

        Args:
            asked: whether scripts may ask for the setting of a name.
        """
        found: dict[str, str] = {}
        for number, line in enumerate((self.text(file, MAX_CONFIG_BYTES) or "").splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, comma, value = (part.strip() for part in line.partition(","))
            if not comma or not name:
                self.complain(file, "A line is name,value.", line=number, column=1)
                continue
            if number == 1 and (name.lower(), value.lower()) == ("name", "value"):
                continue
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1].replace('""', '"')
            found[name.lower()] = value
            if wrong := complaint(name.lower(), value):
                self.complain(file, wrong, line=number, column=1)
            elif doubtful := doubt(name.lower(), asked(name.lower())):
                self.complain(file, doubtful, line=number, column=1, warning=True)
        return found
