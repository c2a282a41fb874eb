"""Any schedule in any zone through any night of change, beside a clock on the wall that is read once a minute."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from presence.schedule import WEEKDAYS, Dated, Holidays, Interval, Schedule, Senseless, TimeOff, Week, check
from presence.shifts import Plan, shift_at, shifts_between
from tests.presence.wall import runs

EXAMPLES = int(os.environ.get("SHOPBELL_EXAMPLES", "40"))

NIGHTS = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Asia/Jerusalem", date(2026, 3, 27)),  # on a Friday
    ("Asia/Jerusalem", date(2026, 10, 25)),  # on a Sunday
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Antarctica/Troll", date(2026, 3, 29)),  # by two hours
    ("Antarctica/Troll", date(2026, 10, 25)),
    ("Africa/Cairo", date(2026, 4, 24)),  # at midnight
    ("Africa/Cairo", date(2026, 10, 30)),
    ("America/Havana", date(2025, 11, 2)),  # midnight twice
    ("Atlantic/Azores", date(2026, 3, 29)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # and another
    ("Asia/Pyongyang", date(2018, 5, 5)),
    ("America/Caracas", date(2016, 5, 1)),
    ("Europe/Istanbul", date(2016, 10, 30)),  # for the first time nothing happens
    ("Africa/Casablanca", date(2025, 2, 23)),  # Ramadan begins
    ("America/Vancouver", date(2026, 11, 1)),
    ("Asia/Bangkok", date(2026, 3, 29)),
    ("Asia/Kathmandu", date(2026, 10, 25)),
    ("UTC", date(2026, 10, 25)),
]

night = st.integers(0, 5 * 60)  # most changes are before five
clock = st.one_of(st.integers(0, 1439), night, night.map(lambda minute: minute // 30 * 30)).map(
    lambda minute: f"{minute // 60:02}:{minute % 60:02}"
)
interval = st.tuples(clock, clock | st.just("24:00"))
intervals = st.lists(interval, max_size=3).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Schedule, date]:
    name, night_of_change = draw(st.sampled_from(NIGHTS))
    dates = st.integers(-3, 3).map(lambda days: max(night_of_change, date(2000, 1, 9)) + timedelta(days=days))
    moments = st.one_of(
        dates.map(str),
        st.tuples(dates, clock).map(lambda when: f"{when[0]}T{when[1]}"),
        st.tuples(dates, clock).map(lambda when: f"{when[0]}T{when[1]}Z"),
    )
    dated = st.builds(Dated, dates, intervals) | st.builds(
        Dated, dates, st.none(), st.lists(interval, min_size=1, max_size=2).map(tuple)
    )
    schedule = Schedule(
        zone=name,
        weekly=draw(st.none() | st.builds(Week, **dict.fromkeys(WEEKDAYS, intervals))),
        dates=tuple(draw(st.lists(dated, max_size=3, unique_by=lambda each: (each.date, each.hours is None)))),
        time_off=tuple(draw(st.lists(st.builds(TimeOff, moments, moments, st.sampled_from(("", "ill"))), max_size=3))),
        holidays=draw(st.sampled_from((None, Holidays("US"), Holidays("IL"), Holidays("EG"), Holidays("TH")))),
        starts=draw(st.none() | dates),
        ends=draw(st.none() | dates),
        wind_down_minutes=draw(st.sampled_from((0, 15, 240))),
    )
    try:
        check(schedule)
    except Senseless:
        assume(False)
    return schedule, night_of_change


def all_night(name: str, day: date, *week: Interval) -> tuple[Schedule, date]:
    return Schedule(zone=name, weekly=Week(**dict.fromkeys(WEEKDAYS, week))), day


@settings(max_examples=EXAMPLES, deadline=None)
@given(cases(), st.data())
@example(all_night("America/New_York", date(2026, 3, 8), ("01:30", "02:30"), ("02:45", "03:15")), None)
@example(all_night("America/New_York", date(2026, 11, 1), ("00:30", "01:30"), ("01:45", "02:15")), None)
@example(all_night("Pacific/Apia", date(2011, 12, 30), ("22:00", "06:00")), None)
def test_every_minute_has_the_answer_of_the_wall_and_exactly_its_bounds(
    case: tuple[Schedule, date], data: st.DataObject | None
) -> None:
    schedule, day = case
    walls = runs(schedule, day)
    for start, end, state, reason in walls[1:-1]:
        somewhere = start if data is None else data.draw(st.integers(start, end - 1))
        answers = [Plan(schedule).look(at) for at in (start, somewhere, end - 1)]
        shift = shift_at(schedule, somewhere)

        assert all(answer == shift for answer in answers)
        assert (shift.state, shift.since, shift.until) == (state, start, end)
        assert shift.state != "time_off" or shift.note == reason
        assert shift.ends_at == (end if state == "on_shift" else None)
        assert shift.winding_down_at is None or start <= shift.winding_down_at < end
        returns = next((each[0] for each in walls if each[0] > start and each[2] == "on_shift"), None)
        assert state == "on_shift" or returns is None or shift.back_at == returns


@settings(max_examples=EXAMPLES, deadline=None)
@given(cases(), st.data())
def test_the_runs_of_duty_are_those_of_the_single_answers(case: tuple[Schedule, date], data: st.DataObject) -> None:
    schedule, day = case
    walls = runs(schedule, day)
    first = data.draw(st.integers(walls[0][0], walls[-1][1] - 1))
    last = data.draw(st.integers(first, walls[-1][1]))
    duty = shifts_between(schedule, first, last)
    clipped = [(max(start, first), min(end, last)) for start, end, state, _ in walls if state == "on_shift"]

    assert duty == [(start, end) for start, end in clipped if start < end]
    assert all(shift_at(schedule, start).is_on and shift_at(schedule, end - 1).is_on for start, end in duty)
    assert all(not shift_at(schedule, end).is_on for _, end in duty if end < last)


@settings(max_examples=EXAMPLES, deadline=None)
@given(cases())
def test_going_from_change_to_change_meets_every_answer_and_no_hole(case: tuple[Schedule, date]) -> None:
    schedule, day = case
    at = round(datetime(day.year, day.month, day.day).timestamp() * 1000) - 3 * 86_400_000  # noqa: DTZ001 - any will do
    met = [shift_at(schedule, at)]
    while met[-1].until is not None and len(met) < 40:
        met.append(shift_at(schedule, met[-1].until))

    assert all(before.until == after.since for before, after in pairwise(met))
    assert all(
        (before.state, before.reason, before.note) != (after.state, after.reason, after.note)
        for before, after in pairwise(met)
    )
    for before, after in pairwise(met):  # the same on the way back
        assert after.since is not None
        assert shift_at(schedule, after.since - 1) == before
