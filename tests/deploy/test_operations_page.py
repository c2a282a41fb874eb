"""docs/operations.md is what people act on at night: whatever it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.__main__ import _parser
from gateway.metrics import TABLE as METRICS
from gateway.protocol import CloseCode
from gateway.settings import TABLE as SETTINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def test_every_metric_setting_and_code_that_it_names_is_there() -> None:
    assert set(re.findall(r"\bshopbell_[a-z_]+", PAGE)) - {metric.exposed for metric in METRICS} == set()
    assert set(re.findall(r"\bSHOPBELL_[A-Z_]+", PAGE)) - {line.variable for line in SETTINGS} == set()
    assert {int(code) for code in re.findall(r"\b4[0-2][0-9]{2}\b", PAGE)} <= set(CloseCode)


def test_its_links_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", PAGE, re.M)
    }
    links = re.findall(r"\]\(([^)]+)\)", PAGE)

    assert {link[1:] for link in links if link.startswith("#")} <= heads
    files = [link.partition("#")[0] for link in links if not link.startswith(("#", "http"))]
    assert [file for file in files if not (ROOT / "docs" / file).exists()] == []


def test_its_commands_are_commands() -> None:
    for command in set(re.findall(r"`shopbell ([a-z][^`<]*)`", PAGE)):
        _parser().parse_args(command.split())


def test_its_service_runs_as_the_procfile_does() -> None:
    heap = set(re.findall(r"MALLOC_\w+_=\d+", (ROOT / "Procfile").read_text()))

    assert heap == set(re.findall(r"MALLOC_\w+_=\d+", PAGE))
