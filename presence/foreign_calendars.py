"""Reads a schedule out of a calendar, as far as a schedule can say it, and refuses the rest by the event's name. Pure.

A series by weekdays without an end becomes a part of the week. Everything that ends is told date by date. Events of
whole days, and those that are out of office, are time off; those that take no time (TRANSP:TRANSPARENT) or are
cancelled are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple

from icalendar import Calendar

from presence.calendars import ANCHOR, HOLIDAYS, ON_SHIFT, TIME_OFF, WIND_DOWN
from presence.happenings import DAY, Happening, When, happening, zone_named
from presence.schedule import (
    LONGEST_REASON,
    WEEKDAYS,
    Dated,
    Holidays,
    Interval,
    Schedule,
    Senseless,
    TimeOff,
    Week,
    check,
    days_named,
)
from presence.zones import names

MOST_BYTES = 1_048_576
MOST_EVENTS = 2000
MOST_OCCURRENCES = 20_000  # of all events, old ones and exceptions too
MOST_WEEKS = 520  # by which one series may begin or end apart from another: each takes dates
LONGEST_SHIFT = timedelta(days=14)
BEGINNING = ANCHOR + timedelta(days=11)  # whatever begins before 2000 has no beginning


class Line(NamedTuple):
    """One interval on one weekday, week after week."""

    weekday: int
    interval: Interval
    begin: date
    last: date
    without: frozenset[date]

    def is_on(self, day: date) -> bool:
        return day.weekday() == self.weekday and self.begin <= day <= self.last and day not in self.without


def read(data: bytes, zone: str = "", since: date = BEGINNING) -> Schedule:
    """The schedule of a calendar, checked. `zone` is for local times that name none, unless the calendar says its own.
    Nothing before `since` is read, and a series that has begun by then has no beginning. A year of single shifts takes
    0.3 s, the worst calendar 2 s: not on the event loop. Raises Senseless, whose `field` is the event."""
    calendar = _calendar(data)
    happenings = _happenings(calendar)
    reading = _Reading(_home(calendar, happenings, zone), max(since, BEGINNING))
    try:
        reading.take(happenings)
    except OverflowError as error:
        raise Senseless("", "the calendar has a date beyond all calendars") from error
    schedule = reading.schedule(_holidays(calendar), _wind_down(calendar))
    check(schedule)
    return schedule


class _Reading:
    """What the events say of one person, collected."""

    def __init__(self, home: str, since: date) -> None:
        self.home = home
        self.since = since
        self.left = MOST_OCCURRENCES
        self.lines: list[Line] = []
        self.single: dict[date, list[Interval]] = {}
        self.reasons: dict[date, str] = {}
        self.time_off: list[TimeOff] = []

    def take(self, happenings: list[Happening]) -> None:
        weekly = self._weekly(happenings)
        for each in happenings:
            if each.kind == "absence":
                self._take_absence(each)
            elif any(each is series for series in weekly):
                self._take_series(each)
            else:
                for when, length in self._occurrences(each):
                    self._take(each, when, length)

    def schedule(self, where: Holidays | None, wind_down: int) -> Schedule:
        week = {
            weekday: tuple(sorted({line.interval for line in self.lines if line.weekday == number}))
            for number, weekday in enumerate(WEEKDAYS)
        }
        starts = min((*(line.begin for line in self.lines), *self.single)) if self.lines else None
        if any(line.begin <= self.since for line in self.lines):
            starts = None
        lasts = [line.last for line in self.lines]
        ends = max((*lasts, *self.single)) if lasts and date.max not in lasts else None
        dates = self._dated(where, starts or self.since, ends or date.max)
        return Schedule(self.home, Week(**week), tuple(dates), tuple(self.time_off), where, starts, ends, wind_down)

    def _weekly(self, happenings: list[Happening]) -> list[Happening]:
        """What makes the week: the series without an end; if there are none, those that end in the same, last week."""
        endless = [each for each in happenings if _is_of_the_week(each)]
        if endless:
            return endless
        series = [each for each in happenings if each.kind == "duty" and each.rule and each.rule.interval == 1]
        ended = [(each, self._last(each)) for each in series if each.start.zone in ("", self.home)]
        top = max((last for _, last in ended if last is not None), default=None)
        return [each for each, last in ended if top is not None and last is not None and last > top - 7 * DAY]

    def _last(self, each: Happening) -> date | None:
        assert each.rule is not None
        return each.last_day(self.home) if each.rule.times is None else max(self._days(each), default=None)

    def _days(self, each: Happening) -> list[date]:
        """On which it begins, of what has an end."""
        days = list(islice(each.days(self.home), self.left + 1))
        self._spend(each, len(days))
        return days

    def _spend(self, each: Happening, number: int) -> None:
        self.left -= number
        if self.left < 0:
            raise each.refuse(f"is where the calendar comes to more than {MOST_OCCURRENCES:,} occurrences")

    def _occurrences(self, each: Happening) -> Iterator[tuple[When, timedelta]]:
        """All of what has an end, those it was given beside its rule too."""
        if each.rule is not None and each.rule.is_endless:
            raise each.refuse("repeats without an end in a way that a week can't say: give it an end")
        without = self._without(each)
        for day in self._days(each):
            if day not in without:
                yield When(datetime.combine(day, each.start.local.time()), each.start.zone), each.length
        yield from each.also

    def _without(self, each: Happening) -> set[date]:
        self._spend(each, len(each.without))
        return {when.within(each.start.zone, self.home).date() for when in each.without}

    # --- duty -----------------------------------------------------------------------------------------------------

    def _take_series(self, each: Happening) -> None:
        if each.start.zone not in ("", self.home):
            raise each.refuse(f"repeats in {each.start.zone}: a week has one zone, here it is {self.home}")
        days, without = list(islice(each.days(self.home), 7)), self._without(each)
        last = None if each.rule is None or each.rule.is_endless else self._last(each)
        for first in {day.weekday(): day for day in reversed(days)}.values():
            begin = datetime.combine(first, each.start.local.time())
            for offset, interval in _pieces(each, begin, each.length):
                day, gone = first + offset, frozenset(gap + offset for gap in without)
                self.lines.append(Line(day.weekday(), interval, day, date.max if last is None else last + offset, gone))
        for when, length in each.also:
            self._take(each, when, length)

    def _take(self, each: Happening, when: When, length: timedelta) -> None:
        """A shift of one date."""
        begin = _said(each, when, self.home)
        if when.zone not in ("", self.home):
            length = _said(each, When(when.local + length, when.zone), self.home) - begin
        for offset, interval in _pieces(each, begin, length):
            day = begin.date() + offset
            if day >= self.since:
                self.single.setdefault(day, []).append(interval)
                if each.reason != ON_SHIFT:
                    self.reasons.setdefault(day, each.reason[:LONGEST_REASON])

    def _dated(self, where: Holidays | None, first: date, last: date) -> Iterator[Dated]:
        """The dates on which it isn't what the week and the holidays say."""
        special = {*self.single, *(gap for line in self.lines for gap in line.without)}
        for line in self.lines:
            special |= _each_week(line.begin, first, -7) | _each_week(line.last, last, 7)
        special = {day for day in special if first <= day <= last}
        for day in sorted(special):
            of_the_week = {line.interval for line in self.lines if line.weekday == day.weekday()}
            if where is not None and day.toordinal() in days_named(where, day.year):
                of_the_week = set()
            real = {line.interval for line in self.lines if line.is_on(day)} | set(self.single.get(day, ()))
            reason = self.reasons.get(day, "")
            if real > of_the_week:
                yield Dated(day, None, tuple(sorted(real - of_the_week)), reason)
            elif real != of_the_week:
                yield Dated(day, tuple(sorted(real)), (), reason)

    # --- time off -------------------------------------------------------------------------------------------------

    def _take_absence(self, each: Happening) -> None:
        reason = "" if each.reason == TIME_OFF else each.reason[:LONGEST_REASON]
        for when, length in self._occurrences(each):
            end = when.local + length
            if end.date() < self.since:
                continue
            if each.is_day:
                day = max(when.local.date(), self.since + DAY)
                self.time_off.append(TimeOff(str(day), str((end - DAY).date()), reason))
            elif when.zone in ("", self.home):
                self.time_off.append(TimeOff(f"{when.local:%Y-%m-%dT%H:%M}", f"{_up(end):%Y-%m-%dT%H:%M}", reason))
            else:
                edges = (When(each, when.zone).within("UTC", self.home) for each in (when.local, _up(end)))
                start, stop = (f"{edge:%Y-%m-%dT%H:%MZ}" for edge in edges)
                self.time_off.append(TimeOff(start, stop, reason))


