"""What a process and its children use, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """User and system time of the process, its threads and its children so far."""
    total = 0
    for each in family(process):
        fields = _stat(each)
        total += int(fields[11]) + int(fields[12])  # utime, stime: fields 14 and 15 of proc(5), after pid and name
    return total / TICKS_PER_SECOND


def rss_bytes(process: int) -> int:
    """Resident memory of the process and its children."""
    return sum(_rss(each) for each in family(process))


def core_busy_seconds(core: int) -> float:
    """Time that a core has worked, for whomever."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, *interrupts_and_steal = map(int, fields[:8])
            return (user + nice + system + sum(interrupts_and_steal)) / TICKS_PER_SECOND
    raise LookupError(f"no core {core}")


def family(process: int) -> list[int]:
    """The process and all that descend from it."""
    found = [process]
    for each in found:
        for thread in Path(f"/proc/{each}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _stat(process: int) -> list[str]:
    """The fields after the name, which may have blanks in it."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _rss(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise LookupError("smaps_rollup without Rss")
