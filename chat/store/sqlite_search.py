"""The search index in SQLite: documents in runs, and for each run that is full the grams of its documents.

A run is small, so it gets its grams by one short transaction, and pages that are near each other. The run that isn't
full yet has no grams: it is looked through. docs/decisions/0010 says why it isn't FTS5.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from msgspec.json import Decoder

from chat.errors import Unavailable
from chat.folding import contains, grams, needed
from chat.model import Conversation
from chat.search import Doc, Filters, contact_text, of_entry
from chat.store.search_index import Candidates, Original, SearchIndex
from chat.store.sqlite_file import connect
from chat.store.sqlite_rows import ENTRY, entry_of
from chat.store.sqlite_view import SqliteView

T = TypeVar("T")
Turn = Callable[[bool], AbstractAsyncContextManager[sqlite3.Connection]]
"""A short transaction beside the ledger's; whether it must be on the disk when it ends."""

PLACE_BITS = 8  # of a document's key: its place in the run
RUN_BITS = 28
RUN = 1 << PLACE_BITS
RUN_CHARACTERS = 16 * 1024  # a run of long texts has fewer documents
SLICE = 32  # documents whose grams are made at a time, so that nobody waits for long
ROWS = 1_000  # of grams, written at a time
RUNS_AT_ONCE = 64
GRAMS_AT_MOST = 24  # of a query: more don't make candidates much fewer, and each is read anyway
LOOKED_AT = 50_000  # documents, by one search; long ones count more
LONG = 128  # characters, that count as one more

_decode = Decoder(Conversation).decode

_LIST = "(SELECT value FROM json_each(?))"
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
_HEAD = """
    SELECT a.key, h.cursor, h.place, h.sealed, h.size FROM accounts a LEFT JOIN search_heads h ON h.account = a.key
    WHERE a.id = ?"""
_SAVE_HEAD = "INSERT OR REPLACE INTO search_heads (account, cursor, place, sealed, size) VALUES (?, ?, ?, ?, ?)"
_CONVERSATION_KEY = "SELECT key FROM conversations WHERE id = ? AND account = ?"
_REACHED = "SELECT seq FROM search_threads WHERE conversation = ?"
_REACH = "INSERT OR REPLACE INTO search_threads (conversation, seq) VALUES (?, ?)"
_DOC = "SELECT key, at, text FROM search_docs WHERE of = ? AND account = ?"
_ADD_DOC = "INSERT INTO search_docs (key, account, of, kind, conversation, at, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_DOC = "DELETE FROM search_docs WHERE key = ?"
_OF_RUN = "SELECT key, text FROM search_docs WHERE key BETWEEN ? AND ? ORDER BY key"
_COUNT_OF_RUN = "SELECT count(*) FROM search_docs WHERE key BETWEEN ? AND ?"
_ADD_GRAM = "INSERT INTO search_grams (account, run, gram, docs) VALUES (?, ?, ?, ?)"
_GRAMS = f"SELECT run, gram, docs FROM search_grams WHERE account = ? AND run IN {_LIST} AND gram IN {_LIST}"
_DROP_GRAMS = "DELETE FROM search_grams WHERE account = ? AND run = ?"
_SET_GRAM = "UPDATE search_grams SET docs = ? WHERE account = ? AND run = ? AND gram = ?"
_DROP_GRAM = "DELETE FROM search_grams WHERE account = ? AND run = ? AND gram = ?"
_WAITING = """
    SELECT s.key, c.id, c.created_at, c.name, c.email, c.merged_into IS NOT NULL OR c.erased
    FROM search_contacts s JOIN contacts c ON c.key = s.contact WHERE c.account = ? ORDER BY s.key LIMIT ?"""
_WAITS_NO_LONGER = "DELETE FROM search_contacts WHERE key = ?"
_FOUND = """
    SELECT d.of, d.kind, d.conversation, c.id, d.at, d.text FROM search_docs d
    LEFT JOIN conversations c ON c.key = d.conversation WHERE d.key """
_FROM_TO = f"{_FOUND} BETWEEN ? AND ? ORDER BY d.key DESC"
_NAMED = f"{_FOUND} IN {_LIST} ORDER BY d.key DESC"
_STATE = "SELECT state FROM conversations WHERE key = ?"
_STATES_OF_CONTACT = "SELECT state FROM conversations WHERE contact = ? AND +account = ?"
_ENTRIES = f"""
    SELECT c.contact, c.id, c.state, {ENTRY} FROM entries e JOIN conversations c ON c.key = e.conversation
    WHERE NOT e.superseded AND e.account = ? AND e.seq {{}} e.born AND e.id IN {_LIST}"""
