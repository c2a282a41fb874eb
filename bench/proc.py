"""What a process and its children use, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """User and system time of the process, its threads and its children so far, those that have ended among them."""
    return sum(seconds for _, _, seconds in each_cpu_seconds(process))


def each_cpu_seconds(process: int) -> Iterator[tuple[int, str, float]]:
    """The same by process: its number, its title, its seconds. Children that have ended count with their parent."""
    for each in family(process):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended just now, and is its parent's the next time
            title = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            # utime, stime, cutime, cstime: fields 14 to 17 of proc(5); pid and name are gone
            yield each, title, sum(map(int, _stat(each)[11:15])) / TICKS_PER_SECOND


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
        with suppress(FileNotFoundError, ProcessLookupError):
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
