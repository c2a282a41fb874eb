"""What the store holds, read past the server: the truth that the history checker compares with."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

_CONVERSATIONS = "SELECT id, contact, assignee, seq, status FROM conversations"
_ENTRIES = """
    SELECT c.id, e.id, e.seq, e.born, e.author, e.kind, e.audience, e.text FROM entries e
    JOIN conversations c ON c.key = e.conversation ORDER BY e.key"""


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one entry."""

    conversation: str
    id: str
    seq: int
    born: int
    author: str
    kind: str = "message"
    audience: str = "everyone"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """One conversation as the store has it."""

    id: str
    contact: str
    assignee: str | None
    seq: int
    status: str = "open"


@dataclass(slots=True)
class Stored:
    """All conversations and entries, with the ways to look them up."""

    conversations: dict[str, Kept]
    rows: list[Row]
    by_conversation: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    by_id: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for row in sorted(self.rows, key=lambda row: row.seq):
            self.by_conversation[row.conversation].append(row)
            self.by_id[row.id].append(row)

    def born(self, id: str) -> Row | None:
        """An entry's first version."""
        return next((row for row in self.by_id.get(id, ()) if row.seq == row.born), None)


def stored(conversations: Iterable[Kept], rows: Iterable[Row]) -> Stored:
    return Stored({kept.id: kept for kept in conversations}, list(rows))


def read_sqlite(path: Path) -> Stored:
    """Read a database file, also one whose server has just been killed; it must not be written to meanwhile."""
    database = sqlite3.connect(path)
    try:
        kept = database.execute(_CONVERSATIONS).fetchall()
        rows = database.execute(_ENTRIES).fetchall()
        check = database.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        database.close()
    if check != "ok":
        raise AssertionError(f"the database is broken: {check}")
    return stored([Kept(*row) for row in kept], [Row(*row) for row in rows])


def read_postgres(url: str) -> Stored:
    """Read a PostgreSQL database as it stands at one moment."""

    async def read() -> tuple[list[Any], list[Any]]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await connection.fetch(_CONVERSATIONS), await connection.fetch(_ENTRIES)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:  # it runs a loop of its own, and whoever asks may be in one
        kept, rows = aside.submit(asyncio.run, read()).result()
    return stored([Kept(*row) for row in kept], [Row(*row) for row in rows])
