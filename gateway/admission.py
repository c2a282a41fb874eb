"""Who is let in at the handshake: the right path, an origin of ours, not too many at once, not while draining."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct
from websockets.datastructures import Headers

from chat.clock import Clock
from gateway.address import Addresses
from gateway.limits import Bucket, Meter, Rate
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

    def response(self) -> bytes:
        """All of it, as HTTP/1.1 has it; the connection is to be closed."""
        body = self.text + "\n"
        headers = {
            **self.headers,
            "Connection": "close",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *map(": ".join, headers.items()), "", body]
        return "\r\n".join(lines).encode()


class HandshakeLimits(Struct, frozen=True):
    """Of the node: handshakes a second, and sockets that haven't said who they are. Of one address: both again."""

    per_second: int
    unauthenticated: int
    address_connects: Meter
    address_unauthenticated: int


class Admission:
    """Counts handshakes, and sockets that haven't said who they are, of the node and of each address."""

    def __init__(
        self, origins: Origins, addresses: Addresses, clock: Clock, metrics: Metrics, limits: HandshakeLimits
    ) -> None:
        self._origins = origins
        self._addresses = addresses
        self._clock = clock
        self._limits = limits
        self._handshakes = Bucket(Rate(limits.per_second, limits.per_second))
        self._connects = limits.address_connects
        self._metrics = metrics
        self._waiting = 0
        self._waiting_by_address: dict[str, int] = {}
        self.is_draining = False

    def address(self, peer: str, headers: Headers) -> str:
        """The key by which limits know who is behind this connection."""
        return self._addresses.of(peer, headers.get_all("X-Forwarded-For"))

    def check(self, path: str, headers: Headers, address: str) -> bool:
        """Raises Turned. Returns whether the peer has an Origin; without one only a bot's token will do."""
        if path.partition("?")[0] != PATH:
            raise Turned(404, "There is nothing here.")
        if self.is_draining:
            self._count("draining")
            raise _stopping()
        origins = headers.get_all("Origin")
        if len(origins) > 1 or (origins and not self._origins.allow(origins[0])):
            self._count("origin")
            raise Turned(403, "This origin may not connect.")
        now = self._clock.ticks()
        self._check_address(address, now, is_browser=bool(origins))
        if self._waiting >= self._limits.unauthenticated or self._handshakes.take(now):
            self._count("overloaded")
            raise _too_many()
        self._count("accepted")
        return bool(origins)

    def shed(self, address: str) -> Turned | None:
        """What whoever is one too many is told before a socket is made for it: a crowd costs half as much then.

        Nothing is taken, and `check` has the last word. No address: one that many may share.
        """
        now = self._clock.ticks()
        if self.is_draining:  # before all else: a load balancer that hears 503 asks another node
            self._count("draining")
            return _stopping()
        if address and (wait := self._connects.look(address, now)):
            self._count("address")
            return _too_many_from_here(wait)
        if self._waiting >= self._limits.unauthenticated or self._handshakes.look(now):
            self._count("overloaded")
            return _too_many()
        return None

    def enter(self, address: str) -> None:
        """One more of this address that hasn't said who it is; `known` or `left` must follow."""
        self._waiting += 1
        self._waiting_by_address[address] = self._waiting_by_address.get(address, 0) + 1
        self._metrics.unauthenticated.inc()

    def known(self, address: str) -> None:
        """One of them has said it."""
        self._waiting -= 1
        rest = self._waiting_by_address.pop(address) - 1
        if rest:
            self._waiting_by_address[address] = rest
        self._metrics.unauthenticated.dec()

    def left(self, address: str, *, has_origin: bool) -> None:
        """One of them has gone, or was closed, without having been let in."""
        self.known(address)
        if not has_origin:
            self._connects.take(address, self._clock.ticks())

    def _check_address(self, address: str, now: float, *, is_browser: bool) -> None:
        """A bot's farm may come from one address as often as it likes, so of what has no Origin only failures count."""
        wait = self._connects.take(address, now) if is_browser else self._connects.look(address, now)
        if wait or self._waiting_by_address.get(address, 0) >= self._limits.address_unauthenticated:
            self._count("address")
            raise _too_many_from_here(wait)

    def _count(self, outcome: str) -> None:
        self._metrics.handshakes.labels(outcome).inc()


def _stopping() -> Turned:
    return Turned(503, "This node is stopping.", {"Retry-After": "1"})


def _too_many() -> Turned:
    return Turned(503, "Too many connections at once.", {"Retry-After": "1"})


def _too_many_from_here(wait: float) -> Turned:
    return Turned(429, "Too many connections from this address.", {"Retry-After": str(int(wait) + 1)})
