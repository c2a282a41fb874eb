"""Rate limits: GCRA says the same as a bucket of tokens, which is the simpler thing to think of."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import Bucket, Rate


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


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(Rate(1, 1))
    bucket.take(0.0)

    waits = [bucket.take(0.5) for _ in range(5)]

    assert waits == [0.5] * 5
    assert bucket.take(1.0) == 0
