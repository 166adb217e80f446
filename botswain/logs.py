"""How a process writes its log: lines for people on a terminal, JSON for machines, both to standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Final, Literal, TextIO, cast

import structlog

from botswain.terminal import wants_colours

__all__ = ["configure_logging", "for_people"]

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Libraries that tell at info what we tell ourselves.
QUIET: Final = ("uvicorn", "uvicorn.access", "watchfiles", "aiokafka", "asyncio")


# Local variables would carry what people said, and secrets, into the log.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
)


class _Lossy:
    """
    A stream whose writers go on when nothing can be written: to a full disk, to a pipe that nobody reads. A program
    that ends because it cannot say what is wrong helps nobody.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def for_people(format_: Literal["auto", "console", "json"]) -> bool:
    """Whether the log is for people to read, not for machines."""
    return format_ == "console" or (format_ == "auto" and sys.stderr.isatty())


def configure_logging(level: str, format_: Literal["auto", "console", "json"]) -> None:
    """Configure structlog, and the logging of the standard library for what libraries say."""
    console = for_people(format_)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console, key="at"),
    ]
    renderer: list[Any]
    if console:
        renderer = [
            structlog.dev.ConsoleRenderer(
                colors=wants_colours(sys.stderr),
                timestamp_key="at",
                pad_event_to=24,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    else:
        renderer = [_TRACEBACKS, structlog.processors.JSONRenderer(sort_keys=False)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in QUIET:
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.WARNING))
