"""`botswain chat`: talk to a bot in the terminal, over the web chat's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import click

from botswain.errors import Problem, no_bot
from botswain.settings import read_settings
from botswain.terminal import paint

__all__ = ["chat"]

PROMPT: Final = "> "
# After the last line of a script, how long the bot may still be at work.
SILENCE_S: Final = 1.0
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_STRONG: Final = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
# What a bot says may have been said to it by somebody else: it must not move the cursor, or worse.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command()
@click.argument("bot", required=False)
@click.option("--url", help="Where botswain runs (default: http://HOST:PORT of the settings).")
def chat(bot: str | None, url: str | None) -> None:
    """Talk to BOT in the terminal (without BOT: the only one there is, or choose).

    A suggestion can be picked by its number. Arrow up brings back what was said. Ctrl-D ends the conversation. Lines
    that are piped in are said one after the other.

    \b
    Examples:
      botswain chat pizza
      printf 'hello\\n' | botswain chat pizza
    """
    settings = read_settings()
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104  to connect to, not to bind
    base = (url or f"http://{host}:{settings.port}").rstrip("/")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_Terminal(base).talk(bot))


@dataclass(slots=True)
class _Terminal:
    """One conversation; what was said and is not acknowledged is said again after a lost connection, with its id."""

    base: str
    bot: str = ""
    token: str = ""
    seq: int = 0
    suggestions: list[dict[str, str]] = field(default_factory=list)
    unacknowledged: deque[dict[str, str]] = field(default_factory=deque)
    interactive: bool = field(default_factory=lambda: sys.stdin.isatty())
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    socket: Any = None
    over: bool = False  # nothing is typed any more

    async def talk(self, bot: str | None) -> None:
        self.bot = bot = bot or await self._choose()
        lines: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)
        _read_lines(lines, asyncio.get_running_loop(), self.interactive)
        try:
            async with asyncio.TaskGroup() as tasks:
                connection = tasks.create_task(self._stay_connected(bot))
                while (line := await lines.get()) is not None:
                    if line.strip():
                        await self._say(self._picked(line))
                if self.interactive:
                    sys.stdout.write("\n")  # Ctrl-D leaves the cursor behind the prompt
                    self.over = True
                while self.unacknowledged or not self.interactive:
                    self.heard.clear()
                    try:
                        async with asyncio.timeout(SILENCE_S):
                            await self.heard.wait()
                    except TimeoutError:
                        if not self.unacknowledged:
                            break
                connection.cancel()
        except BaseExceptionGroup as group:
            problem, _ = group.split(Problem)
            if problem is None:
                raise
            raise problem.exceptions[0] from None

    async def _bots(self) -> list[str]:
        import urllib.request

        def bots() -> list[str]:
            with urllib.request.urlopen(f"{self.base}/api/v1/bots", timeout=10) as answer:  # noqa: S310  our own
                return [found["name"] for found in json.load(answer)["bots"]]

        try:
            return await asyncio.to_thread(bots)
        except OSError as error:
            raise self._nobody(error) from error

    async def _choose(self) -> str:
        names = await self._bots()
        if not names:
            raise Problem("There are no bots yet.", "Put a folder NAME.gbai into your folder of bots.")
        if len(names) == 1:
            return names[0]
        raise Problem("Which bot?", "botswain chat BOT, where BOT is one of: " + ", ".join(names))

    def _nobody(self, error: BaseException) -> Problem:
        return Problem(
            f"Nothing answers at {self.base} ({error}).", "Start it with `botswain up`, or name it with --url."
        )

    async def _stay_connected(self, bot: str) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

        tries = 0
        while True:
            query = urlencode({"token": self.token, "after": self.seq}) if self.token else ""
            address = f"{self.base.replace('http', 'ws', 1)}/ws/{quote(bot, safe='')}{'?' + query if query else ''}"
            try:
                async with connect(address, compression=None) as socket:
                    tries = 0
                    self.socket = socket
                    async for frame in socket:
                        await self._take(json.loads(frame))
                self.socket = None
                self._show(paint("(connection closed)", dim=True))
            except InvalidURI as error:
                raise Problem(f"{self.base} is no address.") from error
            except (OSError, InvalidHandshake, WebSocketException) as error:
                self.socket = None
                if not self.token:
                    raise self._nobody(error) from error
                if tries == 0:
                    self._show(paint("(connection lost; trying again)", dim=True))
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    async def _take(self, frame: dict[str, Any]) -> None:
        self.heard.set()
        match frame["type"]:
            case "welcome":
                self.token = frame["token"]
                for message in self.unacknowledged:
                    await self.socket.send(json.dumps(message))
            case "ack":
                self.unacknowledged = deque(m for m in self.unacknowledged if m["id"] != frame["id"])
                self.seq = max(self.seq, frame["seq"])
            case "message" if frame["seq"] > self.seq:
                self.seq = frame["seq"]
                if frame["role"] != "user":
                    self.suggestions = frame.get("suggestions") or []
                    self._show(_STRONG.sub(lambda found: paint(found[1], bold=True), _harmless(frame["text"])))
                    for number, suggestion in enumerate(self.suggestions, 1):
                        self._show(paint(f"  {number}  {_harmless(suggestion['text'])}", fg="cyan"))
            case "error":
                text = f"({_harmless(frame['message'])})"
                if frame["code"] == "not_found":
                    raise no_bot(frame["message"], self.bot, await self._bots(), f"at {self.base}")
                if frame["code"] in ("too_large", "bad_message"):
                    self.unacknowledged.clear()
                self._show(paint(text, fg="red"))

    def _picked(self, line: str) -> str:
        """A number picks a suggestion, unless the suggestions are numbers themselves."""
        if line.strip().isdigit() and not any(s["text"].strip().isdigit() for s in self.suggestions):
            number = int(line)
            if 1 <= number <= len(self.suggestions):
                return self.suggestions[number - 1]["value"]
        return line

    async def _say(self, text: str) -> None:
        message = {"type": "message", "id": str(uuid4()), "text": text}
        self.unacknowledged.append(message)
        if self.socket is not None and self.token:
            with contextlib.suppress(OSError, RuntimeError):
                await self.socket.send(json.dumps(message))
        if not self.interactive:
            # what is piped in is said when the bot has finished with the line before
            with contextlib.suppress(TimeoutError):
                while True:
                    self.heard.clear()
                    async with asyncio.timeout(SILENCE_S if not self.unacknowledged else 60):
                        await self.heard.wait()

    def _show(self, text: str) -> None:
        """Above the line that is being typed, which is shown again."""
        if not self.interactive or self.over:
            sys.stdout.write(text + "\n")
        else:
            import readline

            typed = readline.get_line_buffer()
            sys.stdout.write(f"\r\x1b[K{text}\n{PROMPT}{typed}")
        sys.stdout.flush()


def _harmless(text: str) -> str:
    """*text* without what a terminal would obey."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _read_lines(lines: asyncio.Queue[str | None], loop: asyncio.AbstractEventLoop, interactive: bool) -> None:
    """
    Read standard input in a thread: a terminal's input() can neither be awaited nor cancelled. As a daemon it does not
    keep the process alive.
    """

    def put(line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, nobody listens
            asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    def read() -> None:
        if interactive:
            import readline  # noqa: F401  history and editing for input()
        try:
            while True:
                put(input(PROMPT if interactive else ""))
        except (EOFError, ValueError):
            put(None)

    threading.Thread(target=read, name="terminal", daemon=True).start()
