"""Which extra shift closes the most of what coverage is missing, found among all that anybody could work. Pure.

Moments are ms since 1970 (UTC). For 200 agents and four weeks it takes a tenth of a second of the processor.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import accumulate, groupby

from msgspec import Struct

from presence.coverage import HOUR, Gap, Plan, clock_at, gaps, merged, planned
from presence.zones import zone

LENGTHS = (4, 5, 6, 7, 8)  # hours of an extra shift: less isn't worth the way, more isn't asked of anybody
NIGHT = frozenset((22, 23, 0, 1, 2, 3, 4, 5))  # hours of the clock that are asked for last


class Extra(Struct, frozen=True, gc=False):
    """A shift that isn't planned yet, and for how long it closes a gap (ms)."""

    agent: str
    start: int
    end: int
    closes: int


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
        hours = ((hour, self._offset(hour)) for hour in range(start - start % HOUR, end, HOUR))
        whole = ((hour + -offset % HOUR, offset) for hour, offset in hours)  # some zones are half an hour apart
        self.starts = {at for at, offset in whole if at >= start and self._offset(at) == offset}

    def night_hours(self, at: int, hours: int) -> int:
        return sum(self._is_night(at + n * HOUR) for n in range(hours))

    def _is_night(self, at: int) -> bool:
        if at not in self._nights:
            self._nights[at] = clock_at(at, self._zone).hour in NIGHT
        return self._nights[at]

    def _offset(self, at: int) -> int:
        offset = clock_at(at, self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(milliseconds=1)


class _Agent:
    """Whether somebody has the time."""

    def __init__(self, plan: Plan, start: int, end: int) -> None:
        self.name, self.zone = plan.agent, plan.zone
        self.planned = sum(finish - begin for begin, finish in merged(plan.on, start, end))
        self._taken = merged((*plan.on, *plan.off), start, end)
        self._starts = [begin for begin, _ in self._taken]

    def is_free(self, start: int, end: int) -> bool:
        number = bisect_right(self._starts, end - 1)
        return not number or self._taken[number - 1][1] <= start
