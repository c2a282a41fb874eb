"""/healthz, /readyz and /metrics: for those who run it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from secrets import compare_digest
from typing import Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import Forbidden, Unavailable
from gateway.api.payload import answer
from gateway.api.problem import LoginNeeded
from gateway.api.route import Media, operation
from gateway.metrics import CONTENT_TYPE

PROBE_SECONDS = 2.0


class Health(Struct, omit_defaults=True):
    """`bus` says `away` while this node hears of other nodes' changes by the store alone: later, but it hears them."""

    status: str
    bus: Literal["here", "away"] = "here"


def routes(
    is_draining: Callable[[], bool],
    probe: Callable[[], Awaitable[object]],
    render: Callable[[], bytes],
    token: bytes | None = None,
    *,
    is_bus_healthy: Callable[[], bool],
) -> list[Route]:
    """`probe` asks the store something small and raises Unavailable when it is away; `render` writes the metrics.

    They are for who has `token`, or without one for who asks on this very machine.
    """

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
        return answer(Health("ok", "here" if is_bus_healthy() else "away"))

    async def metrics(request: Request) -> Response:
        _may_measure(request, token)
        return Response(render(), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})

    return [
        operation("/healthz", "GET", healthz, summary="Whether the process is alive.", answer=Health),
        operation("/readyz", "GET", readyz, summary="Whether it may be sent to.", answer=Health, more={503: Health}),
        operation(
            "/metrics",
            "GET",
            metrics,
            summary="Figures for Prometheus: with the metrics token, or asked on the same machine.",
            answer=Media("text/plain"),
            refusals=[Forbidden, LoginNeeded],
        ),
    ]


def _may_measure(request: Request, token: bytes | None) -> None:
    if token is not None:
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not compare_digest(sent.strip().encode(), token):
            raise LoginNeeded("The metrics want their token.")
        return
    # A proxy on this machine makes everybody look local, but says for whom it asks.
    is_passed_on = any(name in request.headers for name in ("x-forwarded-for", "forwarded"))
    if is_passed_on or request.client is None or not _is_local(request.client.host):
        raise Forbidden("Without SHOPBELL_METRICS_TOKEN the metrics are for this very machine.")


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
