"""
Where a run stands, as data: what is stored while it waits, and what the machine works on while it runs.

A run is a stack of activations, one for each script that CALLed the next; an activation has the variables that its
procedures share and a stack of frames, one for each body that can suspend. A frame is left and entered at a block
number. Nothing here is tied to a process: ``dump`` gives JSON, ``load`` makes of it what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from actors.basic import values
from actors.basic.values import ErrorValue
from schemas.conversation import Person

__all__ = ["Activation", "Frame", "Op", "Run", "Trigger", "dump", "load"]


class Op:
    """First element of what a framed body gives back: why it was left."""

    RETURN: Final = 0  # value
    END: Final = 1
    CALL: Final = 2  # pc, kept, procedure, arguments, inherited error mode
    KEYWORD: Final = 3  # pc, kept, phrase, arguments, clauses
    HEAR: Final = 4  # pc, kept, what to hear
    SCRIPT: Final = 5  # pc, kept, name, arguments
    TAIL: Final = 6  # name, arguments, (line, column)


class Trigger(Struct, frozen=True):
    """What made the run begin; it stays the same all its life."""

    script: str
    kind: str
    bot: str
    channel: str
    person: Person
    message: str
    session: str
    """Id of the session, '' without one."""


@dataclass(slots=True)
class Frame:
    """
    A body that has begun.

    Args:
        pc: the block that is next.
        kept: variables, temporaries and loop states of the body by name; null ones may be left out.
        mode: 1 if it was called under ON ERROR RESUME NEXT.
    """

    body: str
    pc: int = 0
    kept: dict[str, Any] = field(default_factory=dict)
    mode: int = 0


@dataclass(slots=True)
class Activation:
    """
    A script that has begun.

    Args:
        program: digest of the program; no other goes on with it.
        bodies, now: the code bound to the turn in hand (None between turns), and what tells ``shared`` as it is.
    """

    script: str
    program: str
    frames: list[Frame]
    shared: dict[str, Any] = field(default_factory=dict)
    bodies: dict[str, Callable[..., tuple[Any, ...]]] | None = None
    now: Callable[[], dict[str, Any]] | None = None


@dataclass(slots=True)
class Run:
    """
    A run.

    Args:
        wait: what it waits for, as JSON with values of the language; None while it runs.
        waits: how many durable waits it has begun, which gives each a name of its own.
        error: the last error under ON ERROR RESUME NEXT, until it is cleared.
        steps_left: of its budget, when it goes on after what it waits for; None is all of it.
        pauses: by their kind, how many waits there were since it was all of it.
    """

    id: UUID
    trigger: Trigger
    stack: list[Activation] = field(default_factory=list)
    wait: dict[str, Any] | None = None
    waits: int = 0
    error: ErrorValue | None = None
    steps_left: int | None = None
    pauses: dict[str, int] = field(default_factory=dict)

    def rested(self) -> None:
        """It has all of its budget again."""
        self.steps_left, self.pauses = None, {}

    def depth(self) -> int:
        """Frames on all activations."""
        return sum(len(activation.frames) for activation in self.stack)


_EXACT: Final = 1 << 53


def dump(run: Run, most: int) -> dict[str, Any] | None:
    """
    The changing part of *run* as JSON, None if it takes more than about *most* bytes.

    Lists and objects that several variables share stay shared. Where all values are texts, numbers and the like, which
    is the usual case, they are their own JSON.
    """
    stack = []
    spaces: list[dict[str, Any]] = [{"default": (run.wait or {}).get("default"), "error": run.error}]
    for activation in run.stack:
        spaces.append(activation.shared)
        spaces.extend(frame.kept for frame in activation.frames)
        frames = [[frame.body, frame.pc, frame.mode] for frame in activation.frames]
        stack.append([activation.script, activation.program, frames])
    wait = None
    if run.wait is not None:
        wait = {key: value for key, value in run.wait.items() if key != "default"}
        wait["has_default"] = "default" in run.wait
    stored: dict[str, Any] = {"stack": stack, "wait": wait, "waits": run.waits}
    if run.steps_left is not None:
        stored["steps_left"], stored["pauses"] = run.steps_left, run.pauses
    flat, size = _flat(spaces)
    if flat is not None:
        stored["flat"] = flat
    else:
        size = values.approximate_size(spaces, most)
        if size < most:
            stored["values"] = values.dump([_set(space) for space in spaces])
    return stored if size < most else None


def _flat(spaces: list[dict[str, Any]]) -> tuple[list[dict[str, Any]] | None, int]:
    """(*spaces* without nulls, their size) if all values are their own JSON, else (None, 0)."""
    size = 0
    flat = []
    for space in spaces:
        kept = {}
        for name, value in space.items():
            kind = type(value)
            if value is None:
                continue
            if kind is str:
                size += len(value)
            elif not (kind is bool or (kind is int and -_EXACT < value < _EXACT)):
                return None, 0
            kept[name] = value
        size += 50 * len(kept)
        flat.append(kept)
    return flat, size


def _set(names: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if value is not None}


def load(run: UUID, trigger: Trigger, data: dict[str, Any]) -> Run:
    """The run that ``dump`` made *data* of. Raises: KeyError, ValueError: *data* is not from ``dump``."""
    spaces = iter(data["flat"] if "flat" in data else values.load(data["values"]))
    first = next(spaces)
    stack = []
    for script, program, frames in data["stack"]:
        shared = next(spaces)
        stack.append(
            Activation(script, program, [Frame(body, pc, next(spaces), mode) for body, pc, mode in frames], shared)
        )
    wait = None
    if data["wait"] is not None:
        wait = {key: value for key, value in data["wait"].items() if key != "has_default"}
        if data["wait"]["has_default"]:
            wait["default"] = first.get("default")
    left, pauses = data.get("steps_left"), data.get("pauses", {})
    return Run(run, trigger, stack, wait, data["waits"], first.get("error"), left, pauses)
