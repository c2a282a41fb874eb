"""The audit of dependencies: a hole fails the check, and what nobody could look at is said and not hidden."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest

ROOT = Path(__file__).parent.parent
CLEAN_PYTHON = {"dependencies": [{"name": "jwt", "version": "1", "vulns": []}]}
CLEAN_NODE: dict[str, object] = {"vulnerabilities": {}}


def audit(folder: Path, python: object, node: object, **environment: str) -> CompletedProcess[str]:
    """Run it with a pip-audit and an npm that answer so; None: they fail without an answer."""
    folder.mkdir()
    for name, report in (("pip-audit", python), ("npm", node)):
        answer = "echo no network >&2; exit 1" if report is None else f"cat <<'EOF'\n{json.dumps(report)}\nEOF\nexit 1"
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
        (folder / name).chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    path = os.pathsep.join([str(folder), "/usr/bin", "/bin"])
    command = [str(folder / "python"), str(ROOT / "setup" / "audit.py")]
    return run(command, env={"PATH": path, **environment}, capture_output=True, text=True, check=False)


def test_when_nothing_is_known_it_says_so(tmp_path: Path) -> None:
    ended = audit(tmp_path / "bin", CLEAN_PYTHON, CLEAN_NODE)

    assert (ended.returncode, ended.stdout) == (0, "audit: no locked dependency has a known hole\n"), ended.stderr


@pytest.mark.parametrize(
    ("python", "node", "said"),
    [
        (
            {"dependencies": [{"name": "jwt", "version": "1", "vulns": [{"id": "CVE-1"}]}]},
            CLEAN_NODE,
            "known hole: Python: jwt 1: CVE-1",
        ),
        (CLEAN_PYTHON, {"vulnerabilities": {"left-pad": {"severity": "high"}}}, "known hole: Node: left-pad: high"),
        (None, {"vulnerabilities": {"left-pad": {"severity": "low"}}}, "known hole: Node: left-pad: low"),
    ],
)
def test_a_hole_fails_the_check(tmp_path: Path, python: object, node: object, said: str) -> None:
    ended = audit(tmp_path / "bin", python, node)

    assert ended.returncode == 1
    assert said in ended.stdout


@pytest.mark.parametrize(
    ("python", "node", "said"),
    [
        (None, CLEAN_NODE, "not audited: Python: no network"),
        (CLEAN_PYTHON, None, "not audited: Node: no network"),
        (CLEAN_PYTHON, {"message": "405 Method Not Allowed"}, "not audited: Node: 405 Method Not Allowed"),
        (
            {"dependencies": [{"name": "jwt", "skip_reason": "not found"}]},
            CLEAN_NODE,
            "not audited: Python: 1 of 1 packages, e.g. not found",
        ),
        ([], CLEAN_NODE, "not audited: Python: pip-audit's answer isn't what it was"),
    ],
)
def test_what_can_not_be_looked_at_is_said_and_fails_only_when_told(
    tmp_path: Path, python: object, node: object, said: str
) -> None:
    lenient = audit(tmp_path / "lenient", python, node)
    strict = audit(tmp_path / "strict", python, node, SHOPBELL_AUDIT="strict")

    assert [lenient.returncode, strict.returncode] == [0, 1]
    assert said in lenient.stdout
