"""What is written as a calendar is the same duty when it is read again, and others can read it too."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings

from presence import calendars
from presence.calendars import write
from presence.foreign_calendars import read
from presence.schedule import Schedule, Senseless, Week, parse
from presence.shifts import ALWAYS, Shift, shift_at, shifts_between
from tests.presence.test_shift_nights import cases

EXAMPLES = int(os.environ.get("SHOPBELL_EXAMPLES", "40"))
NOW = round(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000

FULL = parse("""{"zone":"America/New_York",
    "weekly":{"mon":[["09:00","13:00"],["22:00","06:00"]],"tue":[["09:00","13:00"]],"sun":[["12:00","24:00"]]},
    "dates":[{"date":"2026-12-01","hours":[["10:00","24:00"]]},{"date":"2026-12-02","extra":[["08:00","09:00"]]},
        {"date":"2026-12-07","hours":[],"reason":"swap"}],
    "time_off":[{"from":"2026-11-24","to":"2026-11-25","reason":"move; far, away"},
        {"from":"2026-12-08T04:00","to":"2026-12-08T14:00Z"}],
    "holidays":{"country":"US","subdivision":"CA"},"starts":"2026-10-01","ends":"2027-03-01","wind_down_minutes":15}""")


def lines(schedule: Schedule, title: str = "Shifts") -> list[str]:
    return write(schedule, NOW, title).decode().replace("\r\n ", "").split("\r\n")


def facts(shift: Shift) -> tuple[object, ...]:
    """But for the reasons of what isn't duty, which a calendar has no words for."""
    note = shift.note if shift.state == "time_off" else ""
    return shift.state, note, shift.since, shift.until, shift.back_at, shift.ends_at, shift.winding_down_at


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(cases())
def test_a_schedule_that_was_a_calendar_has_the_same_duty(case: tuple[Schedule, date]) -> None:
    schedule, day = case
    at = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    again = read(write(schedule, at))

    assert shifts_between(again, at - 30 * DAY, at + 60 * DAY) == shifts_between(schedule, at - 30 * DAY, at + 60 * DAY)
    for moment in range(at - 5 * DAY, at + 5 * DAY, DAY // 7):
        assert facts(shift_at(again, moment)) == facts(shift_at(schedule, moment))


@pytest.mark.parametrize("at", ["2005-03-01", "2026-12-01", "2026-12-24", "2060-06-01"])
def test_what_has_no_beginning_and_no_end_has_none_afterwards(at: str) -> None:
    schedule = parse('{"zone":"Asia/Jerusalem","weekly":{"sun":[["08:00","17:00"]],"thu":[["22:00","07:00"]]}}')
    again = read(write(schedule, NOW))
    moment = round(datetime.fromisoformat(f"{at}T00:00Z").timestamp() * 1000)

    assert (again.starts, again.ends, again.dates) == (None, None, ())
    assert shift_at(again, moment) == shift_at(schedule, moment)


def test_all_that_can_be_said_is_the_same_afterwards() -> None:
    again = read(write(FULL, NOW))

    assert (again.zone, again.holidays, again.wind_down_minutes) == (FULL.zone, FULL.holidays, 15)
    assert again.weekly == FULL.weekly
    assert [off.reason for off in again.time_off] == ["move; far, away", ""]
    assert shifts_between(again, NOW, NOW + 400 * DAY) == shifts_between(FULL, NOW, NOW + 400 * DAY)


def test_always_is_around_the_clock() -> None:
    again = read(write(ALWAYS, NOW))

    assert shift_at(again, NOW).until is None
    assert shift_at(again, NOW).is_on


def test_a_season_ends_for_others_too() -> None:
    rules = [line for line in lines(FULL) if line.startswith("RRULE")]

    assert rules
    assert all("UNTIL=20270302T045959Z" in rule for rule in rules)


def test_a_holiday_is_an_exception_for_others_and_an_option_for_us() -> None:
    written = lines(FULL)

    assert "EXDATE;TZID=America/New_York:20270118T090000" in written  # Martin Luther King Jr. Day, a Monday
    assert "X-SHOPBELL-HOLIDAYS:US-CA" in written


def test_a_week_without_duty_in_its_season_is_left_out() -> None:
    schedule = Schedule(
        zone="UTC", weekly=Week(mon=(("09:00", "10:00"),)), starts=date(2026, 6, 2), ends=date(2026, 6, 7)
    )

    assert not any(line.startswith("RRULE") for line in lines(schedule))


def test_time_off_is_out_of_office_for_those_who_know_it() -> None:
    written = lines(FULL)

    assert written.count("X-MICROSOFT-CDO-BUSYSTATUS:OOF") == 2
    assert "DTSTART;VALUE=DATE:20261124" in written
    assert "DTEND;VALUE=DATE:20261126" in written
    assert "SUMMARY:move\\; far\\, away" in written


def test_clocks_are_changed_in_the_calendar_when_they_are_in_the_country() -> None:
    written = lines(FULL)
    begin, end = written.index("BEGIN:DAYLIGHT"), written.index("END:DAYLIGHT")

    # 2026-03-08 at 02:00 EST: 15 U.S. Code 260a
    assert any(line.startswith("RDATE:") and "20260308T020000" in line for line in written[begin:end])
    assert {"TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "TZNAME:EDT"} <= set(written[begin:end])


def test_every_event_has_a_name_of_its_own_and_the_same_each_time() -> None:
    names = [line for line in lines(FULL) if line.startswith("UID:")]

    assert len(names) == len(set(names))
    assert names == [line for line in lines(FULL) if line.startswith("UID:")]
    assert set(names).isdisjoint(line for line in lines(FULL, "Somebody else's"))


def test_a_schedule_that_makes_no_sense_is_not_written() -> None:
    with pytest.raises(Senseless):
        write(Schedule(zone="Nowhere"), NOW)


def test_lines_are_folded_and_end_as_the_format_demands() -> None:
    written = write(
        parse('{"zone":"UTC","time_off":[{"from":"2026-01-01","to":"2026-01-02","reason":"ฉ ไปเที่ยว"}]}'), NOW
    )

    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert calendars.PRODUCT.encode() in written
    assert b"\n" not in written.replace(b"\r\n", b"")
