"""The search index in SQLite: documents in runs, and for each run that is full the grams of its documents.

A run is small, so it gets its grams by a few short transactions, on pages that are near each other. The run that isn't
full yet has no grams: it is looked through. docs/decisions/0010 says why it isn't FTS5.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from chat.errors import Unavailable
from chat.folding import grams
from chat.search import Doc, Filters, contact_text
from chat.store.search_index import Candidates, Original, SearchIndex
from chat.store.sqlite_candidates import Search, originals
from chat.store.sqlite_file import connect
from chat.store.sqlite_runs import DOC, PLACE_BITS, RUN, Head, drop, drop_one, forget, key_of
from chat.store.sqlite_view import SqliteView

T = TypeVar("T")
Turn = Callable[[bool], AbstractAsyncContextManager[sqlite3.Connection]]
"""A short transaction beside the ledger's; whether it must be on the disk when it ends."""

ROOM = 48  # documents of one turn, as the ledger waits for it
SLICE = 32  # documents whose grams are made at a time, so that nobody waits for long
ROWS = 1_000  # of grams, written at a time

_TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS search_new_contact AFTER INSERT ON contacts
    WHEN NEW.name <> '' OR NEW.email IS NOT NULL
    BEGIN INSERT INTO search_contacts (contact) VALUES (NEW.key); END""",
    """CREATE TRIGGER IF NOT EXISTS search_changed_contact AFTER UPDATE OF name, email, merged_into, erased ON contacts
    WHEN (NEW.name, NEW.email, NEW.merged_into, NEW.erased) IS NOT (OLD.name, OLD.email, OLD.merged_into, OLD.erased)
    BEGIN INSERT INTO search_contacts (contact) VALUES (NEW.key); END""",
)
_BEHIND = f"""
    SELECT a.id FROM ledgers l JOIN accounts a ON a.key = l.account LEFT JOIN search_heads h ON h.account = l.account
    WHERE l.cursor > coalesce(h.cursor, 0) OR (h.place >> {PLACE_BITS}) > h.sealed
    UNION SELECT a.id FROM search_contacts s
    JOIN contacts c ON c.key = s.contact JOIN accounts a ON a.key = c.account"""
_CONVERSATION_KEY = "SELECT key FROM conversations WHERE id = ? AND account = ?"
_REACHED = "SELECT seq FROM search_threads WHERE conversation = ?"
_REACH = "INSERT OR REPLACE INTO search_threads (conversation, seq) VALUES (?, ?)"
_ADD_DOC = "INSERT INTO search_docs (key, account, of, kind, conversation, at, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
_OF_RUN = "SELECT key, text FROM search_docs WHERE key BETWEEN ? AND ? ORDER BY key"
_COUNT_OF_RUN = "SELECT count(*) FROM search_docs WHERE key BETWEEN ? AND ?"
_ADD_GRAM = "INSERT INTO search_grams (account, run, gram, docs) VALUES (?, ?, ?, ?)"
_DROP_GRAMS = "DELETE FROM search_grams WHERE account = ? AND run = ?"
_WAITING = """
    SELECT s.key, c.id, c.created_at, c.name, c.email, c.merged_into IS NOT NULL OR c.erased
    FROM search_contacts s JOIN contacts c ON c.key = s.contact WHERE c.account = ? ORDER BY s.key LIMIT ?"""
_WAITS_NO_LONGER = "DELETE FROM search_contacts WHERE key = ?"


class SqliteSearchIndex:
    """See `chat.store.search_index.SearchIndex` for the promises. Searches run in a thread with its own connection."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection, turn: Turn) -> None:
        self._reader = reader
        self._turn = turn
        self._searching = ThreadPoolExecutor(1, "search")
        self._own = connect(path)
        self._own.execute("PRAGMA query_only=ON")
        writer.execute("PRAGMA secure_delete=ON")  # what was deleted or overwritten leaves no bytes in the file's pages
        for trigger in _TRIGGERS:
            writer.execute(trigger)

    @property
    def room(self) -> int:
        return ROOM

    async def behind(self) -> list[str]:
        with _as_unavailable():
            return [row[0] for row in self._reader.execute(_BEHIND).fetchall()]

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[SqliteIndexTurn]:
        async with self._turn(False) as writer:
            turn = SqliteIndexTurn(writer, account)
            yield turn
            turn.save()

    async def seal(self, account: str) -> bool:
        with _as_unavailable():
            head = Head.read(self._reader, account)
            if head is None or not head.can_seal:
                return False
            first = key_of(head.account, head.sealed << PLACE_BITS)
            docs = self._reader.execute(_OF_RUN, (first, first + RUN - 1)).fetchall()
        found: dict[str, bytearray] = {}
        for number, (key, text) in enumerate(docs):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            for gram in grams(text):
                found.setdefault(gram, bytearray()).append(key - first)
        rows = [(head.account, head.sealed, gram, found[gram]) for gram in sorted(found)]
        for start in range(0, max(1, len(rows)), ROWS):
            async with self._turn(False) as writer:
                now = Head.read(writer, account)
                count = writer.execute(_COUNT_OF_RUN, (first, first + RUN - 1)).fetchone()[0]
                if now is None or now.sealed != head.sealed or count != len(docs):
                    break  # a full run gains nothing; what it has lost meanwhile must not be written: then once more
                if start == 0:
                    writer.execute(_DROP_GRAMS, (head.account, head.sealed))  # where this was begun before, and cut off
                writer.executemany(_ADD_GRAM, rows[start : start + ROWS])
                if start + ROWS >= len(rows):
                    now.sealed += 1
                    now.save(writer)
            await asyncio.sleep(0)
        return True

    async def candidates(self, account: str, pieces: Sequence[str], filters: Filters, limit: int) -> Candidates:
        return await self._search(lambda own: Search(own, pieces, filters, limit).of(account))

    async def originals(self, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
        return await self._search(lambda own: originals(own, account, docs))

    async def forget(
        self, account: str, *, conversations: Collection[str] = (), contacts: Collection[str] = ()
    ) -> None:
        async with self._turn(True) as writer:
            forget(writer, account, conversations=conversations, contacts=contacts)

    def close(self) -> None:
        self._searching.shutdown()
        self._own.close()

    async def _search(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the thread, at one moment of the store."""

        def look() -> T:
            self._own.execute("BEGIN")
            try:
                return work(self._own)
            finally:
                self._own.execute("COMMIT")

        with _as_unavailable():
            return await asyncio.get_running_loop().run_in_executor(self._searching, look)


class SqliteIndexTurn:
    """See `chat.store.search_index.IndexTurn` for the promises."""

    def __init__(self, writer: sqlite3.Connection, account: str) -> None:
        self._writer = writer
        self._head = Head.read(writer, account)
        self.view = SqliteView(writer)

    @property
    def cursor(self) -> int:
        return self._head.cursor if self._head else 0

    async def advance(self, cursor: int) -> None:
        self._there.cursor = cursor

    async def reached(self, conversations: Collection[str]) -> Mapping[str, int]:
        keys = {id_: self._conversation(id_) for id_ in conversations}
        rows = {id_: self._writer.execute(_REACHED, (key,)).fetchone() for id_, key in keys.items()}
        return {id_: int(row[0]) for id_, row in rows.items() if row}

    async def reach(self, seqs: Mapping[str, int]) -> None:
        self._writer.executemany(_REACH, [(self._conversation(id_), seq) for id_, seq in seqs.items()])

    async def put(self, docs: Iterable[Doc]) -> None:
        head = self._there
        for doc in docs:
            there = self._writer.execute(DOC, (doc.of, head.account)).fetchone()
            if there is not None:
                if (there[1], there[2]) == (doc.at, doc.text):
                    continue
                drop_one(self._writer, head, there[0], there[2])
            key = key_of(head.account, head.next_place(len(doc.text)))
            conversation = None if doc.conversation is None else self._conversation(doc.conversation)
            row = (key, head.account, doc.of, doc.kind, conversation, doc.at, doc.text)
            self._writer.execute(_ADD_DOC, row)

    async def drop(self, of: Collection[str]) -> None:
        drop(self._writer, self._there, of)

    async def waiting_contacts(self, limit: int) -> list[tuple[str, int, str | None]]:
        rows = self._writer.execute(_WAITING, (self._there.account, limit)).fetchall()
        self._writer.executemany(_WAITS_NO_LONGER, [row[:1] for row in rows])
        return [(id_, at, None if gone else contact_text(name, email)) for _, id_, at, name, email, gone in rows]

    def save(self) -> None:
        if self._head is not None:
            self._head.save(self._writer)

    @property
    def _there(self) -> Head:
        assert self._head is not None, "an account that isn't there has nothing to index"
        return self._head

    def _conversation(self, conversation: str) -> int:
        return int(self._writer.execute(_CONVERSATION_KEY, (conversation, self._there.account)).fetchone()[0])


class _as_unavailable:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
            raise Unavailable(f"the search index can't be used: {error}") from error


_: type[SearchIndex] = SqliteSearchIndex
