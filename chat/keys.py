"""Random ids and secrets, and what is stored of a secret."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Literal

IdPrefix = Literal["acc", "inb", "agt", "tem", "bot", "con", "ses", "tok", "inv", "upl", "key"]

# Secrets carry a prefix, so that whoever finds one in a log or a repository knows what it opens.
SESSION_PREFIX = "sbs_"
API_TOKEN_PREFIX = "sbt_"


def fresh_id(prefix: IdPrefix) -> str:
    """An id nobody has: 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


def fresh_secret(prefix: str) -> str:
    """A secret nobody can guess: 256 random bits. Its holder sees it once; we keep `fingerprint` of it."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> bytes:
    """What is stored of a secret. Plain SHA-256 is enough, as 256 random bits can't be tried out."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
