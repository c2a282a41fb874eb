"""A stretch of time: what came through, what it cost the server, and what others took of its core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench import proc
from bench.server import Measured

LOOK_SECONDS = 0.5
RESTS = 0.05  # of its core; timers and pings go on
AGAIN_SECONDS = 2.0  # asking costs something too
LONGEST_SECONDS = 300.0


@dataclass
class Window:
    """Filled in when it ends."""

    count: int = 0
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    """CPU seconds, of a server or of each part of several."""
    others_seconds: float = 0.0
    """CPU time on the server's core that wasn't the server's."""
    whole_count: int = 0
    whole_seconds: float = 0.0
    """The same with what came before and after: the warm-up, and what is done behind until all rests."""

    @property
    def cpu_seconds(self) -> float:
        return sum(self.parts.values())

    @property
    def cpu_ms_per_1000(self) -> float:
        return self.cpu_seconds * 1e6 / self.count

    @property
    def parts_ms_per_1000(self) -> dict[str, float]:
        return {name: seconds * 1e6 / self.count for name, seconds in self.parts.items()}

    @property
    def whole_ms_per_1000(self) -> float:
        return self.whole_seconds * 1e6 / self.whole_count

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def others_percent(self) -> float:
        """What others had of the server's core. Above a few percent the figures aren't worth much."""
        return 100 * self.others_seconds / self.seconds

    def __str__(self) -> str:
        split = "   ".join(f"{name} {ms:.1f}" for name, ms in self.parts_ms_per_1000.items())
        return (
            f"{self.cpu_ms_per_1000:6.1f} ms per 1,000   {self.per_second:9,.0f}/s   "
            f"core: server {100 * self.cpu_seconds / self.seconds:3.0f} %, others {self.others_percent:3.0f} %"
        ) + (f"   ({split})   until all rests {self.whole_ms_per_1000:.1f}" if len(self.parts) > 1 else "")


@asynccontextmanager
async def window(server: Measured, counter: Callable[[], int]) -> AsyncIterator[Window]:
    """Measures while the block runs; the Window is complete after it."""
    found = Window()
    count, busy, parts, began = counter(), proc.core_busy_seconds(server.core), server.parts(), time.perf_counter()
    yield found
    found.seconds = time.perf_counter() - began
    found.parts = {name: seconds - parts[name] for name, seconds in server.parts().items()}
    found.others_seconds = max(0.0, proc.core_busy_seconds(server.core) - busy - found.cpu_seconds)
    found.count = counter() - count


async def until_it_rests(server: Measured) -> None:
    """Ours indexes behind what it stored, and would take from whoever is measured next on the same core."""
    deadline = time.monotonic() + LONGEST_SECONDS
    used = sum(server.parts().values())
    while time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        before, used = used, sum(server.parts().values())
        if used - before < RESTS * LOOK_SECONDS:
            if not server.is_behind():
                return
            await asyncio.sleep(AGAIN_SECONDS)
    raise RuntimeError(f"the server is still busy {LONGEST_SECONDS:.0f} s after its load")
