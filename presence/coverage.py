"""How many are on and when, as planned and as it was, and where too few are. Pure.

Moments are ms since 1970 (UTC). An interval holds its start and not its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import accumulate, groupby, pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from presence.availability import AT_WORK
from presence.schedule import Schedule, absences
from presence.shifts import shifts_between
from presence.zones import day_of, moment, zone

Interval = tuple[int, int]

HOUR = 3_600_000  # ms


class Plan(Struct, frozen=True):
    """When one agent is to work in a period. Intervals in any order; they may overlap."""

    agent: str
    zone: str
    on: tuple[Interval, ...]
    off: tuple[Interval, ...] = ()
    """When no extra shift may be asked for: time off, before the first day and after the last one."""


class Stretch(Struct, frozen=True, gc=False):
    """So many are on from its start to its end."""

    start: int
    end: int
    count: int


class Gap(Struct, frozen=True, gc=False):
    """Fewer than wanted are on, all the time from its start to its end."""

    start: int
    end: int
    fewest: int
    missing: int
    """What one person would have to work to close it, in ms; several count each."""


class Week(Struct, frozen=True, gc=False):
    """A week from Monday to Monday, or as much of it as the period holds."""

    start: int
    end: int
    covered: int
    """For how long as many as wanted are on (ms)."""

    @property
    def hours(self) -> float:
        """168 as a rule; 167 and 169 when the clocks change."""
        return (self.end - self.start) / HOUR

    @property
    def share(self) -> float:
        return self.covered / (self.end - self.start)


class Line(Struct, frozen=True, gc=False):
    """Since when a member has had a status, of the log."""

    member: str
    at: int
    status: str
    reason: str = ""


def plan_of(agent: str, schedule: Schedule, start: int, end: int) -> Plan:
    """What a schedule says of a period. Days off and times off, and what is outside of the season, are off; a public
    holiday isn't: one may ask."""
    place = zone(schedule.zone or "UTC")
    days_off = [dated.date.toordinal() for dated in schedule.dates if dated.hours == ()]
    off = [(absence.start, absence.end) for absence in absences(schedule)]
    off += [(moment(place, day, 0), moment(place, day + 1, 0)) for day in days_off]
    if schedule.starts is not None:
        off.append((start, moment(place, schedule.starts.toordinal(), 0)))
    if schedule.ends is not None:
        off.append((moment(place, schedule.ends.toordinal() + 1, 0), end))
    on = shifts_between(schedule, start, end)
    return Plan(agent, schedule.zone or "UTC", tuple(on), tuple(merged(off, start, end)))


# --- how many are on ---------------------------------------------------------------------------------------------


def planned(plans: Iterable[Plan], start: int, end: int) -> tuple[Stretch, ...]:
    """How many are to be on, from the start to the end without a hole; two neighbours never have the same count."""
    return _counted((plan.on for plan in plans), start, end)


def actual(lines: Iterable[Line], start: int, end: int) -> tuple[Stretch, ...]:
    """How many were at work: present and on shift, and not away. Whoever is full is at work too.

    The last line of each member before the start belongs to it; who has none is taken for offline until the first one.
    """
    at_work: dict[str, list[Interval]] = {}
    ordered = sorted(lines, key=lambda line: (line.member, line.at))  # stable: of one moment the last one counts
    for member, of_member in groupby(ordered, key=lambda line: line.member):
        known = [(line.at, _is_at_work(line)) for line in of_member] + [(end, False)]
        at_work[member] = [(since, until) for (since, is_on), (until, _) in pairwise(known) if is_on]
    return _counted(at_work.values(), start, end)


def _is_at_work(line: Line) -> bool:
    return line.status == "accepting_chats" or (line.status == "not_accepting_chats" and line.reason in AT_WORK)


def _counted(each: Iterable[Iterable[Interval]], start: int, end: int) -> tuple[Stretch, ...]:
    steps = {start: 0, end: 0}
    for intervals in each:
        for begin, finish in merged(intervals, start, end):
            steps[begin] = steps.get(begin, 0) + 1
            steps[finish] = steps.get(finish, 0) - 1
    moments = sorted(moment for moment, step in steps.items() if step or moment in (start, end))
    counts = accumulate(steps[moment] for moment in moments)
    return tuple(Stretch(*between, count) for between, count in zip(pairwise(moments), counts, strict=False))


def merged(intervals: Iterable[Interval], start: int, end: int) -> list[Interval]:
    """In order, apart from each other and within these bounds."""
    apart: list[Interval] = []
    for begin, finish in sorted(intervals):
        begin, finish = max(begin, start), min(finish, end)
        if finish <= begin:
            continue
        if apart and begin <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(finish, apart[-1][1]))
        else:
            apart.append((begin, finish))
    return apart


# --- how many are missing ------------------------------------------------------------------------------------------


def gaps(stretches: Iterable[Stretch], least: int) -> tuple[Gap, ...]:
    """Where fewer than `least` are on. Neighbours are one gap."""
    found = []
    for is_gap, group in groupby(stretches, key=lambda stretch: stretch.count < least):
        if is_gap:
            parts = list(group)
            missing = sum((least - part.count) * (part.end - part.start) for part in parts)
            found.append(Gap(parts[0].start, parts[-1].end, min(part.count for part in parts), missing))
    return tuple(found)


def local_times(gap: Gap, zones: Collection[str]) -> dict[str, tuple[str, str]]:
    """Its start and end as the clocks of each zone show them, like `2026-03-29T03:00+03:00`."""
    return {name: (_shown(gap.start, zone(name)), _shown(gap.end, zone(name))) for name in zones}


def _shown(at: int, place: ZoneInfo) -> str:
    return clock_at(at, place).isoformat(timespec="minutes")


def clock_at(at: int, place: ZoneInfo) -> datetime:
    """What a clock there shows."""
    return datetime.fromtimestamp(at / 1000, place)


def by_hour(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The fewest that are on in each hour, counted from the start: a week of them is 168, but 167 or 169 when the
    clocks change."""
    fewest: dict[int, int] = {}
    ordered = list(stretches)
    start, end = ordered[0].start, ordered[-1].end
    for part in ordered:
        for hour in range((part.start - start) // HOUR, -((start - part.end) // HOUR)):
            fewest[hour] = min(part.count, fewest.get(hour, part.count))
    return tuple(
        Stretch(start + hour * HOUR, min(end, start + (hour + 1) * HOUR), count) for hour, count in fewest.items()
    )


def weeks(stretches: Sequence[Stretch], least: int, place: str) -> tuple[Week, ...]:
    """How much of each week, as the calendar of this zone has it, at least so many are on."""
    start, end = stretches[0].start, stretches[-1].end
    bounds = [start]
    while (following := next_monday(bounds[-1], place)) < end:
        bounds.append(following)
    return tuple(Week(*week, _covered(stretches, least, *week)) for week in pairwise([*bounds, end]))


def next_monday(at: int, place: str) -> int:
    """When the next week begins after this moment, by the calendar of this zone."""
    today = day_of(zone(place), at)
    return moment(zone(place), today + 7 - (today - 1) % 7, 0)  # day 1 of `date.toordinal` was a Monday


def _covered(stretches: Iterable[Stretch], least: int, start: int, end: int) -> int:
    return sum(max(0, min(part.end, end) - max(part.start, start)) for part in stretches if part.count >= least)
