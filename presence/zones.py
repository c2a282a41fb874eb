"""Local times as moments: the one rule for the nights on which clocks are changed. Pure.

A local date and time falls at the first instant at which the local clock shows it or a later one. So what a clock skips
in spring falls at the jump itself, all of a day that a country skipped at the same instant, and what a clock shows
twice in autumn falls at the first of both. Later local times never fall earlier.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

EPOCH_DAY = 719_163  # 1970-01-01 as `date.toordinal` counts
FIRST_DAY, LAST_DAY = 366, 3_651_693  # years 2 to 9998: a day more or less is still a date everywhere
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


@cache
def names() -> frozenset[str]:
    """Every zone that can be said."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


@lru_cache(1000)
def zone(name: str) -> ZoneInfo:
    """The zone as the tzdata package has it, whatever the machine has: every node answers the same, and a country's new
    rules come with an update of the package. ValueError if it isn't there."""
    if name not in names():
        raise ValueError(f"{name[:40]!r} isn't the name of a time zone, like Europe/Berlin")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def moment(zone: ZoneInfo, day: int, minutes: int) -> int:
    """The instant (ms) at which so many minutes are written on the clock of that day (`date.toordinal`). From 1440 on
    they are of the next days."""
    while minutes >= 1440:
        day, minutes = day + 1, minutes - 1440
    seconds = (day - EPOCH_DAY) * 86_400 + minutes * 60
    offset = _offset(zone, day)
    return (seconds - (_offset_at(zone, day, minutes, seconds) if offset is None else offset)) * 1000


@lru_cache(20_000)
def _offset(zone: ZoneInfo, day: int) -> int | None:
    """Seconds that clocks are ahead all day long; None on a day of change. All schedules of a zone ask for
    the same few days: this makes a boundary 0.4 µs instead of 3."""
    begin, end = datetime.fromordinal(day).replace(tzinfo=zone), datetime.fromordinal(day + 1).replace(tzinfo=zone)
    offsets = {each.utcoffset() for each in (begin, begin.replace(fold=1), end, end.replace(fold=1))}
    offset = offsets.pop()
    assert offset is not None
    return None if offsets else offset // _SECOND


def _offset_at(zone: ZoneInfo, day: int, minutes: int, seconds: int) -> int:
    """On a day of change: what makes of the local time (also in seconds) the first instant that shows it or a later."""
    local = datetime.fromordinal(day).replace(hour=minutes // 60, minute=minutes % 60, tzinfo=zone)
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    assert before is not None
    assert after is not None
    if before >= after:  # the first of both, if there are two
        return before // _SECOND
    return seconds - _jump(zone, seconds - after // _SECOND, seconds - before // _SECOND, before)  # PEP 495: a gap


def day_of(zone: ZoneInfo, at: int) -> int:
    """The local date (`date.toordinal`) at this instant (ms), at most that of `LAST_DAY`."""
    day = at // 86_400_000 + EPOCH_DAY
    if not FIRST_DAY < day < LAST_DAY:
        return min(max(day, FIRST_DAY), LAST_DAY)
    return (_EPOCH + at * _MS).astimezone(zone).toordinal()


@lru_cache(1000)
def changes(zone: ZoneInfo, first: int, last: int) -> tuple[tuple[int, int, int], ...]:
    """Every change of its clocks on these days (`date.toordinal`), as three numbers of seconds: the instant since 1970,
    and how far clocks are ahead before and after it."""
    found = []
    midnights = range((first - EPOCH_DAY) * 86_400, (last - EPOCH_DAY + 1) * 86_400, 86_400)
    offsets = [(_EPOCH + midnight * _SECOND).astimezone(zone).utcoffset() or timedelta(0) for midnight in midnights]
    for midnight, before, after in zip(midnights, offsets, offsets[1:], strict=False):
        if before != after:
            at = _jump(zone, midnight, midnight + 86_400, before)
            found.append((at, before // _SECOND, after // _SECOND))
    return tuple(found)


def _jump(zone: ZoneInfo, early: int, late: int, before: timedelta) -> int:
    """The second between both from which the offset isn't `before` any more."""
    while late - early > 1:
        middle = (early + late) // 2
        if (_EPOCH + middle * _SECOND).astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
