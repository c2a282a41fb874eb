"""The machine's clock; what every clock promises is in contracts/test_clock.py."""

from __future__ import annotations

import time

from chat.clock import SystemClock


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()

    before, now, after = time.time() * 1000, clock.now(), time.time() * 1000

    assert before - 1 <= now <= after
    assert abs(clock.ticks() - time.monotonic()) < 1
