"""Straight-line BASIC beside the same Python functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from actors.basic import Limits
from tests.bench.figures import Row, Samples, Scale, Section, shown
from tests.support.scripts import World

__all__ = ["basic_and_python"]

MOST: Final = 4.0
STOP_WITHIN_MS: Final = 20.0
TURN_WITHIN_MS: Final = 150.0
ROOM: Final = Limits(max_steps=10_000_000, max_memory=1 << 40)


@dataclass(frozen=True, slots=True)
class Pair:
    """A script and a function that do the same; *result* is what both find."""

    what: str
    script: str
    python: Callable[[], object]
    result: str


# --- the Python functions -------------------------------------------------------------------------------------------


def for_loop() -> int:
    total = 0
    for i in range(1, 1_000_001):
        total = total + i
    return total


def while_loop() -> int:
    i = total = 0
    while i < 1_000_000:
        i = i + 1
        total = total + i
    return total


def fib(n: int) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def build() -> int:
    text = ""
    for _ in range(100_000):
        text = text + "word "
    return len(text)


def join() -> int:
    text = ""
    for i in range(1, 20_001):
        text = text + str(i) + ", "
    return len(text)


def words() -> int:
    count = 0
    for _ in range(100_000):
        text = "the quick brown fox"
        if "quick" in text:
            count = count + len(text.upper().replace("FOX", "hen")[4:9])
    return count


PAIRS: Final = (
    Pair(
        "a million turns of FOR",
        "total = 0\nFOR i = 1 TO 1000000\n  total = total + i\nNEXT\nTALK total",
        for_loop,
        "500000500000",
    ),
    Pair(
        "a million turns of WHILE",
        "i = 0\ntotal = 0\nWHILE i < 1000000\n  i = i + 1\n  total = total + i\nWEND\nTALK total",
        while_loop,
        "500000500000",
    ),
    Pair(
        "a million turns of DO … LOOP UNTIL",
        "i = 0\ntotal = 0\nDO\n  i = i + 1\n  total = total + i\nLOOP UNTIL i >= 1000000\nTALK total",
        while_loop,
        "500000500000",
    ),
    Pair(
        "fib(25), recursive",
        "FUNCTION fib(n)\n  IF n < 2 THEN\n    RETURN n\n  END IF\n  RETURN fib(n - 1) + fib(n - 2)\nEND FUNCTION\n"
        "TALK fib(25)",
        lambda: fib(25),
        "75025",
    ),
    Pair(
        "a text built of 100,000 words",
        'text = ""\nFOR i = 1 TO 100000\n  text = text & "word "\nNEXT\nTALK LEN(text)',
        build,
        "500000",
    ),
    Pair(
        "a list of 20,000 numbers as text",
        'text = ""\nFOR i = 1 TO 20000\n  text = text & i & ", "\nNEXT\nTALK LEN(text)',
        join,
        "128894",
    ),
    Pair(
        "100,000 texts searched, changed and cut",
        'count = 0\nFOR i = 1 TO 100000\n  text = "the quick brown fox"\n  IF INSTR(text, "quick") > 0 THEN\n'
        '    count = count + LEN(MID(REPLACE(UCASE(text), "FOX", "hen"), 5, 5))\n  END IF\nNEXT\nTALK count',
        words,
        "500000",
    ),
)


DEAR: Final = {
    "numbers with a fraction": "FOR i = 0.5 TO 1e300\n  x = x + i\nNEXT",
    "UUID()": "WHILE TRUE\n  x = UUID()\nWEND",
    "texts put together": 'WHILE TRUE\n  x = "${n} ${f} " & m\nWEND',
    "dates": 'WHILE TRUE\n  x = m < "2026-03-04"\nWEND',
    "FORMAT": 'WHILE TRUE\n  x = FORMAT(m, "YYYY-MM-DD HH:mm")\nWEND',
    "regular expressions": 'WHILE TRUE\n  x = "the quick brown fox" MATCHES "^[a-z]+ (q|k)"\nWEND',
    "lists and objects": "WHILE TRUE\n  o.a = [n, f]\n  APPEND L, o.a[1]\nWEND",
    "sorting 5,000 texts": 'FOR i = 1 TO 5000\n  APPEND L, "" & (i * 7919) MOD 5003\nNEXT\n'
    "WHILE TRUE\n  x = SORT(L)\nWEND",
    "JSON of 50,000 numbers": "L = RANGE(1, 50000)\nWHILE TRUE\n  x = TOJSON(L)\nWEND",
    "procedures that can wait": "SUB a()\n  IF q THEN HEAR y\nEND SUB\nWHILE TRUE\n  CALL a()\nWEND",
}
"""Scripts that spend the whole budget of a turn on one kind of things that take longer than a turn of FOR."""


def _spending(script: str, rounds: int) -> Samples:
    """Milliseconds of a turn that goes on until the default budget is spent."""
    world = World("n = 7\nf = 1.5\nm = NOW\n" + script, stored=False)
    _run(world, 1)
    assert world.failure.code == "E_LIMIT", world.outcome
    taken = Samples(" ms")
    for number in range(rounds):
        taken.add(_run(world, number + 2) * 1000)
    return taken


def _run(world: World, number: int) -> float:
    """Run ``start`` as a new run; seconds."""
    world.run, world.state = UUID(int=number), None
    began = time.thread_time()
    world.begin()
    return time.thread_time() - began


def _compare(pair: Pair, rounds: int) -> tuple[Samples, Samples]:
    """Milliseconds of (Python, BASIC), the script compiled already."""
    world = World(pair.script, stored=False, limits=ROOM)
    _run(world, 1)
    assert world.just_said == [pair.result], (pair.what, world.just_said, world.outcome)
    assert f"{pair.python()}" == pair.result, (pair.what, pair.python())
    python, basic = Samples(" ms"), Samples(" ms")
    for number in range(rounds):
        began = time.thread_time()
        pair.python()
        python.add((time.thread_time() - began) * 1000)
        basic.add(_run(world, number + 2) * 1000)
    return python, basic


def _stopping(script: str, rounds: int) -> Samples:
    """
    Milliseconds from the budget to the end of an endless loop. A run of n steps takes a + b·n; with half the budget as
    well, what is left for n = 0 is known: beginning the run and stopping it.
    """
    late = Samples(" ms")
    whole, half = replace(ROOM, max_steps=1_000_000), replace(ROOM, max_steps=500_000)
    worlds = [World(script, stored=False, limits=limits) for limits in (whole, half)]
    for world in worlds:
        _run(world, 1)
        assert world.failure.code == "E_LIMIT", world.outcome
    for number in range(rounds):
        full_s, half_s = (_run(world, number + 2) for world in worlds)
        late.add(abs(2 * half_s - full_s) * 1000)
    return late


async def basic_and_python(scale: Scale) -> Section:
    """In a thread: it blocks."""
    return await asyncio.to_thread(_measure, scale)


def _measure(scale: Scale) -> Section:
    section = Section(
        "BASIC beside Python",
        "The actor runs a script from its first event to its last one; beside it a Python function that does the same. "
        "Processor time; the ratio is that of the shortest times. An endless loop is stopped by its budget: "
        "given is what a run takes beyond its million steps. What takes long takes many steps: given is the whole turn "
        "that does nothing else until its budget is spent; so long may others wait.",
    )
    rounds = 2 * scale.rounds + 1
    for pair in PAIRS:
        python, basic = _compare(pair, rounds)
        # the least of several is what the code takes; the rest is what others did to the processor's caches
        ratio = min(basic.values) / min(python.values)
        section.rows.append(
            Row(pair.what, str(python), str(basic), f"{shown(ratio)} ×", f"≤ {MOST:g} ×", ratio <= MOST)
        )
    for loop, script in (("WHILE TRUE", "i = 0\nWHILE TRUE\n  i = i + 1\nWEND"), ("DO … LOOP", "DO\nLOOP")):
        late = _stopping(script, rounds)
        section.rows.append(
            Row(f"{loop} stopped after its budget", "–", str(late), "–", "≤ 20 ms", late.median <= STOP_WITHIN_MS)
        )
    for what, script in DEAR.items():
        taken = _spending(script, rounds)
        section.rows.append(
            Row(
                f"a turn that spends its budget on {what}", "–", str(taken), "–",
                f"≤ {TURN_WITHIN_MS:g} ms", taken.median <= TURN_WITHIN_MS,
            )
        )  # fmt: skip
    return section
