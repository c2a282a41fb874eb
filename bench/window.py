"""A stretch of time: what came through, what it cost the server, and what others took of its core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench import proc
from bench.server import Server

LOOK_SECONDS = 0.5
RESTS = 0.05  # of its core; timers and pings go on
LONGEST_SECONDS = 90.0


@dataclass
class Window:
    """Filled in when it ends."""

    count: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    others_seconds: float = 0.0
    """CPU time on the server's core that wasn't the server's."""

    @property
    def cpu_ms_per_1000(self) -> float:
        return self.cpu_seconds * 1e6 / self.count

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def others_percent(self) -> float:
        """What others had of the server's core. Above a few percent the figures aren't worth much."""
        return 100 * self.others_seconds / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.cpu_ms_per_1000:6.1f} ms per 1,000   {self.per_second:9,.0f}/s   "
            f"core: server {100 * self.cpu_seconds / self.seconds:3.0f} %, others {self.others_percent:3.0f} %"
        )


@asynccontextmanager
async def window(server: Server, counter: Callable[[], int]) -> AsyncIterator[Window]:
    """Measures while the block runs; the Window is complete after it."""
    found = Window()
    count, busy, cpu, began = counter(), proc.core_busy_seconds(server.core), server.cpu_seconds(), time.perf_counter()
    yield found
    found.seconds = time.perf_counter() - began
    found.cpu_seconds = server.cpu_seconds() - cpu
    found.others_seconds = max(0.0, proc.core_busy_seconds(server.core) - busy - found.cpu_seconds)
    found.count = counter() - count


async def until_it_rests(server: Server) -> None:
    """Ours indexes behind what it stored, and would take from whoever is measured next on the same core."""
    deadline = time.monotonic() + LONGEST_SECONDS
    used = server.cpu_seconds()
    while time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        before, used = used, server.cpu_seconds()
        if used - before < RESTS * LOOK_SECONDS:
            return
    raise RuntimeError(f"the server is still busy {LONGEST_SECONDS:.0f} s after its load")
