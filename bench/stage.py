"""What every scenario is given: cores, a folder, how long and how often."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.server import Cores

T = TypeVar("T")

LAPS = 400_000  # about 40 ms


@dataclass(frozen=True)
class Stage:
    cores: Cores
    folder: Path
    seconds: float
    rounds: int
    sockets: int
    """of the idle scenario"""
    messages: int | None = None
    """at most in a round of the closed loop over two nodes"""
    laps_ms: list[float] = field(default_factory=list)
    """How long the server's core took for a piece of work that is always the same, after each result."""

    def say(self, scenario: str, what: str, result: T) -> T:
        """Print a result as soon as it is there, and how fast the core was then; hand the result on."""
        self.laps_ms.append(lap_ms(self.cores.server))
        print(f"  {scenario:<8} {what:<16} {result}   (lap {self.laps_ms[-1]:.0f} ms)", flush=True)
        return result


def lap_ms(core: int) -> float:
    """CPU time of a fixed piece of work on this core. Neighbours on the same host and the cooling change it by half."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        began = time.thread_time()
        sum(n * n for n in range(LAPS))
        return (time.thread_time() - began) * 1000
    finally:
        os.sched_setaffinity(0, mine)
