"""Schedules as iCalendar (RFC 5545), for the calendars that people have. Pure. `presence.foreign_calendars` reads it.

The week is written as series in the schedule's zone, a date with other hours as an exception of them (EXDATE) with
events of its own, and time off as events that are out of office. What iCalendar has no words for (public holidays by
country, winding down) is in X-SHOPBELL properties, which we read again and others pass over. The holidays of the years
around are written as exceptions too, so that others show them right.

On a night when clocks jump ahead others may differ from us: the RFC takes a time that is skipped for one after the
jump, we for the jump itself (see `presence.zones`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

import msgspec
from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard

from presence.schedule import (
    FIRST_YEAR,
    WEEKDAYS,
    Interval,
    Schedule,
    Week,
    absences,
    check,
    days_named,
)
from presence.zones import changes, moment, zone

PRODUCT = "-//Shopbell//Shifts//EN"
ON_SHIFT, TIME_OFF = "On shift", "Time off"  # titles of what has no reason of its own
WIND_DOWN, HOLIDAYS = "X-SHOPBELL-WIND-DOWN", "X-SHOPBELL-HOLIDAYS"

ANCHOR = date(FIRST_YEAR - 1, 12, 20)  # a Monday: a series that begins in this week has no beginning
HOLIDAY_YEARS = range(-1, 3)  # from last year to the year after next: what others show
ZONE_YEARS = 10  # how far ahead changes of clocks are written, for readers who don't know the zone by its name


def write(schedule: Schedule, at: int, title: str = "Shifts") -> bytes:
    """The schedule as a calendar, written at this moment (ms). `presence.foreign_calendars.read` makes a schedule of it
    that has the same duty. Raises Senseless of a schedule that wasn't checked."""
    check(schedule)
    written: bytes = _Page(schedule, at, title).calendar().to_ical()
    return written


