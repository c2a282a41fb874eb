"""One event of somebody's calendar: when it happens, by local time, and what it says of duty. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from icalendar import Component
from icalendar.prop import vBroken
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from presence.schedule import LAST_YEAR, Senseless
from presence.zones import moment, names, zone

DAY = timedelta(days=1)
END_OF_TIME = date(LAST_YEAR, 12, 31)  # a series that goes on until then goes on for ever

WEEKDAY_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
ABSENT = {"OUT OF OFFICE", "TIME OFF", "VACATION", "HOLIDAY", "ABSENCE", "LEAVE", "OOF"}
OURS = ("DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RDATE", "RECURRENCE-ID")

Kind = Literal["duty", "absence"]


class When(NamedTuple):
    """A local time and its zone; empty: whatever zone the reader is in, which is that of the schedule."""

    local: datetime
    zone: str

    def within(self, other: str, at_home: str) -> datetime:
        """The same moment on the clocks of another zone. ValueError if that can't be said there."""
        mine, theirs = self.zone or at_home, other or at_home
        if mine == theirs:
            return self.local
        at = instant(mine, self.local)
        local = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone(theirs)).replace(tzinfo=None)
        if instant(theirs, local) != at:
            raise ValueError(f"is at a time which clocks in {theirs} show twice that night: the second isn't sayable")
        return local


class Rule(NamedTuple):
    """A series of days from that of the event on."""

    every: Literal["DAILY", "WEEKLY"]
    interval: int
    weekdays: frozenset[int]
    """Empty: any day of a daily one, that of the event of a weekly one."""
    times: int | None
    last: date | None
    until: When | None
    """Of `times`, `last` and `until` one at most; without all it goes on for ever."""
    week_start: int

    @property
    def is_endless(self) -> bool:
        if self.times is not None:
            return False
        last = self.until.local.date() if self.until is not None else self.last
        return last is None or last >= END_OF_TIME


class Happening(NamedTuple):
    """An event with a length, once or again and again."""

    name: str
    """For whoever is told what is wrong with it."""
    uid: str
    kind: Kind
    reason: str
    start: When
    length: timedelta
    is_day: bool
    """Whether it is of whole days, without times."""
    rule: Rule | None
    without: tuple[When, ...]
    also: tuple[tuple[When, timedelta], ...]
    instead_of: When | None
    """It replaces this occurrence of the series with the same uid."""
    is_cancelled: bool

    def refuse(self, why: str) -> Senseless:
        return Senseless(self.name, why)

    def days(self, at_home: str) -> Iterator[date]:
        """The dates on which its rule has it begin, exceptions included; without an end if the rule has none."""
        rule, first = self.rule, self.start.local.date()
        if rule is None:
            yield first
            return
        for number, day in enumerate(_days(rule, first)):
            if (rule.times is not None and number >= rule.times) or day > END_OF_TIME or self._is_over(day, at_home):
                return
            yield day

    def last_day(self, at_home: str) -> date | None:
        """The last date on which its rule has it begin, of one that says until when, each week. Without going through
        all before: a season may have begun long ago."""
        rule, first = self.rule, self.start.local.date()
        assert rule is not None
        edge = rule.last or (rule.until.local.date() + DAY if rule.until is not None else END_OF_TIME)
        weekdays = _weekdays(rule, first)
        days = (edge - number * DAY for number in range(9))
        return next((d for d in days if d >= first and d.weekday() in weekdays and not self._is_over(d, at_home)), None)

    def _is_over(self, day: date, at_home: str) -> bool:
        rule = self.rule
        if rule is None or rule.until is None:
            return rule is not None and rule.last is not None and day > rule.last
        home = self.start.zone or at_home
        local = datetime.combine(day, self.start.local.time())
        return instant(home, local) > instant(rule.until.zone or home, rule.until.local)


