"""The other way to know who is on shift: a clock on the wall, read once a minute, that never goes back.

In the night in which clocks are put back it stands still until they have caught up with it. Nothing here is shared with
`presence.shifts` but the zones and what a schedule says.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate, groupby

from presence.schedule import WEEKDAYS, Interval, Schedule, Week, days_named
from presence.zones import zone

MINUTE = 60_000
AROUND = 4  # days before and after that are looked at
Run = tuple[int, int, str, str]  # from, to, state, and the reason of a time off


@lru_cache(200)
def minutes_of(name: str, day: date) -> tuple[int, tuple[datetime, ...]]:
    """When the reading begins (ms), and what the wall says each minute."""
    begin = datetime.combine(day, time(), UTC) - timedelta(days=AROUND)
    here = zone(name)
    readings = (
        (begin + timedelta(minutes=number)).astimezone(here).replace(tzinfo=None)
        for number in range((2 * AROUND + 1) * 1440)
    )
    return round(begin.timestamp() * 1000), tuple(accumulate(readings, max))


def runs(schedule: Schedule, day: date) -> list[Run]:
    """What the days around this one are like. The first and the last run are cut off."""
    begin, wall = minutes_of(schedule.zone, day)
    labels = [("off_shift", "")] * len(wall)
    for number in range(-AROUND - 2, AROUND + 2):
        midnight = datetime.combine(day + timedelta(days=number), time())
        for start, end in intervals(schedule, midnight.date()):
            first, last = (bisect_left(wall, edge) for edge in edges(midnight, start, end))
            labels[first:last] = [("on_shift", "")] * (last - first)
    free = [True] * len(wall)
    for first, last, reason in sorted(times_off(schedule, begin, wall), key=lambda off: (off[0], -off[1])):
        for number in range(first, last):
            if free[number]:
                free[number], labels[number] = False, ("time_off", reason)
    found: list[Run] = []
    for (state, reason), group in groupby(range(len(wall)), key=labels.__getitem__):
        numbers = list(group)
        found.append((begin + numbers[0] * MINUTE, begin + (numbers[-1] + 1) * MINUTE, state, reason))
    return found


def intervals(schedule: Schedule, day: date) -> list[Interval]:
    if (schedule.starts and day < schedule.starts) or (schedule.ends and day > schedule.ends):
        return []
    said = [dated for dated in schedule.dates if dated.date == day]
    hours = next((dated.hours for dated in said if dated.hours is not None), None)
    if hours is None:
        is_holiday = schedule.holidays is not None and day.toordinal() in days_named(schedule.holidays, day.year)
        week = schedule.weekly or Week(**dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)))
        hours = () if is_holiday else getattr(week, WEEKDAYS[day.weekday()])
    return [*hours, *(interval for dated in said for interval in dated.extra)]


def edges(midnight: datetime, start: str, end: str) -> tuple[datetime, datetime]:
    begins, ends = (midnight + timedelta(hours=int(clock[:2]), minutes=int(clock[3:])) for clock in (start, end))
    return begins, ends if ends > begins else ends + timedelta(days=1)


def times_off(schedule: Schedule, begin: int, wall: tuple[datetime, ...]) -> list[tuple[int, int, str]]:
    """By numbers of minutes."""

    def number(text: str, days: int) -> int:
        if text.endswith("Z"):
            at = round(datetime.fromisoformat(text).timestamp() * 1000)
            return min(max((at - begin) // MINUTE, 0), len(wall))
        local = datetime.fromisoformat(text)
        return bisect_left(wall, local if "T" in text else local + timedelta(days=days))

    return [(number(off.start, 0), number(off.end, 1), off.reason) for off in schedule.time_off]
