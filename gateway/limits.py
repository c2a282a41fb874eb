"""Rate limits by the generic cell rate algorithm. Pure: time comes in, the wait comes out."""

from __future__ import annotations

from msgspec import Struct


class Rate(Struct, frozen=True, gc=False):
    """So many per second in the long run, `burst` of them at once."""

    per_second: float
    burst: int


class Bucket:
    """One counter of a Rate: GCRA keeps a single number, the theoretical arrival time (ITU-T I.371)."""

    __slots__ = ("_arrival", "_gap", "_slack")

    def __init__(self, rate: Rate) -> None:
        self._gap = 1 / rate.per_second
        self._slack = self._gap * (rate.burst - 1)
        self._arrival = 0.0

    def take(self, now: float) -> float:
        """0 when one more is fine now (seconds); else how many seconds to wait, and nothing is taken."""
        arrival = self._arrival
        wait = arrival - self._slack - now
        if wait > 0:
            return wait
        self._arrival = (arrival if arrival > now else now) + self._gap
        return 0.0
