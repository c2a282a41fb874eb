"""The wheel is the whole product: the rooms, the migrations and the front end, which is rebuilt when it is old."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import INSTALLED, MANIFEST, is_fresh, is_installed

ROOT = Path(__file__).parent.parent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project whose front end was built a minute after its last change."""
    sources = {"package.json": 0, "package-lock.json": 0, "widget/src/loader.ts": 0}
    for name, moment in (sources | {str(INSTALLED): 30, str(MANIFEST): 60}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (moment, moment))
    return tmp_path


def test_a_front_end_newer_than_its_sources_is_fresh(tree: Path) -> None:
    assert is_fresh(tree)


def test_a_changed_source_makes_it_old(tree: Path) -> None:
    os.utime(tree / "widget/src/loader.ts", (61, 61))

    assert not is_fresh(tree)


def test_a_missing_manifest_makes_it_old(tree: Path) -> None:
    (tree / MANIFEST).unlink()

    assert not is_fresh(tree)


def test_packages_are_installed_again_only_for_a_newer_lock(tree: Path) -> None:
    assert is_installed(tree)

    os.utime(tree / "package-lock.json", (31, 31))
    assert not is_installed(tree)

    (tree / INSTALLED).unlink()
    assert not is_installed(tree)


def test_the_wheel_carries_the_front_end_the_migrations_and_every_room(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = tmp_path.glob("shopbell-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    built = {str(path.relative_to(ROOT)) for path in (ROOT / MANIFEST).parent.rglob("*") if path.is_file()}
    assert str(MANIFEST) in built
    assert built <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"chat", "presence", "gateway", "bots"}
    assert any(name.startswith("chat/store/migrations/") and name.endswith(".py") for name in names)
