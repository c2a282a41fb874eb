"""One clock for all sockets: pings in slots, and a look each second at those that are in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

AT_ONCE = 32  # that are looked at in one turn of the loop; closing one takes 50 µs

T = TypeVar("T")


class Hurried(Protocol):
    """A connection that waits for something that mustn't take too long."""

    def check_deadline(self, now: float) -> None:
        """Look whether it has taken too long."""
        ...


class Rider(Hurried, Protocol):
    """A socket, as the wheel sees it."""

    def ping(self, n: int) -> None: ...

    def check_pong(self) -> None:
        """Close if nothing was heard since the last ping."""
        ...


class Wheel:
    """`tick` is called once a second. Every rider is pinged once per turn and checked `pong_seconds` later."""

    def __init__(self, ping_seconds: float, pong_seconds: float, flush: Callable[[], None]) -> None:
        self._slots: list[set[Rider]] = [set() for _ in range(max(2, round(ping_seconds)))]
        self._pong_slots = min(len(self._slots) - 1, max(1, round(pong_seconds)))
        self._flush = flush
        self._turn = 0
        self.hurried: set[Hurried] = set()
        """Those that want `check_deadline` every second."""

    def mount(self, rider: Rider) -> int:
        """Returns the slot, for `dismount`: the emptiest, so that a crowd that comes at once is spread."""
        slot = min(range(len(self._slots)), key=lambda slot: len(self._slots[slot]))
        self._slots[slot].add(rider)
        return slot

    def dismount(self, rider: Rider, slot: int) -> None:
        self._slots[slot].discard(rider)
        self.hurried.discard(rider)

    async def tick(self, now: float) -> None:
        """Takes as many turns of the loop as it needs, so that thousands that must go at once hold nobody up."""
        self._turn += 1
        slots = self._slots
        await self._each(slots[(self._turn - self._pong_slots) % len(slots)], lambda rider: rider.check_pong())
        await self._each(slots[self._turn % len(slots)], lambda rider: rider.ping(self._turn))
        await self._each(self.hurried, lambda hurried: hurried.check_deadline(now))

    async def _each(self, crowd: set[T], look: Callable[[T], None]) -> None:
        waiting = list(crowd)
        for start in range(0, len(waiting), AT_ONCE):
            for one in waiting[start : start + AT_ONCE]:
                if one in crowd:  # it may have gone meanwhile
                    look(one)
            self._flush()
            await asyncio.sleep(0)
