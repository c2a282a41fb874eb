"""/healthz, /readyz and /metrics: for those who run it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import Unavailable
from gateway.api.payload import answer
from gateway.api.route import Media, operation
from gateway.metrics import CONTENT_TYPE

PROBE_SECONDS = 2.0


class Health(Struct):
    status: str


def routes(
    is_draining: Callable[[], bool], probe: Callable[[], Awaitable[object]], render: Callable[[], bytes]
) -> list[Route]:
    """`probe` asks the store something small and raises Unavailable when it is away; `render` writes the metrics."""

    async def healthz(request: Request) -> Response:
        return answer(Health("ok"))

    async def readyz(request: Request) -> Response:
        if is_draining():
            return answer(Health("draining"), 503)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await probe()
        except (Unavailable, TimeoutError):
            return answer(Health("store away"), 503)
        return answer(Health("ok"))

    async def metrics(request: Request) -> Response:
        return Response(render(), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})

    return [
        operation("/healthz", "GET", healthz, summary="Whether the process is alive.", answer=Health),
        operation("/readyz", "GET", readyz, summary="Whether it may be sent to.", answer=Health, more={503: Health}),
        operation("/metrics", "GET", metrics, summary="Figures for Prometheus.", answer=Media("text/plain")),
    ]