class _Page:
    def __init__(self, schedule: Schedule, at: int, title: str) -> None:
        self.schedule = schedule
        self.zone = schedule.zone or "UTC"
        self.title = title
        self.at = datetime.fromtimestamp(at // 1000, UTC)
        self.first = schedule.starts or ANCHOR
        self.last = schedule.ends or date.max
        self.mark = blake2b(msgspec.json.encode(schedule) + title.encode(), digest_size=8).hexdigest()
        self.replaced = {each.date for each in schedule.dates if each.hours is not None} | set(self._holidays())

    def calendar(self) -> Calendar:
        calendar = Calendar()
        calendar.add("prodid", PRODUCT)
        calendar.add("version", "2.0")
        calendar.add("x-wr-calname", self.title)
        calendar.add("x-wr-timezone", self.zone)
        if self.schedule.wind_down_minutes:
            calendar.add(WIND_DOWN, str(self.schedule.wind_down_minutes))
        where = self.schedule.holidays
        if where is not None:
            calendar.add(HOLIDAYS, f"{where.country}-{where.subdivision}".rstrip("-"))
        if self.zone != "UTC":
            calendar.add_component(_timezone(zone(self.zone), self.at.year + ZONE_YEARS))
        for event in (*self._series(), *self._singles(), *self._absences()):
            calendar.add_component(event)
        return calendar

    def _series(self) -> Iterator[Event]:
        for interval, weekdays in _by_interval(self.schedule.weekly).items():
            begin = next(day for day in map(self._later, range(7)) if WEEKDAYS[day.weekday()] in weekdays)
            if begin > self.last:
                continue
            event = self._event(f"week-{interval[0]}-{interval[1]}", ON_SHIFT)
            self._span(event, begin, interval)
            rule: dict[str, object] = {"freq": "weekly", "byday": [weekday[:2].upper() for weekday in weekdays]}
            if self.schedule.ends is not None:
                rule["until"] = _utc(moment(zone(self.zone), self.last.toordinal(), 1440) - 1000)
            event.add("rrule", rule)
            for day in sorted(self.replaced):
                if begin <= day <= self.last and WEEKDAYS[day.weekday()] in weekdays:
                    self._add(event, "exdate", datetime.combine(day, _time(interval[0])))
            yield event

    def _singles(self) -> Iterator[Event]:
        for number, dated in enumerate(self.schedule.dates):
            if self.first <= dated.date <= self.last:
                for interval in (*(dated.hours or ()), *dated.extra):
                    event = self._event(f"{number}-{dated.date}-{interval[0]}", dated.reason or ON_SHIFT)
                    self._span(event, dated.date, interval)
                    yield event

    def _absences(self) -> Iterator[Event]:
        for number, (off, span) in enumerate(zip(self.schedule.time_off, absences(self.schedule), strict=True)):
            if span.start == span.end:  # a day that the zone skipped
                continue
            event = self._event(f"off-{number}", off.reason or TIME_OFF)
            event.add("categories", ["OUT OF OFFICE"])
            event.add("x-microsoft-cdo-busystatus", "OOF")
            if "T" not in off.start + off.end:
                event.add("dtstart", date.fromisoformat(off.start))
                event.add("dtend", date.fromisoformat(off.end) + timedelta(days=1))
            else:  # as moments: one of both may be in another zone
                event.add("dtstart", _utc(span.start))
                event.add("dtend", _utc(span.end))
            yield event

    def _event(self, name: str, summary: str) -> Event:
        event = Event()
        event.add("uid", f"{name}-{self.mark}@shopbell")
        event.add("dtstamp", self.at)
        event.add("summary", summary)
        event.add("transp", "OPAQUE")
        return event

    def _span(self, event: Event, day: date, interval: Interval) -> None:
        self._add(event, "dtstart", datetime.combine(day, _time(interval[0])))
        is_later = interval[1] == "24:00" or interval[1] <= interval[0]
        self._add(event, "dtend", datetime.combine(day + timedelta(days=is_later), _time(interval[1])))

    def _add(self, event: Event, name: str, local: datetime) -> None:
        if self.zone == "UTC":
            event.add(name, local.replace(tzinfo=UTC))
        else:
            event.add(name, local, parameters={"TZID": self.zone})

    def _holidays(self) -> Iterator[date]:
        for years in HOLIDAY_YEARS if self.schedule.holidays is not None else ():
            assert self.schedule.holidays is not None
            yield from map(date.fromordinal, days_named(self.schedule.holidays, self.at.year + years))

    def _later(self, days: int) -> date:
        return self.first + timedelta(days=days)


def _by_interval(week: Week | None) -> dict[Interval, list[str]]:
    """The weekdays of each interval."""
    found: dict[Interval, list[str]] = {}
    for weekday in WEEKDAYS:
        for interval in dict.fromkeys((("00:00", "24:00"),) if week is None else getattr(week, weekday)):
            found.setdefault(interval, []).append(weekday)
    return found


def _timezone(here: ZoneInfo, last_year: int) -> Timezone:
    """Its changes of clocks from the anchor on. The library's own are written an hour late in spring."""
    component = Timezone()
    component.add("tzid", here.key)
    begin = datetime.combine(ANCHOR, time())
    offset = begin.replace(tzinfo=here).utcoffset() or timedelta(0)
    onsets: dict[tuple[int, int, str], list[datetime]] = {}
    name = begin.replace(tzinfo=here).tzname() or ""
    onsets[offset // timedelta(seconds=1), offset // timedelta(seconds=1), name] = [begin]
    for at, before, after in changes(here, ANCHOR.toordinal(), date(last_year, 12, 31).toordinal()):
        moment = datetime.fromtimestamp(at, UTC)
        onset = (moment + timedelta(seconds=before)).replace(tzinfo=None)
        onsets.setdefault((before, after, moment.astimezone(here).tzname() or ""), []).append(onset)
    for (before, after, name), when in onsets.items():
        is_summer = after > before
        part = TimezoneDaylight() if is_summer else TimezoneStandard()
        part.add("dtstart", when[0])
        part.add("tzoffsetfrom", timedelta(seconds=before))
        part.add("tzoffsetto", timedelta(seconds=after))
        part.add("tzname", name)
        if when[1:]:
            part.add("rdate", when[1:])
        component.add_component(part)
    return component


def _time(clock: str) -> time:
    return time() if clock == "24:00" else time.fromisoformat(clock)


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at // 1000, UTC)
