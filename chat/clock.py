"""The one source of time. Pure parts get the moment as an argument; tests own the clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Promises: `now` is wall time in ms since 1970 (UTC); `ticks` are seconds that never go back."""

    def now(self) -> int: ...

    def ticks(self) -> float: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def ticks(self) -> float:
        return time.monotonic()
