"""When to come back, and when not."""

import random

import pytest

from bots.reconnect import Course, Manner, Pace, manner


@pytest.mark.parametrize(
    ("code", "way"),
    [
        (4001, "stop"), (4003, "stop"), (4004, "stop"), (4010, "stop"), (4011, "stop"), (4012, "stop"), (1007, "stop"),
        (4005, "renew"),
        (4100, "back_off"), (4101, "back_off"), (4106, "back_off"), (1009, "back_off"), (1000, "back_off"),
        (4200, "promptly"), (4299, "promptly"), (1006, "promptly"), (1001, "promptly"), (1012, "promptly"),
    ],
)  # fmt: skip
def test_the_range_of_a_close_code_says_what_to_do(code: int, way: Manner) -> None:
    assert manner(code) == way


def test_delays_double_up_to_the_cap_and_are_spread_from_the_floor() -> None:
    pace, dice = Pace(), random.Random(1)
    for failures, ceiling in ((0, 0.5), (1, 1), (3, 4), (5, 16), (6, 20), (1000, 20)):
        delays = [pace.delay(failures, dice) for _ in range(500)]

        assert min(delays) >= 0.25
        assert ceiling * 0.9 < max(delays) <= ceiling + 0.25
        assert min(delays) < 0.25 + ceiling * 0.1


def test_the_first_attempt_after_a_live_connection_comes_within_a_second() -> None:
    for seed in range(50):
        way, delay = Course(dice=random.Random(seed)).ended(1006, synced_for=1)

        assert way == "promptly"
        assert 0 <= delay <= 1


def test_failures_are_forgotten_only_after_ten_seconds_in_sync() -> None:
    course = Course(dice=random.Random(1))
    for _ in range(4):
        course.ended(1006, synced_for=None)

    course.ended(4100, synced_for=9.9)
    assert course.failures == 5

    course.ended(4100, synced_for=10)
    assert course.failures == 1


def test_a_service_that_takes_and_drops_us_again_and_again_is_not_hammered() -> None:
    course = Course(dice=random.Random(1))
    delays = [course.ended(4200, synced_for=0.1)[1] for _ in range(40)]

    assert max(delays[:3]) <= 1
    assert sum(delays[20:]) / 20 > 5


def test_a_refused_token_is_renewed_once() -> None:
    course = Course(can_renew=True)

    assert course.ended(4005, None)[0] == "renew"
    assert course.ended(4005, None)[0] == "stop"


def test_a_token_that_was_good_may_be_renewed_again_later() -> None:
    course = Course(can_renew=True)
    course.ended(4005, None)
    course.welcomed()

    assert course.ended(4005, 1)[0] == "renew"


def test_a_token_that_cannot_be_renewed_ends_it() -> None:
    assert Course().ended(4005, None) == ("stop", 0.0)
