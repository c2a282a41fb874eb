"""The Debts seam: what is owed to a limit, counted by all nodes together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gateway.shared_meter import MOST

__all__ = ["MOST", "Debts", "Taken"]


class Taken(Struct, frozen=True, gc=False):
    """What one node has taken of one key since it said so last; all in seconds, as a limit of 2/s owes 0.5 for each."""

    key: str
    seconds: float
    """All of it together. Less than 0: some of what was said before is given back."""
    alone: float
    """How much of it is owed now, if nothing else was taken. Less than 0: nothing since so long."""
    burst: float
    """What may be owed of this key."""


class Debts(Protocol):
    """Promises: what is owed of a key is what GCRA says of all that was added by all nodes, in the order of adding, and
    it passes with time by one clock that isn't the nodes'. What is added isn't refused, whatever is owed. It may be
    forgotten when the engine loses what it has, and be added twice when a connection breaks."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes can be there, so that it is worth saying anything."""
        ...

    async def add(self, taken: Sequence[Taken]) -> list[float]:
        """Seconds that are owed of each now, less than 0 if nothing, MOST bursts at most. No key twice. Without any key
        it is seen whether anybody answers. Raises Unavailable soon."""
        ...
