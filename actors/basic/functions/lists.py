"""Functions of lists. Indexes count from 0. Text that holds a JSON list counts as the list."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key
from typing import Final

from actors.basic.errors import BasicError
from actors.basic.functions.table import ANY, Function, named
from actors.basic.values import (
    MAX_DEPTH,
    MAX_ITEMS,
    Rows,
    compare,
    extended,
    get_member,
    grown,
    iterate,
    length,
    parse_json,
    to_json,
    to_number,
    to_text,
    type_name,
    worked,
)
from actors.basic.values.members import index_of, push

__all__ = ["FUNCTIONS", "sliced", "whole"]


def whole(value: object) -> int:
    """A number without its fraction, for counts and positions; beyond all lists and texts where it is infinite."""
    number = to_number(value)
    if number != number:
        raise BasicError("E_VALUE", "Not a number (NaN) is no position.")
    return int(max(-1e18, min(1e18, number)))


def _like(original: object, items: Iterable[object]) -> list[object]:
    """A new list of the same type: a part of rows is rows."""
    return Rows(items) if isinstance(original, Rows) else list(items)


def _own(value: object) -> list[object]:
    """The list itself, to be changed. Raises: BasicError: E_TYPE."""
    if not isinstance(value, list):
        raise BasicError("E_TYPE", f"A list is needed here, not a {type_name(value)}.")
    return value


def pop(items: object) -> object:
    own = _own(items)
    return own.pop() if own else None


def shift(items: object) -> object:
    own = _own(items)
    worked(len(own) >> 8)
    return own.pop(0) if own else None


def unshift(items: object, *new: object) -> list[object]:
    own = _own(items)
    extended(len(own), len(new))
    worked(len(own) >> 8)
    own[:0] = new
    return own


def sliced(value: object, start: object, end: object = None) -> object:
    """From *start* to before *end*, of a list or text; negative ones count from the end."""
    first, last = whole(start), None if end is None else whole(end)
    if isinstance(value, str) and parse_json(value) is None:
        return value[first:last]
    return _like(value, iterate(value)[first:last])


def take(items: object, count: object) -> list[object]:
    return _like(items, iterate(items)[: max(0, whole(count))])


def drop(items: object, count: object) -> list[object]:
    return _like(items, iterate(items)[max(0, whole(count)) :])


def reverse(value: object) -> object:
    """A new list, or text, the other way round."""
    if isinstance(value, str) and parse_json(value) is None:
        return value[::-1]
    return _like(value, reversed(iterate(value)))


def unique(items: object) -> list[object]:
    """The first of each of equal values, in order; 1 and "1" are different ones here."""
    first: dict[tuple[str, str], object] = {}
    every = iterate(items)
    worked(25 * len(every))
    for item in every:
        first.setdefault((type_name(item), to_json(item)), item)
    return _like(items, first.values())


def flatten(items: object) -> list[object]:
    """All elements of lists in the list, however deep. Raises: BasicError: E_LIMIT, it contains itself, or too many."""
    flat: list[object] = []
    pile = [iter(iterate(items))]
    while pile:
        for item in pile[-1]:
            if isinstance(item, list):
                if len(pile) > MAX_DEPTH:
                    raise BasicError("E_LIMIT", "This list contains itself, or is nested too deeply.")
                pile.append(iter(item))
                break
            flat.append(item)
            if len(flat) > MAX_ITEMS:
                grown(len(flat), MAX_ITEMS)
        else:
            pile.pop()
    worked(2 * len(flat))
    return flat


def concatenated(*parts: object) -> object:
    """Lists into one list; texts into one text."""
    if not any(isinstance(part, list) for part in parts):
        texts = [to_text(part) for part in parts]
        grown(sum(map(len, texts)))
        return "".join(texts)
    lists = [part if isinstance(part, list) else [] if part is None else [part] for part in parts]
    size = sum(map(len, lists))
    grown(size, MAX_ITEMS)
    worked(size >> 6)
    return [item for part in lists for item in part]


def number_range(start: object, end: object, step: object = 1) -> list[object]:
    """Numbers from *start* to *end*, both included."""
    first, last, by = to_number(start), to_number(end), to_number(step)
    if by == 0:
        raise BasicError("E_VALUE", "The step of RANGE must not be 0.")
    turns = (last - first) / by
    if not turns < MAX_ITEMS:  # also where it is not a number
        raise BasicError("E_LIMIT", f"RANGE makes at most {MAX_ITEMS:,} numbers.")
    count = max(0, int(turns + 1e-9) + 1) if turns >= 0 else 0
    grown(count, MAX_ITEMS)
    worked(count)
    return [first + place * by for place in range(count)]


def batch(items: object, size: object) -> list[object]:
    """Lists of *size* elements each, the last one shorter."""
    every, count = iterate(items), whole(size)
    if count < 1:
        raise BasicError("E_VALUE", "A batch has at least one element.")
    worked(9 * len(every) // count)
    return [_like(items, every[start : start + count]) for start in range(0, len(every), count)]


def sort(items: object, field: object = None, direction: object = None) -> list[object]:
    """
    A new list in order, by ``<``, null first; of objects by a field; ``"desc"`` as last argument turns it round.
    Equal ones stay as they stood.
    """
    if direction is None and to_text(field).lower() in ("asc", "desc"):
        field, direction = None, field
    name = None if field is None else to_text(field)

    def key(item: object) -> object:
        return item if name is None else get_member(item, name)

    unsorted = iterate(items)
    keys = unsorted if name is None else list(map(key, unsorted))
    falling = to_text(direction).lower() == "desc"
    kinds = set(map(type, keys))
    worked(3 * len(unsorted))
    if kinds == {str} or (kinds <= {int, float} and not any(map(_is_nan, keys))):
        # Python's own order is the language's among texts, and among numbers.
        worked(len(unsorted) * len(unsorted).bit_length() >> 1)
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=falling)  # type: ignore[arg-type]
        return _like(items, [unsorted[place] for place in order])
    worked(8 * len(unsorted) * len(unsorted).bit_length())
    ranks = list(map(cmp_to_key(compare), keys))
    order = sorted(range(len(keys)), key=ranks.__getitem__, reverse=falling)
    return _like(items, [unsorted[place] for place in order])


def _is_nan(value: object) -> bool:
    return value != value


def _end_of(value: object, count: object, last: bool) -> object:
    """FIRST and LAST: an element, a sub-list, or a word of a text; ``LAST(L, "field")`` a field of the element."""
    if isinstance(value, str) and parse_json(value) is None:
        worked(len(value) >> 3)
        words = value.split()
        return (words[-1] if last else words[0]) if words else ""
    items = iterate(value)
    if isinstance(count, int | float) and not isinstance(count, bool):
        size = max(0, whole(count))
        return _like(value, items[max(0, len(items) - size) :] if last else items[:size])
    element = (items[-1] if last else items[0]) if items else None
    return element if count is None else get_member(element, to_text(count))


FUNCTIONS: Final[tuple[Function, ...]] = (
    *named("ubound count", 1, 1, length),
    *named("lbound", 1, 1, lambda _: 0),
    *named("array", 0, ANY, lambda *items: list(items)),
    *named("push", 2, ANY, push),
    *named("pop", 1, 1, pop),
    *named("shift", 1, 1, shift),
    *named("unshift", 2, ANY, unshift),
    *named("take", 2, 2, take),
    *named("drop", 2, 2, drop),
    *named("reverse", 1, 1, reverse),
    *named("unique distinct", 1, 1, unique),
    *named("flatten", 1, 1, flatten),
    *named("concat", 1, ANY, concatenated),
    *named("range", 2, 3, number_range),
    *named("index_of indexof", 2, 2, lambda items, wanted: index_of(iterate(items), wanted)),
    *named("last_index_of lastindexof", 2, 2, lambda items, wanted: index_of(iterate(items), wanted, last=True)),
    *named("batch chunk", 2, 2, batch),
    *named("sort", 1, 3, sort),
    *named("first", 1, 2, lambda value, count=None: _end_of(value, count, last=False)),
    *named("last", 1, 2, lambda value, count=None: _end_of(value, count, last=True)),
)
