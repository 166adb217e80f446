"""
Compiles long scripts in a process of its own: it takes seconds, for most of which no other thread gets to run.
"""

from __future__ import annotations

import asyncio
import gc
import marshal
import os
import pickle
import signal
import sys
from dataclasses import replace
from types import FunctionType
from typing import Any, Final, cast

import structlog

from actors.basic.compiler import Factory, Program, compile_tree, program_hash
from actors.basic.parser import parse
from actors.basic.runtime import NAMESPACE

__all__ = ["compile_apart", "main"]

log = structlog.get_logger(__name__)

_TIME_S: Final = 60.0
_BEGIN: Final = "import sys; sys.path[:] = sys.argv[1:]; from actors.basic.apart import main; main()"
_NICE: Final = 5  # conversations go first


async def compile_apart(source: str, name: str) -> Program | None:
    """
    The program of a script without errors, made in a process that ends with it. None if that cannot be had: the process
    could not be started, was killed, or took more than a minute.
    """
    child: asyncio.subprocess.Process | None = None
    try:
        child = await asyncio.create_subprocess_exec(
            # -P: what lies in the directory that we happen to be in is not ours
            *(sys.executable, "-P", "-c", _BEGIN, *sys.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_TIME_S):
            packed, _ = await child.communicate(pickle.dumps((source, name)))
        if child.returncode == 0:
            return _unpacked(packed)
        log.warning("compiler_ended", script=name, exit_code=child.returncode)
    except (OSError, TimeoutError) as error:
        log.warning("compiler_ended", script=name, error=repr(error))
    finally:
        if child is not None and child.returncode is None:
            child.kill()
    return None


def main() -> None:
    """The process: a script comes in, its program goes out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for us
    os.nice(_NICE)
    gc.disable()  # takes as long as all the rest, and finds nothing
    source, name = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  of the process that started us
    sys.stdout.buffer.write(_packed(compile_tree(parse(source, name), program_hash(source))))


def _packed(program: Program) -> bytes:
    code = cast("FunctionType", program.factory).__code__
    return pickle.dumps((marshal.dumps(code), replace(program, factory=cast("Any", None))))


def _unpacked(packed: bytes) -> Program:
    code, program = pickle.loads(packed)  # noqa: S301  of the process that we started
    factory: Factory = FunctionType(marshal.loads(code), NAMESPACE)  # noqa: S302  the same
    return cast("Program", replace(program, factory=factory))
