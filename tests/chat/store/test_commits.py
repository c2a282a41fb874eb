"""Where COMMIT runs: hysteresis over a moving average."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.store.commits import QUICK_SECONDS, SLOW_SECONDS, CommitPlace

BETWEEN = (QUICK_SECONDS + SLOW_SECONDS) / 2
LONG_ENOUGH = 60  # commits, for the average to be what was taken all the time


def after(*seconds: float, place: CommitPlace | None = None) -> CommitPlace:
    place = place or CommitPlace()
    for each in seconds:
        place.took(each)
    return place


def test_a_quick_disk_commits_on_the_loops_thread() -> None:
    assert not CommitPlace().is_thread
    assert not after(*[0.0003] * LONG_ENOUGH).is_thread


def test_a_slow_disk_commits_in_a_thread_and_comes_back_when_it_is_quick() -> None:
    place = after(*[SLOW_SECONDS * 2] * LONG_ENOUGH)
    assert place.is_thread

    assert not after(*[QUICK_SECONDS / 2] * LONG_ENOUGH, place=place).is_thread


@pytest.mark.parametrize("was_slow", [False, True])
def test_between_the_two_it_stays_as_it_is(was_slow: bool) -> None:
    place = after(*[SLOW_SECONDS * 2 if was_slow else 0.0] * LONG_ENOUGH)

    assert after(*[BETWEEN] * LONG_ENOUGH, place=place).is_thread is was_slow


@pytest.mark.parametrize("seconds", [SLOW_SECONDS * 4, 0.1], ids=["slow", "a checkpoint"])
def test_one_slow_commit_among_quick_ones_changes_nothing(seconds: float) -> None:
    place = after(*[QUICK_SECONDS / 2] * LONG_ENOUGH)

    assert not after(seconds, place=place).is_thread


@given(st.lists(st.floats(QUICK_SECONDS, SLOW_SECONDS), max_size=200), st.booleans())
def test_it_never_flutters_within_the_band(seconds: list[float], was_slow: bool) -> None:
    place = after(*[SLOW_SECONDS * 2] * LONG_ENOUGH) if was_slow else CommitPlace()

    for each in seconds:
        assert after(each, place=place).is_thread is was_slow
