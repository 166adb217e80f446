"""
Conversations that a bot should have, as readable files: ``*.chat``.

::

    # A comment
    @now 2026-03-06 18:20              the time at which it happens (UTC)
    @config currency = €               a value of config.csv, for this file
    < Welcome! What is your name?      the bot says exactly this
    > ada                              the person says
    < /Good (morning|evening), Ada!/   the bot says something that this regular expression matches as a whole
    <~ how can i help                  the bot says something with these words in it, whatever their case
    ? Order | Ask                      … and offers these, in this order
    < ...                              whatever else the bot says, also nothing
    @wait 2 h                          nobody says anything for so long
    @new person=bob                    a new conversation, by the same person or another one
    < Two lines of
      one message: indented by two blanks

Everything the bot says must be expected; what comes between two lines of the person is compared as a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from botswain.errors import Problem
from botswain.rehearsal import Heard, Rehearsal
from schemas.package import BotPackage

__all__ = ["Chat", "ChatError", "Played", "parse_chat", "play"]

UNITS: Final = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
BEGIN: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class ChatError(Problem):
    """A line of a chat file that means nothing."""


@dataclass(frozen=True, slots=True)
class Say:
    """The person says something."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Expect:
    """The bot should say something. *suggestions* None: any, or none."""

    line: int
    how: str  # "is", "matches", "has", "anything"
    text: str
    suggestions: tuple[str, ...] | None = None

    def fits(self, heard: Heard) -> bool:
        """Whether *heard* is what was expected."""
        if self.suggestions is not None and self.suggestions != heard.suggestions:
            return False
        said = _tidy(heard.text)
        match self.how:
            case "is":
                return said == self.text
            case "matches":
                return re.fullmatch(self.text, said, re.DOTALL) is not None
            case "has":
                return " ".join(self.text.split()).casefold() in " ".join(said.split()).casefold()
        return True

    def __str__(self) -> str:
        shown = {"is": self.text, "matches": f"/{self.text}/", "has": f"~ {self.text}", "anything": "..."}[self.how]
        return shown + (f"\n? {' | '.join(self.suggestions)}" if self.suggestions is not None else "")


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    line: int
    duration: timedelta


@dataclass(frozen=True, slots=True)
class New:
    """A new conversation begins."""

    line: int
    person: str
    channel: str


Step = Say | Expect | Wait | New


@dataclass(slots=True)
class Chat:
    """A chat file: what is set for it, and its steps in order. The first step is always ``New``."""

    file: Path
    now: datetime = BEGIN
    locale: str = "en"
    config: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def _tidy(text: str) -> str:
    """Blanks at the ends of lines are not seen, so they are not compared."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _joined(content: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; indented ones go to the line they continue, comments and empty lines are dropped."""
    number, text, blanks = 0, "", 0
    for at, line in enumerate(content.splitlines(), 1):
        if line.startswith("  ") and number:
            text += "\n" * (blanks + 1) + line[2:]
            blanks = 0
        elif not line.strip():
            blanks += 1
        else:
            if number:
                yield number, text
            number, text, blanks = (0, "", 0) if line.startswith("#") else (at, line, 0)
    if number:
        yield number, text


