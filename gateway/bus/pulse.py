"""Whose heartbeats come, and how long ago: whether what others write is heard here. Pure; times in seconds."""

from __future__ import annotations

SUSPECT_SECONDS = 1.25  # two heartbeats and half a one: until then one may be late
DEAF_SECONDS = 15.0  # without hearing ourselves, though bytes come
REMEMBER_SECONDS = 60.0  # a node that went silent: it may only be cut off, and write to the store all the same
NODES = 4096  # remembered; a database that is shared with others has no more of ours


class Pulse:
    """Of everybody who writes to one server, by the clock that goes with it. `node` is our own name."""

    def __init__(self, node: bytes) -> None:
        self._node = node
        self._heard: dict[bytes, float] = {}
        self._own_at = float("-inf")

    @property
    def others(self) -> int:
        """How many other nodes are remembered."""
        return len(self._heard)

    def begin(self, now: float) -> None:
        """A new connection: our own heartbeat is due from now on."""
        self._own_at = now

    def hear(self, node: bytes, now: float) -> None:
        if node == self._node:
            self._own_at = now
        elif node in self._heard or len(self._heard) < NODES:
            self._heard[node] = now

    def leave(self, node: bytes) -> None:
        """It says that it ends: nobody waits for its heartbeat."""
        self._heard.pop(node, None)

    def is_steady(self, now: float) -> bool:
        """Whether nobody's heartbeat is late. Whoever has been silent for long is forgotten."""
        self._heard = {node: at for node, at in self._heard.items() if now - at <= REMEMBER_SECONDS}
        return now - min((self._own_at, *self._heard.values())) <= SUSPECT_SECONDS

    def is_deaf(self, now: float) -> bool:
        """Whether our own heartbeat has been missing for so long that the connection is of no use."""
        return now - self._own_at > DEAF_SECONDS
