"""
Scripts of bot packages as programs: compiled when first needed, kept while there is room.

A bot version is immutable, so what was made of it never goes stale. Versions of a bot that share a script share its
program.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial
from typing import Final
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from actors.basic.analyser import script_name
from actors.basic.compiler import Program, compile_tree, program_hash
from actors.basic.errors import BasicError, ScriptErrors
from actors.basic.limits import Limits
from actors.basic.parser import parse
from bus.errors import NotReady
from schemas.package import BotPackage

__all__ = ["Apart", "Bot", "Bots"]

_WEIGHT: Final = 20
"""About how many bytes a compiled script and its text take for each character of the text."""
_BASE_WEIGHT: Final = 4_000
"""About how many bytes a bot takes besides its scripts."""
_LONG: Final = 8_000
"""Scripts of so many characters take a tenth of a second to compile."""
_LATEST: Final = 4
"""So many programs that were compiled apart stay until those who waited for them have come to use them."""
_TRIED: Final = 256
"""So many scripts are remembered that cannot be compiled apart."""

Apart = Callable[[str, str], Awaitable[Program | None]]
"""Compiles a script (its text, its name) while others go on; None if it cannot."""

_Key = tuple[str, str]
"""The name of a script and the hash of its program."""


@dataclass(slots=True)
class _Compiling:
    """
    What bots share that have scripts to compile.

    Args:
        apart: for long ones; without it they are compiled like all others, and everybody waits.
        latest: made apart. The bot that a program was made for may have been forgotten meanwhile.
        tried: could not be made apart.
        one: is compiled apart at a time.
    """

    apart: Apart | None
    programs: WeakValueDictionary[_Key, Program] = field(default_factory=WeakValueDictionary)
    latest: deque[Program] = field(default_factory=lambda: deque(maxlen=_LATEST))
    tried: deque[_Key] = field(default_factory=lambda: deque(maxlen=_TRIED))
    one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def make(self, key: _Key, source: str) -> None:
        """The program of *key* apart, if that can be."""
        async with self.one:
            if key in self.programs or key in self.tried:
                return  # somebody else waited for the same
            assert self.apart is not None
            program = await self.apart(source, key[0])
            if program is None:
                self.tried.append(key)
            else:
                self.programs[key] = program
                self.latest.append(program)


class Bot:
    """
    A bot version as runs need it.

    Args:
        settings: the configuration, names in lower case.
        zone: of its clock: ``timezone`` of the configuration, UTC if that is none.
    """

    def __init__(self, package: BotPackage, limits: Limits, compiling: _Compiling) -> None:
        self.package = package
        self.settings = {name.strip().lower(): value for name, value in package.config.items()}
        self.zone = _zone(self.settings.get("timezone", ""))
        self.limits = limits.lowered(lambda name: self.settings.get(name, ""))
        self.weight = _BASE_WEIGHT + _WEIGHT * sum(map(len, package.scripts.values()))
        self._compiling = compiling
        self._programs: dict[str, Program | None] = {}
        self._names = {script_name(name): name for name in package.scripts}

    def program(self, name: str) -> Program | None:
        """
        The script of that name as ``script_name`` gives it, None if there is none.

        Raises:
            BasicError: E_NOSCRIPT, it does not compile; such a package is not published.
            NotReady: to compile it takes long.
        """
        try:
            return self._programs[name]
        except KeyError:
            found = self._programs[name] = self._compiled(name)
            return found

    def _compiled(self, name: str) -> Program | None:
        if name not in self._names:
            return None
        source = self.package.scripts[self._names[name]]
        key = (name, program_hash(source))
        program = self._compiling.programs.get(key)
        if program is None:
            if self._compiling.apart is not None and len(source) > _LONG and key not in self._compiling.tried:
                raise NotReady(f"{name} is not compiled yet", partial(self._compiling.make, key, source))
            try:
                program = self._compiling.programs[key] = compile_tree(parse(source, name), key[1])
            except ScriptErrors as errors:
                first = errors.problems[0]
                message = f"{name} does not compile: {first.message}"
                raise BasicError("E_NOSCRIPT", message, first.at.line, name, first.at.column) from errors
        return program


def _zone(name: str) -> tzinfo:
    if not name or name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


class Bots:
    """
    The bot versions that were used last.

    Args:
        limits: of every bot, unless its configuration lowers them.
        max_bytes: about how much memory they may take together; at least one is always kept.
        apart: compiles long scripts.
    """

    def __init__(self, limits: Limits, max_bytes: int = 128 * 1024 * 1024, apart: Apart | None = None) -> None:
        self._limits = limits
        self._max_bytes = max_bytes
        self._bytes = 0
        self._bots: OrderedDict[str, Bot] = OrderedDict()
        self._compiling = _Compiling(apart)

    def get(self, version: str) -> Bot | None:
        bot = self._bots.get(version)
        if bot is not None:
            self._bots.move_to_end(version)
        return bot

    def put(self, version: str, package: BotPackage) -> Bot:
        """The bot of that version: one that somebody else has put meanwhile is kept."""
        bot = self.get(version)
        if bot is not None:
            return bot
        bot = self._bots[version] = Bot(package, self._limits, self._compiling)
        self._bytes += bot.weight
        while self._bytes > self._max_bytes and len(self._bots) > 1:
            _, gone = self._bots.popitem(last=False)
            self._bytes -= gone.weight
        return bot
