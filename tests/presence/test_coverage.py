"""How many are on and when, counted again minute by minute; and weeks as calendars have them."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.coverage import (
    HOUR,
    Gap,
    Line,
    Plan,
    Stretch,
    actual,
    by_hour,
    gaps,
    local_times,
    next_monday,
    plan_of,
    planned,
    weeks,
)
from presence.schedule import ALWAYS, Dated, Schedule, TimeOff
from presence.zones import zone
from tests.presence.rota import DAY, MINUTE, MINUTES, MONDAY, OFFICE, SPRING, a_plan, count_at, ms, some_plans


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


def test_an_empty_schedule_is_always() -> None:
    assert plan_of("bot_echo", ALWAYS, *DAY) == Plan("bot_echo", "UTC", (DAY,))
