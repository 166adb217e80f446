"""
What a program and the keywords can reach during one turn of a run: the ``M`` of compiled code.

A host lives for one turn. Time and random numbers come from the event of the turn, so the turn can be repeated; what
the run does is collected here and becomes an event outside.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from itertools import chain, repeat
from operator import length_hint
from random import Random
from types import TracebackType
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from actors.basic import values
from actors.basic.emit import FILE_PREFIX
from actors.basic.errors import CODES, BasicError, BudgetSpent, Spot
from actors.basic.frames import Run
from actors.basic.functions import FUNCTIONS
from actors.basic.limits import MESSAGES_A_SECOND, Limits
from actors.basic.values import ErrorValue
from schemas.conversation import Attachment, Suggestion
from schemas.dialog import Act, Said, SuggestionAdded
from schemas.package import BotPackage

__all__ = [
    "FUNCTIONS_TO_COME",
    "OWN_FUNCTIONS",
    "QUERY_STEPS",
    "WITHOUT_ARGUMENTS",
    "Clauses",
    "Handler",
    "Host",
    "RunEnded",
    "Surroundings",
    "Wait",
]

_CHUNK: Final = 32_768
"""Steps between two looks at the memory of the process, and at most handed out at once."""

_LEAST_CHUNK: Final = 64

_PART_OF_REST: Final = 32
"""So small a part of the steps left is handed out at once."""

_WAITS: Final = 100
"""So many waits of no time spend the whole budget of steps: a wait costs a turn, however little is done in it."""

_WHOLE_AGAIN_S: Final = 5.0
"""So many seconds of waiting bring the whole budget back. Both together: a run may wait 20 times a second for ever."""

_LEAST_WAIT: Final = timedelta(milliseconds=10)
"""About what a turn takes. A wait of less would not move the run's time on, which is that of its events."""

QUERY_STEPS: Final = 1_000
"""Asking the database takes as long as so many steps."""

_ERROR_STEPS: Final = 100
"""An error that is caught takes as long as so many steps."""

_ERROR_BYTES_A_STEP: Final = 50
"""And one step more for so many bytes of the table of lines: Python reads it from the beginning to find the place."""

OWN_FUNCTIONS: Final = frozenset({
    "session_id", "bot_id", "user_id", "error", "is_error", "get_error_message", "log_info", "log_warn", "log_error",
    "log_debug", "exists",
})  # fmt: skip
"""Functions that ask about the run itself; ``exists`` is the compiler's."""

FUNCTIONS_TO_COME: Final = frozenset({
    "is_active", "get_last_message_time", "detect_urgency", "classify_intent", "is_personal_email",
    "is_autoreply", "generate_case_number", "get_next_available_agent", "file_exists",
})  # fmt: skip
"""Functions known by name only: a run that calls one fails with E_CONFIG, unless the bot has a script of that name."""

WITHOUT_ARGUMENTS: Final = frozenset({
    "session_id", "bot_id", "user_id", "generate_case_number", "get_next_available_agent",
})  # fmt: skip
"""Of both, those that need no brackets."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_STATM: Final = "/proc/self/statm"


class RunEnded(BaseException):
    """EXIT, END or STOP in a procedure. No error: neither ON ERROR nor TRY sees it."""


class Wait(Struct, frozen=True):
    """
    A keyword suspends the run.

    Args:
        kind: ``'hear'`` or ``'timer'``.
        data: what the machine needs to go on, in values of the language; stored with the run.
        deadline_at: of the wait for a person, or when the timer fires.
    """

    kind: str
    data: dict[str, Any]
    deadline_at: datetime | None
    secret: bool = False


Clauses = tuple[tuple[str, Any], ...]
Handler = Callable[["Host", tuple[Any, ...], Clauses], Any]
"""
What executes a keyword: given its arguments and its clauses (pairs of word and value), it gives the result. One that
asks the database is a generator, which yields a query and is sent the rows; one that suspends gives a ``Wait``.
"""


@dataclass(slots=True)
class Surroundings:
    """What a turn has around it: the event's time and id, the bot's package, the session's values."""

    event: UUID
    at: datetime
    package: BotPackage
    settings: Mapping[str, str]
    zone: tzinfo
    limits: Limits
    session: dict[str, Any] = field(default_factory=dict)
    said: float = 0
    """Messages of this conversation that still count against its limit."""