def _calendar(data: bytes) -> Calendar:
    if len(data) > MOST_BYTES:
        raise Senseless("", f"a calendar has at most {MOST_BYTES:,} bytes, this one has {len(data):,}")
    try:
        calendar = Calendar.from_ical(_without_zones(data))
    except Exception as error:  # whatever the parser trips over is the text's fault
        raise Senseless("", f"this isn't a calendar that can be read: {str(error)[:100]}") from error
    if not isinstance(calendar, Calendar):
        raise Senseless("", "this isn't a calendar: it begins with something else than VCALENDAR")
    return calendar


def _without_zones(data: bytes) -> bytes:
    """A calendar says its zones again in words of its own, which may be wrong or broken: we know them by name."""
    kept, is_zone = [], False
    for line in data.splitlines(keepends=True):
        said = line.strip().upper()
        is_zone = is_zone or said == b"BEGIN:VTIMEZONE"
        if not is_zone:
            kept.append(line)
        is_zone = is_zone and said != b"END:VTIMEZONE"
    return b"".join(kept)


def _happenings(calendar: Calendar) -> list[Happening]:
    events = calendar.walk("VEVENT")
    if len(events) > MOST_EVENTS:
        raise Senseless("", f"a calendar has at most {MOST_EVENTS:,} events, this one has {len(events):,}")
    found = [each for each in map(happening, events) if each is not None]
    replaced: dict[str, list[When]] = {}
    for each in found:
        if each.instead_of is not None:
            replaced.setdefault(each.uid, []).append(each.instead_of)
    return [
        each._replace(without=(*each.without, *replaced.get(each.uid, ()))) if each.instead_of is None else each
        for each in found
        if not each.is_cancelled
    ]


