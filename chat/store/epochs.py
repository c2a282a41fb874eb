"""Which history a database has. An epoch is its name; where some of it is lost, another one begins. Pure."""

from __future__ import annotations

import secrets

from msgspec import Struct

KEPT = 64  # older ones: one more each time that a copy comes back or a standby takes over
NAMES = ("epoch", "epochs")  # the rows of `meta`: the current one, and the older ones with spaces between


class Epochs(Struct, frozen=True):
    """The epoch of a database, and those that led to it, oldest first."""

    current: str
    older: tuple[str, ...] = ()

    def know(self, epoch: str) -> bool:
        """Whether the history with this name is this one, or led to it."""
        return epoch == self.current or epoch in self.older

    def renewed(self) -> Epochs:
        return Epochs(_fresh(), (*self.older, self.current)[-KEPT:])


class Seen(Struct, frozen=True):
    """How far somebody saw all ledgers come (the sum of their heads), and in which epoch, if that was noted."""

    heads: int
    epoch: str | None = None


def first() -> Epochs:
    """Of a database that has none yet."""
    return Epochs(_fresh())


def read(rows: dict[str, str]) -> Epochs | None:
    """From the rows of `meta`."""
    return Epochs(rows["epoch"], tuple(rows.get("epochs", "").split())) if "epoch" in rows else None


def written(epochs: Epochs) -> dict[str, str]:
    """As rows of `meta`."""
    return dict(zip(NAMES, (epochs.current, " ".join(epochs.older)), strict=True))


def is_lost(epochs: Epochs, heads: int, seen: Seen | None) -> bool:
    """Whether some of what was seen isn't there any more.

    After an epoch that came later nothing can be compared: whoever began it has noticed. Of one that the database
    doesn't know, it is an older copy.
    """
    if seen is None:
        return False
    if seen.epoch in (None, epochs.current):
        return heads < seen.heads
    return not epochs.know(seen.epoch)


def _fresh() -> str:
    return secrets.token_hex(8)
