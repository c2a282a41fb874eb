"""A meter of several nodes: alone it limits as any other; it says when there is something to tell, and learns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import Meter, Rate
from gateway.shared_meter import MOST, SOON, SharedMeter

LIMIT = Rate(1, 10)
NOW = 1000.0


class Told:
    """A meter, and what all nodes together know of its keys."""

    def __init__(self, rate: Rate = LIMIT, free: dict[str, float] | None = None, keys: int = 20_000) -> None:
        self.rung: list[bool] = []
        self.meter = SharedMeter(rate, self.rung.append, keys)
        self.free = {} if free is None else free

    def takes(self, count: int, key: str = "a", now: float = NOW) -> list[float]:
        return [self.meter.take(key, now) for _ in range(count)]

    def tells(self, now: float = NOW) -> list[str]:
        """All that is due, at once."""
        due = list(self.meter.due)
        for key in due:
            self.answers(key, *self.meter.tell(key, now), now)
        return due

    def answers(self, key: str, told: int, seconds: float, alone: float, now: float) -> None:
        self.free[key] = max(self.free.get(key, 0.0) + seconds, now + alone)
        self.meter.learn(key, told, self.free[key], now)


# Powers of two, so that no rounding stands between the two.
rates = st.builds(Rate, st.sampled_from([0.25, 0.5, 1.0, 2.0, 16.0]), st.integers(1, 40))
visits = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 64).map(lambda ticks: ticks / 64)), max_size=80)


@given(rates, visits)
def test_whoever_is_at_one_node_alone_is_limited_there_as_anywhere(rate: Rate, visits: list[tuple[str, float]]) -> None:
    here, plain, now = Told(rate), Meter(rate), NOW

    for key, step in visits:
        now += step
        assert here.meter.look(key, now) == plain.look(key, now)
        assert here.meter.take(key, now) == plain.take(key, now)
        here.tells(now)


@given(rates, visits)
def test_while_nobody_answers_it_is_a_plain_meter(rate: Rate, visits: list[tuple[str, float]]) -> None:
    here, plain, now = Told(rate), Meter(rate), NOW
    here.meter.is_answered = False

    for key, step in visits:
        now += step
        assert here.meter.take(key, now) == plain.take(key, now)


def test_less_than_a_quarter_of_a_burst_is_told_nobody() -> None:
    here = Told()
    for key in "abcdefgh":
        here.takes(2, key)
    assert (here.rung, here.meter.due) == ([], {})

    here.takes(1, "c")
    here.takes(1, "b")

    assert (here.rung, list(here.meter.due)) == ([False], ["c", "b"])


def test_what_all_nodes_took_is_learned_and_of_each_key_by_itself() -> None:
    here = Told()
    there = Told(free=here.free)
    here.takes(5)
    here.tells()

    assert there.takes(3) == [0.0] * 3
    there.tells()

    assert there.takes(3) == [0.0, 0.0, pytest.approx(1.0)]
    assert there.takes(1, "b") == [0.0]


def test_what_is_taken_while_an_answer_is_on_its_way_counts_on_top_of_it() -> None:
    here = Told()
    there = Told(free=here.free)
    here.takes(5)
    here.tells()
    there.takes(3)
    said = there.meter.tell("a", NOW)

    assert there.takes(1) == [0.0]
    there.answers("a", *said, NOW)

    assert there.takes(2) == [0.0, pytest.approx(1.0)]


def test_with_half_a_burst_that_nobody_has_confirmed_one_waits_until_somebody_has() -> None:
    here = Told()
    assert here.takes(7) == [0.0] * 5 + [SOON] * 2
    assert here.rung == [False, True, True]

    said = here.meter.tell("a", NOW)
    assert here.takes(1) == [SOON]
    here.answers("a", *said, NOW)

    assert here.takes(6) == [0.0] * 5 + [pytest.approx(1.0)]


def test_of_what_gathered_while_nobody_answered_half_a_burst_is_told() -> None:
    """Or whoever was busy meanwhile would pay for an hour's worth, if it owes others anything just now."""
    here = Told()
    there = Told(free=here.free)
    here.meter.is_answered = False
    for second in range(1000):
        here.takes(1, now=NOW + second)
    there.takes(3, now=NOW + 1000)
    there.tells(NOW + 1000)
    here.meter.is_answered = True

    here.tells(NOW + 1000)

    assert here.takes(3, now=NOW + 1000) == [0.0, 0.0, pytest.approx(1.0)]


def test_what_is_given_back_after_it_was_told_is_told_too() -> None:
    here = Told()
    here.takes(4)
    here.tells()
    assert here.free["a"] == NOW + 4

    here.meter.give_back("a")
    here.meter.give_back("nobody")
    assert here.tells() == ["a"]

    assert here.free["a"] == NOW + 3
    assert here.takes(5) == [0.0] * 5


def test_what_is_given_back_before_it_was_told_is_not_told() -> None:
    here = Told()
    for _ in range(50):
        here.takes(1)
        here.meter.give_back("a")

    assert here.meter.due == {}


def test_nobody_pays_for_a_clock_that_was_set_back() -> None:
    here = Told()
    here.takes(3)
    told, *_ = here.meter.tell("a", NOW)

    here.meter.learn("a", told, NOW + 1e9, NOW)

    assert here.takes(1) == [pytest.approx(MOST * 10 - 9)]


def test_a_full_meter_forgets_first_who_owes_least_also_what_is_due() -> None:
    here = Told(keys=8)
    here.takes(5, "greedy")

    for number in range(1000):
        here.takes(1 + 2 * (number % 5 == 0), f"stranger {number}")
        assert len(here.meter) <= 8
        assert set(here.meter.due) <= set(here.meter._keys)

    assert here.takes(1, "greedy") == [SOON]


def test_an_answer_that_comes_when_the_key_is_forgotten_does_no_harm() -> None:
    here = Told()
    assert here.meter.tell("a", NOW) == (0, 0.0, -NOW)
    here.meter.learn("a", 0, NOW + 5, NOW)
    assert len(here.meter) == 0

    here.takes(1)
    here.meter.learn("a", 3, NOW, NOW)

    assert here.takes(5) == [0.0] * 4 + [SOON]


@given(rates, st.lists(st.integers(0, 200).map(lambda ticks: ticks / 64), max_size=60), st.data())
def test_what_is_told_is_all_that_was_taken(rate: Rate, steps: list[float], data: st.DataObject) -> None:
    """However it is cut into portions: nodes together know at the end what one meter would."""
    here, now = Told(rate), NOW
    taken: list[float] = []
    for step in steps:
        now += step
        if not here.meter.take("a", now):
            taken.append(now)
        if data.draw(st.booleans()):
            here.tells(now)
    here.meter.due["a"] = None
    here.tells(now)

    free = 0.0
    for moment in taken:
        free = max(free, moment) + 1 / rate.per_second
    assert max(here.free["a"], now) == pytest.approx(max(free, now))
    assert all(before <= after for before, after in pairwise(taken))
