"""Timers: keeps what is to fire when, and says so once."""

from actors.schedule.decide import ScheduleActor, Timers

__all__ = ["ScheduleActor", "Timers"]
