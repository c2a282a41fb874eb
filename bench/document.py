"""Put the figures of a run into docs/performance.md: `python -m bench.document [FILE]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from bench.figures import shown
from bench.machine import QUIET_LOAD
from bench.server import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- {}: written by python -m bench.document -->\n", "<!-- end of {} -->\n"
NODES = "nodes"
BY_ITSELF = "machine"  # goes with whatever was measured


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "var" / "bench.json"
    found = orjson.loads(source.read_bytes())
    text = DOCUMENT.read_text()
    for table, is_of_nodes in (("figures", False), (NODES, True)):
        figures = [
            each
            for each in found["figures"]
            if each["scenario"] == BY_ITSELF or (each["scenario"] == NODES) == is_of_nodes
        ]
        if any(each["scenario"] != BY_ITSELF for each in figures):
            text = with_table(text, table, markdown({**found, "figures": figures}))
    DOCUMENT.write_text(text)


def with_table(text: str, name: str, table: str) -> str:
    """The document with this table in its place."""
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = text.partition(begin)
    return before + begin + "\n" + table + "\n" + end + rest.partition(end)[2]


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
