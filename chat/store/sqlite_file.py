"""The SQLite file itself: how it is opened, and the lock that keeps a second server out."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from chat.errors import Unavailable

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=0",  # waiting inside SQLite would block the loop; we retry outside
    "PRAGMA foreign_keys=OFF",  # hot rows are written by one place; the cold path checks its own
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA secure_delete=ON",  # what was erased is overwritten with zeros; distributions' SQLite has this on anyway
    "PRAGMA wal_autocheckpoint=4000",  # pages; a checkpoint costs a few ms, so not every 1,000
)


def is_locked(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def cold_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 0}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: object) -> None:
        for pragma in (*_PRAGMAS, "PRAGMA foreign_keys=ON"):
            connection.execute(pragma)

    return engine


def lock_file(path: Path) -> int:
    """Hold the lock beside the database, or raise Unavailable: a second server would break the first one's caches."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise Unavailable(f"another process is using the database {path}") from error
    return lock
