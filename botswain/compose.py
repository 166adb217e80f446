"""The actors of an installation and their limits, by its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Literal

from actors.basic import BasicActor
from actors.basic.apart import compile_apart
from actors.basic.limits import Limits
from actors.schedule import ScheduleActor
from actors.session import SessionActor
from botswain.errors import Problem
from botswain.settings import Settings
from bus.actor import Decider
from bus.protocol import Bus
from bus.surroundings import Policy
from bus.worker import Options
from schemas.dialog import Failed
from schemas.envelope import Event
from schemas.package import BotPackage

__all__ = ["limits_of", "make_actors", "policy_of", "worker_options"]


def limits_of(settings: Settings) -> Limits:
    """The budgets of BASIC."""
    return Limits(**{field.name: getattr(settings.basic, field.name) for field in fields(Limits)})


def make_actors(
    settings: Settings, names: Sequence[str] = (), failed: Callable[[BotPackage, Failed], None] | None = None
) -> list[Decider[Any]]:
    """
    All actors, or those of *names*; *failed* is told of scripts that fail.

    Raises: Problem: a name that nobody has.
    """
    basic = BasicActor(limits_of(settings), apart=compile_apart, failed=failed)
    actors: list[Decider[Any]] = [SessionActor(), basic, ScheduleActor()]
    known = [actor.name for actor in actors]
    if unknown := [name for name in names if name not in known]:
        raise Problem(f"There is no actor {', '.join(unknown)}.", f"There are: {', '.join(known)}.")
    return [actor for actor in actors if not names or actor.name in names]


def worker_options(settings: Settings) -> Options:
    """The limits of a worker."""
    return Options(**settings.worker.model_dump(exclude={"port"}))


def policy_of(bus: Bus) -> Policy:
    """What becomes of a conversation when a turn of it fails: the bot's ``failed-turn`` is ``skip`` or ``block``."""

    async def policy(actor: str, event: Event) -> Literal["skip", "block"]:
        data = await bus.resource(event.bot_version) if event.bot_version else None
        if data is None:
            return "skip"
        try:
            package = BotPackage.from_bytes(data)
        except ValueError:  # what fails is most likely just that: the event is set aside, and the worker goes on
            return "skip"
        return "block" if package.setting("failed-turn").strip().lower() == "block" else "skip"

    return policy