class Host:
    """One turn of one run."""

    def __init__(self, run: Run, surroundings: Surroundings, keywords: Mapping[str, Handler]) -> None:
        self.run = run
        self.around = surroundings
        self.limits = surroundings.limits
        self.zone = surroundings.zone
        self.session = surroundings.session
        self.keywords = keywords
        self.acts: list[Act] = []
        self.messages = surroundings.said
        """That count against the limit: those of late, and those of this turn."""
        self._output = 0
        self._caught: ErrorValue | None = None
        self._names: dict[str, Any] = {}
        self._baseline = 0
        self._unseen = 0
        whole = self.limits.max_steps
        self.budget = whole if run.steps_left is None else min(run.steps_left, whole)
        """Steps of this turn."""
        self._in_hand: list[tuple[int, Iterator[None]]] = []
        self.ticks = self.every(1)

    # --- time and chance --------------------------------------------------------------------------------------------

    @cached_property
    def now(self) -> datetime:
        return self.around.at.astimezone(self.zone)

    @cached_property
    def random(self) -> Random:
        return Random(self.around.event.int)  # noqa: S311 - repeatable on purpose, no secret

    @property
    def locale(self) -> str:
        """BCP 47 tag of the person, the bot's own where the channel does not say."""
        locale = self.run.trigger.person.locale
        return self.around.settings.get("locale", "en") if locale in ("", "und") else locale

    # --- budgets ----------------------------------------------------------------------------------------------------

    def every(self, steps: int) -> Iterator[None]:
        """An iterator each of whose values takes so many steps; past the last one it raises BudgetSpent."""
        return chain.from_iterable(self._chunks(steps))

    def _chunks(self, steps: int) -> Iterator[Iterable[None]]:
        """
        Values for ``every``. Steps are taken out of what is left of the turn's when they are handed out; that they are
        few near the end keeps what several iterators have in hand small.
        """
        place = len(self._in_hand)
        self._in_hand.append((steps, repeat(None, 0)))
        while (left := values.AMBIENCE.work) >= steps:
            count = int(min(_CHUNK, max(_LEAST_CHUNK, left // _PART_OF_REST))) // steps or 1
            count = min(count, int(left // steps))
            values.AMBIENCE.work -= count * steps
            chunk = repeat(None, count)
            self._in_hand[place] = (steps, chunk)
            yield chunk
            self._unseen += count * steps
            if self._unseen >= _CHUNK:
                self._unseen = 0
                self._look()
        raise self.spent()

    def _look(self) -> None:
        """At the memory of the process, and if that has grown much, at what the script holds. Raises: BudgetSpent."""
        resident = _resident()
        if self._baseline and resident - self._baseline > self.limits.max_memory:
            self.measure()
            resident = _resident()
        elif self._baseline:
            return
        self._baseline = resident

    def spent(self, at_once: float = 0) -> BudgetSpent:
        """
        The error of a budget of steps that is used up. It names what used it: waits that gave next to nothing of it
        back, or else what the script did.

        Args:
            at_once: so many steps were asked for, more than there were.
        """
        whole, pauses = self.limits.max_steps, self.run.pauses
        paused = self.budget < whole and pauses.keys() != {"history"}
        most, kind = max(((count, kind) for kind, count in pauses.items()), default=(0, ""))
        each = whole / _WAITS
        gives = f"takes {each:,.0f} of them and gives back {whole / _WHOLE_AGAIN_S:,.0f} a second:"
        why = ""
        if kind == "history" and most * (each + QUERY_STEPS) > whole / 2:
            why = f" It read `history` {most} times, at {each + QUERY_STEPS:,.0f} each: keep it in a variable."
        elif paused and kind == "hear":
            why = f" A HEAR that nobody answers {gives} let its TIMEOUT be longer."
        elif paused:
            why = f" A WAIT {gives} let it WAIT longer, or HEAR."
        elif at_once > each:
            why = " Work on large lists and texts takes steps for their size."
        done = "with too short pauses" if paused else "without a pause"
        return BudgetSpent("E_LIMIT", f"The script made {whole:,} steps {done}.{why}")

    def after(self, seconds: float) -> datetime:
        """The moment that a wait of so many seconds ends, later than now."""
        return self.around.at + max(timedelta(seconds=seconds), _LEAST_WAIT)

    def pause(self, kind: str, until: datetime | None) -> None:
        """
        The run is going to wait until then, if nobody says anything before: count the wait, and what it gives back.

        Args:
            kind: of the ``Wait``.

        Raises: BudgetSpent: it waits again and again for almost no time.
        """
        whole = self.limits.max_steps
        waited_s = 0.0 if until is None else (until - self.around.at).total_seconds()
        if waited_s > 2 * _WHOLE_AGAIN_S:  # gives all of it back, whatever is left
            self.run.rested()
            return
        self.run.pauses[kind] = self.run.pauses.get(kind, 0) + 1
        left = values.AMBIENCE.work + sum(steps * length_hint(chunk) for steps, chunk in self._in_hand)
        left += whole * (waited_s / _WHOLE_AGAIN_S - 1 / _WAITS)
        if left < 0:
            raise self.spent()
        if left >= whole:
            self.run.rested()
        else:
            self.run.steps_left = int(left)

    def spend(self, steps: int) -> None:
        """Count something that takes as long as so many steps. Raises: BudgetSpent."""
        values.AMBIENCE.work -= steps
        if values.AMBIENCE.work < 0:
            raise self.spent()

    def measure(self) -> float:
        """How many more characters and elements may be made before the next look. Raises: BudgetSpent: memory."""
        alive: list[object] = [[frame.kept for each in self.run.stack for frame in each.frames]]
        frame = sys._getframe(1)
        at: Any = frame
        while at is not None:
            if at.f_code.co_filename.startswith(FILE_PREFIX):
                alive.extend(value for name, value in at.f_locals.items() if name[:2] != "p_")
            at = at.f_back
        size = values.approximate_size(alive, self.limits.max_memory)
        values.worked(size >> 9)
        if size >= self.limits.max_memory:
            raise BudgetSpent("E_LIMIT", f"The script holds more than {self.limits.max_memory >> 20} MiB.")
        return max(50_000.0, (self.limits.max_memory - size) / 8)

    def too_deep(self) -> None:
        raise BudgetSpent("E_LIMIT", f"Procedures are more than {self.limits.max_depth} deep inside each other.")

    # --- what is said -----------------------------------------------------------------------------------------------

    def talk(self, text: str, attachments: tuple[Attachment, ...] = ()) -> None:
        """One message to the person. Raises: BudgetSpent: too many, or too long together."""
        if not text and not attachments:
            return
        self._output += len(text)
        if self.messages + 1 > self.limits.max_messages:
            raise self._talkative()
        self.messages += 1
        if self._output > self.limits.max_output:
            raise BudgetSpent("E_LIMIT", f"More than {self.limits.max_output:,} characters said without a pause.")
        self.acts.append(Said(text=text, attachments=attachments))

    def _talkative(self) -> BudgetSpent:
        most = self.limits.max_messages
        if not self.around.said:
            return BudgetSpent("E_LIMIT", f"More than {most} messages without a pause.")
        message = f"More than {most} messages with too short pauses: {MESSAGES_A_SECOND} a second may go on for ever."
        return BudgetSpent("E_LIMIT", message)

    def suggest(self, text: str, value: str, *, context: str | None = None, until_answered: bool = False) -> None:
        """Offer a quick reply. Raises: BudgetSpent: too many."""
        self.act(
            SuggestionAdded(
                suggestion=Suggestion(text=text, value=value), context=context, until_answered=until_answered
            ),
            len(text) + len(value),
        )

    def act(self, act: Act, size: int = 0) -> None:
        """Anything else that the session is to do. Raises: BudgetSpent: too many, or too long together."""
        self._output += size
        if len(self.acts) >= 2 * self.limits.max_messages or self._output > self.limits.max_output:
            raise BudgetSpent("E_LIMIT", "The script says or sets more without a pause than it may.")
        self.acts.append(act)

    # --- names, keywords and functions ------------------------------------------------------------------------------

    def named(self, name: str) -> object:
        """A name that the script never sets: predefined, configured, a function of no arguments, or null."""
        if name in self._names:
            return self._names[name]
        found, value = self.predefined(name)
        if found:
            self._names[name] = value
            return value
        function = FUNCTIONS.get(name)
        if function is not None and function.minimum == 0:
            return function.call(self) if function.context else function.call()
        if name in WITHOUT_ARGUMENTS:
            return self.own_function(name, ())
        return None

    def predefined(self, name: str) -> tuple[bool, object]:
        """(whether there is a predefined or configured name like that, its value)."""
        trigger = self.run.trigger
        person = trigger.person
        configured = self.around.settings.get("param-" + name)
        if configured is not None:
            return True, values.typed(configured)
        match name:
            case "user":
                return True, {
                    "id": person.id,
                    "name": person.name,
                    "email": person.email,
                    "phone": person.phone,
                    "channel": trigger.channel,
                    "roles": [],
                    "message": trigger.message,
                }
            case "session":
                return True, {"id": trigger.session, "channel": trigger.channel, **self.session}
            case "bot":
                return True, {"id": trigger.bot, "name": trigger.bot}
            case "message":
                return True, trigger.message
            case "username":
                return True, person.name
            case "from" | "mobile":
                return True, person.phone or person.email
            case _:
                return False, None

    def knows(self, name: str) -> bool:
        """Whether *name*, which the script does not set, is a predefined or configured one."""
        return self.predefined(name)[0]

    def keyword(self, phrase: str, arguments: tuple[Any, ...], clauses: tuple[tuple[str, Any], ...]) -> Any:
        """Execute a keyword that does not suspend."""
        handler = self.keywords.get(phrase)
        if handler is None:
            return self.missing(phrase.upper())
        return handler(self, arguments, clauses)

    def missing(self, what: str) -> Any:
        raise BasicError("E_CONFIG", f"{what} is not there yet.")

    def own_function(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """A function that asks about the run itself. Raises: BasicError: E_NOFUNC."""
        first = arguments[0] if arguments else None
        match name:
            case "session_id":
                return self.run.trigger.session
            case "bot_id":
                return self.run.trigger.bot
            case "user_id":
                return self.run.trigger.person.id
            case "error" if arguments:
                return ErrorValue(values.to_text(first))
            case "is_error" if arguments:
                return isinstance(first, ErrorValue)
            case "get_error_message" if arguments:
                return first.message if isinstance(first, ErrorValue) else ""
            case "log_info" | "log_warn" | "log_error" | "log_debug":
                return self.keyword("log", arguments, ())
            case _ if name in FUNCTIONS_TO_COME:
                return self.missing(name.upper())
            case _:
                raise BasicError("E_NOFUNC", f"There is no function {name.upper()}.")

    def wrong_count(self, name: str) -> Any:
        function = FUNCTIONS[name]
        least, most = function.minimum, function.maximum
        wanted = str(least) if least == most else f"{least} to {most}" if most < 100 else f"at least {least}"
        raise BasicError("E_VALUE", f"{name.upper()} takes {wanted} arguments.")

    def misplaced(self, what: str) -> Any:
        raise BasicError("E_VALUE", f"{what.upper()} stands outside of the loop that it would leave.")

    def no_label(self, name: str) -> Any:
        raise BasicError("E_VALUE", f"There is no label {name}.")

    def end(self) -> RunEnded:
        return RunEnded()

    # --- errors -----------------------------------------------------------------------------------------------------

    def fault(self, error: Exception) -> BasicError:
        """*error* with its place in the script. Raises it again if it is none that a script can cause."""
        match error:
            case BasicError():
                known = error
            case RecursionError():
                known = BasicError("E_LIMIT", "This is nested too deep.")
            case MemoryError():
                known = BudgetSpent("E_LIMIT", "There is not enough memory for this.")
            case OverflowError():
                known = BasicError("E_LIMIT", "The result is too large for a number.")
            case _:
                raise error
        if not known.line:
            known.placed(*_place(error.__traceback__))
        return known

    def handled(self, error: Exception) -> ErrorValue:
        """*error* as the script sees it. Raises it again if no script may hold it up."""
        known = self.fault(error)
        if isinstance(known, BudgetSpent):
            raise known
        try:
            self.spend(_ERROR_STEPS + known.code_size // _ERROR_BYTES_A_STEP)
        except BudgetSpent as spent:
            spent.placed_like(known)
            raise
        return ErrorValue(known.message, known.code, known.line, known.script)

    def resume(self, error: Exception) -> None:
        """ON ERROR RESUME NEXT: note the error, and go on."""
        self.run.error = self.handled(error)

    def caught(self, error: Exception) -> ErrorValue:
        """CATCH."""
        self._caught = self.handled(error)
        return self._caught

    def last_caught(self) -> ErrorValue | None:
        return self._caught

    def land(self, error: Exception, pc: int, mode: int, landings: Mapping[int, tuple[int, int]]) -> int:
        """
        Where a framed body goes on after an error in block *pc*: its TRY's CATCH, ON ERROR GOTO's label, or the
        statement after the one that failed. Raises it again if the body has nothing of these.
        """
        on_error, on_resume = landings.get(pc, (-1, -1))
        if on_error >= 0:
            self.caught(error)
            return on_error
        if mode >= 2:
            self.resume(error)
            return mode - 2
        if mode == 1 and on_resume >= 0:
            self.resume(error)
            return on_resume
        raise error

    def clear_error(self) -> None:
        self.run.error = None

    def failing(self, name: str) -> object:
        """ERROR, ERROR_MESSAGE and ERR as names."""
        error = self.run.error
        if name == "error":
            return error is not None
        if name == "err":
            return 0 if error is None else CODES.get(error.code, 0)  # type: ignore[call-overload]
        return "" if error is None else error.message


def _resident() -> int:
    """Bytes of memory of the process; 0 where the system does not tell."""
    try:
        with open(_STATM, "rb", buffering=0) as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _place(traceback: TracebackType | None) -> tuple[str, int, int, Spot | None]:
    """The innermost place in a script, as ``BasicError.placed`` takes it."""
    found: tuple[str, int, int, Spot | None] = ("", 0, 0, None)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(FILE_PREFIX):
            found = (code.co_filename[len(FILE_PREFIX) :], traceback.tb_lineno, 0, (code, traceback.tb_lasti))
        traceback = traceback.tb_next
    return found
