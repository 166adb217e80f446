"""Root may read everything. A test of what happens to somebody who may not has to give that up for a while."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["held_to_permissions"]

_VERSION_3 = 0x20080522
_READS_ALL = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


@contextmanager
def held_to_permissions() -> Iterator[None]:
    """Permission bits mean something, even to root: in this thread, and in those that are begun meanwhile."""
    if os.geteuid() != 0 or sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()

    def call(function: str) -> None:
        if getattr(libc, function)(ctypes.byref(header), sets):
            raise OSError(ctypes.get_errno(), function)

    call("capget")
    before = sets[0].effective
    sets[0].effective = before & ~_READS_ALL
    call("capset")
    try:
        yield
    finally:
        sets[0].effective = before
        call("capset")
