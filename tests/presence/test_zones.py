"""Local times as moments. What law says of single nights is in test_shift_cases.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence import zones

# Each with a change, and how the local clock of that day goes: by how much it jumps ahead or is put back (minutes).
CHANGES = [
    ("America/New_York", date(2026, 3, 8), 60),
    ("America/New_York", date(2026, 11, 1), -60),
    ("Australia/Lord_Howe", date(2026, 10, 4), 30),
    ("Australia/Lord_Howe", date(2026, 4, 5), -30),
    ("Africa/Cairo", date(2026, 4, 24), 60),  # at midnight: the day begins at 01:00
    ("America/Havana", date(2025, 11, 2), -60),  # midnight comes twice
    ("Europe/Lisbon", date(2026, 10, 25), -60),
    ("Pacific/Apia", date(2011, 12, 30), 1440),  # there was none
    ("Asia/Pyongyang", date(2018, 5, 4), 30),  # at 23:30
]


def local(name: str, at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zones.zone(name)).replace(tzinfo=None)


@given(st.sampled_from(CHANGES), st.integers(-2880, 2880))
def test_a_local_time_falls_at_the_first_minute_that_shows_it_or_a_later_one(
    change: tuple[str, date, int], minutes: int
) -> None:
    name, day, _ = change
    wanted = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
    moment = zones.moment(zones.zone(name), wanted.toordinal(), wanted.hour * 60 + wanted.minute)
    before = range(moment - 60_000, moment - 30 * 3_600_000, -60_000)  # all that may be of the same day

    assert local(name, moment) >= wanted
    assert all(local(name, minute) < wanted for minute in before)


@pytest.mark.parametrize(("name", "day", "shift"), CHANGES)
def test_a_day_of_change_is_as_much_shorter_or_longer(name: str, day: date, shift: int) -> None:
    zone, number = zones.zone(name), day.toordinal()

    assert zones.moment(zone, number + 1, 0) - zones.moment(zone, number, 0) == (1440 - shift) * 60_000


@given(st.sampled_from(sorted(zones.names())), st.integers(date(1990, 1, 1).toordinal(), date(2090, 1, 1).toordinal()))
def test_days_follow_each_other_in_every_zone(name: str, day: int) -> None:
    zone = zones.zone(name)
    hours = [zones.moment(zone, day, minutes) for minutes in range(0, 2881, 15)]

    assert hours == sorted(hours)
    assert zones.moment(zone, day, 1440) == zones.moment(zone, day + 1, 0)
    assert zones.day_of(zone, zones.moment(zone, day, 0) - 1) in {day - 1, day}
    assert zones.day_of(zone, zones.moment(zone, day, 720)) >= day


def test_zones_are_those_of_the_package_and_not_of_the_machine() -> None:
    november = datetime(2026, 12, 1, tzinfo=zones.zone("America/Vancouver"))

    assert november.utcoffset() == timedelta(hours=-7)  # permanent since 2026; machines that are older say -8
    assert not isinstance(zones.zone("UTC").key, type(None))
    assert isinstance(zones.zone("Asia/Kathmandu"), ZoneInfo)


@pytest.mark.parametrize("name", ["", "Nowhere", "../zones", "Europe", "europe/berlin", "/etc/localtime", "UTC\0"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="isn't the name of a time zone"):
        zones.zone(name)


def test_the_ends_of_time_have_a_day_too() -> None:
    zone = zones.zone("Asia/Tokyo")

    assert zones.day_of(zone, -(10**17)) == zones.FIRST_DAY
    assert zones.day_of(zone, 10**17) == zones.LAST_DAY
