"""Where a load's microseconds go: servers sampled by py-spy while they run, and what they have PostgreSQL do."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench import fanout, nodes, relay, spending
from bench.engines import Postgres
from bench.server import Server, prepared, shopbell
from bench.site import Layout, two_nodes
from bench.stage import Stage
from bench.window import Window


class Load(Protocol):
    """What can be run for a while."""

    async def run(self, seconds: float) -> Window: ...


@dataclass(frozen=True)
class Scene:
    """A load, and what it runs against: servers by their names in its windows."""

    load: Load
    servers: dict[str, Server]
    postgres: Postgres | None = None


Make = Callable[[Server, list[dict[str, Any]]], Awaitable[Load]]
RATE = 250  # samples a second: more of them slow the server down
LINES = 30
OURS = re.compile(r"\((?:chat|gateway|presence|websockets|uvicorn|asyncpg|redis)/")


@asynccontextmanager
async def _on_one_server(stage: Stage, layout: Layout, make: Make) -> AsyncIterator[Scene]:
    folder = stage.folder / "profile"
    accounts = prepared(folder, layout)
    with shopbell(folder, stage.cores) as server:
        yield Scene(await make(server, accounts), {"server": server})


@asynccontextmanager
async def _on_two_nodes(stage: Stage, layout: Layout) -> AsyncIterator[Scene]:
    with two_nodes(stage.folder / "profile", stage.cores, layout, spending.LIBRARY) as (site, accounts):
        assert site.postgres is not None
        spending.prepare(site.postgres)
        load = await nodes.load(site, accounts)
        yield Scene(load, dict(zip("AB", site.nodes, strict=True)), site.postgres)


LOADS: dict[str, Callable[[Stage], AbstractAsyncContextManager[Scene]]] = {
    "relay": lambda stage: _on_one_server(stage, relay.ONE_ACCOUNT, relay.load),
    "relay20": lambda stage: _on_one_server(stage, relay.AN_ACCOUNT_PER_AGENT, relay.load),
    "fanout": lambda stage: _on_one_server(stage, fanout.LAYOUT, fanout.load),
    "nodes": lambda stage: _on_two_nodes(stage, relay.ONE_ACCOUNT),
    "nodes20": lambda stage: _on_two_nodes(stage, relay.AN_ACCOUNT_PER_AGENT),
}


async def profile(stage: Stage, what: str) -> None:
    """Print the hot spots of a load, in µs per message or delivery."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        sys.exit("profiling wants py-spy: pip install py-spy")
    async with LOADS[what](stage) as scene:
        before = spending.spent(scene.postgres) if scene.postgres else None
        counted = {name: _counters(server) for name, server in scene.servers.items()}
        plain = stage.say(what, "without py-spy", await scene.load.run(stage.seconds))
        for name, server in scene.servers.items():
            grown = {counter: value - counted[name][counter] for counter, value in _counters(server).items()}
            asks, batches = grown["shopbell_batch_asks_sum"], grown["shopbell_batch_asks_count"]
            healed = grown["shopbell_holes_healed_total"]
            print(f"  {name}: {asks / batches:.0f} asks a transaction, {healed:.0f} holes healed in {batches:.0f}")
        if scene.postgres and before:
            spending.print_spending(before, spending.spent(scene.postgres), plain.whole_count)
        spying = [
            await asyncio.create_subprocess_exec(
                *(spy, "record", "--pid", str(server.process), "--duration", str(round(stage.seconds) + 1)),
                *("--rate", str(RATE), "--format", "raw", "--output", str(stage.folder / f"samples-{name}")),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            for name, server in scene.servers.items()
        ]
        stage.say(what, "with py-spy", await scene.load.run(stage.seconds + 1))
        for each in spying:
            await each.wait()
    for name in scene.servers:
        print(f"\n--- {name}")
        print_hot_spots((stage.folder / f"samples-{name}").read_text(), plain.parts_ms_per_1000[name])


def _counters(server: Server) -> dict[str, float]:
    """The server's metrics that have no labels."""
    with urllib.request.urlopen(f"{server.origin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, value in (line.split(" ") for line in lines if line[0] != "#" and "{" not in line)
    }


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
