"""docs/regressions.md: every bug and every complaint of the field has a test that exists, or a line saying why not."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/regressions.md").read_text()
LINES = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [row for row in LINES if row[0].isdigit()]
# What the study of the field has found, by number: an issue, a pull request or a discussion. None may get lost.
COMPLAINTS = {
    "presence": (
        "6631 6539 3504 5763 5076 12710 971 973 692 7439 1600 4170 2458 10172 317 375 411 16264 552 475 1125 1075 171"
    ),
    "hours": ("9587 13241 10436 6467 14009 273 5063 243 1528 3372 5429 3684 4898 6530 30565 23894 24112 38301 70074"),
    "queue": (
        "7204 4158 5362 5672 10685 10376 11034 13050 1198 1275 10059 8047 635 841 22206 19352 35722 23642 22105 19837 "
        "614 18041 31474 1218 745 1921"
    ),
    "transfer": "27816 7397 22505 232 291 11 6959 5077 6112 4271 4977 4 12 11363 158 430 156 11062",
}
TOLD = [row for row in LINES if row[0] in COMPLAINTS]
NAMED = r"`(tests/[^`]+)::(\w+)`"


def test_every_row_is_there_once() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 62))


def test_every_row_names_a_test() -> None:
    assert [row for row in ROWS if not re.search(NAMED, row[-1])] == []


@pytest.mark.parametrize("about", COMPLAINTS)
def test_every_complaint_is_there_once(about: str) -> None:
    told = [number for row in TOLD if row[0] == about for number in numbers(row)]

    assert sorted(told) == sorted(COMPLAINTS[about].split())


def test_every_complaint_is_named_by_a_test_or_told_why_not() -> None:
    silent = []
    for row in TOLD:
        tests = re.findall(NAMED, row[-1])
        words = " ".join(names_in(path).get(name, "") for path, name in tests)
        silent += [number for number in numbers(row) if tests and not re.search(rf"\b{number}\b", words)]

    assert silent == []
    assert [row for row in TOLD if len(row) != 4 or not row[3]] == []


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(NAMED, PAGE)

    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def numbers(row: list[str]) -> list[str]:
    return re.findall(r" (\d+)", row[1])


@cache
def names_in(path: str) -> dict[str, str]:
    """The tests of a file, with what each says of itself."""
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.exists() else ast.Module([], [])
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: ast.get_docstring(node) or "" for node in found}
