"""/healthz, /readyz and /metrics: for those who run it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import Unavailable
from gateway.api.payload import answer
from gateway.metrics import CONTENT_TYPE

PROBE_SECONDS = 2.0


def routes(
    is_draining: Callable[[], bool], probe: Callable[[], Awaitable[object]], render: Callable[[], bytes]
) -> list[Route]:
    """`probe` asks the store something small and raises Unavailable when it is away; `render` writes the metrics."""

    async def healthz(request: Request) -> Response:
        return answer({"status": "ok"})

    async def readyz(request: Request) -> Response:
        if is_draining():
            return answer({"status": "draining"}, 503)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await probe()
        except (Unavailable, TimeoutError):
            return answer({"status": "store away"}, 503)
        return answer({"status": "ok"})

    async def metrics(request: Request) -> Response:
        return Response(render(), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
