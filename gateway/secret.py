"""The secret that signs tokens and seals: given by a setting, or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

FILE = "secret"
SIZE = 48  # random bytes, more of text; HS256 wants at least 32
LEAST = 32  # bytes


def fresh() -> bytes:
    """A secret nobody can guess, in letters that go everywhere."""
    return secrets.token_urlsafe(SIZE).encode()


def kept_secrets(data: Path) -> tuple[bytes, ...]:
    """The secret in this folder, made if there is none. OSError if that can't be done.

    Behind it are the older ones of a rotation that hasn't come to its end: they still open what they sealed.
    """
    path = data / FILE
    with suppress(FileNotFoundError):
        found = tuple(line for line in path.read_bytes().split() if len(line) >= LEAST)
        if found:
            return found
        path.unlink()  # cut short, e.g. by a full disk: tokens signed with nothing would be anybody's
    data.mkdir(parents=True, exist_ok=True)
    made = _written(data, [fresh()])
    try:
        os.link(made, path)  # whoever comes second takes the first one's
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return tuple(path.read_bytes().split())


def keep(data: Path, kept: Sequence[bytes]) -> None:
    """From now on the folder has these, the one that counts first; whatever happens, it has these or those before."""
    _written(data, kept).replace(data / FILE)
    folder = os.open(data, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(data: Path, kept: Sequence[bytes]) -> Path:
    """A new file beside the real one, that only its owner can read."""
    path = data / f"{FILE}.{os.getpid()}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(b"\n".join(kept))
        file.flush()
        os.fsync(file.fileno())
    return path
