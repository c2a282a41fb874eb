"""The embedded engine: one SQLite file, one writer, group commit with an fsync before anybody hears `ok`.

Statements run on the event loop's thread, as they are short. The writer connection has one owner at a time: the
holder of `_writing`. Being the only writer (the lock file sees to that) it may keep what it wrote in memory.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from chat.errors import Unavailable
from chat.model import Contact, Conversation, Queue, Timer
from chat.store import (
    Head,
    Loaded,
    Move,
    Rows,
    Scoped,
    Store,
    Wanted,
    Written,
    duty_rows,
    epochs,
    rows,
    sqlite_rows,
    sqlite_runs,
)
from chat.store.aside import HeadAside
from chat.store.commits import CommitPlace
from chat.store.epochs import Epochs
from chat.store.sqlite_file import cold_engine, connect, is_locked, lock_file
from chat.store.sqlite_search import SqliteSearchIndex
from chat.store.sqlite_view import SqliteView

T = TypeVar("T")

LOCK_PATIENCE_SECONDS = 2.0  # then the asks waiting are told `unavailable`
LOCK_RETRY_SECONDS = 0.02
CACHED = 20_000  # rows of each kind; a conversation's state is about 1 KiB


class SqliteStore:
    """See `chat.store.Store` for the promises."""

    def __init__(self, path: Path, lock: int) -> None:
        self._path = path
        self._lock = lock
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._writer = connect(path)
        self._reader = connect(path)
        self._reader.execute("PRAGMA query_only=ON")
        self._cold = cold_engine(path)
        self._committing = ThreadPoolExecutor(1, "commit")
        self.place = CommitPlace()
        self._accounts: dict[str, int] = {}
        self._heads: dict[str, Head] = {}
        self._keys: dict[Scoped, int] = {}
        self._cache = Loaded()
        self._next_key = self._one("SELECT coalesce(max(key), 0) + 1 FROM conversations")
        self._aside = HeadAside(path.with_name(path.name + ".head"))
        self._epochs = self._read_epochs()
        self._search = SqliteSearchIndex(path, self._writer, self._reader, self._beside)

    @classmethod
    def open(cls, path: Path) -> SqliteStore:
        """The store in this file, migrated already. Raises Unavailable if another process has it."""
        lock = lock_file(path)
        try:
            return cls(path, lock)
        except sqlite3.Error as error:
            os.close(lock)
            raise Unavailable(f"the database {path} can't be opened: {error}") from error

    @property
    def epoch(self) -> str:
        return self._epochs.current

    def listen(self, renewed: Callable[[], None]) -> None:
        """Never called: no other file comes into the place of one that is open."""

    async def renew(self) -> None:
        async with self._beside(lasting=True):
            renewed = self._write_epochs(self._epochs.renewed())
        self._epochs = renewed

    @property
    def holds_loop(self) -> bool:
        return True

    @property
    def search(self) -> SqliteSearchIndex:
        return self._search

    async def begin(self, accounts: Collection[str]) -> SqliteTransaction:
        await self._writing.acquire()
        try:
            await self._begin_immediate()
            return SqliteTransaction(self, {name: head for name in accounts if (head := self._head(name))})
        except BaseException as error:
            with suppress(sqlite3.Error):  # what was begun must not stay open: nothing could begin after it
                self._writer.execute("ROLLBACK")
            self._release()
            if isinstance(error, sqlite3.Error):
                raise Unavailable(f"the database can't be written: {error}") from error
            raise

    @asynccontextmanager
    async def view(self) -> AsyncIterator[SqliteView]:
        """One at a time. Who waits goes on in the loop's next turn: a crowd that reads never holds up who writes."""
        async with self._reading:
            try:
                self._reader.execute("BEGIN")
                try:
                    yield SqliteView(self._reader)
                finally:
                    self._reader.execute("COMMIT")
            except sqlite3.Error as error:
                raise Unavailable(f"the database can't be read: {error}") from error

    async def heads(self, known: Mapping[str, int]) -> dict[str, int]:
        async with self.view() as view:
            return await view.cursors(known)

    async def inspect(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._cold.connect() as connection:
                return work(connection)
        except OperationalError as error:
            raise Unavailable(f"the database can't be read: {error.orig}") from error

    async def administer(self, work: Callable[[Connection], T]) -> T:
        async with self._writing:
            deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
            while True:
                try:
                    with self._cold.begin() as connection:
                        return work(connection)
                except OperationalError as error:
                    if not is_locked(error.orig) or time.monotonic() > deadline:
                        raise Unavailable(f"the database can't be written: {error.orig}") from error
                    await asyncio.sleep(LOCK_RETRY_SECONDS)
                finally:
                    self._cache.actors.clear()
                    self._cache.inboxes.clear()
                    self._cache.teams.clear()

    async def scrub(self) -> bool:
        """Old pages stand in the log until it begins again. Whoever reads at this very moment prevents that."""
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        async with self._writing:
            while True:
                try:
                    busy, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                except sqlite3.Error as error:
                    raise Unavailable(f"the database can't be written: {error}") from error
                if not busy or time.monotonic() > deadline:
                    return not busy
                await asyncio.sleep(LOCK_RETRY_SECONDS)

    async def close(self) -> None:
        async with self._writing:
            self._committing.shutdown()
            self._search.close()
            with suppress(sqlite3.Error):  # e.g. a full disk; what matters is committed already
                self._write_aside()
            self._reader.close()
            self._writer.close()
            self._cold.dispose()
            os.close(self._lock)

    # --- the writer's own ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _beside(self, lasting: bool) -> AsyncIterator[sqlite3.Connection]:
        """A short transaction that isn't the ledger's and touches nothing of what is kept in memory.

        One that may be lost with the machine's power needs no fsync. It can't be lost alone: what is written later
        stands behind it in the same log. Nor does it wait for a locked database, as the ledger would wait behind it.
        """
        async with self._writing:
            try:
                if not lasting:
                    self._writer.execute("PRAGMA synchronous=NORMAL")
                await self._begin_immediate(LOCK_PATIENCE_SECONDS if lasting else 0)
                yield self._writer
                await _to_its_end(self._commit_beside())
            except sqlite3.Error as error:
                raise Unavailable(f"the database can't be written: {error}") from error
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                self._writer.execute("PRAGMA synchronous=FULL")

    async def _commit_beside(self) -> None:
        """Where the ledger's would run, but how long it took says nothing about those."""
        if self.place.is_thread:
            await asyncio.get_running_loop().run_in_executor(self._committing, self._writer.execute, "COMMIT")
        else:
            self._writer.execute("COMMIT")

    async def _begin_immediate(self, patience: float | None = None) -> None:
        deadline = time.monotonic() + (LOCK_PATIENCE_SECONDS if patience is None else patience)
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_locked(error) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(LOCK_RETRY_SECONDS)

    async def _commit(self) -> None:
        """Inline while commits are short; in a thread when the disk is slow, so that the loop goes on."""
        began = time.perf_counter()
        if self.place.is_thread:
            await asyncio.get_running_loop().run_in_executor(self._committing, self._writer.execute, "COMMIT")
        else:
            self._writer.execute("COMMIT")
        now = time.perf_counter()
        self.place.took(now - began)
        if self._aside.is_due(now):
            self._write_aside()

    def _release(self) -> None:
        self._writing.release()

    def _head(self, account: str) -> Head | None:
        head = self._heads.get(account)
        if head is not None:
            return head
        row = self._writer.execute(
            "SELECT a.key, l.cursor, l.at FROM accounts a JOIN ledgers l ON l.account = a.key WHERE a.id = ?",
            (account,),
        ).fetchone()
        if row is None:
            return None
        self._accounts[account] = row[0]
        head = self._heads[account] = Head(row[1], row[2])
        return head

    def _one(self, statement: str) -> Any:
        return self._writer.execute(statement).fetchone()[0]

    def _forget(self) -> None:
        """After a failure nothing in memory is trusted; it is read again when it is wanted."""
        self._cache = Loaded()
        self._heads.clear()
        self._keys.clear()
        self._next_key = self._one("SELECT coalesce(max(key), 0) + 1 FROM conversations")

    # --- epoch -----------------------------------------------------------------------------------------------

    def _read_epochs(self) -> Epochs:
        """New ones if the database ends before what was noted aside (an old copy came back)."""
        found = epochs.read(dict(self._writer.execute("SELECT name, value FROM meta")))
        if found is None:
            return self._write_epochs(epochs.first())
        is_lost = epochs.is_lost(found, self._sum_of_heads(), self._aside.read())
        return self._write_epochs(found.renewed()) if is_lost else found

    def _write_epochs(self, new: Epochs) -> Epochs:
        self._writer.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", epochs.written(new).items())
        return new

    def _sum_of_heads(self) -> int:
        return int(self._one("SELECT coalesce(sum(cursor), 0) FROM ledgers"))

    def _write_aside(self) -> None:
        self._aside.write(self._sum_of_heads(), self.epoch)


class _Duties:
    """What is loaded for routing, while it isn't complete."""

    def __init__(self) -> None:
        self.queues: dict[Scoped, Queue] = {}
        self.found: duty_rows.Found | None = None
        self.queued: set[Scoped] = set()


class SqliteTransaction:
    """See `chat.store.Transaction` for the promises."""

    skipped: Collection[str] = ()

    def __init__(self, store: SqliteStore, heads: dict[str, Head]) -> None:
        self._store = store
        self._writer = store._writer
        self.heads: Mapping[str, Head] = heads
        self._moves: Sequence[Move] = ()
        self._beside: Rows | None = None
        self._new_heads: Mapping[str, Head] = {}

    async def load(self, wanted: Wanted) -> Loaded:
        cache = self._store._cache
        duties: _Duties | None = None
        with _as_unavailable():
            conversations = wanted.conversations
            if wanted.contacts:
                conversations = conversations | sqlite_rows.of_contacts(self._writer, wanted.contacts)
            if wanted.has_duties:
                conversations, duties = self._duties(wanted, conversations)
            loaded = Loaded(
                receipts=sqlite_rows.receipts(self._writer, wanted.receipts),
                conversations=_through(cache.conversations, conversations, self._conversations),
                actors=_through(cache.actors, wanted.actors, partial(sqlite_rows.actors, self._writer)),
                inboxes=_through(cache.inboxes, wanted.inboxes, partial(sqlite_rows.inboxes, self._writer)),
                teams=_through(cache.teams, wanted.teams, partial(sqlite_rows.teams, self._writer)),
            )
            if wanted.contacts:
                loaded.contacts = sqlite_rows.contacts(self._writer, wanted.contacts)
            if wanted.entries:
                loaded.entries = sqlite_rows.entries(self._writer, wanted.entries)
            if wanted.uploads:
                loaded.uploads = sqlite_rows.uploads(self._writer, wanted.uploads)
            if wanted.attributes:
                loaded.attributes = sqlite_rows.attributes(self._writer, wanted.attributes)
            if duties is not None:
                self._finish(duties, loaded)
            return loaded

    def _duties(self, wanted: Wanted, conversations: set[Scoped]) -> tuple[set[Scoped], _Duties]:
        """What routing wants to see, and which conversations are wanted for it too."""
        duties = _Duties()
        if wanted.queues:
            duties.queues = sqlite_rows.queues(self._writer, wanted.queues)
        if wanted.held_by:
            conversations = conversations | sqlite_rows.held(self._writer, wanted.held_by)
        if wanted.desks:
            duties.found, duties.queued = sqlite_rows.desks(self._writer, wanted.desks)
            conversations = conversations | duties.queued
        return conversations, duties

    def _finish(self, duties: _Duties, loaded: Loaded) -> None:
        loaded.queues = duties.queues
        if duties.found is None:
            return
        queued = {scoped: loaded.conversations[scoped] for scoped in duties.queued}
        duties.found.take_queued(queued)
        if queued:
            contacts = {conversation.contact for conversation in queued.values()}
            duties.found.take_known(sqlite_rows.known(self._writer, contacts))
        loaded.desks = duties.found.desks

    async def write(self, moves: Sequence[Move], heads: Mapping[str, Head], beside: Rows | None = None) -> None:
        self._moves, self._new_heads, self._beside = moves, heads, beside
        with _as_unavailable():
            self._write_conversations(moves)
            self._write_entries(moves)
            if beside is not None:
                self._write_beside(beside)
            self._writer.executemany(
                sqlite_rows.MOVE_LEDGER,
                [(head.cursor, head.at, self._store._accounts[account]) for account, head in heads.items()],
            )

    async def commit(self) -> None:
        store = self._store
        try:
            with _as_unavailable():
                await store._commit()
        except BaseException:
            self._undo()
            raise
        store._heads.update(self._new_heads)
        conversations = store._cache.conversations
        for move in self._moves:
            conversations[move.account, move.after.id] = move.after
        for contact in self._beside.contacts if self._beside is not None else ():
            store._cache.actors.pop((contact.account, contact.id), None)
        _trim(conversations)
        _trim(store._keys)
        store._release()

    async def rollback(self) -> None:
        if self._moves or self._beside:
            self._undo()
            return
        with suppress(sqlite3.Error):
            self._writer.execute("ROLLBACK")
        self._store._release()

    def _undo(self) -> None:
        try:
            with suppress(sqlite3.Error):  # SQLite rolls back by itself on a full disk; then there is nothing to undo
                self._writer.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                self._store._forget()
        finally:
            self._store._release()

    # --- statements: their number doesn't depend on the number of asks ---------------------------------------

    def _write_conversations(self, moves: Sequence[Move]) -> None:
        new, moved, shifted = [], [], []
        for move in moves:
            after = move.after
            if move.before is None:
                key = self._store._next_key
                self._store._next_key += 1
                self._store._keys[move.account, after.id] = key
                new.append((key, self._store._accounts[move.account], after.id, after.contact, *rows.columns(move)))
                continue
            key = self._key(move.account, after.id)
            if rows.is_shifted(move.before, after):
                shifted.append((after.contact, *rows.columns(move), key))
            else:
                moved.append((after.waiting_since, after.seq, after.cursor, move.document, key))
        if new:
            self._writer.executemany(sqlite_rows.INSERT_CONVERSATION, new)
        if moved:
            self._writer.executemany(sqlite_rows.MOVE_CONVERSATION, moved)
        if shifted:
            self._writer.executemany(sqlite_rows.SHIFT_CONVERSATION, shifted)

    def _write_entries(self, moves: Sequence[Move]) -> None:
        """All plain messages by one statement, all other entries by another, and by few more what few of them have."""
        plain: list[tuple[Any, ...]] = []
        others: list[tuple[Any, ...]] = []
        versions: list[tuple[int, int, Written]] = []
        aside: list[Move] = []
        attached: list[tuple[str, str, str]] = []
        for move in moves:
            account, key = self._store._accounts[move.account], self._store._keys[move.account, move.after.id]
            if move.timers or move.erases or (move.before.followers if move.before else ()) != move.after.followers:
                aside.append(move)
            for item in move.entries:
                if item.entry.seq != item.entry.born:
                    versions.append((account, key, item))
                elif sqlite_rows.is_plain(item.entry):
                    plain.append(sqlite_rows.plain_row(account, key, item))
                else:
                    others.append(rows.entry_row(account, key, item))
                    attached += [(move.after.id, item.entry.id, file.id) for file in item.entry.attachments]
        self._write_aside_of(aside)
        self._writer.executemany(sqlite_rows.INSERT_PLAIN, plain)
        self._writer.executemany(sqlite_rows.INSERT_ENTRY, others)
        if attached:
            self._writer.executemany(sqlite_rows.ATTACH, attached)
        if versions:
            self._write_versions(versions)

    def _write_versions(self, versions: list[tuple[int, int, Written]]) -> None:
        """Several of one entry may be among them: the last one stays in force."""
        later = [
            (*rows.entry_row(*version), version[2].ask, version[2].asker, version[2].asked_at) for version in versions
        ]
        self._writer.executemany(sqlite_rows.INSERT_VERSION, later)
        older = [(item.entry.id, account, item.entry.seq) for account, _, item in versions]
        for statement in sqlite_rows.SUPERSEDE:
            self._writer.executemany(statement, older)

    def _write_aside_of(self, moves: list[Move]) -> None:
        """Timers, followers, and erasures."""
        for move in moves:
            key = self._store._keys[move.account, move.after.id]
            before, after = set(move.before.followers if move.before else ()), set(move.after.followers)
            self._writer.executemany(sqlite_rows.FOLLOW, [(actor, key) for actor in after - before])
            self._writer.executemany(sqlite_rows.UNFOLLOW, [(actor, key) for actor in before - after])
            self._write_timers([(move.account, timer) for timer in move.timers])
            if move.erases:
                self._writer.execute(sqlite_rows.ERASE, (key,))
                sqlite_runs.forget(self._writer, move.account, conversations=[move.after.id])

    def _write_beside(self, beside: Rows) -> None:
        store = self._store
        if beside.contacts:
            self._write_contacts(beside.contacts)
        self._write_timers(beside.timers)
        for statement, values in duty_rows.values_of(beside, store._accounts, store._keys).items():
            if values:
                self._writer.executemany(duty_rows.worded(statement, "?", len(values[0])), values)

    def _write_timers(self, timers: Sequence[tuple[str, Timer]]) -> None:
        accounts = self._store._accounts
        values = [(accounts[account], each.id, each.at, each.kind, each.conversation) for account, each in timers]
        self._writer.executemany(sqlite_rows.INSERT_TIMER, values)

    def _write_contacts(self, contacts: Collection[Contact]) -> None:
        self._writer.executemany(sqlite_rows.WRITE_CONTACT, [rows.contact_row(contact) for contact in contacts])
        for contact in contacts:
            if contact.merged_into is not None or contact.erased:
                sqlite_runs.forget(self._writer, contact.account, contacts=[contact.id])
            if contact.merged_into is not None:
                for statement in sqlite_rows.MERGE_CONTACT:
                    self._writer.execute(statement, (contact.merged_into, contact.id))

    def _key(self, account: str, conversation: str) -> int:
        key = self._store._keys.get((account, conversation))
        if key is None:
            row = self._writer.execute("SELECT key FROM conversations WHERE id = ?", (conversation,)).fetchone()
            key = self._store._keys[account, conversation] = int(row[0])
        return key

    def _conversations(self, wanted: set[Scoped]) -> dict[Scoped, Conversation]:
        found = sqlite_rows.conversations(self._writer, wanted)
        self._store._keys.update((scoped, key) for scoped, (key, _) in found.items())
        return {scoped: conversation for scoped, (_, conversation) in found.items()}


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await it, also when that is cancelled meanwhile: a commit in its thread has the connection for itself."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _through(
    cache: dict[Scoped, T], wanted: set[Scoped], fetch: Callable[[set[Scoped]], dict[Scoped, T]]
) -> dict[Scoped, T]:
    """What is wanted, from the cache where it is there; the rest fetched by one statement and kept."""
    found = {scoped: cache[scoped] for scoped in wanted if scoped in cache}
    missing = wanted - found.keys()
    if missing:
        fetched = {scoped: row for scoped, row in fetch(missing).items() if scoped in missing}
        cache.update(fetched)
        found.update(fetched)
        _trim(cache)
    return found


def _trim(cache: dict[Any, Any]) -> None:
    """Drop the oldest tenth of a cache that is full."""
    if len(cache) > CACHED:
        for scoped in list(cache)[: CACHED // 10]:
            del cache[scoped]


class _as_unavailable:
    """Turn the driver's errors into Unavailable. A class, as a generator costs 1 µs more, three times a batch."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
            raise Unavailable(f"the database can't be written: {error}") from error


_: type[Store] = SqliteStore
