"""How many are on and when, counted again minute by minute; and the best extra shift, found again by trying all."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence.coverage import (
    HOUR,
    LENGTHS,
    NIGHT,
    Extra,
    Gap,
    Line,
    Plan,
    Stretch,
    actual,
    by_hour,
    extra_shifts,
    gaps,
    local_times,
    next_monday,
    plan_of,
    planned,
    weeks,
)
from presence.schedule import ALWAYS, Dated, Schedule, TimeOff, Week
from presence.zones import names, zone

MINUTE = 60_000
ZONES = ("UTC", "Asia/Bangkok", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe")


def ms(text: str) -> int:
    """Of a moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NINE_TO_FIVE = (("09:00", "17:00"),)
OFFICE = Week(*[NINE_TO_FIVE] * 5)
MONDAY = ms("2026-03-23")  # the week in which Europe's clocks change
SPRING = (MONDAY, MONDAY + 7 * 24 * HOUR)
LORD_HOWE = ms("2026-04-04T12:00")  # three hours before its clocks go back by half an hour


def a_plan(
    agent: str = "agt_noa", *on: tuple[int, int], place: str = "UTC", off: tuple[int, int] | None = None
) -> Plan:
    """In hours since Monday."""
    own = tuple((MONDAY + start * HOUR, MONDAY + end * HOUR) for start, end in on)
    return Plan(agent, place, own, () if off is None else ((MONDAY + off[0] * HOUR, MONDAY + off[1] * HOUR),))


def hours(stretches: tuple[Stretch, ...]) -> list[tuple[float, float, int]]:
    """Since Monday."""
    return [((part.start - MONDAY) / HOUR, (part.end - MONDAY) / HOUR, part.count) for part in stretches]


# --- how many are on -------------------------------------------------------------------------------------------------


def test_nobody_planned_is_a_stretch_too() -> None:
    assert planned([], MONDAY, MONDAY + HOUR) == (Stretch(MONDAY, MONDAY + HOUR, 0),)


def test_those_who_take_turns_are_never_two_or_none() -> None:
    plans = [a_plan("agt_noa", (0, 8)), a_plan("agt_som", (8, 16))]

    assert hours(planned(plans, MONDAY, MONDAY + 24 * HOUR)) == [(0, 16, 1), (16, 24, 0)]


def test_intervals_of_one_person_that_overlap_count_once() -> None:
    plan = a_plan("agt_noa", (6, 10), (0, 8), (10, 11))

    assert hours(planned([plan], MONDAY, MONDAY + 12 * HOUR)) == [(0, 11, 1), (11, 12, 0)]


MINUTES = st.integers(-3 * 60, 27 * 60).map(lambda minute: MONDAY + minute * MINUTE)
INTERVALS = st.lists(st.tuples(MINUTES, MINUTES).map(lambda pair: (min(pair), max(pair))), max_size=4).map(tuple)
DAY = (MONDAY, MONDAY + 24 * HOUR)


@st.composite
def some_plans(draw: st.DrawFn) -> list[Plan]:
    return [
        Plan(f"agt_{number}", draw(st.sampled_from(ZONES)), draw(INTERVALS), draw(INTERVALS))
        for number in range(draw(st.integers(0, 4)))
    ]


def count_at(plans: list[Plan], at: int) -> int:
    return sum(any(start <= at < end for start, end in plan.on) for plan in plans)


@given(plans=some_plans())
def test_every_minute_has_the_count_that_counting_gives(plans: list[Plan]) -> None:
    stretches = planned(plans, *DAY)

    counted = {at: part.count for part in stretches for at in range(part.start, part.end, MINUTE)}
    assert counted == {at: count_at(plans, at) for at in range(*DAY, MINUTE)}


@given(plans=some_plans())
def test_stretches_touch_and_neighbours_differ(plans: list[Plan]) -> None:
    stretches = planned(plans, *DAY)

    assert (stretches[0].start, stretches[-1].end) == DAY
    for left, right in pairwise(stretches):
        assert left.start < left.end == right.start
        assert left.count != right.count


# --- as it was -------------------------------------------------------------------------------------------------------


def test_at_work_is_who_accepts_or_has_enough_to_do_and_not_who_is_away() -> None:
    said = [
        (-5, "accepting_chats", "free"),
        (1, "not_accepting_chats", "full"),
        (2, "not_accepting_chats", "away"),
        (3, "not_accepting_chats", "busy"),
        (4, "not_accepting_chats", "winding_down"),
        (5, "offline", "off_shift"),
        (6, "accepting_chats", "free"),
    ]
    lines = [Line("agt_noa", MONDAY + hour * HOUR, status, reason) for hour, status, reason in said]

    assert hours(actual(lines, MONDAY, MONDAY + 7 * HOUR)) == [(0, 2, 1), (2, 3, 0), (3, 5, 1), (5, 6, 0), (6, 7, 1)]