def happening(event: Component) -> Happening | None:
    """What an event says; None if it takes no time of anybody. Raises Senseless of what it can't mean here."""
    name = _name(event)
    for mine in OURS:
        if any(isinstance(each, vBroken) for each in _listed(event, mine)):
            raise Senseless(name, f"its {mine} can't be read")
        if mine not in ("EXDATE", "RDATE") and len(_listed(event, mine)) > 1:
            raise Senseless(name, f"says its {mine} several times")
    try:
        return _happening(event, name)
    except Senseless:
        raise
    except ValueError as error:
        raise Senseless(name, str(error)) from error


def _happening(event: Component, name: str) -> Happening | None:
    if "DTSTART" not in event:
        raise ValueError("has no beginning")
    start, is_day = _when(event["DTSTART"])
    is_absence = is_day or _is_absent(event)
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT" and not _is_absent(event):
        return None
    length = _length(event, start, is_day)
    if length <= timedelta(0):
        return None
    return Happening(
        name,
        str(event.get("UID", name)),
        "absence" if is_absence else "duty",
        " ".join(str(event.get("SUMMARY", "")).split()),
        start,
        length,
        is_day,
        _rule(event["RRULE"], start) if "RRULE" in event else None,
        tuple(when for each in _listed(event, "EXDATE") for when, _ in _dates(each, length)),
        tuple(when for each in _listed(event, "RDATE") for when in _dates(each, length)),
        _instead_of(event),
        str(event.get("STATUS", "")).upper() == "CANCELLED",
    )


def instant(name: str, local: datetime) -> int:
    """The moment (ms) of a local time, seconds left out."""
    return moment(zone(name), local.toordinal(), local.hour * 60 + local.minute)


# --- times ----------------------------------------------------------------------------------------------------------


def _when(value: Any) -> tuple[When, bool]:
    """A local time, and whether it is a date alone."""
    said, tzid = value.dt, str(value.params.get("TZID", ""))
    return _of(said, tzid)


def _of(said: object, tzid: str) -> tuple[When, bool]:
    if isinstance(said, datetime):
        is_utc = said.tzinfo is not None and not tzid
        _refuse_year(said.date())
        return When(said.replace(tzinfo=None, microsecond=0), "UTC" if is_utc else zone_named(tzid)), False
    if type(said) is date:
        _refuse_year(said)
        return When(datetime.combine(said, time()), ""), True
    raise ValueError("has a time that is neither a date nor a moment")


@lru_cache(1000)
def zone_named(tzid: str) -> str:
    """The zone as we call it; empty: none is named. Calendars also use Windows' names, or put their own before it."""
    if not tzid or tzid in names():
        return tzid
    if tzid in WINDOWS_TO_OLSON:
        return str(WINDOWS_TO_OLSON[tzid])
    parts = tzid.split("/")
    for number in (3, 2):
        if (ending := "/".join(parts[-number:])) in names():
            return ending
    raise ValueError(f"its time zone {tzid[:60]!r} isn't known: name one like Europe/Berlin")


def _refuse_year(day: date) -> None:
    if not 1970 <= day.year <= LAST_YEAR:
        raise ValueError(f"is in the year {day.year}")


def _length(event: Component, start: When, is_day: bool) -> timedelta:
    """By the clocks of where it starts: a night shift ends at its hour, also when clocks are changed."""
    if "DTEND" in event:
        end, ends_by_day = _when(event["DTEND"])
        if ends_by_day != is_day:
            raise ValueError("begins with a date and ends with a time, or the other way round")
        return end.within(start.zone, start.zone or end.zone or "UTC") - start.local
    if "DURATION" in event:
        length = getattr(event["DURATION"], "dt", None)
        if not isinstance(length, timedelta):
            raise ValueError("has a duration that is none")
        return length
    return DAY if is_day else timedelta(0)


