"""Ids sort by the time they were made and look as the protocol says."""

import re
import time

import pytest

from bots.ids import new_id


def test_an_id_is_a_lower_case_uuid_of_version_7() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id())


def test_an_id_begins_with_the_milliseconds_of_now() -> None:
    assert abs(int(new_id().replace("-", "")[:12], 16) - time.time_ns() // 1_000_000) < 1000


def test_later_ids_are_greater_even_within_a_millisecond() -> None:
    made = [new_id() for _ in range(20_000)]

    assert made == sorted(set(made))


def test_ids_grow_also_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 0)

    assert new_id() > before
