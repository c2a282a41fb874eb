"""What is owed, counted in this process: a single node has nobody to tell; several nodes in a test count together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.debts import MOST, Debts, Taken


class MemoryDebts:
    """See `gateway.debts.Debts` for the promises. `free` is what nodes of one process share: when each key is free."""

    def __init__(self, ticks: Callable[[], float], free: dict[str, float] | None = None) -> None:
        self._ticks = ticks
        self._free = {} if free is None else free
        self._is_shared = free is not None

    @property
    def is_shared(self) -> bool:
        return self._is_shared

    async def add(self, taken: Sequence[Taken]) -> list[float]:
        return [self._add(each) for each in taken]

    def _add(self, taken: Taken) -> float:
        now = self._ticks()
        free = max(self._free.get(taken.key, 0.0) + taken.seconds, now + taken.alone)
        self._free[taken.key] = min(free, now + MOST * taken.burst)
        return self._free[taken.key] - now


_: type[Debts] = MemoryDebts