def _home(calendar: Calendar, happenings: list[Happening], zone: str) -> str:
    """The zone of the series without an end, as they mean the same local time all year; else that of the calendar."""
    endless = {each.start.zone: each for each in happenings if _is_of_the_week(each) and each.start.zone}
    if len(endless) > 1:
        first, second, *_ = endless.values()
        zones = f"{second.start.zone}, and {first.name} in {first.start.zone}"
        raise second.refuse(f"repeats without an end in {zones}: a week has one zone")
    try:
        said = zone_named(str(calendar.get("X-WR-TIMEZONE", "")).strip())
    except ValueError:
        said = ""
    home = next(iter(endless), "") or said or zone or next((e.start.zone for e in happenings if e.start.zone), "")
    if not home:
        raise Senseless("zone", "the calendar names no time zone: say whose local times these are")
    if home not in names():
        raise Senseless("zone", f"{home[:40]!r} isn't the name of a time zone, like Europe/Berlin")
    return home


def _is_of_the_week(each: Happening) -> bool:
    return each.kind == "duty" and each.rule is not None and each.rule.is_endless and each.rule.interval == 1


def _pieces(each: Happening, begin: datetime, length: timedelta) -> Iterator[tuple[timedelta, Interval]]:
    """Intervals of at most a day, each with the days from the first date to its own."""
    end = begin + length
    if end.time() == time(23, 59, 59):
        end += timedelta(seconds=1)
    if begin.second or end.second:
        raise each.refuse("begins or ends at a second: a schedule knows minutes")
    if length > LONGEST_SHIFT:
        raise each.refuse(f"is a shift of more than {LONGEST_SHIFT.days} days")
    first = begin.date()
    while end - begin > DAY:
        yield begin.date() - first, (f"{begin:%H:%M}", "24:00")
        begin = datetime.combine(begin.date() + DAY, time())
    if begin < end:
        yield begin.date() - first, (f"{begin:%H:%M}", "24:00" if end.time() == time() else f"{end:%H:%M}")


def _said(each: Happening, when: When, home: str) -> datetime:
    try:
        return when.within(home, home)
    except ValueError as error:
        raise each.refuse(str(error)) from error


def _each_week(begin: date, end: date, step: int) -> set[date]:
    """From a day on, not itself, to the other."""
    if begin in (date.min, date.max) or end in (date.min, date.max):
        return set()
    days = range(begin.toordinal() + step, end.toordinal() + (1 if step > 0 else -1), step)
    if len(days) > MOST_WEEKS:
        raise Senseless(
            "", "one series of the calendar begins or ends years apart from another: read it from a later date"
        )
    return set(map(date.fromordinal, days))


def _up(end: datetime) -> datetime:
    """To the next whole minute: whoever is off until 23:59:59 is off until midnight."""
    return end + timedelta(seconds=-end.second % 60)


def _holidays(calendar: Calendar) -> Holidays | None:
    country, _, subdivision = str(calendar.get(HOLIDAYS, "")).strip().partition("-")
    return Holidays(country, subdivision) if country else None


def _wind_down(calendar: Calendar) -> int:
    said = str(calendar.get(WIND_DOWN, "0")).strip()
    if not (said.isascii() and said.isdigit() and len(said) < 6):
        raise Senseless(WIND_DOWN, f"{said[:20]!r} isn't a number of minutes")
    return int(said)
