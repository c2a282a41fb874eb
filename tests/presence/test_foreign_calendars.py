"""Calendars of other tools, read as far as a schedule can say them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from presence import foreign_calendars
from presence.calendars import write
from presence.foreign_calendars import read
from presence.schedule import Schedule, Senseless, Week, check
from presence.shifts import shifts_between
from tests.presence.diary import a_calendar, a_span, an_event

NINE = ("09:00", "17:00")
OFFICE = an_event(*a_span("20260105T090000", "20260105T170000"), "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")


def refusal(data: bytes, zone: str = "") -> Senseless:
    with pytest.raises(Senseless) as refused:
        read(data, zone)
    return refused.value


def duty(schedule: Schedule, start: str, days: int) -> list[tuple[str, str]]:
    begin = datetime.fromisoformat(f"{start}T00:00+00:00")
    spans = shifts_between(schedule, _ms(begin), _ms(begin + timedelta(days=days)))
    return [tuple(f"{datetime.fromtimestamp(at / 1000, UTC):%m-%d %H:%M}" for at in span) for span in spans]  # type: ignore[misc]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def test_a_series_without_an_end_is_the_week() -> None:
    schedule = read(a_calendar(OFFICE))

    assert schedule.zone == "Europe/Berlin"
    assert schedule.weekly == Week(*[(NINE,)] * 5)
    assert (schedule.starts, schedule.ends) == (date(2026, 1, 5), None)
    assert schedule.dates == ()


def test_a_daily_series_is_every_weekday() -> None:
    schedule = read(a_calendar(an_event(*a_span("20260107T220000", "20260108T060000"), "RRULE:FREQ=DAILY")))

    assert schedule.weekly == Week(*[(("22:00", "06:00"),)] * 7)
    assert duty(schedule, "2026-01-06", 3) == [("01-07 21:00", "01-08 05:00"), ("01-08 21:00", "01-09 00:00")]


def test_what_has_begun_before_it_is_read_has_no_beginning() -> None:
    schedule = read(a_calendar(OFFICE), since=date(2026, 6, 1))

    assert schedule.starts is None


def test_an_exception_is_a_day_off_and_a_moved_one_other_hours() -> None:
    moved = an_event(
        *a_span("20260114T120000", "20260114T200000"), "RECURRENCE-ID;TZID=Europe/Berlin:20260114T090000", title="Late"
    )
    series = OFFICE.replace("RRULE", "EXDATE;TZID=Europe/Berlin:20260112T090000,20260113T090000\r\nRRULE")
    schedule = read(a_calendar(series, moved))

    assert [(str(each.date), each.hours) for each in schedule.dates] == [
        ("2026-01-12", ()),
        ("2026-01-13", ()),
        ("2026-01-14", (("12:00", "20:00"),)),
    ]


def test_an_exception_may_be_said_in_utc_or_as_a_date() -> None:
    series = OFFICE.replace("RRULE", "EXDATE:20260112T080000Z\r\nEXDATE;VALUE=DATE:20260113\r\nRRULE")

    assert [str(each.date) for each in read(a_calendar(series)).dates] == ["2026-01-12", "2026-01-13"]


def test_a_cancelled_occurrence_is_a_day_off_and_a_cancelled_event_nothing() -> None:
    gone = an_event(*a_span("20260112T090000", "20260112T170000"), "RECURRENCE-ID:20260112T080000Z", "STATUS:CANCELLED")
    other = an_event(*a_span("20260117T090000", "20260117T170000"), "STATUS:CANCELLED", uid="2")

    assert [(str(each.date), each.hours) for each in read(a_calendar(OFFICE, gone, other)).dates] == [
        ("2026-01-12", ())
    ]


def test_single_events_and_further_dates_are_extra_shifts() -> None:
    single = an_event(
        *a_span("20260110T100000", "20260110T120000"), "RDATE;TZID=Europe/Berlin:20260111T100000", uid="2"
    )
    period = "RDATE;VALUE=PERIOD:20260117T090000Z/PT1H"
    schedule = read(a_calendar(OFFICE, single.replace("RDATE", f"{period}\r\nRDATE")))

    assert [(str(each.date), each.extra) for each in schedule.dates] == [
        ("2026-01-10", (("10:00", "12:00"),)),
        ("2026-01-11", (("10:00", "12:00"),)),
        ("2026-01-17", (("10:00", "11:00"),)),
    ]


def test_what_ends_beside_a_week_is_told_by_its_dates() -> None:
    fortnight = an_event(
        *a_span("20260110T100000", "20260110T120000"),
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3",
        uid="2",
        title="Saturdays",
    )
    schedule = read(a_calendar(OFFICE, fortnight))

    assert [str(each.date) for each in schedule.dates] == ["2026-01-10", "2026-01-24", "2026-02-07"]


def test_a_series_that_was_split_is_one_week_with_dates_before() -> None:
    old = an_event(*a_span("20260105T100000", "20260105T120000"), "RRULE:FREQ=WEEKLY;UNTIL=20260125T225959Z", uid="2")
    new = an_event(*a_span("20260126T140000", "20260126T160000"), "RRULE:FREQ=WEEKLY", uid="3")

    assert duty(read(a_calendar(old, new)), "2026-01-01", 40) == [
        ("01-05 09:00", "01-05 11:00"),
        ("01-12 09:00", "01-12 11:00"),
        ("01-19 09:00", "01-19 11:00"),
        ("01-26 13:00", "01-26 15:00"),
        ("02-02 13:00", "02-02 15:00"),
        ("02-09 13:00", "02-09 15:00"),
    ]


def test_series_that_end_together_are_a_season() -> None:
    schedule = read(a_calendar(OFFICE.replace("MO,TU,WE,TH,FR", "MO,TU;UNTIL=20261231T225959Z")))

    assert schedule.weekly == Week((NINE,), (NINE,))
    assert (schedule.ends, schedule.dates) == (date(2026, 12, 29), ())


def test_times_off_are_whole_days_and_whatever_is_out_of_office() -> None:
    schedule = read(
        a_calendar(
            OFFICE,
            an_event("DTSTART;VALUE=DATE:20260202", "DTEND;VALUE=DATE:20260207", title="Skiing", uid="2"),
            an_event(
                *a_span("20260209T120000", "20260209T235959"), "CATEGORIES:Out of office", title="Doctor", uid="3"
            ),
            an_event(*a_span("20260210T120000Z", "20260210T130000Z"), "X-MICROSOFT-CDO-BUSYSTATUS:OOF", uid="4"),
            an_event("DTSTART;VALUE=DATE:20260303", "TRANSP:TRANSPARENT", title="Somebody's birthday", uid="5"),
        )
    )

    assert [(off.start, off.end, off.reason) for off in schedule.time_off] == [
        ("2026-02-02", "2026-02-06", "Skiing"),
        ("2026-02-09T12:00", "2026-02-10T00:00", "Doctor"),
        ("2026-02-10T12:00Z", "2026-02-10T13:00Z", "Shift"),
    ]


def test_a_shift_of_more_than_a_day_is_told_day_by_day() -> None:
    schedule = read(a_calendar(an_event(*a_span("20260109T180000", "20260112T080000"), "RRULE:FREQ=WEEKLY")))
    whole = (("00:00", "24:00"),)

    assert schedule.weekly == Week(fri=(("18:00", "24:00"),), sat=whole, sun=whole, mon=(("00:00", "08:00"),))
    assert duty(schedule, "2026-01-09", 4) == [("01-09 17:00", "01-12 07:00")]


def test_one_of_these_may_be_left_out() -> None:
    series = an_event(*a_span("20260109T180000", "20260112T080000"), "EXDATE:20260116T170000Z", "RRULE:FREQ=WEEKLY")

    assert duty(read(a_calendar(series)), "2026-01-09", 16) == [
        ("01-09 17:00", "01-12 07:00"),
        ("01-23 17:00", "01-25 00:00"),
    ]


def test_floating_times_are_of_the_zone_that_is_given() -> None:
    floating = an_event("DTSTART:20260105T090000", "DTEND:20260105T170000", "RRULE:FREQ=WEEKLY;UNTIL=20261231")

    assert read(a_calendar(floating, zone=""), "Asia/Bangkok").zone == "Asia/Bangkok"
    assert read(a_calendar(floating, zone="Asia/Tokyo"), "Asia/Bangkok").zone == "Asia/Tokyo"
    assert refusal(a_calendar(floating, zone="")).field == "zone"
    assert refusal(a_calendar(floating, zone=""), "Nowhere").field == "zone"


def test_times_in_utc_are_told_in_the_zone_of_the_week() -> None:
    shift = an_event("DTSTART:20260704T080000Z", "DTEND:20260704T100000Z", uid="2")

    assert read(a_calendar(OFFICE, shift)).dates[0].extra == (("10:00", "12:00"),)


def test_a_series_in_utc_is_a_week_in_utc() -> None:
    series = an_event("DTSTART:20260105T080000Z", "DTEND:20260105T160000Z", "RRULE:FREQ=WEEKLY")

    assert read(a_calendar(series)).zone == "UTC"


def test_a_time_that_only_the_second_of_two_hours_has_is_refused() -> None:
    second = an_event("DTSTART:20261025T013000Z", "DTEND:20261025T040000Z", title="Night", uid="2")  # 02:30 CET
    refused = refusal(a_calendar(OFFICE, second))

    assert refused.field == "event 'Night' of 2026-10-25"
    assert "twice" in refused.why


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (an_event(*a_span("20260105T090000", "20260105T170000"), "RRULE:FREQ=MONTHLY", title="Odd"), "monthly"),
        (an_event(*a_span("20260105T090000", "20260105T170000"), "RRULE:FREQ=WEEKLY;INTERVAL=2", title="Odd"), "end"),
        (an_event(*a_span("20260105T090030", "20260105T170000"), title="Odd"), "second"),
        (an_event(*a_span("20260105T090000", "20260205T170000"), title="Odd"), "14 days"),
        (an_event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY", title="Odd"), "without an end"),
        (
            an_event(*a_span("20260105T090000", "20260105T170000", "Asia/Tokyo"), "RRULE:FREQ=DAILY", title="Odd"),
            "zone",
        ),
        (
            an_event(*a_span("20260105T090000", "20260105T170000"), "RRULE:FREQ=DAILY;COUNT=900000", title="Odd"),
            "20,000",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(event: str, why: str) -> None:
    refused = refusal(a_calendar(OFFICE, event))

    assert "'Odd'" in refused.field
    assert why in refused.why


def test_a_calendar_that_is_too_large_is_refused() -> None:
    many = (an_event(*a_span("20260105T090000", "20260105T170000"), uid=str(number)) for number in range(2001))

    assert "2,000 events" in refusal(a_calendar(*many)).why
    assert "bytes" in refusal(b"x" * (foreign_calendars.MOST_BYTES + 1)).why


def test_zones_in_the_calendars_own_words_are_neither_needed_nor_believed() -> None:
    own = (
        "BEGIN:VTIMEZONE\r\nTZID:Elsewhere\r\nBEGIN:STANDARD\r\nDTSTART:soon\r\nTZOFFSETTO:+0900\r\n"
        "END:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    there = an_event(*a_span("20260105T090000", "20260105T170000", "Elsewhere"))

    assert duty(read(a_calendar(OFFICE, more=own)), "2026-01-05", 1) == [("01-05 08:00", "01-05 16:00")]
    assert "'Elsewhere' isn't known" in refusal(a_calendar(OFFICE, there, more=own)).why


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"BEGIN:VCALENDAR\r\n", b"\xff\xfe"]
)
def test_what_is_no_calendar_is_refused(data: bytes) -> None:
    assert refusal(data, "UTC").why


BITS = (
    "DTSTART;TZID=Europe/Berlin:20261025T023000|DTSTART:20260105T090000Z|DTSTART;VALUE=DATE:20260105|DTEND:20260105T170000Z"
    "|DTEND;VALUE=DATE:20260109|DTEND;TZID=Asia/Tokyo:20261026T023000|DURATION:PT8H|DURATION:-P3D|DURATION:P99999999999W"
    "|RRULE:FREQ=WEEKLY|RRULE:FREQ=DAILY;COUNT=5|RRULE:FREQ=WEEKLY;UNTIL=20260301|RRULE:;;|RRULE:FREQ=WEEKLY;WKST=XX"
    "|EXDATE:20260112T090000Z|EXDATE;VALUE=DATE:20260112|EXDATE:x|RDATE;VALUE=PERIOD:20260301T100000Z/20260301T110000Z"
    "|RDATE:20260402T090000Z|RECURRENCE-ID:20260112T090000Z|STATUS:CANCELLED|CATEGORIES:Vacation|TRANSP:TRANSPARENT"
    "|SUMMARY:|BEGIN:VALARM|END:VALARM|END:VEVENT|BEGIN:VEVENT|X-SHOPBELL-WIND-DOWN:99999|:::"
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(BITS.split("|")) | st.text(max_size=20), max_size=6), max_size=4),
    st.sampled_from(("", "Europe/Berlin")),
)
@example([["DTSTART:20260105T090000Z", "DURATION:P99999999999W"]], "Europe/Berlin")
def test_whatever_is_read_is_a_schedule_or_a_refusal(events: list[list[str]], zone: str) -> None:
    data = a_calendar(*(an_event(*lines, uid=str(number % 2)) for number, lines in enumerate(events)), zone=zone)
    try:
        schedule = read(data, "Asia/Bangkok")
    except Senseless:
        return

    check(schedule)
    assert read(write(schedule, 0)).zone == schedule.zone
