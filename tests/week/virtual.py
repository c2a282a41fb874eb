"""Time that passes only when nobody has anything to do: the clock jumps to the next timer of the loop.

While something is under way outside, in a database or a server, it stands still, and that is really waited for.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LOOK_SECONDS = 0.05  # of real time between two looks whether something outside has come to an end
LOOK_TURNS = 16  # of the loop in which there is something to do anyway, between two looks at its sockets
PATIENCE_SECONDS = 60.0  # of real time: what takes longer never comes


class VirtualClock:
    """Begins at a moment (ms), and is moved by its loop alone."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.seconds = 0.0

    def now(self) -> int:
        return self.begin + round(self.seconds * 1000)

    def ticks(self) -> float:
        return self.seconds


class Outside:
    """What is under way outside of the loop."""

    def __init__(self) -> None:
        self._count = 0
        self.is_busy_elsewhere: Callable[[], bool] = lambda: False

    @property
    def is_busy(self) -> bool:
        return self._count > 0 or self.is_busy_elsewhere()

    @contextmanager
    def work(self) -> Iterator[None]:
        """Time doesn't pass in this block."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


class VirtualLoop(asyncio.SelectorEventLoop):
    """An ordinary loop but for its time."""

    def __init__(self, clock: VirtualClock, outside: Outside) -> None:
        self._clock = clock
        super().__init__(_Jumping(clock, outside))

    def time(self) -> float:
        return self._clock.seconds


class _Jumping(selectors.DefaultSelector):
    """Where an ordinary loop would sleep until its next timer, this one lets the clock go there."""

    def __init__(self, clock: VirtualClock, outside: Outside) -> None:
        super().__init__()
        self._clock = clock
        self._outside = outside
        self._stuck_since: float | None = None
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        if timeout is not None and timeout <= 0:
            self._turns += 1
            return [] if self._turns % LOOK_TURNS else super().select(0)
        if timeout is None or self._outside.is_busy:
            return self._wait()
        ready = super().select(0)
        if not ready:
            self._clock.seconds += timeout
        self._stuck_since = None
        return ready

    def _wait(self) -> list[tuple[Any, int]]:
        ready = super().select(LOOK_SECONDS)
        if ready:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = time.monotonic()
        elif time.monotonic() - self._stuck_since > PATIENCE_SECONDS:
            raise RuntimeError("nothing comes from outside any more")
        return ready
