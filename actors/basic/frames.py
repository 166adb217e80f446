"""
Where a run stands, as data: what is stored while it waits, and what the machine works on while it runs.

A run is a stack of activations, one for each script that CALLed the next; an activation has the variables that its
procedures share and a stack of frames, one for each body that can suspend. A frame is left and entered at a block
number. Nothing here is tied to a process: ``dump`` gives JSON, ``load`` makes of it what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from actors.basic import values
from actors.basic.values import ErrorValue
from schemas.conversation import Person

__all__ = ["Activation", "Frame", "Run", "Trigger", "dump", "load"]


@dataclass(frozen=True, slots=True)
class Trigger:
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
    """

    id: UUID
    trigger: Trigger
    stack: list[Activation] = field(default_factory=list)
    wait: dict[str, Any] | None = None
    waits: int = 0
    error: ErrorValue | None = None

    def depth(self) -> int:
        """Frames on all activations."""
        return sum(len(activation.frames) for activation in self.stack)


def dump(run: Run) -> dict[str, Any]:
    """The changing part of *run* as JSON. Lists and objects that several variables share stay shared."""
    return values.dump(
        {
            "stack": [
                {
                    "script": activation.script,
                    "program": activation.program,
                    "shared": _set(activation.shared),
                    "frames": [
                        {"body": frame.body, "pc": frame.pc, "mode": frame.mode, "kept": _set(frame.kept)}
                        for frame in activation.frames
                    ],
                }
                for activation in run.stack
            ],
            "wait": run.wait,
            "waits": run.waits,
            "error": run.error,
        }
    )


def _set(names: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if value is not None}


def load(run: UUID, trigger: Trigger, data: dict[str, Any]) -> Run:
    """The run that ``dump`` made *data* of. Raises: KeyError, ValueError: *data* is not from ``dump``."""
    stored = values.load(data)
    stack = [
        Activation(
            each["script"],
            each["program"],
            [Frame(frame["body"], frame["pc"], frame["kept"], frame["mode"]) for frame in each["frames"]],
            each["shared"],
        )
        for each in stored["stack"]
    ]
    return Run(run, trigger, stack, stored["wait"], stored["waits"], stored["error"])