def parse_chat(file: Path) -> Chat:
    """Read *file*. Raises ``ChatError`` for the first line that means nothing."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ChatError(f"{file} cannot be read: {error}.") from error
    chat = Chat(file)
    for number, line in _joined(content):
        try:
            _read_line(chat, number, line)
        except (ValueError, re.error) as error:
            raise ChatError(f"{file}:{number}: {error}", f"  {line.splitlines()[0]}") from error
    if not any(isinstance(step, New) for step in chat.steps[:1]):
        chat.steps.insert(0, New(0, "visitor", "web"))
    return chat


def _read_line(chat: Chat, number: int, line: str) -> None:
    mark, rest = line[0], line[1:]
    match mark:
        case ">":
            chat.steps.append(Say(number, _tidy(rest)))
        case "<":
            chat.steps.append(_expectation(number, rest))
        case "?":
            last = chat.steps[-1] if chat.steps else None
            if not isinstance(last, Expect) or last.how == "anything":
                raise ValueError("suggestions (?) belong to the line that the bot says (<) before them")
            offered = tuple(option.strip() for option in rest.split("|")) if rest.strip() else ()
            chat.steps[-1] = Expect(last.line, last.how, last.text, offered)
        case "@":
            name, _, value = rest.partition(" ")
            _direct(chat, number, name, value.strip())
        case _:
            raise ValueError("a line begins with > (the person), < (the bot), ? (suggestions), @ or #")


def _expectation(number: int, rest: str) -> Expect:
    text = _tidy(rest)
    if rest.startswith("~"):
        return Expect(number, "has", _tidy(rest[1:]))
    if text == "...":
        return Expect(number, "anything", "")
    if len(text) > 1 and text[0] == text[-1] == "/":
        re.compile(text[1:-1])
        return Expect(number, "matches", text[1:-1])
    return Expect(number, "is", text)


def _direct(chat: Chat, number: int, name: str, value: str) -> None:
    match name:
        case "now":
            chat.now = datetime.fromisoformat(value).replace(tzinfo=UTC)
        case "locale":
            chat.locale = value
        case "config":
            key, equals, setting = value.partition("=")
            if not equals:
                raise ValueError("write @config name = value")
            chat.config[key.strip().lower()] = setting.strip()
        case "wait":
            found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?", value)
            unit = (found[2] if found[2] in UNITS else found[2] + "s") if found else ""
            if found is None or unit not in UNITS:
                raise ValueError("write @wait 30 s, 5 min, 2 h or 3 d")
            chat.steps.append(Wait(number, timedelta(seconds=float(found[1]) * UNITS[unit])))
        case "new":
            options = dict(part.partition("=")[::2] for part in value.split())
            if unknown := set(options) - {"person", "channel"}:
                raise ValueError(f"@new takes person= and channel=, not {', '.join(sorted(unknown))}")
            chat.steps.append(New(number, options.get("person", "visitor"), options.get("channel", "web")))
        case _:
            raise ValueError("there are @now, @locale, @config, @wait and @new")


# --- playing ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Played:
    """
    How a chat went.

    Args:
        difference: what was expected and what came instead, for a reader; '' when all went as written.
        line: where it differs.
        messages: how many were said by both.
    """

    chat: Chat
    messages: int = 0
    line: int = 0
    difference: str = ""


def play(chat: Chat, package: BotPackage, rehearse: Callable[[BotPackage, datetime], Rehearsal]) -> Played:
    """Hold the conversations of *chat* with the bot, up to the first difference."""
    bot = replace(package, config=package.config | chat.config)
    rehearsal = rehearse(bot, chat.now)
    played = Played(chat)
    expected: list[Expect] = []
    since: Say | New | Wait | None = None
    for step in [*chat.steps, None]:
        if isinstance(step, Expect):
            expected.append(step)
            continue
        if since is not None:
            heard = rehearsal.take_heard()
            played.messages += len(heard) + isinstance(since, Say)
            if difference := _difference(expected, heard, rehearsal.take_errors()):
                played.line = expected[0].line if expected else since.line
                before = f"  > {since.text}\n" if isinstance(since, Say) else ""
                played.difference = before + difference
                return played
            expected = []
        match step:
            case Say():
                rehearsal.say(step.text)
            case Wait():
                rehearsal.wait(step.duration)
            case New():
                rehearsal.begin(step.person, step.channel, chat.locale)
        since = step
    return played


def _difference(expected: Sequence[Expect], heard: Sequence[Heard], errors: Sequence[str]) -> str:
    """A readable difference, '' if there is none. The shortest list of missing and surplus messages."""
    wide = len(heard) + 1
    # costs[i][j]: the fewest messages missing or surplus from the i-th expected and the j-th heard one on
    costs = [[0] * wide for _ in range(len(expected) + 1)]
    for j in range(len(heard) - 1, -1, -1):
        costs[-1][j] = costs[-1][j + 1] + 1
    for i in range(len(expected) - 1, -1, -1):
        anything = expected[i].how == "anything"
        for j in range(len(heard), -1, -1):
            best = costs[i + 1][j] + (0 if anything else 1)
            if j < len(heard):
                if anything:
                    best = min(best, costs[i][j + 1])
                else:
                    best = min(best, costs[i][j + 1] + 1)
                    if expected[i].fits(heard[j]):
                        best = min(best, costs[i + 1][j + 1])
            costs[i][j] = best
    if costs[0][0] == 0 and not errors:
        return ""
    lines: list[str] = []
    i = j = 0
    while i < len(expected) or j < len(heard):
        if i < len(expected) and expected[i].how == "anything":
            if j < len(heard) and costs[i][j] == costs[i][j + 1]:
                j += 1
            else:
                i += 1
        elif i < len(expected) and j < len(heard) and expected[i].fits(heard[j]) and costs[i][j] == costs[i + 1][j + 1]:
            lines += _marked("<", str(expected[i]))
            i, j = i + 1, j + 1
        elif i < len(expected) and costs[i][j] == costs[i + 1][j] + 1:
            lines += _marked("-", str(expected[i]))
            i += 1
        else:
            lines += _marked("+", str(heard[j]))
            j += 1
    lines += [f"  ! {line}" for error in errors for line in error.splitlines()]
    return "\n".join(lines)


def _marked(mark: str, text: str) -> list[str]:
    first, *others = text.split("\n")
    return [f"  {mark} {first}", *(f"  {mark}   {other}" for other in others)]
