"""The kept secret: made once, for its owner's eyes only."""

import stat
from pathlib import Path

from gateway.secret import FILE, kept_secret


def test_a_secret_is_made_once_and_then_kept(tmp_path: Path) -> None:
    data = tmp_path / "var"

    first = kept_secret(data)

    assert len(first) >= 32
    assert kept_secret(data) == first
    assert kept_secret(tmp_path / "elsewhere") != first
    assert [path.name for path in data.iterdir()] == [FILE]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    kept_secret(tmp_path)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_one_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"abc")

    assert len(kept_secret(tmp_path)) >= 32
