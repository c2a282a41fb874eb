"""How many are on and when, as planned and as it was; and which extra shift closes the most of what is missing. Pure.

Moments are ms since 1970 (UTC). An interval holds its start and not its end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, groupby, pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from presence.availability import AT_WORK
from presence.schedule import Schedule, absences
from presence.shifts import shifts_between
from presence.zones import day_of, moment, zone

Interval = tuple[int, int]

HOUR = 3_600_000  # ms
LENGTHS = (4, 5, 6, 7, 8)  # hours of an extra shift: less isn't worth the way, more isn't asked of anybody
NIGHT = frozenset((22, 23, 0, 1, 2, 3, 4, 5))  # hours of the clock that are asked for last


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


class Extra(Struct, frozen=True, gc=False):
    """A shift that isn't planned yet, and for how long it closes a gap (ms)."""

    agent: str
    start: int
    end: int
    closes: int


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
    return Plan(agent, schedule.zone or "UTC", tuple(on), tuple(_merged(off, start, end)))


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
        for begin, finish in _merged(intervals, start, end):
            steps[begin] = steps.get(begin, 0) + 1
            steps[finish] = steps.get(finish, 0) - 1
    moments = sorted(moment for moment, step in steps.items() if step or moment in (start, end))
    counts = accumulate(steps[moment] for moment in moments)
    return tuple(Stretch(*between, count) for between, count in zip(pairwise(moments), counts, strict=False))


def _merged(intervals: Iterable[Interval], start: int, end: int) -> list[Interval]:
    """In order, apart from each other and within these bounds."""
    merged: list[Interval] = []
    for begin, finish in sorted(intervals):
        begin, finish = max(begin, start), min(finish, end)
        if finish <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(finish, merged[-1][1]))
        else:
            merged.append((begin, finish))
    return merged


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
    return _clock(at, place).isoformat(timespec="minutes")


def _clock(at: int, place: ZoneInfo) -> datetime:
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


# --- which shift would help the most -------------------------------------------------------------------------------


def extra_shifts(plans: Iterable[Plan], start: int, end: int, least: int, many: int = 1) -> tuple[Extra, ...]:
    """One after the other, the shift that closes the most of what the earlier ones have left; fewer when nothing is
    left to close or nobody is free.

    A shift has 4 to 8 whole hours and begins on a whole hour of the agent's own clock; the agent neither works then
    nor is off. Of those that close as much, the shortest; then the one with the fewest hours of the agent's night, for
    whoever has the fewest hours planned; then the earliest.
    """
    known = {plan.agent: plan for plan in plans}
    clocks = {place: _Clock(place, start, end) for place in {plan.zone for plan in known.values()}}
    chosen: list[Extra] = []
    while len(chosen) < many and (extra := _best(known.values(), clocks, start, end, least)) is not None:
        chosen.append(extra)
        plan = known[extra.agent]
        known[extra.agent] = Plan(plan.agent, plan.zone, (*plan.on, (extra.start, extra.end)), plan.off)
    return tuple(chosen)


def _best(plans: Collection[Plan], clocks: Mapping[str, _Clock], start: int, end: int, least: int) -> Extra | None:
    """From the shifts that close the most to those that close the least, until somebody has the time."""
    agents: dict[str, list[_Agent]] = {}
    for plan in plans:
        agents.setdefault(plan.zone, []).append(_Agent(plan, start, end))
    for closes, hours, starts in _ranked(_Lack(gaps(planned(plans, start, end), least)), clocks, end):
        for kindest in _by_night(clocks, starts, hours):
            free = [
                (agent.planned, at, agent.name)
                for place, at in kindest
                for agent in agents[place]
                if agent.is_free(at, at + hours * HOUR)
            ]
            if free:
                _, at, name = min(free)
                return Extra(name, at, at + hours * HOUR, closes)
    return None


def _ranked(lack: _Lack, clocks: Mapping[str, _Clock], end: int) -> Iterator[tuple[int, int, list[int]]]:
    """What a shift closes, its hours, and when it may begin."""
    begins: set[int] = set().union(*(clock.starts for clock in clocks.values()))
    shifts = sorted(
        (-closes, hours, at)
        for at in begins
        for hours in LENGTHS
        if at + hours * HOUR <= end and (closes := lack.between(at, at + hours * HOUR))
    )
    for (negative, hours), same in groupby(shifts, key=lambda shift: shift[:2]):
        yield -negative, hours, [at for _, _, at in same]


def _by_night(clocks: Mapping[str, _Clock], begins: Collection[int], hours: int) -> Iterator[list[tuple[str, int]]]:
    """Zones and begins, those with the fewest hours of night first."""
    nights = sorted(
        (clock.night_hours(at, hours), place, at)
        for place, clock in clocks.items()
        for at in begins
        if at in clock.starts
    )
    for _, same in groupby(nights, key=lambda night: night[0]):
        yield [(place, at) for _, place, at in same]


class _Lack:
    """For how long one more person would be of use."""

    def __init__(self, found: Sequence[Gap]) -> None:
        self._starts = [gap.start for gap in found]
        self._ends = [gap.end for gap in found]
        self._before = [0, *accumulate(gap.end - gap.start for gap in found)]

    def between(self, start: int, end: int) -> int:
        """Of this interval, in ms."""
        return self._until(end) - self._until(start)

    def _until(self, at: int) -> int:
        number = bisect_right(self._starts, at)
        return self._before[number] - (max(0, self._ends[number - 1] - at) if number else 0)


class _Clock:
    """The whole hours of a zone's clock in a period, and how many of them are night."""

    def __init__(self, name: str, start: int, end: int) -> None:
        self._zone = zone(name)
        self._nights: dict[int, bool] = {}
        self.starts: set[int] = set()
        for (before, offset), (_, offset_after) in pairwise(
            (hour, self._offset(hour)) for hour in range(start - start % HOUR, end + HOUR, HOUR)
        ):
            for each in {offset, offset_after}:  # of half-hour zones too, and on days on which a clock changes
                at = before + -each % HOUR
                if at >= start and (offset == offset_after or self._offset(at) == each):
                    self.starts.add(at)

    def night_hours(self, at: int, hours: int) -> int:
        return sum(self._is_night(at + n * HOUR) for n in range(hours))

    def _is_night(self, at: int) -> bool:
        if at not in self._nights:
            self._nights[at] = _clock(at, self._zone).hour in NIGHT
        return self._nights[at]

    def _offset(self, at: int) -> int:
        offset = _clock(at, self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(milliseconds=1)


class _Agent:
    """Whether somebody has the time."""

    def __init__(self, plan: Plan, start: int, end: int) -> None:
        self.name, self.zone = plan.agent, plan.zone
        self.planned = sum(finish - begin for begin, finish in _merged(plan.on, start, end))
        self._taken = _merged((*plan.on, *plan.off), start, end)
        self._starts = [begin for begin, _ in self._taken]

    def is_free(self, start: int, end: int) -> bool:
        number = bisect_right(self._starts, end - 1)
        return not number or self._taken[number - 1][1] <= start
