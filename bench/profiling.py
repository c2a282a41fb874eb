"""Where a load's microseconds go: the server sampled by py-spy while it runs."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from bench import fanout, relay
from bench.server import Server, prepared, shopbell
from bench.stage import Stage
from bench.window import Window


class Load(Protocol):
    """What can be run for a while."""

    async def run(self, seconds: float) -> Window: ...


Make = Callable[[Server, list[dict[str, Any]]], Awaitable[Load]]
LOADS: dict[str, tuple[list[tuple[int, int]], Make]] = {
    "relay": (relay.ONE_ACCOUNT, relay.load),
    "relay20": (relay.AN_ACCOUNT_PER_AGENT, relay.load),
    "fanout": (fanout.LAYOUT, fanout.load),
}
RATE = 250  # samples a second: more of them slow the server down
LINES = 30
OURS = re.compile(r"\((?:chat|gateway|presence|websockets|uvicorn)/")


async def profile(stage: Stage, what: str) -> None:
    """Print the hot spots of a load, in µs per message or delivery."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        sys.exit("profiling wants py-spy: pip install py-spy")
    folder = stage.folder / "profile"
    layout, make = LOADS[what]
    accounts = prepared(folder, layout)
    with shopbell(folder, stage.cores) as server:
        load = await make(server, accounts)
        plain = stage.say(what, "without py-spy", await load.run(stage.seconds))
        command = ["record", "--pid", str(server.process), "--duration", str(round(stage.seconds) + 1)]
        command += ["--rate", str(RATE), "--format", "raw", "--output", str(folder / "samples")]
        spying = await asyncio.create_subprocess_exec(spy, *command, stdout=-3, stderr=-3)
        stage.say(what, "with py-spy", await load.run(stage.seconds + 1))
        await spying.wait()
    print_hot_spots((folder / "samples").read_text(), plain.cpu_ms_per_1000)


def print_hot_spots(samples: str, microseconds: float) -> None:
    """`samples` are py-spy's raw lines: frames from the outside in, and how often they were seen."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, seen = line.rpartition(" ")
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        if any("_worker (concurrent" in frame for frame in frames) and "sqlite" not in stack:
            continue  # a thread that waits for work
        times = int(seen)
        own[frames[-1]] += times
        within.update(dict.fromkeys(frames, times))
        modules[next((_file(frame) for frame in reversed(frames) if OURS.search(frame)), "the loop")] += times
    total = own.total()
    for title, counts in (("own time", own), ("with what it calls", within), ("by file", modules)):
        print(f"\n{title}")
        for name, times in counts.most_common(LINES):
            print(f"{times / total:6.1%} {microseconds * times / total:6.1f} µs  {name}")


def _file(frame: str) -> str:
    return frame[frame.rindex("(") + 1 : -1]
