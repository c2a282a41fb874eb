"""Presence within one process: several nodes of a test may share a table of leases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

from presence import LEASE_SECONDS, Presence

Leases = dict[str, dict[tuple[str, str], float]]
"""account -> (actor, node) -> when the lease ends (seconds of `ticks`)"""


class MemoryPresence:
    """See `presence.Presence` for the promises. `ticks` are seconds that never go back."""

    def __init__(self, ticks: Callable[[], float], node: str = "", leases: Leases | None = None) -> None:
        self._ticks = ticks
        self._node = node
        self._leases: Leases = defaultdict(dict) if leases is None else leases

    async def touch(self, account: str, actors: Collection[str]) -> None:
        leases = self._leases.setdefault(account, {})
        until = self._ticks() + LEASE_SECONDS
        for actor in actors:
            leases[actor, self._node] = until

    async def leave(self, account: str, actor: str) -> None:
        self._leases.get(account, {}).pop((actor, self._node), None)

    async def present(self, account: str) -> frozenset[str]:
        leases = self._leases.get(account, {})
        now = self._ticks()
        for lease in [lease for lease, until in leases.items() if until <= now]:
            del leases[lease]
        if not leases:
            self._leases.pop(account, None)
        return frozenset(actor for actor, _ in leases)

    async def close(self) -> None:
        """Let go of this node's leases."""
        for leases in self._leases.values():
            for lease in [lease for lease in leases if lease[1] == self._node]:
                del leases[lease]


_: type[Presence] = MemoryPresence
