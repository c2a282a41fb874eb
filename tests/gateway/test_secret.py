"""The kept secret: made once, for its owner's eyes only."""

import stat
from pathlib import Path

import pytest

from gateway.secret import FILE, fresh, keep, kept_secrets


def test_a_secret_is_made_once_and_then_kept(tmp_path: Path) -> None:
    data = tmp_path / "var"

    [first] = kept_secrets(data)

    assert len(first) >= 32
    assert kept_secrets(data) == (first,)
    assert kept_secrets(tmp_path / "elsewhere") != (first,)
    assert [path.name for path in data.iterdir()] == [FILE]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    kept_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600

    keep(tmp_path, [fresh()])
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_one_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"abc")

    assert len(kept_secrets(tmp_path)[0]) >= 32


def test_while_it_is_replaced_the_new_one_comes_first(tmp_path: Path) -> None:
    [old] = kept_secrets(tmp_path)
    new = fresh()

    keep(tmp_path, [new, old])
    assert kept_secrets(tmp_path) == (new, old)

    keep(tmp_path, [new])
    assert kept_secrets(tmp_path) == (new,)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_when_there_is_no_room_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_secrets(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.secret.os.fsync", full)
    with pytest.raises(OSError):
        keep(tmp_path, [fresh(), *kept])

    assert kept_secrets(tmp_path) == kept
