"""How far estimates of waits were off, and by what they are multiplied so that they hold. Pure.

What counts is the share of waits that end by what was said: `low` is multiplied by what half of the last waits stayed
below, `high` by what nine of ten did (split conformal prediction, each end for itself). The queue of this
evening isn't that of this morning, so the shares that are aimed at are moved by as much as they were missed lately.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp
from statistics import NormalDist

from msgspec import Struct

WAITS = 1_000  # the latest: some days, so that busy and quiet hours are among them
LATELY = 500  # of them say by how much the shares were missed
SHORTEST_MS = 1_000  # of less nobody is told
_UNTRIED = 50  # promises that are taken to have been kept as they should
_DOUBT = 20  # waits that are taken to have been right: they keep the first ones from turning everything round
_USUAL_ERROR = 0.4  # of such a wait's logarithm
_NINE_OF_TEN = NormalDist().inv_cdf(0.9)
_ERRORS = tuple(_USUAL_ERROR * NormalDist().inv_cdf((nth + 0.5) / _DOUBT) for nth in range(_DOUBT))


class Correction(Struct, frozen=True, gc=False):
    """What `low` and `high` are multiplied by."""

    low: float = 1.0
    high: float = 1.0


NONE = Correction()


class Past(Struct, frozen=True, gc=False):
    """A wait that has ended, or goes on: what was said and estimated, see `chat.forecast`, and what came of it.

    `took` is in ms. Who gave up, or waits still, would have waited longer than that.
    """

    queued_at: int
    took: int
    answered: bool
    low: int
    high: int
    estimate: int
    tail: int
    closes_at: int | None = None
    opens_at: int | None = None


def correction(past: Iterable[Past]) -> Correction:
    """From the last waits, in any order: `WAITS` of them are enough."""
    waits = sorted(past, key=lambda each: (each.queued_at + each.took, each.queued_at))
    lows, highs = [], []
    for each in waits:
        took = max(SHORTEST_MS, _worked(each))
        lows.append((took / max(SHORTEST_MS, each.estimate), each.answered))
        highs.append((took / max(SHORTEST_MS, each.tail), each.answered))
    lows += [(exp(error), True) for error in _ERRORS]
    highs += [(exp(error - _NINE_OF_TEN * _USUAL_ERROR), True) for error in _ERRORS]
    lately = waits[-LATELY:]
    half = _moved(0.5, [each.took <= each.low for each in lately if each.answered or each.took > each.low])
    nine = _moved(0.9, [each.took <= each.high for each in lately if each.answered or each.took > each.high])
    return Correction(_quantile(lows, min(0.8, max(0.2, half))), _quantile(highs, min(0.995, max(0.6, nine))))


def _moved(share: float, kept: Sequence[bool]) -> float:
    """The share to aim at where this one is wanted and so many promises were kept."""
    return share + (share * len(kept) - sum(kept)) / (len(kept) + _UNTRIED)


def _worked(past: Past) -> int:
    """How much of it somebody was on shift."""
    if past.closes_at is None or past.opens_at is None:
        return past.took
    ended_at = past.queued_at + past.took
    return past.took - max(0, min(ended_at, past.opens_at) - max(past.queued_at, past.closes_at))


def _quantile(ratios: Sequence[tuple[float, bool]], share: float) -> float:
    """What this share stays below, by Kaplan and Meier's estimate: who gave up counts for as long as it was there."""
    left, above = len(ratios), 1.0
    ordered = sorted(ratios, key=lambda each: (each[0], not each[1]))
    for ratio, answered in ordered:
        if answered:
            above *= 1 - 1 / left
            if above <= 1 - share + 1e-9:
                return ratio
        left -= 1
    return ordered[-1][0]
