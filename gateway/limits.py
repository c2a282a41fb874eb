"""Rate limits by the generic cell rate algorithm. Pure: time comes in, the wait comes out.

Every node decides by itself and at once; of several nodes each meter knows of the others (`shared_meter.py`).
"""

from __future__ import annotations

from heapq import nsmallest

from msgspec import Struct

KEYS = 20_000  # of one Meter, about 4 MiB; those that owe nothing aren't missed when it is full
ROUNDING = 1e-4  # seconds: sums of gaps aren't exact, and the last of a burst belongs to it
SPARE = 8  # a full table that nobody left is thinned by this part, so that looking through it stays rare


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
        if wait > ROUNDING:
            return wait
        self._arrival = (arrival if arrival > now else now) + self._gap
        return 0.0

    def look(self, now: float) -> float:
        """What `take` would say; nothing is taken."""
        wait = self._arrival - self._slack - now
        return wait if wait > ROUNDING else 0.0


class Meter:
    """One Rate for each of many keys, addresses or actors: a number per key, and so many keys at most.

    When all places are taken, those go that have recovered, then those that are nearest to it: whoever owes most is
    remembered longest, so that nobody gets free by bringing strangers along.
    """

    __slots__ = ("_arrivals", "_gap", "_most", "_slack")

    def __init__(self, rate: Rate, keys: int = KEYS) -> None:
        self._gap = 1 / rate.per_second
        self._slack = self._gap * (rate.burst - 1)
        self._most = keys
        self._arrivals: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def take(self, key: str, now: float) -> float:
        """0 when one more of this key is fine now (seconds); else how many seconds to wait, and nothing is taken."""
        arrivals = self._arrivals
        arrival = arrivals.get(key, 0.0)
        wait = arrival - self._slack - now
        if wait > ROUNDING:
            return wait
        if not arrival and len(arrivals) >= self._most:
            self._make_room(now)
        arrivals[key] = (arrival if arrival > now else now) + self._gap
        return 0.0

    def look(self, key: str, now: float) -> float:
        """What `take` would say; nothing is taken."""
        wait = self._arrivals.get(key, 0.0) - self._slack - now
        return wait if wait > ROUNDING else 0.0

    def give_back(self, key: str) -> None:
        """One that was taken wasn't used."""
        if key in self._arrivals:
            self._arrivals[key] -= self._gap

    def _make_room(self, now: float) -> None:
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
        too_many = len(self._arrivals) - self._most + max(1, self._most // SPARE)
        if too_many > 0:
            for key in nsmallest(too_many, self._arrivals, key=self._arrivals.__getitem__):
                del self._arrivals[key]
