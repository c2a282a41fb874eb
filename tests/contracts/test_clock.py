"""What every clock promises: see the docstring of `chat.clock`."""

from __future__ import annotations

import pytest

from chat.clock import Clock
from tests.engines import CLOCKS

YEAR_2020 = 1_577_836_800_000
YEAR_2100 = 4_102_444_800_000


@pytest.fixture(params=CLOCKS)
def a_clock(request: pytest.FixtureRequest) -> Clock:
    return CLOCKS[request.param]()


def test_now_is_in_milliseconds_since_1970(a_clock: Clock) -> None:
    assert isinstance(a_clock.now(), int)
    assert YEAR_2020 < a_clock.now() < YEAR_2100


def test_ticks_are_seconds_that_never_go_back(a_clock: Clock) -> None:
    ticks = [a_clock.ticks() for _ in range(1000)]

    assert ticks == sorted(ticks)
    assert ticks[-1] - ticks[0] < 60
