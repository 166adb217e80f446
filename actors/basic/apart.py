"""
Does what takes long in a process of its own. To compile a long script takes seconds, for most of which no other thread
of the same process gets to run.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import marshal
import math
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar, cast

import structlog

from actors.basic.compiler import Factory, Program, compile_tree, program_hash
from actors.basic.parser import parse
from actors.basic.runtime import NAMESPACE

__all__ = ["NotDone", "apart", "compile_apart", "main"]

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

_TIME_S: Final = 60.0
_BEGIN: Final = "import sys; sys.path[:] = sys.argv[1:]; from actors.basic.apart import main; main()"
_NICE: Final = 5  # conversations go first


def _code() -> bytes:
    """Stands for this Python and the files of this package."""
    found = hashlib.sha256(sys.version.encode())
    here = Path(__file__).parent
    for file in sorted(here.rglob("*.py")):
        found.update(b"%a %b" % (str(file.relative_to(here)), file.read_bytes()))
    return found.digest()


_CODE: Final = _code()
"""As it was when we began. What has been installed over it since is what a process finds that begins now."""


class NotDone(Exception):  # says what is the case, as all of ours do
    """
    The process could not be started, raised, was killed, took more than a minute, or runs other code than we do; or
    what it gave cannot be read.
    """


async def apart(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """
    What *function*, of a module, gives, called in a process that ends with it. Cancelled, that process is killed.

    Raises: NotDone.
    """
    child: asyncio.subprocess.Process | None = None
    try:
        child = await asyncio.create_subprocess_exec(
            # -P: what lies in the directory that we happen to be in is not ours
            *(sys.executable, "-P", "-c", _BEGIN, *sys.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
        )
        async with asyncio.timeout(_TIME_S):
            result, _ = await child.communicate(pickle.dumps((function, arguments, named)))
    except (OSError, TimeoutError) as error:
        raise NotDone(repr(error)) from error
    finally:
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise NotDone(f"exit code {child.returncode}")
    if not result.startswith(_CODE):
        raise NotDone("it runs other code than we do")
    try:
        return cast("T", pickle.loads(result[len(_CODE) :]))  # noqa: S301  of the process that we started
    except Exception as error:
        raise NotDone(repr(error)) from error


def main() -> None:
    """The process: a call comes in, its result goes out."""
    signal.alarm(math.ceil(_TIME_S))  # the end of us, also where nobody is left to see to that
    os.nice(_NICE)
    gc.disable()  # takes as long as all the rest, and finds nothing
    out, sys.stdout = sys.stdout, sys.stderr  # for the result, and for whatever is logged
    function, arguments, named = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  of the process that started us
    out.buffer.write(_CODE + pickle.dumps(function(*arguments, **named)))
    out.flush()


async def compile_apart(source: str, name: str) -> Program | None:
    """The program of a script without errors, made apart; None if it cannot be."""
    try:
        code, program = await apart(_compiled, source, name)
        if program.digest != program_hash(source):
            raise NotDone("it is not the program of this script")
    except NotDone as error:
        log.warning("not_compiled_apart", script=name, error=str(error))
        return None
    factory: Factory = FunctionType(marshal.loads(code), NAMESPACE)  # noqa: S302  of the process that we started
    return replace(program, factory=factory)


def _compiled(source: str, name: str) -> tuple[bytes, Program]:
    """The code of a program, and the rest of it."""
    program = compile_tree(parse(source, name), program_hash(source))
    code = cast("FunctionType", program.factory).__code__
    return marshal.dumps(code), replace(program, factory=cast("Any", None))
