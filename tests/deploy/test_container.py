"""The Dockerfile and the compose file, as far as they can be proven without building: what they name is there."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from gateway import settings
from gateway.__main__ import _parser
from gateway.settings import TABLE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
VARIABLES = {line.variable for line in TABLE}


def instructions(name: str) -> list[str]:
    return re.findall(rf"^\s*{name} (.+)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[str]:
    """What is taken from the repository."""
    lines = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [source for line in lines for source in line[:-1]]


def environment() -> dict[str, str]:
    """What the image sets."""
    (line,) = instructions("ENV")
    return dict(word.split("=", 1) for word in line.split())


def test_what_is_copied_is_there_and_not_ignored() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]

    assert [path for path in copied() if not (ROOT / path).exists()] == []
    for path in copied():
        last = [rule for rule in rules if fnmatch(path, rule.removeprefix("!"))][-1]
        assert last == f"!{path}", f"{path} isn't sent to the builder"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert let_in == set(copied()), "nothing else is sent"


def test_the_image_has_all_that_the_wheel_is_made_of() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert set(wheel) <= set(copied())
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "hatch_build.py"} <= set(copied())
    assert "--from=front /src/gateway/static ./gateway/static" in instructions("COPY")
    assert "--require-hashes" in DOCKERFILE


def test_the_versions_are_the_projects() -> None:
    version, python = PROJECT["project"]["version"], PROJECT["project"]["requires-python"]

    assert f"shopbell:{version}" in (ROOT / "Dockerfile").read_text()
    assert COMPOSE["services"]["shopbell"]["image"] == f"shopbell:{version}"
    bases = {line.split()[0] for line in instructions("FROM")}
    assert bases == {"node:20-slim", f"python:{python.removeprefix('>=')}-slim"}
    assert '"node": ">=20"' in (ROOT / "package.json").read_text()


def test_the_process_is_nobody_in_particular_and_has_no_secret() -> None:
    assert instructions("USER") == ["shopbell"]
    assert not re.search(r"(?i)secret|password|token", DOCKERFILE)
    assert instructions("ENTRYPOINT") == ['["shopbell"]']
    (health,) = instructions("HEALTHCHECK")
    assert "/healthz" in health


def test_what_the_image_sets_are_settings_that_can_be_read() -> None:
    ours = {name: value for name, value in environment().items() if name.startswith("SHOPBELL_")}
    read = settings.read(ours)

    assert set(ours) <= VARIABLES
    assert instructions("EXPOSE") == [str(read.port)]
    assert instructions("VOLUME") == [str(read.data)]
    assert read.host == "0.0.0.0"
    heap = dict(re.findall(r"(MALLOC_\w+_)=(\d+)", (ROOT / "Procfile").read_text()))
    assert {name: value for name, value in environment().items() if name.startswith("MALLOC")} == heap


def test_the_services_have_settings_that_can_be_read_and_see_each_other() -> None:
    for name in ("migrate", "shopbell"):
        given = {key: filled(value) for key, value in COMPOSE["services"][name]["environment"].items()}
        read = settings.read(given)
        assert set(given) <= VARIABLES
        assert read.is_on_postgres
        assert not read.is_alone
        hosts = {urlsplit(read.store).hostname, urlsplit(read.bus).hostname}
        assert hosts == {"postgres", "redis"} <= set(COMPOSE["services"])
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_DB"] == "shopbell"


def test_the_commands_are_commands() -> None:
    for name in ("migrate", "shopbell"):
        _parser().parse_args(COMPOSE["services"][name]["command"])


def test_nodes_start_after_the_schema_and_no_service_is_open_to_the_world() -> None:
    services = COMPOSE["services"]

    assert services["shopbell"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "shopbell": ["127.0.0.1:8000:8000"]
    }


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "compose.yaml").read_text()

    assert re.findall(r"(?:PASSWORD|SECRET): (?!\$\{)", text) == []
    assert set(COMPOSE["volumes"]) == {"data", "postgres"}


def filled(text: str) -> str:
    """As compose fills variables in: the default, or something long enough."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?)\}", lambda found: found[2] if found[2] is not None else "x" * 40, text)
