"""Who is on shift at a moment, and until when exactly: schedules in, shifts out. Pure.

An inbox's business hours are a schedule too: open is `on_shift`, and `back_at` is when it opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from presence.schedule import (
    ALWAYS,
    LONGEST,
    WEEKDAYS,
    Absence,
    Dated,
    Holidays,
    Minutes,
    Schedule,
    Senseless,
    TimeOff,
    Week,
    absences,
    check,
    days_named,
    minutes,
    parse,
)
from presence.zones import FIRST_DAY, LAST_DAY, day_of, moment, zone

__all__ = [
    "ALWAYS",
    "LONGEST",
    "Dated",
    "Holidays",
    "Schedule",
    "Senseless",
    "Shift",
    "TimeOff",
    "Week",
    "check",
    "parse",
    "shift_at",
    "shifts_between",
]

ShiftState = Literal["on_shift", "off_shift", "time_off"]
Why = Literal["", "holiday", "day_off", "not_started", "ended", "time_off"]
Span = tuple[int, int]

LONGEST_LOOK_DAYS = 1100  # three years of shifts are a report, more are a mistake
WEEKS_DAYS = 21  # a rule by weekday that hasn't changed anything for so long never does: one night of change is between
HOLIDAYS_DAYS = 400  # and one with public holidays: the same day of the next year
NEVER = float("inf")


class Shift(Struct, frozen=True, gc=False):
    """One answer, and how long it is the answer. All times are ms."""

    state: ShiftState
    reason: Why
    """Why not on shift, where there is more to say than that the schedule has nothing there."""
    note: str
    """The same in words: of the time off, the day off or the public holiday. For staff."""
    since: int | None
    """When it began to be the answer; None: it always was."""
    until: int | None
    """When state, reason or note change next, to the ms; None: never."""
    back_at: int | None
    """When the next shift begins; None: on shift now, or never again."""
    ends_at: int | None
    """When the present run of duty ends, joined over shifts that follow each other; None: not on shift, or no end."""
    winding_down_at: int | None
    """From when on nothing new is to be taken, within `since` and `ends_at`; None: at no time of this run."""

    @property
    def is_on(self) -> bool:
        return self.state == "on_shift"


def shift_at(schedule: Schedule, at: int) -> Shift:
    """The one answer for this instant (ms). The last one of each schedule is kept, and found again while it holds.
    Raises Senseless of a schedule that wasn't checked."""
    plan = _plan(schedule)
    begin, end, shift = plan.last
    if shift is None or not begin <= at < end:
        shift = plan.look(at)
        begin = -NEVER if shift.since is None else shift.since
        plan.last = begin, NEVER if shift.until is None else shift.until, shift
    return shift


def shifts_between(schedule: Schedule, start: int, end: int) -> list[Span]:
    """The runs of duty within both instants (ms, the end not included), in order, cut off at both: `shift_at` is
    `on_shift` inside of them and nowhere else. At most 1,100 days, else ValueError."""
    if end - start > LONGEST_LOOK_DAYS * 86_400_000:
        raise ValueError(f"shifts of at most {LONGEST_LOOK_DAYS:,} days at once")
    plan = _plan(schedule)
    duty = plan.duty(day_of(plan.zone, start) - 1, day_of(plan.zone, end) + 1)
    clipped = ((max(start, since), min(end, until)) for since, until in duty)
    return [(since, until) for since, until in clipped if since < until]


