"""The places on this machine: what can't be written, is too open, too full or in the way is said with what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import settings
from gateway.doctor.places import LEAST_FREE, Folder, judge_data, judge_secret, look_at, look_at_secret, try_files
from gateway.settings import Settings

SEVERAL = {"SHOPBELL_STORE": "postgresql://bell@db/bell", "SHOPBELL_BUS": "redis://redis"}


def chosen(data: Path, **more: str) -> Settings:
    return settings.read({"SHOPBELL_DATA": str(data), **more})


def a_folder(
    *,
    above: str = "/srv/bell",
    is_folder: bool = True,
    is_writable: bool = True,
    is_open_to_all: bool = False,
    free: int = 2 * LEAST_FREE,
) -> Folder:
    return Folder(Path("/srv/bell"), Path(above), is_folder, is_writable, is_open_to_all, free)


def test_a_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    found = look_at(tmp_path / "deep" / "var")

    assert (found.above, found.is_there, found.is_folder, found.is_writable) == (tmp_path, False, True, True)
    assert not (tmp_path / "deep").exists()
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    assert look_at(tmp_path / "open").is_open_to_all
    (tmp_path / "file").write_text("")
    assert not look_at(tmp_path / "file" / "var").is_folder


@pytest.mark.parametrize(
    ("folder", "level", "said"),
    [
        (a_folder(), "ok", "2 GiB are free"),
        (a_folder(above="/srv"), "ok", "can be made"),
        (a_folder(is_folder=False), "fail", "is in the way"),
        (a_folder(is_writable=False), "fail", "can't be written"),
        (a_folder(free=5 * 1024**2), "fail", "only 5 MiB"),
        (a_folder(is_open_to_all=True), "note", "chmod 700"),
    ],
)
def test_the_data_folder_is_judged(folder: Folder, level: str, said: str) -> None:
    finding = judge_data(folder)

    assert finding.level == level
    assert said in finding.text


def test_several_nodes_need_one_secret(tmp_path: Path) -> None:
    assert judge_secret(chosen(tmp_path, **SEVERAL), None).level == "fail"
    assert judge_secret(chosen(tmp_path, **SEVERAL, SHOPBELL_SECRET="s" * 40), None).level == "ok"
    assert judge_secret(chosen(tmp_path), None).level == "ok"


def test_a_secret_that_others_can_read_is_burnt(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    (tmp_path / "secret").chmod(0o644)
    assert "shopbell secret rotate" in look_at_secret(chosen(tmp_path)).text

    (tmp_path / "secret").chmod(0o600)
    assert look_at_secret(chosen(tmp_path)).level == "ok"


def test_a_file_is_written_read_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()

    finding = asyncio.run(try_files(chosen(tmp_path)))

    assert finding.level == "ok"
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


def test_a_folder_of_files_that_isnt_there_is_left_alone(tmp_path: Path) -> None:
    assert asyncio.run(try_files(chosen(tmp_path))).level == "ok"
    assert not (tmp_path / "files").exists()
    assert "the same folder for all nodes" in asyncio.run(try_files(chosen(tmp_path, **SEVERAL))).text


def test_files_that_cant_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")

    finding = asyncio.run(try_files(chosen(tmp_path)))

    assert finding.level == "fail"