def test_who_has_no_line_yet_was_not_there() -> None:
    lines = [Line("agt_noa", MONDAY + HOUR, "accepting_chats", "free")]

    assert hours(actual(lines, MONDAY, MONDAY + 2 * HOUR)) == [(0, 1, 0), (1, 2, 1)]


def test_of_two_lines_of_one_moment_the_last_one_counts() -> None:
    lines = [
        Line("agt_noa", MONDAY, "accepting_chats", "free"),
        Line("agt_noa", MONDAY, "offline", "not_present"),
    ]

    assert hours(actual(lines, MONDAY, MONDAY + HOUR)) == [(0, 1, 0)]


@given(
    said=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), MINUTES, st.sampled_from(["accepting_chats", "offline"])),
        max_size=20,
    )
)
def test_every_minute_was_as_the_last_lines_say(said: list[tuple[str, int, str]]) -> None:
    lines = [Line(*each) for each in said]

    stretches = actual(lines, *DAY)

    def at_work(at: int) -> int:
        last = {line.member: line.status for line in sorted(lines, key=lambda line: line.at) if line.at <= at}
        return list(last.values()).count("accepting_chats")

    counted = {at: part.count for part in stretches for at in range(part.start, part.end, MINUTE)}
    assert counted == {at: at_work(at) for at in range(*DAY, MINUTE)}


# --- what is missing -------------------------------------------------------------------------------------------------


def test_a_gap_says_how_few_there_are_and_what_would_close_it() -> None:
    plans = [a_plan("agt_noa", (0, 8)), a_plan("agt_som", (0, 4), (6, 8))]

    assert gaps(planned(plans, MONDAY, MONDAY + 10 * HOUR), 2) == (
        Gap(MONDAY + 4 * HOUR, MONDAY + 6 * HOUR, 1, 2 * HOUR),
        Gap(MONDAY + 8 * HOUR, MONDAY + 10 * HOUR, 0, 4 * HOUR),
    )


@given(plans=some_plans(), least=st.integers(0, 4))
def test_gaps_and_what_is_covered_are_all_of_it(plans: list[Plan], least: int) -> None:
    stretches = planned(plans, *DAY)
    found = gaps(stretches, least)

    covered = sum(week.covered for week in weeks(stretches, least, "Asia/Bangkok"))
    assert covered + sum(gap.end - gap.start for gap in found) == 24 * HOUR
    for gap in found:
        counts = [count_at(plans, at) for at in range(gap.start, gap.end, MINUTE)]
        assert max(counts) < least
        assert gap.fewest == min(counts)
        assert gap.missing == sum(least - count for count in counts) * MINUTE
    for left, right in pairwise(found):
        assert left.end < right.start


def test_a_gap_is_named_by_the_clocks_of_those_who_could_close_it() -> None:
    """The night on which Israel's clocks go forward: 02:00 is 03:00."""
    gap = Gap(ms("2026-03-26T23:00"), ms("2026-03-27T01:00"), 0, 2 * HOUR)

    assert local_times(gap, ["Asia/Jerusalem", "Asia/Bangkok", "Asia/Kathmandu"]) == {
        "Asia/Jerusalem": ("2026-03-27T01:00+02:00", "2026-03-27T04:00+03:00"),
        "Asia/Bangkok": ("2026-03-27T06:00+07:00", "2026-03-27T08:00+07:00"),
        "Asia/Kathmandu": ("2026-03-27T04:45+05:45", "2026-03-27T06:45+05:45"),
    }


# --- weeks and hours -------------------------------------------------------------------------------------------------

# The hours of the week from a Monday. Sources: the dates of the changes in tzdata's files europe, northamerica,
# australasia and asia; a week has 168 hours, less or more by what the clocks are changed.
CALENDAR = {
    ("2026-03-23", "Europe/Berlin"): 167,  # 29 March, 02:00 to 03:00
    ("2026-10-19", "Europe/Berlin"): 169,  # 25 October, 03:00 to 02:00
    ("2026-03-02", "America/New_York"): 167,  # 8 March
    ("2026-10-26", "America/New_York"): 169,  # 1 November
    ("2026-03-23", "Asia/Jerusalem"): 167,  # 27 March, a Friday
    ("2026-03-30", "Australia/Lord_Howe"): 168.5,  # 5 April, half an hour
    ("2026-09-28", "Australia/Lord_Howe"): 167.5,  # 4 October
    ("2026-03-23", "Asia/Bangkok"): 168,  # never
    ("2026-03-23", "Europe/Istanbul"): 168,  # not since 2016
    ("2011-12-26", "Pacific/Apia"): 144,  # there was no 30 December
}


