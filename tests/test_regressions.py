"""docs/regressions.md: every bug of the field that concerns us has a test, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/regressions.md").read_text()
ROWS = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d", line)]


def test_every_row_is_there_once() -> None:
    assert [int(row[0].strip("| ")) for row in ROWS] == list(range(1, 62))


def test_every_row_names_a_test() -> None:
    assert [row for row in ROWS if not re.search(r"`tests/[^`]+::test_\w+`", row[-1])] == []


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)::(\w+)`", PAGE)

    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


@cache
def names_in(path: str) -> frozenset[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
