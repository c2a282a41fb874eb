"""Put the figures of the last run into docs/performance.md: `python -m bench.document`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from bench.figures import shown
from bench.machine import QUIET_LOAD
from bench.server import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by python -m bench.document -->\n", "<!-- end of figures -->\n"


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "var" / "bench.json"
    found = orjson.loads(source.read_bytes())
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + markdown(found) + "\n" + END + rest.partition(END)[2])


def markdown(found: dict[str, Any]) -> str:
    """The machine in a sentence, the figures in a table."""
    machine = found["machine"]
    where = (
        f"{machine['at'][:10]}, {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; "
        f"an fdatasync takes {machine['fdatasync_ms']:.2f} ms."
    )
    if machine["load_average"] > QUIET_LOAD:
        where += f" Others were busy on it (load {machine['load_average']:.1f}): take these as upper bounds."
    lines = ["| | figure | at most | rounds |", "|---|---:|---:|---|", *map(_line, found["figures"])]
    return "\n".join([where, "", *lines, ""])


def _line(figure: dict[str, Any]) -> str:
    bar = "" if figure["bar"] is None else f"{shown(figure['bar'])} {'✓' if figure['holds'] else '✗'}"
    rounds = " · ".join(map(shown, figure["rounds"])) if len(figure["rounds"]) > 1 else ""
    name = f"**{figure['scenario']}** {figure['name']}"
    return f"| {name} | {shown(figure['value'])} {figure['unit']} | {bar} | {rounds} |"


if __name__ == "__main__":
    main()
