"""
The commonest functions written out where they are called, for arguments of plain types.

``LEN(x)`` becomes ``len(x) if type(x) is str and … else f_len(x)``: the tests leave only values for which both sides
give the same and which are too short for any meter; all else takes the function that knows all the rules.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from actors.basic.emit import call, constant, either, is_simple, load, same_type, walrus
from actors.basic.values import METERED

__all__ = ["GIVES", "Kind", "shortened"]

Kind = Literal["int", "float", "str", "bool", "any"]
"""What is known of a value beforehand."""

_SHORT: Final = METERED // 3
"""Of so many characters no change of case makes a text that the meter would see: one becomes three at most."""

_TEXTS: Final = (
    "cstr", "lcase", "left", "lower", "lowercase", "ltrim", "replace", "right", "rtrim", "str", "trim", "ucase",
    "upper", "uppercase",
)  # fmt: skip

GIVES: Final[dict[str, Kind]] = {**dict.fromkeys(_TEXTS, "str"), "len": "int", "length": "int", "instr": "int"}
"""Functions whose result is of one type, whatever they are given."""

Written = tuple[list[ast.expr], ast.expr]
"""Tests besides those of the types, and the result."""


@dataclass(frozen=True, slots=True)
class _Shortcut:
    """Args: kinds: the type that each argument must have; write: given the arguments, which may be used twice."""

    kinds: tuple[str, ...]
    write: Callable[..., Written | None]


def _compared(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [operator], [right])


def _at_most(value: ast.expr, most: int) -> ast.expr:
    return _compared(call("len", value), ast.LtE(), constant(most))


def _from_zero(value: ast.expr) -> list[ast.expr]:
    """Tests that a count is 0 to METERED; none for a literal that is."""
    if isinstance(value, ast.Constant):
        return []
    return [ast.Compare(constant(0), [ast.LtE(), ast.LtE()], [value, constant(METERED)])]


def _plain_count(value: ast.expr, least: int = 0) -> bool:
    return not isinstance(value, ast.Constant) or (isinstance(value.value, int) and least <= value.value <= METERED)


def _cut(text: ast.expr, start: ast.expr | None, end: ast.expr | None) -> ast.expr:
    return ast.Subscript(text, ast.Slice(start, end), ast.Load())


def _method(name: str) -> _Shortcut:
    def write(text: ast.expr) -> Written:
        return [_at_most(text, _SHORT)], ast.Call(ast.Attribute(text, name, ast.Load()), [], [])

    return _Shortcut(("str",), write)


def _length(text: ast.expr) -> Written:
    # What begins with a digit or an ASCII letter (and some signs) is no JSON list or object, whose elements count.
    upper = ast.Compare(constant("0"), [ast.LtE(), ast.Lt()], [text, constant("[")])
    lower = ast.Compare(constant("a"), [ast.LtE(), ast.Lt()], [text, constant("{")])
    return [ast.BoolOp(ast.Or(), [lower, upper])], call("len", text)


def _position(text: ast.expr, part: ast.expr) -> Written | None:
    if isinstance(part, ast.Constant):
        if not part.value or len(str(part.value)) > METERED:
            return None
        there = []
    else:
        there = [part, _at_most(part, METERED)]
    found = ast.Call(ast.Attribute(text, "find", ast.Load()), [part], [])
    return [*there, _at_most(text, METERED)], ast.BinOp(found, ast.Add(), constant(1))


def _replaced(text: ast.expr, old: ast.expr, new: ast.expr) -> Written | None:
    if not (isinstance(old, ast.Constant) and isinstance(new, ast.Constant)):
        return None
    if not old.value or len(str(new.value)) > len(str(old.value)):
        return None
    return [_at_most(text, METERED)], ast.Call(ast.Attribute(text, "replace", ast.Load()), [old, new], [])


def _left(text: ast.expr, count: ast.expr) -> Written | None:
    return (_from_zero(count), _cut(text, None, count)) if _plain_count(count) else None


def _right(text: ast.expr, count: ast.expr) -> Written | None:
    if not _plain_count(count):
        return None
    begin = ast.BinOp(call("len", text), ast.Sub(), count)
    fits = ast.Compare(count, [ast.LtE()], [call("len", text)])
    return [*_from_zero(count), fits], _cut(text, begin, None)


def _middle(text: ast.expr, start: ast.expr, count: ast.expr) -> Written | None:
    if not (_plain_count(start, 1) and _plain_count(count)):
        return None
    if isinstance(start, ast.Constant) and isinstance(count, ast.Constant):
        first = int(start.value) - 1  # type: ignore[arg-type]
        return [], _cut(text, constant(first), constant(first + int(count.value)))  # type: ignore[arg-type]
    begin = ast.BinOp(start, ast.Sub(), constant(1))
    tests = _from_zero(count)
    if not isinstance(start, ast.Constant):
        tests.insert(0, _compared(start, ast.Gt(), constant(0)))
    return tests, _cut(text, begin, ast.BinOp(begin, ast.Add(), count))


_SHORTCUTS: Final[dict[str, _Shortcut]] = {
    **dict.fromkeys(("len", "length"), _Shortcut(("str",), _length)),
    **dict.fromkeys(("ucase", "upper", "uppercase"), _method("upper")),
    **dict.fromkeys(("lcase", "lower", "lowercase"), _method("lower")),
    "trim": _method("strip"),
    "ltrim": _method("lstrip"),
    "rtrim": _method("rstrip"),
    "instr": _Shortcut(("str", "str"), _position),
    "replace": _Shortcut(("str", "str", "str"), _replaced),
    "left": _Shortcut(("str", "int"), _left),
    "right": _Shortcut(("str", "int"), _right),
    "mid": _Shortcut(("str", "int", "int"), _middle),
}


def shortened(
    name: str, arguments: Sequence[ast.expr], known: Sequence[Kind], fresh: Callable[[], str]
) -> ast.expr | None:
    """
    The call of function *name* with the short way before it; None where there is none for such arguments.

    Args:
        known: the type of each argument's value, ``any`` where it may be every one.
        fresh: gives a name that is free in this statement.
    """
    shortcut = _SHORTCUTS.get(name)
    if shortcut is None or len(arguments) != len(shortcut.kinds):
        return None
    for argument, kind in zip(arguments, shortcut.kinds, strict=True):
        if isinstance(argument, ast.Constant) and type(argument.value).__name__ != kind:
            return None
    # All arguments are evaluated once and in order before a test may fail.
    held = [
        place
        for place, argument in enumerate(arguments)
        if not (is_simple(argument) and (isinstance(argument, ast.Constant) or all(map(is_simple, arguments[place:]))))
    ]
    if len(held) > 2:
        return None
    operands = [load(fresh()) if place in held else argument for place, argument in enumerate(arguments)]
    written = shortcut.write(*operands)
    if written is None:
        return None
    named = {place: walrus(operands[place].id, arguments[place]) for place in held}  # type: ignore[attr-defined]
    tests: list[ast.expr] = []
    if len(held) == 2:
        both = list(named.values())
        tests.append(_compared(both[0], ast.IsNot(), both[1]))
        named = {}
    for place, (operand, kind) in enumerate(zip(operands, shortcut.kinds, strict=True)):
        if place in named:
            kept = named[place]
            # a text is tested for being one even where it is known to be: that is where it gets its name
            tests.insert(0, same_type(kept, kind))
        elif known[place] != kind and not isinstance(operand, ast.Constant):
            tests.append(same_type(operand, kind))
    further, quick = written
    tests += further
    slow = call("f_" + name, *operands)
    return either(tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests), quick, slow) if tests else quick
