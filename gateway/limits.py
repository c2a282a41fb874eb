"""Rate limits by the generic cell rate algorithm. Pure: time comes in, the wait comes out.

Every node decides by itself and at once. Where there are several they tell each other what was taken (`sharing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from heapq import nsmallest

from msgspec import Struct

KEYS = 20_000  # of one Meter, about 4 MiB; those that owe nothing aren't missed when it is full
SOON = 0.05  # seconds until what was taken before is confirmed, as a rule
MOST = 4  # bursts that others may say are owed: more can only come from a clock that was set back
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


class Untold:
    """What a meter has taken, and the nodes together don't know of yet. Two numbers per key say all of it to GCRA: how
    many, and when they alone would be paid off.

    A quarter of a burst is due to be told. With half of one that nobody has confirmed, no more is taken until somebody
    has: so each node beyond the first lets through half a burst too much at most, and no rate on top of it.
    """

    __slots__ = ("_counts", "_due_from", "_gap", "_half", "_telling", "due", "is_answered", "ring")

    def __init__(self, rate: Rate, ring: Callable[[bool], None]) -> None:
        self._gap = 1 / rate.per_second
        self._half = max(1, rate.burst // 2)
        self._due_from = rate.burst / 4
        self._counts: dict[str, list[float]] = {}
        self._telling: dict[str, int] = {}
        self.due: dict[str, None] = {}
        """In the order in which they are to be told."""
        self.ring = ring
        """Called when the first is due, and, with True, when somebody waits for what is due."""
        self.is_answered = True
        """Whether anybody confirms anything. While nobody does, nobody is waited for."""

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, key: str, now: float) -> bool:
        """One more is taken. False if it has to wait until what was taken before is confirmed."""
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0, 0.0]
        taken = counts[0]
        if self.is_answered and taken + self._telling.get(key, 0) >= self._half:
            if taken:
                self._put_due(key, is_awaited=True)
            return False
        counts[0] = taken + 1
        counts[1] = (counts[1] if counts[1] > now else now) + self._gap
        if taken + 1 >= self._due_from:
            self._put_due(key)
        return True

    def give_back(self, key: str) -> None:
        """One that was counted wasn't used. If it was told already, that is told as well."""
        counts = self._counts.setdefault(key, [0, 0.0])
        counts[0] -= 1
        counts[1] -= self._gap
        if counts[0] < 0:
            self._put_due(key)

    def tell(self, key: str, now: float) -> tuple[int, float, float]:
        """How many are to be told, how many seconds they are worth, and how many are owed by them alone; `told` must
        follow. Of what gathered while nobody answered half a burst is told: most of it was paid off meanwhile."""
        self.due.pop(key, None)
        number, paid_off = self._counts.pop(key, (0, 0.0))
        told = min(int(number), self._half)
        self._telling[key] = self._telling.get(key, 0) + max(0, told)
        return told, told * self._gap, paid_off - now

    def told(self, key: str, number: int) -> None:
        """So many of what was to be told were, or will never be."""
        left = self._telling.get(key, 0) - max(0, number)
        if left > 0:
            self._telling[key] = left
        else:
            self._telling.pop(key, None)

    def behind(self, key: str, arrival: float) -> float:
        """When the key is free, if it was at `arrival` before what is untold was taken."""
        number, paid_off = self._counts.get(key, (0, 0.0))
        return max(arrival + number * self._gap, paid_off)

    def keep(self, keys: Container[str]) -> None:
        """Forget all others."""
        self._counts = {key: counts for key, counts in self._counts.items() if key in keys}

    def _put_due(self, key: str, *, is_awaited: bool = False) -> None:
        is_first = not self.due
        self.due[key] = None
        if is_first or is_awaited:
            self.ring(is_awaited)


class Meter:
    """One Rate for each of many keys, addresses or actors: a number per key, and so many keys at most.

    When all places are taken, those go that have recovered, then those that are nearest to it: whoever owes most is
    remembered longest, so that nobody gets free by bringing strangers along.
    """

    __slots__ = ("_arrivals", "_gap", "_most", "_slack", "untold")

    def __init__(self, rate: Rate, keys: int = KEYS, untold: Untold | None = None) -> None:
        self._gap = 1 / rate.per_second
        self._slack = self._gap * (rate.burst - 1)
        self._most = keys
        self._arrivals: dict[str, float] = {}
        self.untold = untold
        """Where other nodes have the same meter."""

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
        if self.untold is not None and not self.untold.count(key, now):
            return SOON
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
            if self.untold is not None:
                self.untold.give_back(key)

    def learn(self, key: str, arrival: float, now: float) -> None:
        """By all that was told the key is free at `arrival`. What was taken here since counts on top of it."""
        assert self.untold is not None
        arrival = min(self.untold.behind(key, arrival), now + MOST * (self._slack + self._gap))
        if arrival > max(now, self._arrivals.get(key, 0.0)):
            self._arrivals[key] = arrival

    def _make_room(self, now: float) -> None:
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
        too_many = len(self._arrivals) - self._most + max(1, self._most // SPARE)
        if too_many > 0:
            for key in nsmallest(too_many, self._arrivals, key=self._arrivals.__getitem__):
                del self._arrivals[key]
        if self.untold is not None:
            self.untold.keep(self._arrivals)
