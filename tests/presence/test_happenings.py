"""Single events of calendars: when they happen, and which are no duty."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from icalendar import Calendar

from presence.happenings import Happening, When, happening, zone_named
from presence.schedule import Senseless
from tests.presence.diary import a_calendar, a_span, an_event

MONDAY = a_span("20260105T090000", "20260105T170000")


def the(*lines: str, title: str = "Shift") -> Happening:
    found = happening(Calendar.from_ical(a_calendar(an_event(*lines, title=title))).walk("VEVENT")[0])
    assert found is not None
    return found


def days(*lines: str, most: int = 50) -> list[str]:
    return [f"{day:%m-%d}" for day in islice(the(*lines).days("Europe/Berlin"), most)]


def test_a_shift_is_where_and_as_long_as_it_says() -> None:
    shift = the(*MONDAY)

    assert shift.start == When(datetime(2026, 1, 5, 9), "Europe/Berlin")  # noqa: DTZ001 - a local time
    assert (shift.length, shift.kind, shift.is_day) == (timedelta(hours=8), "duty", False)
    assert shift.name == "event 'Shift' of 2026-01-05"


def test_a_night_is_as_long_as_the_clocks_say() -> None:
    night = the(*a_span("20260328T220000", "20260329T060000"))  # seven hours, by the hands of the clock eight

    assert night.length == timedelta(hours=8)


def test_a_duration_is_as_good_as_an_end() -> None:
    assert the(MONDAY[0], "DURATION:PT8H30M").length == timedelta(hours=8, minutes=30)


def test_an_end_may_be_in_another_zone() -> None:
    flight = the("DTSTART;TZID=Europe/Berlin:20260105T090000", "DTEND;TZID=America/New_York:20260105T090000")

    assert flight.length == timedelta(hours=6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;COUNT=3", ["01-05", "01-12", "01-19"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", ["01-05", "01-07", "01-12"]),
        ("FREQ=WEEKLY;BYDAY=WE,MO;UNTIL=20260112T080000Z", ["01-05", "01-07", "01-12"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260112T075959Z", ["01-05", "01-07"]),
        ("FREQ=WEEKLY;UNTIL=20260112", ["01-05", "01-12"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=4;WKST=MO",
            ["01-05", "01-11", "01-19", "01-25"],
        ),  # RFC 5545 3.8.5.3
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=4;WKST=SU", ["01-05", "01-18", "01-19", "02-01"]),
        ("FREQ=DAILY;COUNT=3", ["01-05", "01-06", "01-07"]),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20260112T230000Z", ["01-05", "01-08", "01-11"]),
        ("FREQ=DAILY;BYDAY=MO,TU;COUNT=4", ["01-05", "01-06", "01-12", "01-13"]),
        ("FREQ=WEEKLY;BYDAY=TU;COUNT=1", ["01-06"]),
    ],
)
def test_a_rule_says_on_which_days(rule: str, expected: list[str]) -> None:
    assert days(*MONDAY, f"RRULE:{rule}") == expected


@pytest.mark.parametrize(
    ("rule", "last"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20990112T080000Z", date(2099, 1, 12)),
        ("FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20990112T075959Z", date(2099, 1, 7)),
        ("FREQ=WEEKLY;UNTIL=20260106", date(2026, 1, 5)),
        ("FREQ=DAILY;UNTIL=20260106", date(2026, 1, 6)),
        ("FREQ=WEEKLY;UNTIL=20251231", None),
    ],
)
def test_the_last_day_is_found_without_going_there(rule: str, last: date | None) -> None:
    assert the(*MONDAY, f"RRULE:{rule}").last_day("Europe/Berlin") == last


@pytest.mark.parametrize(
    ("rule", "is_endless"),
    [("FREQ=WEEKLY", True), ("FREQ=WEEKLY;UNTIL=20991231", True), ("FREQ=WEEKLY;COUNT=9", False)],
)
def test_a_series_without_an_end_is_known(rule: str, is_endless: bool) -> None:
    found = the(*MONDAY, f"RRULE:{rule}").rule

    assert found is not None
    assert found.is_endless is is_endless


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("RRULE:FREQ=MONTHLY;BYDAY=2MO",), "repeats monthly"),
        (("RRULE:FREQ=YEARLY",), "repeats yearly"),
        (("RRULE:FREQ=WEEKLY;BYMONTH=6,7",), "repeats by BYMONTH"),
        (("RRULE:FREQ=DAILY;BYHOUR=9,13",), "repeats by BYHOUR"),
        (("RRULE:FREQ=WEEKLY;BYDAY=1MO",), "some weekdays of a month"),
        (("RRULE:FREQ=WEEKLY;COUNT=0",), "makes no sense"),
        (("RRULE:FREQ=WEEKLY", "RRULE:FREQ=DAILY"), "several times"),
        (("RECURRENCE-ID;RANGE=THISANDFUTURE:20260112T080000Z",), "this and all later"),
    ],
)
def test_what_a_week_cannot_say_is_refused_by_the_events_name(lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(Senseless, match=why) as refused:
        the(*MONDAY, *lines, title="Stocktaking")

    assert refused.value.field == "event 'Stocktaking' of 2026-01-05"


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:soon", "DTEND:later"),
        ("DTEND:20260105T170000Z",),
        ("DTSTART;VALUE=DATE:20260105", "DTEND:20260105T170000Z"),
        ("DTSTART;TZID=Customised Time Zone:20260105T090000", "DTEND;TZID=Customised Time Zone:20260105T170000"),
        ("DTSTART:00010101T000000Z", "DTEND:00010101T010000Z"),
        ("DTSTART:20260105T090000Z", "DTEND:99991231T235959Z"),
    ],
)
def test_times_that_make_no_sense_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(Senseless, match="event"):
        the(*lines)


@pytest.mark.parametrize(
    "lines", [(MONDAY[0],), (*MONDAY, "TRANSP:TRANSPARENT"), ("DTSTART:20260105T090000Z", "DTEND:20260105T090000Z")]
)
def test_what_takes_no_time_of_anybody_is_passed_over(lines: tuple[str, ...]) -> None:
    assert happening(Calendar.from_ical(a_calendar(an_event(*lines))).walk("VEVENT")[0]) is None


@pytest.mark.parametrize(
    "line", ["CATEGORIES:Vacation", "CATEGORIES:Blue,Out of office", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"]
)
def test_whoever_is_out_of_office_is_away_free_or_not(line: str) -> None:
    assert the(*MONDAY, line).kind == "absence"
    assert the(*MONDAY, line, "TRANSP:TRANSPARENT").kind == "absence"


def test_a_whole_day_is_no_shift() -> None:
    day = the("DTSTART;VALUE=DATE:20260105")

    assert (day.kind, day.is_day, day.length) == ("absence", True, timedelta(days=1))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/softwarestudio.org/Olson_20011030_5/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("", ""),
    ],
)
def test_zones_are_known_by_the_names_that_others_give_them(said: str, name: str) -> None:
    assert zone_named(said) == name
