"""The shift that closes the most, found again by trying all of them minute by minute."""

from __future__ import annotations

import time
from datetime import date, datetime
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from presence.coverage import HOUR, Plan, next_monday, plan_of
from presence.extra_shifts import LENGTHS, NIGHT, Extra, extra_shifts
from presence.schedule import Schedule, Week
from presence.zones import names, zone
from tests.presence.rota import LORD_HOWE, MINUTE, MONDAY, OFFICE, SPRING, a_plan, count_at, ms, some_plans


def test_a_known_hole_is_found_and_closed_by_whoever_has_the_time() -> None:
    around = [a_plan(f"agt_{n}", *((24 * day + 6 * n, 24 * day + 6 * n + 6) for day in range(7))) for n in range(4)]
    holed = [*around[:3], a_plan("agt_3", *((24 * day + 18, 24 * day + 24) for day in range(6)))]

    assert extra_shifts(holed, *SPRING, least=1) == (
        Extra("agt_3", MONDAY + (6 * 24 + 18) * HOUR, MONDAY + 7 * 24 * HOUR, 6 * HOUR),
    )


def test_nobody_is_asked_in_time_off_or_twice_at_once() -> None:
    plans = [a_plan("agt_noa", (0, 4), off=(8, 24)), a_plan("agt_som", (0, 8), off=(11, 24))]

    assert extra_shifts(plans, MONDAY, MONDAY + 24 * HOUR, least=1) == ()
    assert extra_shifts(plans, MONDAY, MONDAY + 24 * HOUR, least=2) == (
        Extra("agt_noa", MONDAY + 4 * HOUR, MONDAY + 8 * HOUR, 4 * HOUR),
    )


def test_it_is_asked_of_whoever_has_day_and_then_of_whoever_has_less_to_do() -> None:
    """22:00 in UTC is 05:00 in Bangkok, 18:00 in New York."""
    plans = [
        a_plan("agt_a", (0, 20), place="Asia/Bangkok"),
        a_plan("agt_b", (0, 10), place="America/New_York"),
        a_plan("agt_c", (0, 9), place="America/New_York"),
    ]
    stretch = (MONDAY + 20 * HOUR, MONDAY + 24 * HOUR)

    assert extra_shifts([plans[0]], *stretch, least=1)[0].agent == "agt_a"
    assert extra_shifts(plans[:2], *stretch, least=1)[0].agent == "agt_b"
    assert [extra.agent for extra in extra_shifts(plans, MONDAY, stretch[1], least=1)] == ["agt_c"]


def test_several_follow_one_another_until_nothing_is_missing() -> None:
    plans = [a_plan("agt_a"), a_plan("agt_b"), a_plan("agt_c", off=(0, 168))]

    extra = extra_shifts(plans, MONDAY, MONDAY + 20 * HOUR, least=1, many=10)

    assert sorted((each.start - MONDAY) // HOUR for each in extra) == [0, 6, 14]  # by day first
    assert sum(each.closes for each in extra) == 20 * HOUR


def test_clocks_that_strike_on_half_hours_begin_their_shifts_then() -> None:
    (extra,) = extra_shifts([a_plan("agt_noa", (0, 4), place="Asia/Kolkata")], MONDAY, MONDAY + 9 * HOUR, least=1)

    assert (extra.start - MONDAY) / HOUR == 4.5


def test_a_clock_that_is_put_forward_by_half_an_hour_never_strikes_two() -> None:
    """On Lord Howe Island at 15:30 in UTC, when 02:00 becomes 02:30."""
    changes = ms("2026-10-03T15:30")

    for hours, begins in ((4, []), (4.5, [changes + HOUR // 2])):
        found = extra_shifts([Plan("agt_noa", "Australia/Lord_Howe", ())], changes, changes + round(hours * HOUR), 1)
        assert [each.start for each in found] == begins


@settings(max_examples=60, deadline=None)
@given(plans=some_plans(), least=st.integers(1, 3), start=st.sampled_from([MONDAY, LORD_HOWE, MONDAY + 20 * MINUTE]))
def test_no_other_shift_closes_more(plans: list[Plan], least: int, start: int) -> None:
    """Every agent, every minute at which the agent's clock strikes, every length; looked at minute by minute."""
    moved = [
        Plan(plan.agent, plan.zone, shifted(plan.on, start - MONDAY), shifted(plan.off, start - MONDAY))
        for plan in plans
    ]
    end = start + 16 * HOUR

    found = extra_shifts(moved, start, end, least)

    lacking = [count_at(moved, at) < least for at in range(start, end, MINUTE)]
    every = [
        (-closes, length, night(plan.zone, at, length), worked(plan, start, end), at, plan.agent)
        for plan in moved
        for minute, at in enumerate(range(start, end, MINUTE))
        if datetime.fromtimestamp(at / 1000, zone(plan.zone)).minute == 0
        for length in LENGTHS
        if at + length * HOUR <= end and is_free(plan, at, at + length * HOUR)
        if (closes := sum(lacking[minute : minute + 60 * length]))
    ]
    best = min(every, default=None)
    assert [(-each.closes // MINUTE, each.start, each.agent) for each in found] == (
        [] if best is None else [(best[0], best[4], best[5])]
    )
    assert [each.end - each.start for each in found] == ([] if best is None else [best[1] * HOUR])


def shifted(intervals: tuple[tuple[int, int], ...], by: int) -> tuple[tuple[int, int], ...]:
    return tuple((start + by, end + by) for start, end in intervals)


def night(place: str, at: int, length: int) -> int:
    clocks = (datetime.fromtimestamp(at / 1000, zone(place)) for at in range(at, at + length * HOUR, HOUR))
    return sum(clock.hour in NIGHT for clock in clocks)


@cache
def worked(plan: Plan, start: int, end: int) -> int:
    return sum(count_at([plan], at) for at in range(start, end, MINUTE))


def is_free(plan: Plan, start: int, end: int) -> bool:
    return all(stop <= start or end <= begin for begin, stop in (*plan.on, *plan.off) if begin < stop)


def test_two_hundred_agents_and_four_weeks_are_searched_while_somebody_waits() -> None:
    """Of CPU: a tenth of a second, most of it what the clocks of thirty zones show. Nights are the gap."""
    places = sorted(names())[::20]
    start = next_monday(MONDAY, "UTC")
    plans = [
        plan_of(f"agt_{n}", Schedule(zone=places[n % len(places)], weekly=OFFICE), start, start + 28 * 24 * HOUR)
        for n in range(200)
    ]
    began = time.process_time()

    (extra,) = extra_shifts(plans, start, start + 28 * 24 * HOUR, least=100)

    assert extra.closes == 8 * HOUR
    assert time.process_time() - began < 3


def test_who_starts_later_is_not_asked_before() -> None:
    schedule = Schedule(zone="UTC", weekly=Week(), starts=date(2026, 3, 24))

    (extra,) = extra_shifts([plan_of("agt_noa", schedule, *SPRING)], *SPRING, least=1)

    assert extra.start >= MONDAY + 24 * HOUR