@pytest.mark.parametrize(("monday", "place"), CALENDAR, ids=str)
def test_a_week_has_as_many_hours_as_its_clock_shows(monday: str, place: str) -> None:
    start = next_monday(ms(monday) - 24 * HOUR, place)
    end = next_monday(start, place)

    (week,) = weeks(planned([], start, end), 0, place)

    assert datetime.fromtimestamp(start / 1000, zone(place)).isoformat()[:16] == f"{monday}T00:00"
    assert week.hours == CALENDAR[monday, place]
    assert week.share == 1.0


def test_weeks_begin_on_mondays_of_the_calendar_and_end_with_the_period() -> None:
    period = (ms("2026-03-25T12:00"), ms("2026-04-08"))

    found = weeks(planned([], *period), 1, "Europe/Berlin")

    assert [(week.start, week.end, week.share) for week in found] == [
        (period[0], ms("2026-03-29T22:00"), 0.0),
        (ms("2026-03-29T22:00"), ms("2026-04-05T22:00"), 0.0),
        (ms("2026-04-05T22:00"), period[1], 0.0),
    ]


def test_a_share_is_of_the_hours_that_the_week_has() -> None:
    start = next_monday(MONDAY - 24 * HOUR, "Europe/Berlin")
    plan = Plan("agt_noa", "Europe/Berlin", ((start, start + 84 * HOUR),))

    (week,) = weeks(planned([plan], start, start + 167 * HOUR), 1, "Europe/Berlin")

    assert week.share == 84 / 167


@given(plans=some_plans(), minutes=st.integers(1, 24 * 60))
def test_an_hour_has_the_fewest_that_were_ever_in_it(plans: list[Plan], minutes: int) -> None:
    end = MONDAY + minutes * MINUTE

    cells = by_hour(planned(plans, MONDAY, end))

    assert [(cell.start, cell.end) for cell in cells] == [(at, min(at + HOUR, end)) for at in range(MONDAY, end, HOUR)]
    for cell in cells:
        assert cell.count == min(count_at(plans, at) for at in range(cell.start, cell.end, MINUTE))


def test_the_map_of_a_week_has_a_cell_for_every_hour_of_it() -> None:
    start = next_monday(ms("2026-10-18"), "Europe/Berlin")

    assert len(by_hour(planned([], start, next_monday(start, "Europe/Berlin")))) == 169


# --- the shift that helps the most -----------------------------------------------------------------------------------


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


# --- from a schedule -------------------------------------------------------------------------------------------------


def test_a_plan_is_what_the_schedule_says_of_the_period() -> None:
    """Noa is off on Wednesday, has a day off on Thursday, and Friday is her last day."""
    schedule = Schedule(
        zone="Asia/Jerusalem",
        weekly=OFFICE,
        time_off=(TimeOff("2026-03-25", "2026-03-25"),),
        dates=(Dated(date(2026, 3, 26), hours=()),),
        ends=date(2026, 3, 27),
    )

    plan = plan_of("agt_noa", schedule, *SPRING)

    assert plan.zone == "Asia/Jerusalem"
    assert [((start - MONDAY) / HOUR, (end - MONDAY) / HOUR) for start, end in plan.on] == [
        (7, 15),
        (31, 39),
        (102, 110),  # at 06:00 in UTC, as the clocks have gone forward
    ]
    assert [at for at in range(*SPRING, HOUR) if any(start <= at < end for start, end in plan.off)] == [
        *range(MONDAY + 46 * HOUR, MONDAY + 94 * HOUR, HOUR),
        *range(MONDAY + 117 * HOUR, MONDAY + 168 * HOUR, HOUR),
    ]


def test_who_starts_later_is_not_asked_before() -> None:
    schedule = Schedule(zone="UTC", weekly=Week(), starts=date(2026, 3, 24))

    (extra,) = extra_shifts([plan_of("agt_noa", schedule, *SPRING)], *SPRING, least=1)

    assert extra.start >= MONDAY + 24 * HOUR


def test_an_empty_schedule_is_always() -> None:
    assert plan_of("bot_echo", ALWAYS, *DAY) == Plan("bot_echo", "UTC", (DAY,))
