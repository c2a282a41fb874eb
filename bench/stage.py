"""What every scenario is given: cores, a folder, how long and how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.server import Cores

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    cores: Cores
    folder: Path
    seconds: float
    rounds: int
    sockets: int
    """of the idle scenario"""

    def say(self, scenario: str, what: str, result: T) -> T:
        """Print a result as soon as it is there, and hand it on."""
        print(f"  {scenario:<8} {what:<16} {result}", flush=True)
        return result
