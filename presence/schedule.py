"""What an admin can say about somebody's shifts, or about an inbox's hours: a JSON document, read and checked. Pure.

Every shift belongs to the local date at which it starts: what is said for a date (a day off, a public holiday, the last
day of a season) concerns the shifts that start on it, and an overnight one is worked to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import holidays
import msgspec
from msgspec import Struct, field

from presence.zones import moment, zone

LONGEST = 32_768  # characters of a document: thousands of them are kept read
MOST_INTERVALS = 12  # of one date
MOST_DATES = 400  # a year's shifts of five days a week, and some more
MOST_TIME_OFF = 200
LONGEST_REASON = 200  # characters
MOST_WIND_DOWN = 240  # minutes
FIRST_YEAR, LAST_YEAR = 2000, 2099  # a date beyond is a slip of the finger
DAY = 1440  # minutes

Interval = tuple[str, str]
Minutes = tuple[int, int]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}\Z", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ?\Z", re.ASCII)


class Senseless(ValueError):
    """A schedule that can't be meant. `field` is where, as in `weekly.mon[1]`."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field
        self.why = why


class Strict(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, cache_hash=True):
    """A misspelt field is refused, not ignored."""


class Week(Strict, frozen=True):
    """Intervals of local time by the weekday on which they start."""

    mon: tuple[Interval, ...] = ()
    tue: tuple[Interval, ...] = ()
    wed: tuple[Interval, ...] = ()
    thu: tuple[Interval, ...] = ()
    fri: tuple[Interval, ...] = ()
    sat: tuple[Interval, ...] = ()
    sun: tuple[Interval, ...] = ()


class Dated(Strict, frozen=True):
    """What is different on one date: other `hours` instead of the week's (none: a day off), or `extra` ones."""

    date: date
    hours: tuple[Interval, ...] | None = None
    extra: tuple[Interval, ...] = ()
    reason: str = ""


class TimeOff(Strict, frozen=True):
    """From and to: local dates, of which the last is off too, or moments, as in `2026-08-03T14:00` (local) or
    `2026-08-03T14:00Z`."""

    start: str = field(name="from")
    end: str = field(name="to")
    reason: str = ""


class Holidays(Strict, frozen=True):
    """Public holidays, on which the week's shifts don't start. Codes as in ISO 3166."""

    country: str
    subdivision: str = ""


class Schedule(Strict, frozen=True):
    """An empty one means always. Without `weekly` it is around the clock, but for what the rest takes away."""

    zone: str = ""
    weekly: Week | None = None
    dates: tuple[Dated, ...] = ()
    time_off: tuple[TimeOff, ...] = ()
    holidays: Holidays | None = None
    starts: date | None = None
    ends: date | None = None
    """The first and last local date on which a shift may start; also for what `dates` say."""
    wind_down_minutes: int = 0


ALWAYS = Schedule()


class Absence(NamedTuple):
    """A time off in ms, end not included."""

    start: int
    end: int
    reason: str


@lru_cache(10_000)
def parse(document: str) -> Schedule:
    """The schedule of a JSON document, checked. An empty document is always on shift. Raises Senseless."""
    if not document.strip():
        return ALWAYS
    if len(document) > LONGEST:
        raise Senseless("", f"a schedule has at most {LONGEST:,} characters, this one has {len(document):,}")
    try:
        schedule = msgspec.json.decode(document, type=Schedule)
    except msgspec.MsgspecError as error:
        why, _, path = str(error).partition(" - at `$")
        raise Senseless(path.rstrip("`").lstrip("."), why) from error
    check(schedule)
    return schedule


def check(schedule: Schedule) -> None:
    """Refuse what can't be meant: raises Senseless, which names the field. Overlapping intervals are allowed and mean
    all that is covered by any of them: nights and mornings may overlap, and on some nights clocks make them."""
    if not schedule.zone and schedule != ALWAYS:
        raise Senseless("zone", "is missing: a local time means nothing without its zone")
    _refuse_unknown_zone(schedule.zone or "UTC")
    for weekday in WEEKDAYS:
        minutes(getattr(schedule.weekly or Week(), weekday), f"weekly.{weekday}")
    _check_dates(schedule)
    _bound("time_off", len(schedule.time_off), MOST_TIME_OFF, "entries")
    for _ in absences(schedule):
        pass
    if schedule.holidays is not None:
        days_named(schedule.holidays, 2026)
    for name, day in (("starts", schedule.starts), ("ends", schedule.ends)):
        _check_year(name, day)
    if schedule.starts and schedule.ends and schedule.ends < schedule.starts:
        raise Senseless("ends", f"{schedule.ends} is before {schedule.starts}, when it starts")
    if not 0 <= schedule.wind_down_minutes <= MOST_WIND_DOWN:
        raise Senseless("wind_down_minutes", f"is from 0 to {MOST_WIND_DOWN}, not {schedule.wind_down_minutes}")


