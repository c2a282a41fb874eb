"""A meter of several nodes: each decides at once by what it knows, and tells the others what was taken. Pure."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest

from gateway.limits import KEYS, ROUNDING, SPARE, Meter, Rate

SOON = 0.05  # seconds until what was taken before is confirmed, as a rule
MOST = 4  # bursts that others may say are owed: more can only come from a clock that was set back

ARRIVAL, UNTOLD, PAID_OFF, TELLING = range(4)  # what is known of a key


class SharedMeter(Meter):
    """What was taken here and isn't told yet is two numbers per key, by which GCRA knows all of it: how many, and when
    they alone would be paid off.

    A quarter of a burst is due to be told. With half of one that nobody has confirmed, no more is taken until somebody
    has: so each node beyond the first lets through half a burst too much at most, and no rate on top of it.
    """

    __slots__ = ("_due_from", "_half", "_keys", "due", "is_answered", "ring")

    def __init__(self, rate: Rate, ring: Callable[[bool], None], keys: int = KEYS) -> None:
        super().__init__(rate, keys)
        self._half = max(1, rate.burst // 2)
        self._due_from = rate.burst / 4
        self._keys: dict[str, list[float]] = {}
        self.due: dict[str, None] = {}
        """In the order in which they are to be told."""
        self.ring = ring
        """Called when the first is due, and, with True, when somebody waits for what is due."""
        self.is_answered = True
        """Whether anybody confirms anything. While nobody does, nobody is waited for."""

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, key: str, now: float) -> float:
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= self._most:
                self._make_room(now)
            known = self._keys[key] = [0.0, 0, 0.0, 0]
        arrival, untold, paid_off, telling = known
        wait = arrival - self._slack - now
        if wait > ROUNDING:
            return wait
        if untold + telling >= self._half and self.is_answered:
            if untold:
                self._put_due(key, is_awaited=True)
            return SOON
        untold += 1
        known[ARRIVAL] = (arrival if arrival > now else now) + self._gap
        known[UNTOLD] = untold
        known[PAID_OFF] = (paid_off if paid_off > now else now) + self._gap
        if untold >= self._due_from:
            self._put_due(key)
        return 0.0

    def look(self, key: str, now: float) -> float:
        known = self._keys.get(key)
        wait = known[ARRIVAL] - self._slack - now if known else 0.0
        return wait if wait > ROUNDING else 0.0

    def give_back(self, key: str) -> None:
        """If it was told already, that is told as well."""
        known = self._keys.get(key)
        if known:
            known[ARRIVAL] -= self._gap
            known[PAID_OFF] -= self._gap
            known[UNTOLD] -= 1
            if known[UNTOLD] < 0:
                self._put_due(key)

    def tell(self, key: str, now: float) -> tuple[int, float, float]:
        """How many are to be told, how many seconds they are worth, and how many are owed by them alone; `learn` must
        follow. Of what gathered while nobody answered half a burst is told: most of it was paid off meanwhile."""
        self.due.pop(key, None)
        known = self._keys.get(key)
        if known is None:
            return 0, 0.0, -now
        _, untold, paid_off, _ = known
        told = int(min(untold, self._half))
        known[UNTOLD], known[PAID_OFF] = 0, 0.0
        known[TELLING] += max(0, told)
        return told, told * self._gap, paid_off - now

    def learn(self, key: str, told: int, arrival: float, now: float) -> None:
        """So many were told, or never will be; by all that everybody told, the key is free at `arrival`. What was taken
        here since counts on top of that."""
        known = self._keys.get(key)
        if known is None:
            return
        known[TELLING] = max(0, known[TELLING] - max(0, told))  # it may have been forgotten meanwhile, and be another
        arrival = max(arrival + known[UNTOLD] * self._gap, known[PAID_OFF])
        known[ARRIVAL] = max(known[ARRIVAL], min(arrival, now + MOST * (self._slack + self._gap)))

    def _put_due(self, key: str, *, is_awaited: bool = False) -> None:
        is_first = not self.due
        self.due[key] = None
        if is_first or is_awaited:
            self.ring(is_awaited)

    def _make_room(self, now: float) -> None:
        """What is forgotten isn't told either."""
        keys = self._keys = {key: known for key, known in self._keys.items() if known[ARRIVAL] > now}
        too_many = len(keys) - self._most + max(1, self._most // SPARE)
        if too_many > 0:
            for key in nsmallest(too_many, keys, key=lambda key: keys[key][ARRIVAL]):
                del keys[key]
        self.due = {key: None for key in self.due if key in keys}
