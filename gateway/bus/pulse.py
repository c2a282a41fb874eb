"""Whose heartbeats come, and how late: whether what others write is heard here, and soon. Pure; times in seconds."""

from __future__ import annotations

from typing import NamedTuple

SUSPECT_SECONDS = 1.1  # nearly three heartbeats: one may be lost, and one late
DEAF_SECONDS = 15.0  # without hearing ourselves, though bytes come
REMEMBER_SECONDS = 600.0  # a node that went silent: it may only be cut off, and write to the store all the same
NODES = 4096  # remembered; a Redis that is shared with others has no more of ours
DRIFT = 0.001  # seconds that two clocks may part in a second: ten times what they do


class _Heard(NamedTuple):
    """Another node's last heartbeat."""

    now: float
    offset: float
    """By how much our clock is ahead of theirs, with the way of their quickest heartbeat in it."""
    late: float
    """How much longer than that it took."""


class Pulse:
    """Of everybody who writes to one server. `node` is our own name.

    A heartbeat carries its time by its node's own clock. Clocks of two nodes have nothing in common but their pace: a
    way that gets longer and longer shows all the same.
    """

    def __init__(self, node: bytes) -> None:
        self._node = node
        self._heard: dict[bytes, _Heard] = {}
        self._own_at = float("-inf")

    @property
    def others(self) -> int:
        """How many other nodes are remembered."""
        return len(self._heard)

    def begin(self, now: float) -> None:
        """A new connection: our own heartbeat is due from now on."""
        self._own_at = now

    def hear(self, node: bytes, at: float, now: float) -> None:
        """A heartbeat that was sent `at`."""
        if node == self._node:
            self._own_at = at
        elif node in self._heard or len(self._heard) < NODES:
            offset = now - at
            last = self._heard.get(node)
            # After a silence it may be another time there: a machine that slept.
            if last is not None and now - last.now <= SUSPECT_SECONDS:
                offset = min(offset, last.offset + DRIFT * (now - last.now))
            self._heard[node] = _Heard(now, offset, now - at - offset)

    def leave(self, node: bytes) -> None:
        """It says that it ends: nobody waits for its heartbeat."""
        self._heard.pop(node, None)

    def is_steady(self, now: float) -> bool:
        """Whether what was written until just now is known here, of everybody. Whoever has been silent for long is
        forgotten."""
        self._heard = {node: last for node, last in self._heard.items() if now - last.now <= REMEMBER_SECONDS}
        known = min((self._own_at, *(last.now - last.late for last in self._heard.values())))
        return now - known <= SUSPECT_SECONDS

    def is_heard(self, now: float) -> bool:
        """Whether our own heartbeat comes back, whatever else doesn't come."""
        return now - self._own_at <= SUSPECT_SECONDS

    def is_deaf(self, now: float) -> bool:
        """Whether our own heartbeat has been missing for so long that the connection is of no use."""
        return now - self._own_at > DEAF_SECONDS