def minutes(intervals: tuple[Interval, ...], path: str) -> tuple[Minutes, ...]:
    """Intervals as minutes from the midnight with which their date begins. Raises Senseless."""
    _bound(path, len(intervals), MOST_INTERVALS, "intervals")
    return tuple(_interval(each, f"{path}[{number}]") for number, each in enumerate(intervals))


def absences(schedule: Schedule) -> Iterator[Absence]:
    """Its times off, as they are listed. Raises Senseless."""
    for number, each in enumerate(schedule.time_off):
        path = f"time_off[{number}]"
        _check_reason(path, each.reason)
        start, end = _edge(schedule, each.start, f"{path}.from", 0), _edge(schedule, each.end, f"{path}.to", 1)
        is_day = "T" not in each.end and each.start[:10] <= each.end  # perhaps one that a country skipped
        if end < start or (end == start and not is_day):
            raise Senseless(f"{path}.to", f"{each.end} isn't after {each.start}")
        yield Absence(start, end, each.reason)


@lru_cache(1000)
def days_named(where: Holidays, year: int) -> dict[int, str]:
    """The public holidays of a year by day (`date.toordinal`), as the country calls them. Raises Senseless."""
    if not COUNTRY.match(where.country):  # whatever else the package has by a name isn't a country
        raise Senseless("holidays.country", f"{where.country[:20]!r} isn't a country's two capital letters")
    try:
        named = holidays.country_holidays(where.country, subdiv=where.subdivision or None, years=year)
    except NotImplementedError as error:
        raise Senseless("holidays", f"none are known of {where.country} {where.subdivision[:20]}".rstrip()) from error
    return {day.toordinal(): name for day, name in named.items()}


def _check_dates(schedule: Schedule) -> None:
    _bound("dates", len(schedule.dates), MOST_DATES, "entries")
    with_hours: set[date] = set()
    for number, each in enumerate(schedule.dates):
        path = f"dates[{number}]"
        _check_year(f"{path}.date", each.date)
        _check_reason(path, each.reason)
        if (each.hours is None) == (not each.extra):
            raise Senseless(path, "has either hours or extra: hours instead of the week's, extra ones beside them")
        if each.hours is not None and each.date in with_hours:
            raise Senseless(f"{path}.hours", f"another entry says them for {each.date}")
        if each.hours is not None:
            with_hours.add(each.date)
        minutes(each.extra if each.hours is None else each.hours, f"{path}.{'extra' if each.extra else 'hours'}")


def _interval(interval: Interval, path: str) -> Minutes:
    start = _minute(interval[0], f"{path}[0]")
    end = DAY if interval[1] == "24:00" else _minute(interval[1], f"{path}[1]")
    return start, end if end > start else end + DAY


def _minute(clock: str, path: str) -> int:
    found = CLOCK.match(clock)
    if found is None:
        raise Senseless(path, f"{clock[:20]!r} is no time of day, like 09:00; the last is 23:59, an end may be 24:00")
    return int(found[1]) * 60 + int(found[2])


def _edge(schedule: Schedule, text: str, path: str, days: int) -> int:
    """The moment (ms). A date alone is its beginning, or after so many days."""
    try:
        if MOMENT.match(text):
            local = datetime.fromisoformat(text.removesuffix("Z"))
        else:
            local = datetime.combine(date.fromisoformat(text), datetime.min.time()) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise Senseless(path, f"{text[:30]!r} is neither a date nor a moment, like 2026-08-03T14:00") from error
    _check_year(path, local.date() - timedelta(days=days))
    place = "UTC" if text.endswith("Z") else schedule.zone
    return moment(zone(place), local.toordinal(), local.hour * 60 + local.minute)


def _refuse_unknown_zone(name: str) -> None:
    try:
        zone(name)
    except ValueError as error:
        raise Senseless("zone", str(error)) from error


def _check_year(path: str, day: date | None) -> None:
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Senseless(path, f"{day} isn't between the years {FIRST_YEAR} and {LAST_YEAR}")


def _check_reason(path: str, reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise Senseless(f"{path}.reason", f"has at most {LONGEST_REASON} characters")


def _bound(path: str, number: int, most: int, what: str) -> None:
    if number > most:
        raise Senseless(path, f"has at most {most} {what}, not {number}")
