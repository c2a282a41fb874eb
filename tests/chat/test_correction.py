"""What becomes of a promise when those before it were kept too seldom or too often."""

from __future__ import annotations

from math import exp
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.correction import NONE, Correction, Past, correction

MINUTE = 60_000
HOUR = 60 * MINUTE


def a_wait(took: float, nth: int = 0, *, answered: bool = True, told: Correction = NONE, **more: int) -> Past:
    """Ten minutes were estimated, and twenty in nine of ten cases."""
    low, high = round(10 * MINUTE * told.low), round(20 * MINUTE * told.high)
    return Past(nth * MINUTE, round(took), answered, low, high, 10 * MINUTE, 20 * MINUTE, **more)


def test_who_knows_nothing_corrects_next_to_nothing() -> None:
    found = correction([])

    assert found.low == pytest.approx(1.0, abs=0.1)
    assert found.high == pytest.approx(1.0, abs=0.1)


def test_a_single_wait_does_not_turn_everything_round() -> None:
    found = correction([a_wait(10 * HOUR)])

    assert 0.9 < found.low < 1.3
    assert 0.9 < found.high < 1.5


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0])
def test_estimates_that_are_always_off_by_a_factor_are_multiplied_by_it(factor: float) -> None:
    scattered = [NormalDist(0, 0.5).inv_cdf((nth * 617 % 1_000 + 0.5) / 1_000) for nth in range(1_000)]
    took = [10 * MINUTE * factor * exp(each) for each in scattered]
    told = Correction(factor, factor * 10 / 20 * 1.898)  # right already: 1.898 is what nine of ten stay below

    found = correction([a_wait(each, nth, told=told) for nth, each in enumerate(took)])

    assert found.low == pytest.approx(told.low, rel=0.1)
    assert found.high == pytest.approx(told.high, rel=0.1)


def test_what_was_missed_lately_is_aimed_beyond() -> None:
    took = [10 * MINUTE * Random(nth).lognormvariate(0, 0.5) for nth in range(400)]
    kept = correction([a_wait(each, nth, told=Correction(1.0, 0.95)) for nth, each in enumerate(took)])
    missed = correction([a_wait(each, nth, told=Correction(0.5, 0.5)) for nth, each in enumerate(took)])

    assert missed.low > kept.low * 1.1
    assert missed.high > kept.high * 1.05


def test_who_gave_up_would_have_waited_longer() -> None:
    answered = [a_wait(each * MINUTE, each) for each in range(1, 41)]
    gave_up = [a_wait(each * MINUTE, each, answered=False) for each in range(1, 41)]

    assert correction(answered + gave_up).low > 1.1 * correction(answered + answered).low
    assert correction(answered + gave_up).high >= correction(answered + answered).high


def test_who_gave_up_at_once_says_nothing_about_the_waits_of_others() -> None:
    answered = [a_wait(each * MINUTE / 4, each) for each in range(20, 61)]
    gave_up = [a_wait(MINUTE, each, answered=False) for each in range(200)]

    assert correction(answered + gave_up).low == pytest.approx(correction(answered).low, rel=0.1)


def test_only_what_was_missed_lately_is_aimed_beyond() -> None:
    took = [10 * MINUTE * exp(NormalDist(0, 0.5).inv_cdf((nth * 617 % 1_000 + 0.5) / 1_000)) for nth in range(1_000)]
    short, right = Correction(0.5, 0.5), Correction(1.0, 0.95)
    better = [a_wait(each, nth, told=short if nth < 500 else right) for nth, each in enumerate(took)]
    worse = [a_wait(each, nth, told=right if nth < 500 else short) for nth, each in enumerate(took)]

    assert correction(worse).low > 1.1 * correction(better).low


def test_hours_when_nobody_was_there_are_no_part_of_a_wait() -> None:
    closed = {"closes_at": 5 * MINUTE, "opens_at": 5 * MINUTE + 12 * HOUR}
    over_night = [
        Past(0, 12 * HOUR + each * MINUTE, True, 1, 2, 10 * MINUTE, 20 * MINUTE, **closed) for each in range(6, 30)
    ]
    by_day = [Past(0, each * MINUTE, True, 1, 2, 10 * MINUTE, 20 * MINUTE) for each in range(6, 30)]

    assert correction(over_night) == correction(by_day)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans(), st.integers(0, 10**7)), max_size=30), st.randoms())
def test_the_order_does_not_matter_and_the_factors_are_usable(
    shapes: list[tuple[int, bool, int]], random: Random
) -> None:
    waits = [
        Past(nth * HOUR, took, answered, estimate, 2 * estimate, estimate, 2 * estimate)
        for nth, (took, answered, estimate) in enumerate(shapes)
    ]

    found = correction(random.sample(waits, len(waits)))

    assert found == correction(waits)
    assert found.low > 0
    assert found.high > 0