def _listed(event: Component, name: str) -> list[Any]:
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _dates(value: Any, length: timedelta) -> Iterator[tuple[When, timedelta]]:
    tzid = str(value.params.get("TZID", ""))
    for each in value.dts:
        said, lasts = each.dt if isinstance(each.dt, tuple) else (each.dt, length)
        when, _ = _of(said, tzid)
        if isinstance(lasts, datetime):
            lasts = _of(lasts, tzid)[0].within(when.zone, when.zone or "UTC") - when.local
        yield when, lasts


def _instead_of(event: Component) -> When | None:
    if "RECURRENCE-ID" not in event:
        return None
    if event["RECURRENCE-ID"].params.get("RANGE"):
        raise ValueError("changes this and all later ones of a series: say it as a series of its own")
    return _when(event["RECURRENCE-ID"])[0]


# --- rules ----------------------------------------------------------------------------------------------------------


def _rule(said: Any, start: When) -> Rule:
    parts = {str(part).upper(): values for part, values in said.items()}
    every = str(parts.get("FREQ", [""])[0]).upper()
    if every not in ("DAILY", "WEEKLY"):
        raise ValueError(f"repeats {every.lower() or 'in no way that is named'}: a schedule repeats by the week alone")
    if unknown := sorted(parts.keys() - RULE_PARTS):
        raise ValueError(f"repeats by {unknown[0]}: a schedule repeats by weekdays alone")
    codes = [str(code).upper() for code in parts.get("BYDAY", [])]
    if any(code not in WEEKDAY_CODES for code in codes):
        raise ValueError("repeats on some weekdays of a month: a schedule repeats on all of them")
    interval, count = int(parts.get("INTERVAL", [1])[0]), parts.get("COUNT", [None])[0]
    if not 1 <= interval <= 1000 or (count is not None and not int(count) >= 1):
        raise ValueError("repeats every so often, or so many times, as makes no sense")
    until = parts.get("UNTIL", [None])[0]
    return Rule(
        "DAILY" if every == "DAILY" else "WEEKLY",
        interval,
        frozenset(map(WEEKDAY_CODES.index, codes)),
        None if count is None else int(count),
        until if type(until) is date else None,
        _moment(until),
        WEEKDAY_CODES.index(str(parts.get("WKST", ["MO"])[0]).upper()),
    )


def _moment(until: object) -> When | None:
    if isinstance(until, datetime):
        return When(until.replace(tzinfo=None, microsecond=0), "" if until.tzinfo is None else "UTC")
    if until is None or type(until) is date:
        return None
    raise ValueError("has an end that is neither a date nor a moment")


def _days(rule: Rule, first: date) -> Iterator[date]:
    """Without an end, but for that of the calendar."""
    begin, end = first.toordinal(), END_OF_TIME.toordinal() + 2
    if rule.every == "DAILY":
        days = iter(range(begin, end, rule.interval))
    else:
        week = begin - (first.weekday() - rule.week_start) % 7
        days = (day for monday in range(week, end, 7 * rule.interval) for day in range(monday, monday + 7))
    wanted = _weekdays(rule, first)
    return (date.fromordinal(day) for day in days if day >= begin and (day - 1) % 7 in wanted)


def _weekdays(rule: Rule, first: date) -> frozenset[int]:
    return rule.weekdays or (frozenset(range(7)) if rule.every == "DAILY" else frozenset({first.weekday()}))


# --- words ----------------------------------------------------------------------------------------------------------


def _name(event: Component) -> str:
    summary = " ".join(str(event.get("SUMMARY", "")).split())[:60]
    start = event.get("DTSTART")
    said = None if isinstance(start, vBroken) else getattr(start, "dt", None)
    day = f" of {said.date() if isinstance(said, datetime) else said}" if isinstance(said, date) else ""
    return f"event {summary!r}{day}" if summary else f"event without a title{day}"


def _is_absent(event: Component) -> bool:
    if str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() == "OOF":
        return True
    found = {str(each).strip().upper() for value in _listed(event, "CATEGORIES") for each in getattr(value, "cats", [])}
    return bool(found & ABSENT)