class Plan:
    """A schedule in numbers. Days are counted as `date.toordinal` does."""

    __slots__ = (
        "absences",
        "ends",
        "extra",
        "holidays",
        "hours",
        "last",
        "notes",
        "slack",
        "special",
        "starts",
        "week",
        "wind_down",
        "zone",
    )

    def __init__(self, schedule: Schedule) -> None:
        check(schedule)
        self.zone = zone(schedule.zone or "UTC")
        week = schedule.weekly
        self.week = tuple(((0, 1440),) if week is None else minutes(getattr(week, day), day) for day in WEEKDAYS)
        self.hours: dict[int, tuple[Minutes, ...]] = {}
        self.extra: dict[int, tuple[Minutes, ...]] = {}
        self.notes: dict[int, str] = {}
        for dated in schedule.dates:
            day = dated.date.toordinal()
            if dated.hours is None:
                self.extra[day] = self.extra.get(day, ()) + minutes(dated.extra, "extra")
            else:
                self.hours[day], self.notes[day] = minutes(dated.hours, "hours"), dated.reason
        self.absences = tuple(_in_turn(absences(schedule)))

        self.holidays = schedule.holidays
        self.starts = schedule.starts.toordinal() if schedule.starts else None
        self.ends = schedule.ends.toordinal() if schedule.ends else None
        self.wind_down = schedule.wind_down_minutes * 60_000
        self.slack = WEEKS_DAYS if schedule.holidays is None else HOLIDAYS_DAYS
        days = [*self.hours, *self.extra, *(day for day in (self.starts, self.ends) if day is not None)]
        days += [day_of(self.zone, edge) for absence in self.absences for edge in absence[:2]]
        self.special = (min(days), max(days)) if days else None
        self.last: tuple[float, float, Shift | None] = (NEVER, NEVER, None)
        """The answer given last, and from when to when it is the answer."""

    # --- duty ---------------------------------------------------------------------------------------------------

    def duty(self, first: int, last: int) -> list[Span]:
        """The runs of duty on these days, joined and without times off. One that goes on beyond them may be cut off."""
        spans = sorted(
            (moment(self.zone, day, start), moment(self.zone, day, end))
            for day in range(first - 1, last + 1)
            for start, end in self.intervals(day)
        )
        return list(_without(_joined(spans), self.absences))

    def intervals(self, day: int) -> tuple[Minutes, ...]:
        """Those that start on this day."""
        if (self.starts is not None and day < self.starts) or (self.ends is not None and day > self.ends):
            return ()
        hours = self.hours.get(day)
        if hours is None:
            hours = () if self.holiday(day) else self.week[(day - 1) % 7]
        return hours + self.extra.get(day, ())

    def holiday(self, day: int) -> str:
        """The public holiday's name; empty: there is none, or it isn't asked for."""
        return "" if self.holidays is None else days_named(self.holidays, date.fromordinal(day).year).get(day, "")

    # --- one answer ---------------------------------------------------------------------------------------------

    def look(self, at: int) -> Shift:
        """Look at more and more days around, until all is known or nothing more can come."""
        today = day_of(self.zone, at)
        low, high = self.special or (today, today)
        enough = max(today - low, high - today, 0) + self.slack
        reach = 4  # a weekend and a day
        while True:
            reach = min(reach, enough)
            shift, is_known = self._look_within(at, max(today - reach, FIRST_DAY), min(today + reach, LAST_DAY))
            if is_known or reach == enough:
                return shift
            reach *= 4

    def _look_within(self, at: int, first: int, last: int) -> tuple[Shift, bool]:
        """The answer as these days have it, and whether it is the whole one."""
        left, right = moment(self.zone, first, 0), moment(self.zone, last + 1, 0)
        duty = self.duty(first, last)
        off = next((absence for absence in self.absences if absence.start <= at < absence.end), None)
        on = next((run for run in duty if run[0] <= at < run[1]), None)
        since, until = off[:2] if off else on or self._between(at, duty)
        if off is None:
            since = since if since is not None and since > left else None
            until = until if until is not None and until < right else None
        back_at = None if on else min((run[0] for run in duty if at < run[0] < right), default=None)
        is_known = since is not None and until is not None and (on is not None or back_at is not None)
        if off:
            return Shift("time_off", "time_off", off.reason, since, until, back_at, None, None), is_known
        if on:
            return Shift("on_shift", "", "", since, until, None, until, self._winding_down(since, until)), is_known
        reason, note = self._why_off(since, until, max(since or left, left), min(until or right, right))
        return Shift("off_shift", reason, note, since, until, back_at, None, None), is_known

    def _between(self, at: int, duty: list[Span]) -> tuple[int | None, int | None]:
        """The last end and the next start of anything."""
        spans = [*duty, *(absence[:2] for absence in self.absences)]
        since = max((end for _, end in spans if end <= at), default=None)
        return since, min((start for start, _ in spans if start > at), default=None)

    def _winding_down(self, since: int | None, until: int | None) -> int | None:
        if until is None or not self.wind_down:
            return None
        return until - self.wind_down if since is None else max(since, until - self.wind_down)

    def _why_off(self, since: int | None, until: int | None, start: int, end: int) -> tuple[Why, str]:
        """Said of the whole time without duty, so that it doesn't change within: the first of its days off names it."""
        if self.starts is not None and (since is None or since < moment(self.zone, self.starts, 0)):
            return "not_started", ""
        if self.ends is not None and (until is None or until > moment(self.zone, self.ends + 1, 0)):
            return "ended", ""
        for day in range(day_of(self.zone, start), day_of(self.zone, end - 1) + 1):
            if self.hours.get(day) == ():
                return "day_off", self.notes[day]
            if self.week[(day - 1) % 7] and day not in self.hours and (name := self.holiday(day)):
                return "holiday", name
        return "", ""


_plan = lru_cache(10_000)(Plan)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in order of their start, those that touch or overlap made one, and those without length left out."""
    last: Span | None = None
    for start, end in spans:
        if last is not None and start <= last[1]:
            last = (last[0], max(end, last[1]))
        elif start < end:
            if last is not None:
                yield last
            last = (start, end)
    if last is not None:
        yield last


def _without(spans: Iterable[Span], absences: tuple[Absence, ...]) -> Iterator[Span]:
    """What is left of spans in order, without absences in order."""
    for start, end in spans:
        for off in absences:
            if off.end <= start or off.start >= end:
                continue
            if start < off.start:
                yield start, off.start
            start = off.end
        if start < end:
            yield start, end


def _in_turn(absences: Iterable[Absence]) -> list[Absence]:
    """One after the other: of several at once, the one that began first counts to its end. Those that follow each other
    with the same reason are one."""
    turns: list[Absence] = []
    for off in sorted(absences, key=lambda off: (off.start, -off.end)):
        start = max(off.start, turns[-1].end) if turns else off.start
        if start >= off.end:
            continue
        if turns and turns[-1].end == start and turns[-1].reason == off.reason:
            turns[-1] = turns[-1]._replace(end=off.end)
        else:
            turns.append(off._replace(start=start))
    return turns
