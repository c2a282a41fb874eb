"""The house rules that a reader relies on and no linter knows: mirrored tests, telling names, clean locks."""

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("chat", "presence", "gateway", "bots")

# Modules without a test file of their own, and where their promises are kept instead.
TESTED_ELSEWHERE: dict[str, str] = {
    # Parts of the SQLite engine, which is tested as a whole.
    "chat/store/sqlite_file.py": "tests/chat/store/test_sqlite.py",
    "chat/store/sqlite_rows.py": "tests/contracts/test_store.py",
    "chat/store/sqlite_runs.py": "tests/chat/store/test_sqlite_search.py",
    "chat/store/sqlite_candidates.py": "tests/chat/store/test_sqlite_search.py",
    # Parts of the PostgreSQL engine, and what both engines have in common.
    "chat/store/postgres_rows.py": "tests/contracts/test_store.py",
    "chat/store/postgres_pool.py": "tests/chat/store/test_postgres.py",
    "chat/store/postgres_docs.py": "tests/chat/store/test_postgres_search.py",
    "chat/store/postgres_candidates.py": "tests/chat/store/test_postgres_search.py",
    "chat/store/rows.py": "tests/contracts/test_store.py",
    "chat/store/aside.py": "tests/contracts/test_store.py",
    # A seam.
    "chat/store/search_index.py": "tests/contracts/test_search_index.py",
}

# A name that says nothing collects everything.
FORBIDDEN_NAMES = {
    "base",
    "common",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "service",
    "services",
    "util",
    "utils",
}

# No socket, clock, loop or database in these: what import-linter must be told about as soon as the file is there.
PURE = (
    "chat/access.py",
    "chat/catalog.py",
    "chat/correction.py",
    "chat/errors.py",
    "chat/folding.py",
    "chat/forecast.py",
    "chat/handled.py",
    "chat/model.py",
    "chat/routing.py",
    "chat/rules",
    "chat/search.py",
    "chat/waiting.py",
    "gateway/agenda.py",
    "gateway/identity.py",
    "gateway/idle.py",
    "gateway/limits.py",
    "gateway/protocol.py",
    "gateway/session.py",
    "gateway/shared_meter.py",
    "presence/availability.py",
    "presence/calendars.py",
    "presence/coverage.py",
    "presence/extra_shifts.py",
    "presence/foreign_calendars.py",
    "presence/happenings.py",
    "presence/roster.py",
    "presence/schedule.py",
    "presence/shifts.py",
    "presence/zones.py",
)

# Each is split in two here, so that this file isn't its own culprit.
MACHINE_PATHS = re.compile(rb"(?<![\w./-])/(?:wo" rb"rk|ro" rb"ot|ho" rb"me|Us" rb"ers|op" rb"t/(?:pypi|wheels))/")


@cache
def files() -> tuple[PurePosixPath, ...]:
    """Every file that is in the repository or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(PurePosixPath(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


@cache
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def contracts() -> dict[str, dict[str, list[str]]]:
    tool = project()["tool"]
    assert isinstance(tool, dict)
    return {contract["id"]: contract for contract in tool["importlinter"]["contracts"]}


def modules() -> list[PurePosixPath]:
    """Our modules, but for front doors (`__init__.py`: names or a seam) and migrations, which the store's tests run."""
    return [
        path
        for path in files()
        if path.suffix == ".py"
        and path.parts[0] in ROOMS
        and path.stem != "__init__"
        and "migrations" not in path.parts
    ]


@pytest.mark.parametrize("module", modules(), ids=str)
def test_every_module_has_its_test_file(module: PurePosixPath) -> None:
    own = ROOT / "tests" / module.parent / f"test_{module.stem.strip('_')}.py"
    elsewhere = TESTED_ELSEWHERE.get(str(module))

    assert own.exists() != (elsewhere is not None), f"either {own.relative_to(ROOT)} or a line in TESTED_ELSEWHERE"
    assert elsewhere is None or (ROOT / elsewhere).exists()


def test_the_list_of_modules_tested_elsewhere_is_not_stale() -> None:
    assert set(TESTED_ELSEWHERE) <= {str(module) for module in modules()}


def test_every_name_tells_what_is_inside() -> None:
    culprits = [
        path for path in files() for part in path.parts if FORBIDDEN_NAMES & set(re.split(r"[-_.]", part.lower()))
    ]

    assert culprits == []


def test_the_rooms_import_in_one_direction() -> None:
    assert contracts()["direction"]["layers"] == ["gateway", "chat | presence"]
    assert contracts()["wire-only"]["source_modules"] == ["bots", "bench"]
    assert contracts()["wire-only"]["forbidden_modules"] == ["gateway", "chat", "presence"]


def test_every_pure_module_is_under_the_purity_contract() -> None:
    named = {module.removesuffix(".py").replace("/", ".") for module in PURE if (ROOT / module).exists()}
    contract = contracts()["purity"]

    assert named <= set(contract["source_modules"])
    assert {"asyncio", "os", "random", "sqlite3", "time"} <= set(contract["forbidden_modules"])


def test_python_locks_pin_everything_by_hash_and_name_no_registry() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock", "bench/peers/requirements.lock"):
        text = (ROOT / lock).read_text()
        pins = re.findall(r"^[a-z0-9.-]+==\S+(?: ;.*)? \\\n    --hash=", text, re.MULTILINE)

        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
        assert len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)), f"{lock}: an entry without a hash"


@pytest.mark.parametrize("name", ["package-lock.json", "bench/peers/package-lock.json"])
def test_the_node_lock_pins_everything_by_hash_and_names_no_registry(name: str) -> None:
    lock = json.loads((ROOT / name).read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_the_repository_names_no_machine() -> None:
    culprits = [str(path) for path in files() if MACHINE_PATHS.search((ROOT / path).read_bytes())]

    assert culprits == []


def test_heap_settings_are_the_same_in_the_procfile_and_make_run() -> None:
    def heap(name: str) -> dict[str, str]:
        return dict(re.findall(r"(MALLOC_\w+_)\s*\??=\s*(\d+)", (ROOT / name).read_text()))

    assert heap("Procfile") == heap("Makefile")
    assert set(heap("Procfile")) == {"MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"}
