"""How far the ledgers were, kept beside the database: an old copy that came back is known by it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from chat.store.epochs import Seen

WRITE_SECONDS = 5.0  # how often it is written


class HeadAside:
    """What was last seen, in a small file. It may stand too low, never too high."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it is time to write again; says so once. `now` in monotonic seconds."""
        if now - self._written_at <= WRITE_SECONDS:
            return False
        self._written_at = now
        return True

    def read(self) -> Seen | None:
        try:
            heads, *epoch = self._path.read_text().split()
            return Seen(int(heads), *epoch)
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, heads: int, epoch: str) -> None:
        with suppress(OSError):  # a full disk: the last one stays, which is lower and so still right
            new = self._path.with_name(f"{self._path.name}~{os.getpid()}")  # workers have one file
            new.write_text(f"{heads} {epoch}")
            new.replace(self._path)