_SUBJECTS = f"SELECT state FROM conversations WHERE account = ? AND id IN {_LIST}"
_CONTACTS = f"""
    SELECT id, name, email FROM contacts
    WHERE account = ? AND merged_into IS NULL AND NOT erased AND id IN {_LIST}"""
_ENTRIES_OF = """
    SELECT d.of FROM entries e JOIN search_docs d ON d.of = e.id AND d.account = e.account
    WHERE e.conversation = (SELECT key FROM conversations WHERE id = ? AND account = ?)"""


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
            head = _Head.read(self._reader, account)
            if head is None or not head.can_seal:
                return False
            first = _key(head.account, head.sealed << PLACE_BITS)
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
                now = _Head.read(writer, account)
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
        return await self._search(lambda own: _Search(own, pieces, filters, limit).of(account))

    async def originals(self, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
        return await self._search(lambda own: _originals(own, account, docs))

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
        self._head = _Head.read(writer, account)
        self.view = SqliteView(writer)

    @property
    def cursor(self) -> int:
        return self._head.cursor if self._head else 0

    async def advance(self, cursor: int) -> None:
        self._there.cursor = cursor

    async def reached(self, conversation: str) -> int:
        row = self._writer.execute(_REACHED, (self._conversation(conversation),)).fetchone()
        return int(row[0]) if row else 0

    async def reach(self, conversation: str, seq: int) -> None:
        self._writer.execute(_REACH, (self._conversation(conversation), seq))

    async def put(self, docs: Iterable[Doc]) -> None:
        head = self._there
        for doc in docs:
            there = self._writer.execute(_DOC, (doc.of, head.account)).fetchone()
            if there is not None:
                if (there[1], there[2]) == (doc.at, doc.text):
                    continue
                _drop_one(self._writer, head, there[0], there[2])
            key = _key(head.account, head.next_place(len(doc.text)))
            conversation = None if doc.conversation is None else self._conversation(doc.conversation)
            row = (key, head.account, doc.of, doc.kind, conversation, doc.at, doc.text)
            self._writer.execute(_ADD_DOC, row)

    async def drop(self, of: Collection[str]) -> None:
        _drop(self._writer, self._there, of)

    async def waiting_contacts(self, limit: int) -> list[tuple[str, int, str | None]]:
        rows = self._writer.execute(_WAITING, (self._there.account, limit)).fetchall()
        self._writer.executemany(_WAITS_NO_LONGER, [row[:1] for row in rows])
        return [(id_, at, None if gone else contact_text(name, email)) for _, id_, at, name, email, gone in rows]

    def save(self) -> None:
        if self._head is not None:
            self._head.save(self._writer)

    @property
    def _there(self) -> _Head:
        assert self._head is not None, "an account that isn't there has nothing to index"
        return self._head

    def _conversation(self, conversation: str) -> int:
        return int(self._writer.execute(_CONVERSATION_KEY, (conversation, self._there.account)).fetchone()[0])


class _Head:
    """How far an account is indexed: its row in search_heads."""

    def __init__(self, account: int, cursor: int, place: int, sealed: int, size: int) -> None:
        self.account = account
        self.cursor = cursor
        self.place = place
        self.sealed = sealed
        self.size = size

    @classmethod
    def read(cls, connection: sqlite3.Connection, account: str) -> _Head | None:
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
    head = _Head.read(writer, account)
    if head is None:
        return
    _drop(writer, head, [*conversations, *contacts])
    for conversation in conversations:
        _drop(writer, head, [row[0] for row in writer.execute(_ENTRIES_OF, (conversation, head.account)).fetchall()])


def _drop(writer: sqlite3.Connection, head: _Head, of: Collection[str]) -> None:
    for each in of:
        there = writer.execute(_DOC, (each, head.account)).fetchone()
        if there is not None:
            _drop_one(writer, head, there[0], there[2])


def _drop_one(writer: sqlite3.Connection, head: _Head, key: int, text: str) -> None:
    """With its place in every gram that it has. A place is never used again."""
    writer.execute(_DROP_DOC, (key,))
    run, place = _run_and_place(key)
    if run > head.sealed:  # of the one that is sealed next, some grams may be there
        return
    rows = writer.execute(_GRAMS, (head.account, _json([run]), _json(list(grams(text))))).fetchall()
    kept = [(docs.replace(bytes([place]), b""), head.account, run, gram) for _, gram, docs in rows]
    writer.executemany(_SET_GRAM, [row for row in kept if row[0]])
    writer.executemany(_DROP_GRAM, [row[1:] for row in kept if not row[0]])


class _Search:
    """Walks an account's documents from the last one back: those of runs without grams all, then those with all."""

    def __init__(self, own: sqlite3.Connection, pieces: Sequence[str], filters: Filters, limit: int) -> None:
        self._own = own
        self._pieces = pieces
        self._filters = filters
        self._limit = limit
        self._looked_at = 0
        self._docs: list[Doc] = []
        self._admitted: dict[int | str, bool] = {}

    def of(self, account: str) -> Candidates:
        head = _Head.read(self._own, account)
        if head is None:
            return Candidates([], cut=False)
        newest = (_key(head.account, head.sealed << PLACE_BITS), _key(head.account, head.place))
        cut = not self._take(head, self._own.execute(_FROM_TO, newest))
        before = head.sealed
        while before > 0 and not cut:
            runs = range(max(0, before - RUNS_AT_ONCE), before)
            cut = not all(
                self._take(head, self._own.execute(_NAMED, (_json(keys),))) for keys in self._having_all(head, runs)
            )
            before = runs.start
        return Candidates(self._docs, cut)

    def _having_all(self, head: _Head, runs: range) -> Iterable[list[int]]:
        """The keys of the documents that have all grams, run by run, the last run first."""
        wanted = sorted(set().union(*map(needed, self._pieces)))
        wanted = wanted[:: -(-len(wanted) // GRAMS_AT_MOST)]
        found: dict[int, list[bytes]] = {}
        for run, _, docs in self._own.execute(_GRAMS, (head.account, _json(list(runs)), _json(wanted))):
            found.setdefault(run, []).append(docs)
        for run in reversed(runs):
            have = sorted(found.get(run, ()), key=len)
            if len(have) == len(wanted):
                places = set(have[0]).intersection(*have[1:])
                if places:
                    first = _key(head.account, run << PLACE_BITS)
                    yield [first + place for place in places]

    def _take(self, head: _Head, rows: Iterable[Sequence[Any]]) -> bool:
        """Keep what is wanted. False when that is enough."""
        for of, kind, key, conversation, at, text in rows:
            self._looked_at += 1 + len(text) // LONG
            if (
                self._filters.admit_doc(kind, at)
                and all(contains(text, piece) for piece in self._pieces)
                and self._is_admitted(head, of, key)
            ):
                if len(self._docs) == self._limit:
                    return False
                self._docs.append(Doc(of, kind, conversation, at, text))
        return self._looked_at < LOOKED_AT

    def _is_admitted(self, head: _Head, of: str, conversation: int | None) -> bool:
        """By its conversation; a contact by any of its conversations."""
        if not self._filters.of_conversation:
            return True
        name = of if conversation is None else conversation
        if name not in self._admitted:
            if conversation is None:
                states = self._own.execute(_STATES_OF_CONTACT, (of, head.account)).fetchall()
            else:
                states = self._own.execute(_STATE, (conversation,)).fetchall()
            self._admitted[name] = any(self._filters.admit(_decode(row[0])) for row in states)
        return self._admitted[name]


def _originals(own: sqlite3.Connection, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
    head = _Head.read(own, account)
    if head is None:
        return {}
    of: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for doc in docs:
        of[None if doc.kind == "contact" else doc.kind == "subject"].append(doc.of)
    found: dict[str, Original] = {}
    for comparison in ("=", "<>"):  # each has an index of its own
        for contact, conversation, state, *row in own.execute(
            _ENTRIES.format(comparison), (head.account, _json(of[False]))
        ):
            entry = entry_of(row)
            if of_entry(conversation, entry) is not None:
                found[entry.id] = Original(entry.text, contact, entry.author.id, _decode(state).inbox)
    for (state,) in own.execute(_SUBJECTS, (head.account, _json(of[True]))):
        there = _decode(state)
        found[there.id] = Original(there.subject, there.contact, None, there.inbox)
    for id_, name, email in own.execute(_CONTACTS, (head.account, _json(of[None]))):
        found[id_] = Original(contact_text(name, email), id_)
    return found


def _key(account: int, place: int) -> int:
    return account << (RUN_BITS + PLACE_BITS) | place


def _run_and_place(key: int) -> tuple[int, int]:
    return key >> PLACE_BITS & ((1 << RUN_BITS) - 1), key & (RUN - 1)


def _json(values: list[Any]) -> str:
    return orjson.dumps(values).decode()


class _as_unavailable:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
            raise Unavailable(f"the search index can't be used: {error}") from error


_: type[SearchIndex] = SqliteSearchIndex
