"""One answer for every instant, and exactly until when. Compared with a clock on the wall, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from presence.shifts import ALWAYS, Shift, parse, shift_at, shifts_between

OFFICE = """{"zone":"Europe/Berlin","weekly":{
    "mon":[["09:00","12:00"],["13:00","17:00"]],"tue":[["09:00","17:00"]],"wed":[["09:00","17:00"]],
    "thu":[["09:00","17:00"]],"fri":[["09:00","17:00"]]%s}"""


def office(more: str = "") -> str:
    return OFFICE % ("}" + more)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def at(document: str, moment: str) -> Shift:
    return shift_at(parse(document), ms(moment))


def utc(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def test_without_a_schedule_everybody_is_always_on_shift() -> None:
    assert shift_at(ALWAYS, 0) == Shift("on_shift", "", "", None, None, None, None, None)
    assert shifts_between(ALWAYS, 5, 10) == [(5, 10)]


def test_a_shift_says_when_it_began_and_ends() -> None:
    shift = at(office(), "2026-06-02T10:00Z")

    assert (shift.state, utc(shift.since), utc(shift.until)) == ("on_shift", "2026-06-02T07:00Z", "2026-06-02T15:00Z")
    assert shift.ends_at == shift.until
    assert shift.back_at is None


def test_the_moment_of_the_end_is_off_shift_and_that_of_the_beginning_on() -> None:
    assert at(office(), "2026-06-02T06:59:59.999Z").state == "off_shift"
    assert at(office(), "2026-06-02T07:00Z").state == "on_shift"
    assert at(office(), "2026-06-02T14:59:59.999Z").state == "on_shift"
    assert at(office(), "2026-06-02T15:00Z").state == "off_shift"


def test_off_shift_says_when_somebody_is_back() -> None:
    shift = at(office(), "2026-06-05T20:00Z")

    assert (shift.state, utc(shift.until), utc(shift.back_at)) == (
        "off_shift",
        "2026-06-08T07:00Z",
        "2026-06-08T07:00Z",
    )
    assert shift.ends_at is None


def test_shifts_that_touch_or_overlap_are_one_run_of_duty() -> None:
    document = '{"zone":"UTC","weekly":{"mon":[["22:00","06:00"]],"tue":[["06:00","10:00"],["09:00","12:00"]]}}'
    shift = at(document, "2026-06-02T07:00Z")

    assert (utc(shift.since), utc(shift.until)) == ("2026-06-01T22:00Z", "2026-06-02T12:00Z")


def test_a_night_that_began_a_day_before_all_that_is_looked_at_counts() -> None:
    document = '{"zone":"UTC","weekly":{"sun":[["22:00","06:00"]],"mon":[["02:00","03:00"]]}}'

    assert utc(at(document, "2026-06-05T12:00Z").since) == "2026-06-01T06:00Z"


def test_an_interval_that_ends_when_it_begins_is_a_whole_day() -> None:
    shift = at('{"zone":"UTC","weekly":{"mon":[["09:00","09:00"]]}}', "2026-06-02T08:59Z")

    assert (utc(shift.since), utc(shift.until)) == ("2026-06-01T09:00Z", "2026-06-02T09:00Z")


def test_winding_down_begins_before_the_end_of_the_whole_run_but_never_before_it() -> None:
    document = office(',"wind_down_minutes":90,"dates":[{"date":"2026-06-06","hours":[["09:00","10:00"]]}]')

    assert utc(at(document, "2026-06-02T08:00Z").winding_down_at) == "2026-06-02T13:30Z"
    assert utc(at(document, "2026-06-06T07:30Z").winding_down_at) == "2026-06-06T07:00Z"
    assert at(document, "2026-06-06T18:00Z").winding_down_at is None


def test_time_off_wins_over_everything() -> None:
    document = office(
        ',"dates":[{"date":"2026-06-03","extra":[["20:00","22:00"]]}]'
        ',"time_off":[{"from":"2026-06-02T12:00","to":"2026-06-03","reason":"wedding"}]'
    )
    shift = at(document, "2026-06-03T19:00Z")

    assert (shift.state, shift.note) == ("time_off", "wedding")
    assert (utc(shift.since), utc(shift.until)) == ("2026-06-02T10:00Z", "2026-06-03T22:00Z")
    assert utc(shift.back_at) == "2026-06-04T07:00Z"
    assert utc(at(document, "2026-06-02T08:00Z").ends_at) == "2026-06-02T10:00Z"


def test_times_off_with_one_reason_that_follow_each_other_are_one() -> None:
    days = ",".join(f'{{"from":"2026-06-0{day}","to":"2026-06-0{day}","reason":"ill"}}' for day in (1, 2, 3))
    shift = at(office(f',"time_off":[{days}]'), "2026-06-01T12:00Z")

    assert (utc(shift.since), utc(shift.until)) == ("2026-05-31T22:00Z", "2026-06-03T22:00Z")


def test_of_two_times_off_at_once_the_one_that_began_first_counts_to_its_end() -> None:
    document = office(
        ',"time_off":[{"from":"2026-06-02","to":"2026-06-03","reason":"ill"},'
        '{"from":"2026-06-01","to":"2026-06-02","reason":"course"}]'
    )

    assert at(document, "2026-06-02T12:00Z").note == "course"
    assert utc(at(document, "2026-06-02T12:00Z").until) == "2026-06-02T22:00Z"
    assert at(document, "2026-06-03T12:00Z").note == "ill"


def test_a_dated_exception_replaces_the_week_or_adds_to_it() -> None:
    document = office(
        ',"dates":[{"date":"2026-06-02","hours":[["10:00","11:00"]]},{"date":"2026-06-03","hours":[],"reason":"swap"},'
        '{"date":"2026-06-04","extra":[["20:00","21:00"]]},{"date":"2026-06-06","extra":[["08:00","09:00"]]}]'
    )
    runs = shifts_between(parse(document), ms("2026-06-02T00:00Z"), ms("2026-06-07T00:00Z"))

    assert [(utc(start), utc(end)) for start, end in runs] == [
        ("2026-06-02T08:00Z", "2026-06-02T09:00Z"),
        ("2026-06-04T07:00Z", "2026-06-04T15:00Z"),
        ("2026-06-04T18:00Z", "2026-06-04T19:00Z"),
        ("2026-06-05T07:00Z", "2026-06-05T15:00Z"),
        ("2026-06-06T06:00Z", "2026-06-06T07:00Z"),
    ]
    assert (at(document, "2026-06-03T12:00Z").reason, at(document, "2026-06-03T12:00Z").note) == ("day_off", "swap")


def test_a_day_off_leaves_the_night_before_to_its_end() -> None:
    document = '{"zone":"UTC","weekly":{"mon":[["22:00","06:00"]]},"dates":[{"date":"2026-06-02","hours":[]}]}'

    assert at(document, "2026-06-02T05:00Z").state == "on_shift"


def test_on_a_public_holiday_the_week_does_not_count_but_a_date_does() -> None:
    document = office(',"holidays":{"country":"DE"},"dates":[{"date":"2026-12-26","hours":[["10:00","12:00"]]}]')
    christmas = at(document, "2026-12-25T10:00Z")

    assert (christmas.state, christmas.reason) == ("off_shift", "holiday")
    assert christmas.note
    assert utc(christmas.until) == "2026-12-26T09:00Z"
    assert at(document, "2026-12-26T10:00Z").state == "on_shift"
    assert at(office(), "2026-12-25T10:00Z").state == "on_shift"


def test_a_holiday_without_duty_anyway_is_not_the_reason() -> None:
    assert at(office(',"holidays":{"country":"DE"}'), "2026-10-03T10:00Z").reason == ""  # a Saturday


def test_a_season_has_a_beginning_and_an_end() -> None:
    document = office(',"starts":"2026-11-16","ends":"2026-12-31"')
    early, late = at(document, "2026-01-01T00:00Z"), at(document, "2027-06-01T00:00Z")

    assert (early.reason, early.since, utc(early.until)) == ("not_started", None, "2026-11-16T08:00Z")
    assert (late.reason, utc(late.since), late.until, late.back_at) == ("ended", "2026-12-31T16:00Z", None, None)


def test_the_last_night_of_a_season_is_worked_to_its_end() -> None:
    document = '{"zone":"UTC","weekly":{"thu":[["22:00","06:00"]]},"ends":"2026-12-31"}'

    assert utc(at(document, "2027-01-01T05:00Z").until) == "2027-01-01T06:00Z"
    assert at(document, "2027-01-01T06:00Z").reason == "ended"


@pytest.mark.parametrize("years", [1, 3, 30])
def test_the_next_change_is_found_however_far_it_is(years: int) -> None:
    day = f"{2026 + years}-05-01"
    document = f'{{"zone":"Asia/Tokyo","time_off":[{{"from":"{day}","to":"{day}"}}]}}'

    assert utc(at(document, "2026-01-01T00:00Z").until) == f"{2026 + years}-04-30T15:00Z"
    assert utc(at(document, "2099-01-01T00:00Z").since) == f"{2026 + years}-05-01T15:00Z"


def test_around_the_clock_but_for_holidays() -> None:
    document = '{"zone":"Europe/London","holidays":{"country":"GB","subdivision":"ENG"}}'

    assert utc(at(document, "2026-01-02T12:00Z").until) == "2026-04-02T23:00Z"  # Good Friday
    assert utc(at(document, "2026-01-02T12:00Z").since) == "2026-01-02T00:00Z"


def test_never_on_shift_is_said_so() -> None:
    document = '{"zone":"UTC","weekly":{}}'

    assert at(document, "2026-01-01T00:00Z") == Shift("off_shift", "", "", None, None, None, None, None)


def test_a_report_of_more_than_three_years_is_refused() -> None:
    with pytest.raises(ValueError, match="1,100 days"):
        shifts_between(ALWAYS, 0, round(timedelta(days=1101) / timedelta(milliseconds=1)))
