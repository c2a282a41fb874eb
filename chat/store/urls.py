"""The URL of a PostgreSQL database: as hosts and people write it, as asyncpg reads it, and as SQLAlchemy wants it."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+asyncpg)?://")


def is_postgres(url: str) -> bool:
    return _SCHEME.match(url) is not None


def for_asyncpg(url: str) -> str:
    """As libpq has it too."""
    return _SCHEME.sub("postgresql://", url, count=1)


def for_sqlalchemy(url: str) -> str:
    """Other engines' URLs stay as they are. What libpq calls `sslmode`, asyncpg's own arguments call `ssl`."""
    if not is_postgres(url):
        return url
    return re.sub(r"([?&])sslmode=", r"\1ssl=", _SCHEME.sub("postgresql+asyncpg://", url, count=1))
