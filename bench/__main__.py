"""`python -m bench`: run the scenarios, print the table, keep the figures, fail when a bar is missed."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path

import orjson
import uvloop

from bench import abuse, fanout, idle, nodes, online, paced, relay, statuses
from bench.figures import Figure, figure, table
from bench.machine import QUIET_LOAD, machine
from bench.profiling import LOADS, profile
from bench.server import two_cores
from bench.stage import Stage

SCENARIOS: dict[str, Callable[[Stage], Coroutine[None, None, list[Figure]]]] = {
    "relay": relay.measure,
    "paced": paced.measure,
    "idle": idle.measure,
    "fanout": fanout.measure,
    "statuses": statuses.measure,
    "online": online.measure,
    "abuse": abuse.measure,
    "nodes": nodes.measure,
}


def main() -> int:
    chosen = _parser().parse_args()
    _must_be_known(chosen.what)
    cores = two_cores()
    os.sched_setaffinity(0, {cores.load})
    gc.disable()  # a pause of the load would look like one of the server
    with tempfile.TemporaryDirectory(prefix="shopbell-bench-", dir=chosen.data) as folder:
        seconds = chosen.seconds or (1.0 if chosen.quick else 5.0)
        rounds = chosen.rounds or (1 if chosen.quick else 3)
        sockets = 1_000 if chosen.quick else 5_000
        stage = Stage(cores, Path(folder), seconds, rounds, sockets, chosen.messages)
        if chosen.what[:1] == ["profile"]:
            uvloop.run(profile(stage, chosen.what[1]))
            return 0
        return _measure(stage, chosen.what or list(SCENARIOS), chosen.out)


def _must_be_known(what: list[str]) -> None:
    if what[:1] == ["profile"]:
        if len(what) != 2 or what[1] not in LOADS:
            sys.exit(f"profile what? {' | '.join(LOADS)}")
    elif unknown := set(what) - set(SCENARIOS):
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")


def _measure(stage: Stage, names: list[str], out: Path) -> int:
    where = machine(stage.folder)
    print(f"{where['cpu']}, {where['cores']} cores; Python {where['python']}; fdatasync {where['fdatasync_ms']} ms")
    if where["load_average"] > QUIET_LOAD:
        print(f"Others are busy here (load {where['load_average']:.1f}): take these figures with care.")
    figures: list[Figure] = []
    for name in names:
        figures += uvloop.run(SCENARIOS[name](stage))
    figures.append(figure("machine", "a fixed piece of work on the server's core", "ms", stage.laps_ms))
    print("\n" + table(figures))
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": where, "figures": [each.as_json() for each in figures]}
    out.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    print(f"\nkept in {out}")
    return 0 if all(each.holds for each in figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words = ", ".join(SCENARIOS)
    profiles = " | ".join(LOADS)
    parser.add_argument("what", nargs="*", help=f"scenarios ({words}; all of them if none), or: profile {profiles}")
    parser.add_argument("--quick", action="store_true", help="one round of a second: for trying, not for judging")
    parser.add_argument("--seconds", type=float, help="of a round (5)")
    parser.add_argument("--messages", type=int, help="that end a round over two nodes before its seconds are over")
    parser.add_argument("--rounds", type=int, help="of which the median counts (3)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure on (the system's for temporary files)")
    parser.add_argument("--out", type=Path, default=Path("var/bench.json"), help="where the figures are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
