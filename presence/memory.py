"""Presence within one process: several nodes of a test may share it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count

from presence import About, Lease, Nodes, Presence, Table, Times

_epochs = count(1)


class Leases:
    """Those of one account. All times are ms of a clock that never goes back."""

    def __init__(self, now: int) -> None:
        self._epoch = f"memory{next(_epochs)}"
        self._number = 0
        self._born = now
        self._ends: dict[tuple[str, str], int] = {}
        self.touched = now

    def touch(
        self, now: int, node: str, lease: int, here: Iterable[str], gone: Mapping[str, int | None], known: str
    ) -> Table:
        """See `Presence.touch`; `lease` and graces are ms."""
        changes = self._purge(now) + (not self._number)
        changes += sum(self._come(actor, node, now + lease) for actor in here)
        changes += sum(self._go(actor, node, now, grace) for actor, grace in gone.items())
        self._number += changes > 0
        self.touched = now
        version = f"{self._epoch}:{self._number}"
        leases = (Lease(actor, on, (end - now) / 1000) for (actor, on), end in self._ends.items())
        return Table(version, (now - self._born) / 1000, changes > 0, None if known == version else tuple(leases))

    def _purge(self, now: int) -> int:
        over = [lease for lease, end in self._ends.items() if end <= now]
        for lease in over:
            del self._ends[lease]
        return len(over)

    def _come(self, actor: str, node: str, end: int) -> bool:
        is_new = (actor, node) not in self._ends
        self._ends[actor, node] = end
        if is_new:
            self._ends.pop((actor, ""), None)
        return is_new

    def _go(self, actor: str, node: str, now: int, grace: int | None) -> bool:
        was_here = self._ends.pop((actor, node), None) is not None
        if grace is None:
            return self._ends.pop((actor, ""), None) is not None or was_here
        if grace:
            self._ends[actor, ""] = max(now + grace, self._ends.get((actor, ""), 0))
        return was_here or grace > 0


class Memory:
    """What the nodes of one process share."""

    def __init__(self) -> None:
        self.accounts: dict[str, Leases] = {}
        self.nodes: dict[str, tuple[int, About]] = {}
        self.born: int | None = None


class MemoryPresence:
    """See `presence.Presence` for the promises. `ticks` are seconds that never go back."""

    def __init__(
        self, ticks: Callable[[], float], node: str = "node", memory: Memory | None = None, times: Times | None = None
    ) -> None:
        self.node = node
        self._ticks = ticks
        self._memory = memory or Memory()
        times = times or Times()
        self._lease, self._node_lease = _ms(times.lease), _ms(times.node_lease)

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        now = _ms(self._ticks())
        leases = self._memory.accounts.get(account)
        if leases is None or self._is_forgotten(leases, now):
            leases = self._memory.accounts[account] = Leases(now)
        graces = {actor: None if seconds is None else _ms(seconds) for actor, seconds in (gone or {}).items()}
        return leases.touch(now, self.node, self._lease, here, graces, known)

    async def beat(self, about: About) -> Nodes:
        now, memory = _ms(self._ticks()), self._memory
        if memory.born is None:
            memory.born = now
        memory.nodes[self.node] = (now + self._node_lease, about)
        memory.nodes = {node: (end, about) for node, (end, about) in memory.nodes.items() if end > now}
        for account in [each for each, leases in memory.accounts.items() if self._is_forgotten(leases, now)]:
            del memory.accounts[account]
        return Nodes((now - memory.born) / 1000, {node: about for node, (_, about) in memory.nodes.items()})

    async def close(self) -> None:
        self._memory.nodes.pop(self.node, None)

    def _is_forgotten(self, leases: Leases, now: int) -> bool:
        return now - leases.touched >= 3 * self._lease


def _ms(seconds: float) -> int:
    """At least one of whatever isn't nothing."""
    return max(1, round(seconds * 1000)) if seconds else 0


_: type[Presence] = MemoryPresence
