"""How many HTTP requests one address may make: a look before anything is read or done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from chat.clock import Clock
from chat.errors import RateLimited
from gateway.address import network
from gateway.api.problem import problem
from gateway.limits import Meter
from gateway.metrics import Metrics

Budget = Mapping[str, Meter]
"""Meters by name: `requests` is for everything under /v1/, the others for what PLACES says."""

PREFIX = "/v1/"
# What costs more than an answer: rows that stay, a password's hash, a file. By method and path.
PLACES = {
    ("POST", "/v1/session"): "sessions",
    ("POST", "/v1/login"): "logins",
    ("POST", "/v1/uploads"): "uploads",
}


class Budgeted:
    """ASGI middleware: 429 for addresses that ask too often. uvicorn has put the client's address into the scope."""

    def __init__(self, app: ASGIApp, budget: Budget, clock: Clock, metrics: Metrics) -> None:
        self._app = app
        self._meters = budget
        self._clock = clock
        self._limited = metrics.limited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            wait = self._wait(scope)
            if wait:
                await problem(RateLimited(after_ms=math.ceil(wait * 1000)))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        """Seconds until this address may ask this again, 0 if it may now."""
        client = scope.get("client")
        address = network(client[0] if client else "")
        now = self._clock.ticks()
        for name in ("requests", PLACES.get((scope["method"], scope["path"].rstrip("/")))):
            if name is not None and (wait := self._meters[name].take(address, now)):
                self._limited.labels(name).inc()
                return wait
        return 0.0


def limited(budget: Budget, clock: Clock, metrics: Metrics) -> Callable[[ASGIApp], ASGIApp]:
    """What an application is wrapped in."""
    return lambda app: Budgeted(app, budget, clock, metrics)
