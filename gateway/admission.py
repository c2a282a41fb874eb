"""Who is let in at the handshake: the right path, an origin of ours, not too many at once, not while draining."""

from __future__ import annotations

from collections.abc import Mapping

from websockets.datastructures import Headers

from chat.clock import Clock
from gateway.limits import Bucket, Rate
from gateway.metrics import Metrics
from gateway.origins import Origins

PATH = "/v1/socket"


class Turned(Exception):
    """Answered with a plain HTTP response instead of the upgrade."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}


class Admission:
    """Counts handshakes per second, and sockets that haven't said who they are."""

    def __init__(
        self, origins: Origins, clock: Clock, metrics: Metrics, *, per_second: int, unauthenticated: int
    ) -> None:
        self._origins = origins
        self._clock = clock
        self._handshakes = Bucket(Rate(per_second, per_second))
        self._unauthenticated = unauthenticated
        self._metrics = metrics
        self._waiting = 0
        self.is_draining = False

    def check(self, path: str, headers: Headers) -> bool:
        """Raises Turned. Returns whether the peer has an Origin; without one only a bot's token will do."""
        if path.partition("?")[0] != PATH:
            raise Turned(404, "There is nothing here.")
        if self.is_draining:
            self._count("draining")
            raise Turned(503, "This node is stopping.", {"Retry-After": "1"})
        origins = headers.get_all("Origin")
        if len(origins) > 1 or (origins and not self._origins.allow(origins[0])):
            self._count("origin")
            raise Turned(403, "This origin may not connect.")
        if self._waiting >= self._unauthenticated or self._handshakes.take(self._clock.ticks()):
            self._count("overloaded")
            raise Turned(503, "Too many connections at once.", {"Retry-After": "1"})
        self._count("accepted")
        return bool(origins)

    def enter(self) -> None:
        """One more that hasn't said who it is."""
        self._waiting += 1
        self._metrics.unauthenticated.inc()

    def known(self) -> None:
        """One of them has said it, or has gone."""
        self._waiting -= 1
        self._metrics.unauthenticated.dec()

    def _count(self, outcome: str) -> None:
        self._metrics.handshakes.labels(outcome).inc()
