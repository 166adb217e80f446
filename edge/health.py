"""Health and figures, for those who run the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["Check", "Health"]

Check = Callable[[], Awaitable[str]]
"""Says in a sentence what is wrong, '' if nothing is."""

_TIMEOUT_S = 2.0


class Health:
    """
    ``/health/live``: the process runs. ``/health/ready``: it can serve, or what it lacks. ``/metrics``.

    Args:
        checks: name of what is needed -> whether it is there.
        registry: the figures.
    """

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        self._checks = dict(checks)
        self._registry = registry

    def routes(self) -> list[Route]:
        """To be mounted at the root."""
        return [
            Route("/health/live", self.live),
            Route("/health/ready", self.ready),
            Route("/metrics", self.metrics),
        ]

    async def live(self, _: Request) -> Response:
        """The event loop answers."""
        return JSONResponse({"status": "live"}, headers={"Cache-Control": "no-store"})

    async def ready(self, _: Request) -> Response:
        """200 when nothing is missing, else 503 with what is."""
        reasons = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        checks = {name: reason or "ok" for name, reason in zip(self._checks, reasons, strict=True)}
        ready = not any(reasons)
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": checks},
            200 if ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def metrics(self, _: Request) -> Response:
        """The figures in Prometheus' text format."""
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return Response(generate_latest(self._registry), headers=headers)

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await check()
        except TimeoutError:
            return f"no answer within {_TIMEOUT_S:g} s"
        except Exception as error:
            # Whatever goes wrong while looking is the answer that the operator needs.
            return f"{type(error).__name__}: {error}"
