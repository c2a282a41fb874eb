"""Two clocks that are apart are told, with the one that is ahead; a slow answer is no reason to blame a clock."""

from __future__ import annotations

import pytest

from gateway.doctor.clocks import ALARM_SECONDS, Clock, judge, read


def test_the_middle_of_a_question_counts() -> None:
    assert read("Redis", before=100.0, theirs=100.5, after=101.0) == Clock("Redis", 0.0, 0.5)


def test_clocks_that_agree_are_one_line() -> None:
    (finding,) = judge([Clock("the database", 0.01, 0.001), Clock("Redis", -0.02, 0.001)])

    assert finding.level == "ok"
    assert finding.text == "this machine and the database and Redis are within 0.030 s."


@pytest.mark.parametrize(("ahead", "sentence"), [(600.0, "of Redis is 600.0 s ahead of that of this machine")])
def test_who_is_ahead_is_named(ahead: float, sentence: str) -> None:
    (finding,) = judge([Clock("Redis", ahead, 0.001)])

    assert finding.level == "fail"
    assert sentence in finding.text


def test_the_node_between_two_that_are_apart_is_not_blamed() -> None:
    (finding,) = judge([Clock("the database", 1.5, 0.001), Clock("Redis", -1.5, 0.001)])

    assert "the clock of the database is 3.0 s ahead of that of Redis" in finding.text


def test_what_a_slow_answer_may_hide_is_no_alarm() -> None:
    assert judge([Clock("Redis", ALARM_SECONDS + 1, 1.5)])[0].level == "ok"
    assert judge([Clock("Redis", ALARM_SECONDS + 1, 0.5)])[0].level == "fail"


def test_without_anybody_to_ask_nothing_is_said() -> None:
    assert judge([]) == []
