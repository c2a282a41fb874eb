"""One clock for all sockets: pings in slots, and a look each second at those that are in a hurry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


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

    def tick(self, now: float) -> None:
        self._turn += 1
        slots = self._slots
        for rider in list(slots[(self._turn - self._pong_slots) % len(slots)]):
            rider.check_pong()
        for rider in list(slots[self._turn % len(slots)]):
            rider.ping(self._turn)
        for hurried in list(self.hurried):
            hurried.check_deadline(now)
        self._flush()
