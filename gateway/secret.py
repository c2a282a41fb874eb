"""The secret that signs tokens: given by a setting, or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

FILE = "secret"
SIZE = 48  # bytes; HS256 wants at least 32


def kept_secret(data: Path) -> bytes:
    """The secret in this folder, made if there is none. Only its owner can read it. OSError if that can't be done."""
    path = data / FILE
    with suppress(FileNotFoundError):
        found = path.read_bytes()
        if len(found) >= 32:
            return found
        path.unlink()  # cut short, e.g. by a full disk: tokens signed with nothing would be anybody's
    data.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{FILE}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_urlsafe(SIZE).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # whoever comes second takes the first one's
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()
