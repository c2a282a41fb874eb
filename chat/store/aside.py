"""How far the ledgers were, kept beside the database: an old copy that came back is known by it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

WRITE_SECONDS = 5.0  # how often it is written


class HeadAside:
    """The sum of all heads in a small file. It may stand too low, never too high."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it is time to write again; says so once. `now` in monotonic seconds."""
        if now - self._written_at <= WRITE_SECONDS:
            return False
        self._written_at = now
        return True

    def read(self) -> int:
        try:
            return int(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def write(self, heads: int) -> None:
        with suppress(OSError):  # a full disk: the last one stays, which is lower and so still right
            new = self._path.with_suffix(".head~")
            new.write_text(str(heads))
            new.replace(self._path)
