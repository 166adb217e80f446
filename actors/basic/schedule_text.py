"""Whether the text of a SET SCHEDULE can be understood: a cron line, or one of the phrases."""

from __future__ import annotations

import re

__all__ = ["complaint"]

_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_TIME = r"(?:noon|midnight|(?:0?[1-9]|1[0-2])(?::[0-5]\d)? ?[ap]m|(?:[01]?\d|2[0-3]):[0-5]\d|(?:[01]?\d|2[0-3]))"
_EVERY_N = r"every [1-9]\d* (?:minute|hour)s?"
_PHRASES = re.compile(
    rf"""
    every\ (?:minute|hour|day|week|month|year)
    |{_EVERY_N.replace(" ", chr(92) + " ")}(?:\ during\ business\ hours)?
    |hourly|daily|weekly|monthly|yearly
    |business\ hours
    |(?:every\ )?{_DAY}s?(?:\ at\ {_TIME.replace(" ", chr(92) + " ")})?
    |(?:weekdays|every\ weekday|weekends|every\ weekend|every\ day|daily)(?:\ at\ {_TIME.replace(" ", chr(92) + " ")})?
    |at\ {_TIME.replace(" ", chr(92) + " ")}
    |every\ hour\ from\ {_TIME.replace(" ", chr(92) + " ")}\ to\ {_TIME.replace(" ", chr(92) + " ")}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _DAYS),
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d?:\d\d(?::\d\d)?)?")
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[1-9]\d{0,3}))?")


def complaint(text: str) -> str:
    """What is wrong with *text* as the time of a schedule; empty if nothing is."""
    words = text.split()
    if not words:
        return "a schedule needs a time"
    if _PHRASES.fullmatch(" ".join(words)) or _DATE.fullmatch(" ".join(words)):
        return ""
    if not re.match(r"[\d*]", words[0]):
        return "this is no time that a schedule knows"
    if len(words) not in (5, 6):
        return f"a cron line has 5 fields (minute hour day month weekday) or 6 (seconds first), not {len(words)}"
    for word, (name, least, most, names) in zip(words, _FIELDS[6 - len(words) :], strict=True):
        for part in word.lower().split(","):
            if not _fits(part, least, most, names):
                return (
                    f"{part or 'nothing'} is no {name} of a cron line: {least} to {most}, *, lists, ranges and /steps"
                )
    return ""


def _fits(part: str, least: int, most: int, names: list[str]) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    bounds = [found["low"], found["high"]]
    numbers = []
    for bound in bounds:
        if bound is None:
            continue
        if bound in names:
            numbers.append(names.index(bound) + least)
        elif bound.isascii() and bound.isdigit() and len(bound) <= 2 and least <= int(bound) <= most:
            numbers.append(int(bound))
        else:
            return False
    return numbers == sorted(numbers)
