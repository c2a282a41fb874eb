"""How long somebody who waits will have to, as a range: from the slots that are there and will be, from how long
conversations took lately, and from how right earlier estimates were. Pure.

While every slot is taken, conversations end at a rate of slots / handle time, and the one at place k waits for the k-th
end. Were the ends independent, so many of them would be Poisson distributed, and the rate summed up over that wait
Gamma distributed with shape k: 0.5 and 0.9 of it lie below its quantiles. They aren't quite, so both figures are
corrected by what became of earlier waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from statistics import median

from msgspec import Struct

USUAL_MS = 8 * 60_000
"""Of a conversation, where nothing was measured yet."""
ENOUGH = 20  # waits that ended before they are believed
MOST = 10.0  # times that an estimate is corrected by, either way: beyond that something else was going on
HORIZON_MS = 24 * 3600 * 1000  # nobody is told of more: it is no wait any more
Z90 = 1.2815515655446004  # of the standard normal distribution


class Ended(Struct, frozen=True, gc=False):
    """A wait that is over: the place, what was estimated then (ms), and how long it was."""

    place: int
    estimate: int
    took: int


class Range(Struct, frozen=True, gc=False):
    """How long it will be (ms): by `low` in half of such cases, by `high` in nine of ten. `estimate` is `low` before
    it was corrected."""

    estimate: int
    low: int
    high: int


class Lesson(Struct, frozen=True, gc=False):
    """What the waits that are over say about the next: what to multiply both figures by."""

    low: float = 1.0
    high: float = 1.0


def lesson(ended: Sequence[Ended]) -> Lesson:
    """From waits of one team, the latest ones. Too few say nothing."""
    usable = [each for each in ended if each.estimate > 0]
    if len(usable) < ENOUGH:
        return Lesson()
    lows = [each.took / each.estimate for each in usable]
    highs = sorted(each.took / (each.estimate * spread(each.place)) for each in usable)
    return Lesson(_bounded(median(lows)), _bounded(highs[ceil(0.9 * len(highs)) - 1]))


def handle_time(worked: Sequence[int]) -> float:
    """How long a conversation takes (ms), from those that ended lately; what is usual, where there are too few."""
    return sum(worked) / len(worked) if len(worked) >= ENOUGH else USUAL_MS


def estimate(place: int, slots: Iterable[tuple[int, int]], handle_ms: float, learnt: Lesson) -> Range | None:
    """For whoever stands at this place, from 1. `slots` are how many there are from which moment on (ms from now),
    oldest first. None where nobody can say: it is more than a day."""
    low = _time(quantile(place, 0.0), slots, handle_ms)
    high = None if low is None else _time(quantile(place, Z90), slots, handle_ms)
    if low is None or high is None:
        return None
    corrected = low * learnt.low
    return Range(round(low), round(corrected), round(max(high * learnt.high, corrected)))


def quantile(shape: int, z: float) -> float:
    """Of the Gamma distribution with this shape and scale 1, where the normal one has its quantile at `z`. By E. B.
    Wilson and M. M. Hilferty, The Distribution of Chi-Square, 1931: less than 2 % off at shape 1, less beyond."""
    return float(shape * (1 - 1 / (9 * shape) + z / (3 * shape**0.5)) ** 3)


def spread(place: int) -> float:
    """How many times the lower figure the upper one is, while the slots stay as they are."""
    return quantile(place, Z90) / quantile(place, 0.0)


def _time(ends: float, slots: Iterable[tuple[int, int]], handle_ms: float) -> float | None:
    """When so many conversations have ended (ms from now)."""
    steps = [*slots, (HORIZON_MS, 0)]
    for (begins, count), (until, _) in pairwise(steps):
        if count > 0 and begins < HORIZON_MS:
            takes = ends * handle_ms / count
            if begins + takes <= until:
                return begins + takes
            ends -= (until - begins) * count / handle_ms
    return None


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / MOST), MOST)
