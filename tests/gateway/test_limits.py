"""Rate limits: GCRA says the same as a bucket of tokens, which is the simpler thing to think of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import Bucket, Meter, Rate


class Tokens:
    """A bucket that holds `burst` tokens and gets `per_second` new ones."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.left = float(rate.burst)
        self.at = 0.0

    def take(self, now: float) -> float:
        self.left = min(self.rate.burst, self.left + (now - self.at) * self.rate.per_second)
        self.at = now
        if self.left < 1:
            return (1 - self.left) / self.rate.per_second
        self.left -= 1
        return 0.0


# Powers of two, so that no rounding stands between the two.
rates = st.builds(Rate, st.sampled_from([0.25, 0.5, 1.0, 2.0, 16.0, 128.0]), st.integers(1, 40))
steps = st.lists(st.integers(0, 64 * 8).map(lambda ticks: ticks / 64), max_size=100)


@given(rates, steps)
def test_it_says_what_a_bucket_of_tokens_says(rate: Rate, steps: list[float]) -> None:
    bucket, tokens, now = Bucket(rate), Tokens(rate), 1000.0
    tokens.at = now

    for step in steps:
        now += step
        assert bucket.take(now) == tokens.take(now)


@given(rates, steps)
def test_whoever_waits_as_long_as_told_is_let_through(rate: Rate, steps: list[float]) -> None:
    bucket, now = Bucket(rate), 0.0

    for step in steps:
        now += step
        if wait := bucket.take(now):
            now += wait
            assert bucket.take(now) == 0


def test_the_burst_comes_at_once_and_then_the_rate_rules() -> None:
    bucket = Bucket(Rate(1, 10))

    taken = [bucket.take(5.0) for _ in range(12)]

    assert taken == [0.0] * 10 + [1.0, 1.0]


@pytest.mark.parametrize("rate", [Rate(10, 40), Rate(50, 50), Rate(200, 200), Rate(0.1, 60), Rate(1 / 60, 3)], ids=str)
def test_the_last_of_a_burst_is_not_lost_to_rounding(rate: Rate) -> None:
    bucket, meter = Bucket(rate), Meter(rate)

    assert [bucket.take(1000.0) for _ in range(rate.burst)] == [0.0] * rate.burst
    assert [meter.take("a", 1000.0) for _ in range(rate.burst)] == [0.0] * rate.burst
    assert bucket.take(1000.0) > 0
    assert meter.take("a", 1000.0) > 0


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(Rate(1, 1))
    bucket.take(0.0)

    waits = [bucket.take(0.5) for _ in range(5)]

    assert waits == [0.5] * 5
    assert bucket.take(1.0) == 0


# --- many keys -------------------------------------------------------------------------------------------------------

visits = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 64).map(lambda ticks: ticks / 64)), max_size=80)


@given(rates, visits)
def test_a_meter_says_of_each_key_what_a_bucket_of_its_own_says(rate: Rate, visits: list[tuple[str, float]]) -> None:
    meter, now = Meter(rate), 1000.0
    buckets = {key: Bucket(rate) for key in "abcdefgh"}

    for key, step in visits:
        now += step
        expected = buckets[key].take(now)
        assert meter.look(key, now) == expected
        assert meter.take(key, now) == expected


@given(rates, visits, st.integers(1, 8))
def test_a_full_meter_is_never_stricter_and_never_fuller(
    rate: Rate, visits: list[tuple[str, float]], keys: int
) -> None:
    meter, now = Meter(rate, keys), 1000.0
    roomy = Meter(rate)

    for key, step in visits:
        now += step
        if not meter.take(key, now):
            roomy.take(key, now)
        else:
            assert roomy.look(key, now) > 0
        assert len(meter) <= keys


def test_a_full_meter_forgets_first_who_owes_nothing_and_last_who_owes_most() -> None:
    meter = Meter(Rate(1, 100), keys=8)
    for n in range(50):
        meter.take("greedy", 10.0 + n / 100)
    meter.take("long ago", 1.0)

    for n in range(1000):
        meter.take(f"stranger {n}", 11.0)

    assert len(meter) <= 8
    assert meter.look("greedy", 11.0) == 0
    assert sum(not meter.take("greedy", 11.0) for _ in range(100)) == 51  # 50 were taken, one has come back


def test_what_is_given_back_can_be_taken_again() -> None:
    meter = Meter(Rate(1, 1))
    meter.take("a", 5.0)

    meter.give_back("a")
    meter.give_back("nobody")

    assert meter.take("a", 5.0) == 0
    assert meter.take("a", 5.0) == 1
