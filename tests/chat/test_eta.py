"""How long it will be: against the exact figures, a simulation, and what was learnt from earlier waits."""

from __future__ import annotations

import random
from itertools import pairwise
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.eta import ENOUGH, MOST, USUAL_MS, Z90, Ended, Lesson, estimate, handle_time, lesson, quantile, spread

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW: list[tuple[int, int]] = [(0, 10)]
UNCHANGED = Lesson()


def below(shape: int, x: float) -> float:
    """Of the Gamma distribution with a whole shape, exactly: one minus the Poisson sum."""
    return 1 - sum(exp(-x) * x**n / factorial(n) for n in range(shape))


@pytest.mark.parametrize("shape", [1, 2, 3, 5, 10, 50])
def test_the_quantiles_are_those_of_the_gamma_distribution(shape: int) -> None:
    assert below(shape, quantile(shape, 0.0)) == pytest.approx(0.5, abs=0.006)
    assert below(shape, quantile(shape, Z90)) == pytest.approx(0.9, abs=0.004)


def test_it_grows_with_the_place_and_shrinks_with_the_slots() -> None:
    ranges = [estimate(place, NOW, 10 * MINUTE, UNCHANGED) for place in (1, 2, 5, 20)]
    assert all(one and other and one.low < other.low and one.high < other.high for one, other in pairwise(ranges))

    more = estimate(5, [(0, 20)], 10 * MINUTE, UNCHANGED)
    few = estimate(5, NOW, 10 * MINUTE, UNCHANGED)

    assert more
    assert few
    assert more.low == pytest.approx(few.low / 2, abs=1)


def test_the_front_is_not_frightened_and_the_back_not_misled() -> None:
    """As in the table of Rocket.Chat's formula: mean 10 min, 15 slots, all busy; fair is place x mean / slots."""
    for place, fair in ((1, 0.7), (11, 7.3), (51, 34.0)):
        found = estimate(place, [(0, 15)], 10 * MINUTE, UNCHANGED)
        assert found is not None
        assert found.low / MINUTE < fair < found.high / MINUTE


def test_slots_that_are_still_to_come_are_waited_for() -> None:
    found = estimate(1, [(0, 0), (HOUR, 10)], 10 * MINUTE, UNCHANGED)

    assert found is not None
    assert HOUR < found.low < found.high < HOUR + 5 * MINUTE


def test_what_is_done_before_a_shift_ends_counts() -> None:
    whole = estimate(10, [(0, 10)], 10 * MINUTE, UNCHANGED)
    halved = estimate(10, [(0, 10), (5 * MINUTE, 5)], 10 * MINUTE, UNCHANGED)

    assert whole
    assert halved
    assert halved.low == pytest.approx(5 * MINUTE + 2 * (whole.low - 5 * MINUTE), abs=1)


@pytest.mark.parametrize("slots", [[], [(0, 0)], [(0, 1), (MINUTE, 0)], [(25 * HOUR, 10)]])
def test_where_nobody_comes_for_a_day_nobody_can_say(slots: list[tuple[int, int]]) -> None:
    assert estimate(5, slots, 10 * MINUTE, UNCHANGED) is None


def test_what_became_of_earlier_waits_corrects_both_figures() -> None:
    twice = [Ended(3, MINUTE, 2 * MINUTE) for _ in range(ENOUGH)]

    assert lesson(twice[1:]) == UNCHANGED
    learnt = lesson(twice)
    assert learnt.low == 2.0
    assert learnt.high == pytest.approx(2 / spread(3))
    found = estimate(3, NOW, 10 * MINUTE, learnt)

    assert found is not None
    assert found.low == pytest.approx(2 * found.estimate, abs=1)
    assert found.high >= found.low


def test_no_lesson_is_believed_beyond_all_measure() -> None:
    assert lesson([Ended(1, 1, HOUR)] * ENOUGH) == Lesson(MOST, MOST)
    assert lesson([Ended(1, 0, HOUR)] * ENOUGH) == UNCHANGED


def test_a_handle_takes_as_long_as_it_did_lately() -> None:
    assert handle_time([MINUTE] * (ENOUGH - 1)) == USUAL_MS
    assert handle_time([MINUTE, 3 * MINUTE] * ENOUGH) == 2 * MINUTE


@given(st.integers(1, 500), st.lists(st.tuples(st.integers(0, 30 * HOUR), st.integers(0, 50)), max_size=8))
def test_the_range_is_one_whatever_is_planned(place: int, slots: list[tuple[int, int]]) -> None:
    found = estimate(place, sorted(slots), 5 * MINUTE, UNCHANGED)

    assert found is None or 0 <= found.low <= found.high <= 24 * HOUR


def test_of_simulated_waits_half_end_by_the_lower_figure_and_nine_of_ten_by_the_upper() -> None:
    """Handle times are log-normal, as real ones are, so the first estimates are off; then they are corrected."""
    chance = random.Random(7)
    slots, learnt, ended = 12, UNCHANGED, []
    handles: list[int] = []
    by_low = by_high = count = 0
    for _ in range(1_500):
        place = chance.randint(1, 25)
        mean = handle_time(handles[-300:])
        found = estimate(place, [(0, slots)], mean, learnt)
        took = _wait(chance, place, slots, handles)
        assert found is not None
        ended.append(Ended(place, found.estimate, took))
        learnt = lesson(ended[-400:])
        if len(ended) > 300:
            count += 1
            by_low += took <= found.low
            by_high += took <= found.high

    assert 0.45 <= by_low / count <= 0.55
    assert 0.85 <= by_high / count <= 0.95


def _wait(chance: random.Random, place: int, slots: int, handles: list[int]) -> int:
    """Until the conversation at this place is taken: each slot is somewhere in a handle."""
    frees = [chance.random() * _handle(chance) for _ in range(slots)]
    at = 0.0
    for _ in range(place):
        at = min(frees)
        took = _handle(chance)
        handles.append(round(took))
        frees[frees.index(at)] = at + took
    return round(at)


def _handle(chance: random.Random) -> float:
    return chance.lognormvariate(0, 0.8) * 6 * MINUTE
