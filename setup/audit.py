"""Asks the registries whether a locked dependency has a known hole: `make audit`.

Ends with 1 when one has. Where the registries can't be asked, or know nothing of advisories (a mirror), it says plainly
what was not audited and ends with 0, so that people can work offline; with SHOPBELL_AUDIT=strict that ends with 1 too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0  # seconds for one registry; `make check` is to be done within a minute
PYTHON = "pip-audit --requirement requirements.lock --require-hashes --disable-pip --progress-spinner off --format json"
NODE = "npm audit --json"


class NotAudited(Exception):
    """Nothing can be said; the sentence says why."""


def main() -> int:
    strict = os.environ.get("SHOPBELL_AUDIT", "") == "strict"
    holes: list[str] = []
    gaps: list[str] = []
    with ThreadPoolExecutor() as both:  # they wait for two registries
        asked = [
            (name, judge, both.submit(_json, command))
            for name, command, judge in (("Python", PYTHON, python_holes), ("Node", NODE, node_holes))
        ]
    for name, judge, report in asked:
        try:
            found, missing = judge(report.result())
        except NotAudited as why:
            gaps.append(f"{name}: {why}")
            continue
        holes += [f"{name}: {hole}" for hole in found]
        gaps += [f"{name}: {gap}" for gap in missing]
    for hole in holes:
        _say(f"known hole: {hole}")
    for gap in gaps:
        _say(f"not audited: {gap}")
    if not holes and not gaps:
        _say("no locked dependency has a known hole")
    return 1 if holes or (strict and gaps) else 0


def python_holes(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What pip-audit found, and what it couldn't look at."""
    dependencies = report.get("dependencies")
    if not isinstance(dependencies, list):
        raise NotAudited("pip-audit's answer isn't what it was")
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}" for each in dependencies for hole in each.get("vulns", [])
    ]
    skipped = [each for each in dependencies if "skip_reason" in each]
    if not skipped:
        return holes, []
    return holes, [f"{len(skipped)} of {len(dependencies)} packages, e.g. {skipped[0]['skip_reason']}"]


def node_holes(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What npm audit found."""
    holes = report.get("vulnerabilities")
    if not isinstance(holes, dict):
        raise NotAudited(str(report.get("message") or "npm's answer isn't what it was"))
    return [f"{name}: {hole.get('severity')}" for name, hole in holes.items()], []


def _json(command: str) -> dict[str, Any]:
    """What the command prints, whatever its exit status: it isn't 0 when there are holes either."""
    here = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    try:
        ended = subprocess.run(
            command.split(), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, env=os.environ | here
        )
    except subprocess.TimeoutExpired:
        raise NotAudited(f"no answer within {PATIENCE:g} s") from None
    except OSError as error:
        raise NotAudited(f"{command.split()[0]} can't be run: {error.strerror}") from None
    try:
        report = json.loads(ended.stdout)
    except ValueError:
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotAudited(last) from None
    return report if isinstance(report, dict) else {}


def _say(text: str) -> None:
    sys.stdout.write(f"audit: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
