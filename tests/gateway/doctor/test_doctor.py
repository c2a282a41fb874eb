"""`shopbell doctor` as a whole: a line per check, 0 or 1, and neither a traceback nor a secret whatever happens."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway import app, doctor
from gateway.__main__ import FAILED, OK, main
from gateway.doctor import examine
from gateway.doctor.finding import Finding
from gateway.settings import read
from tests.engines import PostgresEngine
from tests.node import a_node
from tests.servers import redis

SECRET = "the-secret-of-this-installation-0123456789"


@pytest.fixture(autouse=True)
def _quick_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "TICK_SECONDS", 0.1)


async def findings(environment: dict[str, str]) -> list[Finding]:
    return [finding async for finding in examine(environment)]


def subjects(found: list[Finding], level: str) -> list[str]:
    return [finding.subject for finding in found if finding.level == level]


async def test_a_node_on_postgres_and_redis_is_well(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"store": PostgresEngine(tmp_path).url, "bus": redis().url}
    (tmp_path / "data").mkdir(mode=0o700)
    async with a_node(tmp_path / "data", hello_seconds=0.5, **settings) as node:
        more = {"DATA": str(tmp_path / "data"), "PORT": str(node.port), "SECRET": SECRET, "HELLO_SECONDS": "0.5"}
        more |= {"PUBLIC_URL": node.origin}
        found = await findings({f"SHOPBELL_{name.upper()}": value for name, value in (settings | more).items()})

    assert subjects(found, "fail") == []
    assert subjects(found, "ok") == ["settings", "data", "secret", "files", "store", "bus", "clocks", node.origin]
    assert logging.getLogger("gateway.bus.redis").isEnabledFor(logging.WARNING)  # what it changes it puts back


def test_it_says_all_that_is_wrong_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "DATA": str(tmp_path / "var"),
        "STORE": "postgresql://bell:hunter2@127.0.0.1:1/bell",
        "BUS": "redis://bell:swordfish@127.0.0.1:1",
        "PORT": "1",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "STOER": "a slip",
    }.items():
        monkeypatch.setenv(f"SHOPBELL_{name}", value)

    assert main(["doctor"]) == FAILED

    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("fail")] == [
        "fail  secret",
        "fail  store",
        "fail  bus",
        "fail  http",
    ]
    assert "note  settings: SHOPBELL_STOER is no setting; SHOPBELL_STORE is one." in lines
    assert lines[-1] == "4 to mend."
    assert "Traceback" not in said.out + said.err
    assert not {"hunter2", "swordfish"} & set(said.out.replace(":", " ").replace("@", " ").split())


def test_settings_that_cant_be_used_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_PORT", "x")

    assert main(["doctor"]) == FAILED
    assert capsys.readouterr().out.startswith("fail  settings: SHOPBELL_PORT must be")


def test_without_a_fault_it_ends_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "_checks", lambda settings, read: ())

    assert main(["doctor"]) == OK
    assert capsys.readouterr().out.endswith("Nothing to mend.\n")


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(settings: object) -> list[Finding]:
        raise KeyError(SECRET)

    monkeypatch.setattr(doctor, "_data", breaks)
    monkeypatch.setattr(doctor.probe, "look", breaks)

    found = asyncio.run(findings({}))

    assert "data: this check failed by itself (KeyError)" in "\n".join(map(str, found))
    assert subjects(found, "ok")[:2] == ["settings", "secret"]
    assert SECRET not in "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SHOPBELL_BUS": "redis://redis"}, "the store is a file"),
        (
            {
                "SHOPBELL_STORE": "postgresql://db/bell",
                "SHOPBELL_BUS": "redis://redis",
                "SHOPBELL_PRESENCE": "memory",
            },
            "no node knows who is present at another",
        ),
    ],
)
def test_settings_that_make_no_sense_together_are_said(environment: dict[str, str], said: str) -> None:
    chosen = read(environment)

    assert said in doctor.judge_settings(chosen, [])[0].text
