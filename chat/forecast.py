"""How long somebody who waits will wait: a range, from who is on shift now and to come and how long things take. Pure.

Whoever stands at place p is served when p slots have become free. How many are free by a moment is foreseen from what
is in hand and for how long already, from the shifts, and from how long conversations take. That number scatters as
arrivals do, so that the wait is a gamma's quantile of p. Where the model is wrong, `chat.correction` makes it right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import exp, inf, log, sqrt
from statistics import NormalDist

from msgspec import Struct
from msgspec.structs import replace

from chat.correction import NONE, Correction

USUAL_MS = 8 * 60_000  # a conversation, as long as nothing is known of how long they take here
ENOUGH = 20  # handle times of one's own, below which usual ones fill up
HORIZON_MS = 8 * 24 * 3600 * 1000  # nobody is told to wait longer
HANDS = 16  # more conversations in hand are represented by so many
CELLS = 96
CELL = 1 / 8  # of the mean handle time
BENDS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1, 1.5, 2, 3, 4, 6)
"""Where the curve of what becomes free is bent, in mean handle times: straight between, and from the last one on."""

_NINE_OF_TEN = NormalDist().inv_cdf(0.9)
_WIDTH = sqrt(log(2))  # of a lognormal distribution that scatters by its mean
_USUAL = tuple(
    round(USUAL_MS * exp(_WIDTH * NormalDist().inv_cdf((nth + 0.5) / ENOUGH) - log(2) / 2)) for nth in range(ENOUGH)
)


class Handling(Struct, frozen=True):
    """How long conversations take. Made once from a sample, as that costs more than an estimate."""

    mean: float
    """ms."""
    doubt: float
    """The relative variance of that mean: the true one may be another."""
    survival: tuple[float, ...]
    """The share that takes longer than so many cells."""


class Estimate(Struct, frozen=True, gc=False):
    """When it is one's turn, ms from now: by `low` in half of all cases, by `high` in nine of ten.

    `estimate` and `tail` are the same before they were corrected, and without the hours when nobody is there. From
    `closes_at` to `opens_at` nobody is on shift: the first such time to come, whether or not the wait reaches it.
    """

    low: int
    high: int
    estimate: int
    tail: int
    closes_at: int | None = None
    opens_at: int | None = None
    passes_closing: bool = False
    """Whether the wait may well go on beyond `closes_at`: then `opens_at` is told."""


def handling(sample: Sequence[int]) -> Handling:
    """From how long the last conversations were in somebody's hands (ms): some hundreds are best, few will do."""
    own = [max(1, each) for each in sample]
    missing = max(0, ENOUGH - len(own))
    values = sorted(own + [_USUAL[nth * ENOUGH // missing] for nth in range(missing)])
    count = len(values)
    mean = sum(values) / count
    doubt = sum((each - mean) ** 2 for each in values) / count / mean**2 / count
    return Handling(mean, doubt, tuple(_survival(values, mean, nth * mean * CELL) for nth in range(CELLS + 1)))


def estimates(
    places: Iterable[int],
    now: int,
    shifts: Sequence[tuple[int, int]],
    elapsed: Iterable[int] | None,
    handling: Handling,
    correction: Correction = NONE,
    returning: float = 1.0,
) -> dict[int, Estimate | None]:
    """What is told to who stands at each of these places, from 1; what becomes free is foreseen once for all of them.
    None: nobody is on shift as far as is known.

    `shifts` are the slots of those who take something new, as (from when, how many): the first has begun, the others
    are to come. `elapsed` is for how long (ms) each conversation has been in the hands of those who are on shift now;
    None: all their slots are taken, nobody knows for how long.
    Of what is open when slots go, the share `returning` comes back, first in line.
    """
    slots = shifts[0][1]
    to_come = [(at - now, count) for at, count in shifts[1:] if now < at < now + HORIZON_MS]
    targets = {
        place: (_gamma(place, 0.0), _gamma(place, _NINE_OF_TEN * sqrt(1 + place * handling.doubt))) for place in places
    }
    rising = sorted({target for both in targets.values() for target in both})
    reached = dict(zip(rising, _reached(rising, slots, to_come, elapsed, handling, returning), strict=True))
    shut = _shut(slots, to_come)
    return {place: _told(reached[low], reached[high], now, shut, correction) for place, (low, high) in targets.items()}


def _told(middle: float, tail: float, now: int, shut: tuple[float, float], correction: Correction) -> Estimate | None:
    """What is told where it is foreseen to take so long, by `middle` in half of all cases (ms)."""
    if middle == inf:
        return None
    worked, tail = _without(middle, shut), _without(min(tail, HORIZON_MS), shut)
    low = min(_with(worked * correction.low, shut), HORIZON_MS)
    high = min(max(low, _with(tail * correction.high, shut)), HORIZON_MS)
    found = Estimate(round(low), round(high), round(worked), round(tail))
    if shut[1] == inf:
        return found
    return replace(found, closes_at=now + round(shut[0]), opens_at=now + round(shut[1]), passes_closing=high > shut[0])


def rocket_estimate(place: int, mean: float, capacity: int = 100) -> float:
    """What Rocket.Chat tells whoever stands there (ms): `((spot - 1) / N + 1) x mean chat`. N is meant as the capacity;
    its code gives it the 100 of its sample (`getSpotEstimatedWaitTime`, livechat-enterprise)."""
    return ((place - 1) / capacity + 1) * mean


# --- what becomes free ---------------------------------------------------------------------------------------


def _reached(
    targets: Sequence[float],
    slots: int,
    to_come: Sequence[tuple[int, int]],
    elapsed: Iterable[int] | None,
    handling: Handling,
    returning: float,
) -> list[float]:
    """When so many can be expected to have become free (ms), for each target; the targets rise. inf: never."""
    hands = sorted(elapsed or ()) if slots else []
    ages = _ages(hands, handling)
    still = float(len(hands))  # of these, in hand
    kept = 1.0  # the share of them whose slots are still there
    free = 0.0 if elapsed is None else float(slots - len(hands))  # below 0: beyond their slots
    at, found = 0.0, [0.0 for each in targets if free >= each]
    edges = [bend * handling.mean for bend in BENDS]
    steps = list(to_come)
    while len(found) < len(targets):
        until = min(edges[0] if edges else inf, steps[0][0] if steps else inf)
        left = kept * _still(ages, until, handling) if slots and edges else 0.0
        rate = max(0.0, slots - (still + left) / 2) / handling.mean
        if until == inf:
            found += [at + (each - free) / rate if rate else inf for each in targets[len(found) :]]
            break
        flow = max(0.0, still - left) + rate * (until - at) if slots else 0.0
        while len(found) < len(targets) and free + flow >= targets[len(found)]:
            found.append(at + (until - at) * (targets[len(found)] - free) / flow)
        at, free, still = until, free + flow, left
        if edges and until == edges[0]:
            edges.pop(0)
        if steps and until == steps[0][0]:
            count = steps.pop(0)[1]
            if count < slots:
                free -= (slots - count) * returning
                kept, still = kept * count / slots, still * count / slots
            else:
                free += count - slots
            slots = count
            found += [at for each in targets[len(found) :] if free >= each]
    return found


def _ages(hands: Sequence[int], handling: Handling) -> list[tuple[float, float]]:
    """Ages in cells with what each weighs: one by the share of its like that gets so old."""
    each = max(1.0, len(hands) / HANDS)
    chosen = hands if each == 1.0 else [hands[int((nth + 0.5) * each)] for nth in range(HANDS)]
    ages = [age / (handling.mean * CELL) for age in chosen]
    return [(age, each / _still([(age, 1.0)], 0.0, handling)) for age in ages]


def _still(ages: Sequence[tuple[float, float]], later: float, handling: Handling) -> float:
    """How many of these are still in hand so much later (ms). Nearly all of an estimate's time is spent here."""
    survival, moved, found = handling.survival, later / (handling.mean * CELL), 0.0
    for age, weight in ages:
        place = age + moved
        cell = int(place)
        if cell < CELLS:
            here = survival[cell]
            found += weight * (here + (survival[cell + 1] - here) * (place - cell))
        else:
            found += weight * survival[CELLS] * exp((CELLS - place) * CELL)
    return found


def _survival(values: Sequence[int], mean: float, age: float) -> float:
    """Beyond the longest that was seen, how old one is no longer counts."""
    longer = len(values) + 1 - bisect_right(values, age)
    return longer / (len(values) + 1) * exp(min(0.0, (values[-1] - age) / mean))


def _gamma(place: int, z: float) -> float:
    """How many must be expected to have come where `place` have come with the certainty of a normal z, by Wilson and
    Hilferty's approximation of the gamma distribution (1931)."""
    return float(place * max(0.02, 1 - 1 / (9 * place) + z / (3 * sqrt(place))) ** 3)


# --- hours when nobody is there --------------------------------------------------------------------------------


def _shut(slots: int, to_come: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The first time to come without any slot (ms from now)."""
    begins = 0.0 if not slots else next((float(at) for at, count in to_come if not count), inf)
    return begins, next((float(at) for at, count in to_come if count and at > begins), inf)


def _without(wait: float, shut: tuple[float, float]) -> float:
    return wait if wait <= shut[0] else max(shut[0], wait - (shut[1] - shut[0]))


def _with(worked: float, shut: tuple[float, float]) -> float:
    return worked if worked < shut[0] else worked + (shut[1] - shut[0])
