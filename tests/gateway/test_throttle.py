"""The throttle: failures of one address are counted, successes aren't, and its memory has an end."""

import pytest

from chat.errors import RateLimited
from gateway.limits import KEYS, Rate
from gateway.throttle import Throttle
from tests.builders import StillClock


class Wrong(Exception):
    """What a wrong guess raises."""


def fails(throttle: Throttle, email: str = "noa@mine.example") -> int:
    """0 when one more guess was allowed, and failed; else the wait in ms."""
    try:
        with throttle.guess(email):
            raise Wrong
    except Wrong:
        return 0
    except RateLimited as limited:
        return limited.after_ms or 0


def a_throttle() -> tuple[Throttle, StillClock]:
    clock = StillClock()
    return Throttle(Rate(1 / 60, 3), clock), clock


def test_after_so_many_failures_one_waits() -> None:
    throttle, clock = a_throttle()
    assert [fails(throttle) for _ in range(4)] == [0, 0, 0, 60_000]

    clock.move(59)
    assert fails(throttle) == 1000
    clock.move(1)
    assert [fails(throttle), fails(throttle)] == [0, 60_000]


def test_success_costs_nothing() -> None:
    throttle, _ = a_throttle()
    for _ in range(50):
        with throttle.guess("noa@mine.example"):
            pass

    assert [fails(throttle) for _ in range(4)] == [0, 0, 0, 60_000]


def test_success_is_not_let_through_either_while_one_waits() -> None:
    throttle, _ = a_throttle()
    for _ in range(3):
        fails(throttle)

    with pytest.raises(RateLimited), throttle.guess("noa@mine.example"):
        pytest.fail("a guess was made")


def test_guesses_at_once_are_counted_before_they_are_made() -> None:
    throttle, _ = a_throttle()
    with throttle.guess("noa@mine.example"), throttle.guess("noa@mine.example"), throttle.guess("noa@mine.example"):
        assert fails(throttle) > 0


def test_an_address_is_the_same_however_it_is_written_and_no_other() -> None:
    throttle, _ = a_throttle()
    for email in ("noa@mine.example", " Noa@Mine.Example ", "NOA@MINE.EXAMPLE"):
        fails(throttle, email)

    assert fails(throttle) > 0
    assert fails(throttle, "dara@mine.example") == 0


def test_nonsense_is_an_address_like_others() -> None:
    throttle, _ = a_throttle()

    assert [fails(throttle, text) for text in ("", "\ud800", "\0", "x" * 100_000)] == [0] * 4


def test_strangers_do_not_make_it_forget_or_grow() -> None:
    throttle, _ = a_throttle()
    for _ in range(3):
        fails(throttle)
    for number in range(KEYS + 100):
        fails(throttle, str(number))

    assert fails(throttle) > 0
    assert len(throttle._meter) <= KEYS
