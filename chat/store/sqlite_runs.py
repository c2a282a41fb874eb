"""The rows of SQLite's search index: an account's head, its runs of documents and their grams, and taking away."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any

import orjson

from chat.folding import grams

PLACE_BITS = 8  # of a document's key: its place in the run
RUN_BITS = 28
RUN = 1 << PLACE_BITS
RUN_CHARACTERS = 16 * 1024  # a run of long texts has fewer documents

LIST = "(SELECT value FROM json_each(?))"
_HEAD = """
    SELECT a.key, h.cursor, h.place, h.sealed, h.size FROM accounts a LEFT JOIN search_heads h ON h.account = a.key
    WHERE a.id = ?"""
_SAVE_HEAD = "INSERT OR REPLACE INTO search_heads (account, cursor, place, sealed, size) VALUES (?, ?, ?, ?, ?)"
DOC = "SELECT key, at, text FROM search_docs WHERE of = ? AND account = ?"
DROP_DOC = "DELETE FROM search_docs WHERE key = ?"
GRAMS = f"SELECT run, gram, docs FROM search_grams WHERE account = ? AND run IN {LIST} AND gram IN {LIST}"
_SET_GRAM = "UPDATE search_grams SET docs = ? WHERE account = ? AND run = ? AND gram = ?"
_DROP_GRAM = "DELETE FROM search_grams WHERE account = ? AND run = ? AND gram = ?"
_ENTRIES_OF = """
    SELECT d.of FROM entries e JOIN search_docs d ON d.of = e.id AND d.account = e.account
    WHERE e.conversation = (SELECT key FROM conversations WHERE id = ? AND account = ?)"""


class Head:
    """How far an account is indexed: its row in search_heads."""

    def __init__(self, account: int, cursor: int, place: int, sealed: int, size: int) -> None:
        self.account = account
        self.cursor = cursor
        self.place = place
        self.sealed = sealed
        self.size = size

    @classmethod
    def read(cls, connection: sqlite3.Connection, account: str) -> Head | None:
        row = connection.execute(_HEAD, (account,)).fetchone()
        return None if row is None else cls(*(value or 0 for value in row))

    @property
    def can_seal(self) -> bool:
        return self.place >> PLACE_BITS > self.sealed

    def next_place(self, size: int) -> int:
        """A place for a document of so many characters. A run that is long enough begins no further one."""
        place = self.place
        self.size += size
        self.place += 1
        if self.place % RUN == 0 or self.size >= RUN_CHARACTERS:
            self.place, self.size = ((place >> PLACE_BITS) + 1) << PLACE_BITS, 0
        return place

    def save(self, writer: sqlite3.Connection) -> None:
        writer.execute(_SAVE_HEAD, (self.account, self.cursor, self.place, self.sealed, self.size))


def forget(
    writer: sqlite3.Connection, account: str, *, conversations: Collection[str] = (), contacts: Collection[str] = ()
) -> None:
    """Take away all that the index has of these, entries included: a part of the transaction that the writer is in."""
    head = Head.read(writer, account)
    if head is None:
        return
    drop(writer, head, [*conversations, *contacts])
    for conversation in conversations:
        drop(writer, head, [row[0] for row in writer.execute(_ENTRIES_OF, (conversation, head.account)).fetchall()])


def drop(writer: sqlite3.Connection, head: Head, of: Collection[str]) -> None:
    for each in of:
        there = writer.execute(DOC, (each, head.account)).fetchone()
        if there is not None:
            drop_one(writer, head, there[0], there[2])


def drop_one(writer: sqlite3.Connection, head: Head, key: int, text: str) -> None:
    """With its place in every gram that it has. A place is never used again."""
    writer.execute(DROP_DOC, (key,))
    run, place = run_and_place(key)
    if run > head.sealed:  # of the one that is sealed next, some grams may be there
        return
    rows = writer.execute(GRAMS, (head.account, as_json([run]), as_json(list(grams(text))))).fetchall()
    kept = [(docs.replace(bytes([place]), b""), head.account, run, gram) for _, gram, docs in rows]
    writer.executemany(_SET_GRAM, [row for row in kept if row[0]])
    writer.executemany(_DROP_GRAM, [row[1:] for row in kept if not row[0]])


def key_of(account: int, place: int) -> int:
    return account << (RUN_BITS + PLACE_BITS) | place


def run_and_place(key: int) -> tuple[int, int]:
    return key >> PLACE_BITS & ((1 << RUN_BITS) - 1), key & (RUN - 1)


def as_json(values: list[Any]) -> str:
    return orjson.dumps(values).decode()
