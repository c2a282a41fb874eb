"""Where the figures come from, and how quiet it was there."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

LIBRARIES = ("uvicorn", "uvloop", "websockets", "starlette", "orjson", "msgspec", "picows")
QUIET_LOAD = 0.5  # load average above which somebody else is at work here
SYNCS = 50
BLOCK = b"\0" * 4096


def machine(folder: Path) -> dict[str, Any]:
    """What a reader must know to judge the figures."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "fdatasync_ms": round(fdatasync_ms(folder), 3),
        "load_average": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def fdatasync_ms(folder: Path) -> float:
    """What the disk under this folder takes to keep 4 KiB."""
    times = []
    path = folder / "sync-probe"
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(BLOCK)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return median(times) * 1000


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
