"""The engine for many nodes: PostgreSQL by asyncpg. An account's row in `ledgers` is locked while a batch is decided.

Nothing outside the locked rows is remembered, but the states of an account that nobody else has written since.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from msgspec import Struct, field
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chat.errors import Unavailable
from chat.model import Contact, Conversation, Timer
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
    postgres_docs,
    postgres_rows,
    rows,
)
from chat.store.aside import HeadAside
from chat.store.postgres_history import SUM_OF_HEADS, History
from chat.store.postgres_pool import (
    PATIENCE_SECONDS,
    SERVER_SETTINGS,
    WRITER_SETTINGS,
    as_unavailable,
    make_pool,
    undo,
)
from chat.store.postgres_search import PostgresSearchIndex
from chat.store.postgres_view import PostgresView
from chat.store.urls import for_asyncpg, for_sqlalchemy

T = TypeVar("T")

log = logging.getLogger("chat.store.postgres")

LANES = 4  # transactions at once
READERS = 8
SEARCHERS = 3  # one of them indexes; no view waits for a search
CACHED = 20_000  # states; a conversation's is about 1 KiB

if TYPE_CHECKING:
    from chat.store.postgres_pool import Pool

# Where people's words, names and addresses stand.
_VACUUM = """
    VACUUM (SKIP_LOCKED) entries, conversations, contacts, identities, sessions, uploads, search_docs, search_grams"""


class Known(Struct):
    """States of one account, true while its ledger stands at this head; and keys, which never change."""

    head: Head = Head(-1)
    states: dict[str, Conversation] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)


class PostgresStore:
    """See `chat.store.Store` for the promises."""

    def __init__(
        self, writers: Pool, readers: Pool, searchers: Pool, cold: AsyncEngine, history: History, aside: HeadAside
    ) -> None:
        self._writers = writers
        self._readers = readers
        self._searchers = searchers
        self._search = PostgresSearchIndex(searchers)
        self._cold = cold
        self._history = history
        self._aside = aside
        self._known: dict[str, Known] = {}
        history.listen(self._known.clear)

    @classmethod
    async def open(cls, url: str, aside: Path, lanes: int = LANES) -> PostgresStore:
        """The store at this URL, migrated already; `aside` is a file of this node's. Raises Unavailable."""
        head_aside = HeadAside(aside)
        history = History(head_aside.read())
        with as_unavailable():
            writers = await make_pool(for_asyncpg(url), lanes, history.meet, WRITER_SETTINGS)
            readers = await make_pool(for_asyncpg(url), READERS, history.meet)
            searchers = await make_pool(for_asyncpg(url), SEARCHERS, history.meet)
            async with writers.acquire(timeout=PATIENCE_SECONDS):
                pass  # the database is there, and its history is known
        cold = create_async_engine(
            for_sqlalchemy(url),
            pool_size=4,
            pool_timeout=PATIENCE_SECONDS,
            pool_pre_ping=True,
            connect_args={"server_settings": SERVER_SETTINGS, "timeout": PATIENCE_SECONDS},
        )
        return cls(writers, readers, searchers, cold, history, head_aside)

    @property
    def epoch(self) -> str:
        return self._history.epoch

    def listen(self, renewed: Callable[[], None]) -> None:
        self._history.listen(renewed)

    @property
    def holds_loop(self) -> bool:
        return False

    @property
    def search(self) -> PostgresSearchIndex:
        return self._search

    async def begin(self, accounts: Collection[str]) -> PostgresTransaction:
        with as_unavailable():
            writer = await self._writers.acquire(timeout=PATIENCE_SECONDS)
        try:
            with as_unavailable():
                await writer.execute("BEGIN")
                statement = postgres_rows.LOCK_ONE if len(accounts) == 1 else postgres_rows.LOCK_FREE
                found = await writer.fetch(statement, list(accounts))
                missing = [account for account in accounts if account not in {row[0] for row in found}]
                skipped = await writer.fetch(postgres_rows.KNOWN, missing) if missing and len(accounts) > 1 else []
        except BaseException as error:
            await undo(self._writers, writer)
            if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                await self._end_the_frozen()
            raise
        heads = {account: Head(cursor, at) for account, _, cursor, at in found}
        if lost := {each: self._known[each].head.cursor for each in heads if self._is_lower(each, heads[each])}:
            await undo(self._writers, writer)
            await self.heads(lost)
            raise Unavailable("the database has lost something that it had")
        for account, head in heads.items():
            known = self._known.setdefault(account, Known())
            if known.head != head:
                known.states.clear()
                known.head = head
        keys = {row[0]: row[1] for row in found}
        return PostgresTransaction(self, writer, heads, keys, frozenset(row[0] for row in skipped))

    @asynccontextmanager
    async def view(self) -> AsyncIterator[PostgresView]:
        with as_unavailable():
            async with (
                self._readers.acquire(timeout=PATIENCE_SECONDS) as reader,
                reader.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield PostgresView(reader)

    async def heads(self, known: Mapping[str, int]) -> dict[str, int]:
        with as_unavailable():
            async with self._readers.acquire(timeout=PATIENCE_SECONDS) as reader:
                return await self._history.look(reader, known)

    async def renew(self) -> None:
        with as_unavailable():
            async with self._readers.acquire(timeout=PATIENCE_SECONDS) as reader:
                await self._history.renew(reader)

    async def inspect(self, work: Callable[[Connection], T]) -> T:
        with _as_unavailable_when_cold("read"):
            async with self._cold.connect() as connection:
                return await connection.run_sync(work)

    async def administer(self, work: Callable[[Connection], T]) -> T:
        with _as_unavailable_when_cold("written"):
            async with self._cold.begin() as connection:
                return await connection.run_sync(work)

    async def scrub(self) -> bool:
        """Never all done now: old rows go, but for those that somebody still reads, and no statement finds them any
        more. Their bytes may stand in free space, and in the log, until the server writes there again."""
        with as_unavailable():
            async with self._readers.acquire(timeout=PATIENCE_SECONDS) as reader:
                with suppress(asyncpg.QueryCanceledError, TimeoutError):  # large tables
                    await reader.execute(_VACUUM)
        return False

    async def close(self) -> None:
        with suppress(Unavailable, asyncpg.PostgresError, OSError, TimeoutError):
            async with self._readers.acquire(timeout=PATIENCE_SECONDS) as reader:
                self._aside.write(await reader.fetchval(SUM_OF_HEADS), self.epoch)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._cold.dispose()
        for pool in (self._writers, self._readers, self._searchers):
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def _end_the_frozen(self) -> None:
        """Whoever comes next needn't wait for a node that is frozen, or cut off, while it holds an account."""
        with suppress(Unavailable), as_unavailable():
            async with self._readers.acquire(timeout=PATIENCE_SECONDS) as reader:
                ended = await reader.fetch(postgres_rows.END_THE_FROZEN)
                if ended:
                    log.warning("%d transactions are ended that held an account and said nothing", len(ended))

    def _is_lower(self, account: str, head: Head) -> bool:
        return account in self._known and self._known[account].head.cursor > head.cursor

    def _forget(self, accounts: Collection[str]) -> None:
        for account in accounts:
            self._known.pop(account, None)


class PostgresTransaction:
    """See `chat.store.Transaction` for the promises."""

    def __init__(
        self,
        store: PostgresStore,
        writer: Any,
        heads: dict[str, Head],
        keys: dict[str, int],
        skipped: frozenset[str],
    ) -> None:
        self._store = store
        self._writer = writer
        self._accounts = keys
        self._known = {account: store._known[account] for account in heads}
        self.heads: Mapping[str, Head] = heads
        self.skipped: Collection[str] = skipped
        self._moves: Sequence[Move] = ()
        self._new_heads: Mapping[str, Head] = {}

    async def load(self, wanted: Wanted) -> Loaded:
        writer = self._writer
        with as_unavailable():
            conversations = wanted.conversations
            if wanted.contacts:
                conversations = conversations | await postgres_rows.of_contacts(writer, wanted.contacts)
            if wanted.has_duties:
                return await self._load_with_duties(wanted, conversations)
            return await self._load(wanted, conversations)

    async def _load_with_duties(self, wanted: Wanted, conversations: set[Scoped]) -> Loaded:
        """With what routing wants to see."""
        writer = self._writer
        found, queued = await postgres_rows.desks(writer, wanted.desks) if wanted.desks else (None, set())
        held = await postgres_rows.held(writer, wanted.held_by) if wanted.held_by else set()
        loaded = await self._load(wanted, conversations | queued | held)
        if wanted.queues:
            loaded.queues = await postgres_rows.queues(writer, wanted.queues)
        if found is not None:
            found.take_queued({scoped: loaded.conversations[scoped] for scoped in queued})
            if queued:
                contacts = {loaded.conversations[scoped].contact for scoped in queued}
                found.take_known(await postgres_rows.known(writer, contacts))
            loaded.desks = found.desks
        return loaded

    async def _load(self, wanted: Wanted, conversations: set[Scoped]) -> Loaded:
        writer = self._writer
        return Loaded(
            receipts=await postgres_rows.receipts(writer, wanted.receipts),
            conversations=await self._conversations(conversations),
            actors=await postgres_rows.actors(writer, wanted.actors),
            inboxes=await postgres_rows.inboxes(writer, wanted.inboxes),
            teams=await postgres_rows.teams(writer, wanted.teams),
            entries=await postgres_rows.entries(writer, wanted.entries),
            contacts=await postgres_rows.contacts(writer, wanted.contacts),
            uploads=await postgres_rows.uploads(writer, wanted.uploads),
            attributes=await postgres_rows.attributes(writer, wanted.attributes) if wanted.attributes else {},
        )

    async def write(self, moves: Sequence[Move], heads: Mapping[str, Head], beside: Rows | None = None) -> None:
        self._moves, self._new_heads = moves, heads
        with as_unavailable():
            await self._write_conversations(moves)
            await self._write_entries(moves)
            await self._write_rest(moves)
            if beside is not None:
                await self._write_beside(beside)
            if heads:
                ledgers = [(head.cursor, head.at, self._accounts[account]) for account, head in heads.items()]
                await self._writer.execute(postgres_rows.MOVE_LEDGERS, *postgres_rows.turned(ledgers))

    async def commit(self) -> None:
        try:
            with as_unavailable():
                await self._writer.execute("COMMIT")
        except BaseException:
            await self.rollback()
            raise
        for move in self._moves:
            self._known[move.account].states[move.after.id] = move.after
        for account, head in self._new_heads.items():
            known = self._known[account]
            known.head = head
            _trim(known)
        if self._store._aside.is_due(time.monotonic()):
            with suppress(Unavailable), as_unavailable():
                self._store._aside.write(await self._writer.fetchval(SUM_OF_HEADS), self._store.epoch)
        with suppress(Exception):  # it is committed, whatever becomes of the connection
            await self._store._writers.release(self._writer)

    async def rollback(self) -> None:
        if self._moves:
            self._store._forget(self._known)
        await undo(self._store._writers, self._writer)

    async def _conversations(self, wanted: set[Scoped]) -> dict[Scoped, Conversation]:
        found: dict[Scoped, Conversation] = {}
        missing: set[Scoped] = set()
        for account, id_ in wanted:
            known = self._known.get(account)
            state = known.states.get(id_) if known else None
            if state is None:
                missing.add((account, id_))
            else:
                found[account, id_] = state
        for (account, id_), (key, state) in (await postgres_rows.conversations(self._writer, missing)).items():
            found[account, id_] = state
            if account in self._known:
                self._known[account].states[id_] = state
                self._known[account].keys[id_] = key
        return found

    # --- statements: their number doesn't depend on the number of asks ---------------------------------------

    async def _write_conversations(self, moves: Sequence[Move]) -> None:
        new, moved, shifted = [], [], []
        for move in moves:
            after = move.after
            if move.before is None:
                new.append((self._accounts[move.account], after.id, after.contact, *rows.columns(move)))
            elif rows.is_shifted(move.before, after):
                shifted.append((after.contact, *rows.columns(move), await self._key(move.account, after.id)))
            else:
                key = await self._key(move.account, after.id)
                moved.append((after.waiting_since, after.seq, after.cursor, key, move.document))
        if new:
            made = await self._writer.fetch(postgres_rows.INSERT_CONVERSATIONS, *postgres_rows.turned(new))
            keys = {row[0]: row[1] for row in made}
            for move in moves:
                if move.before is None:
                    self._known[move.account].keys[move.after.id] = keys[move.after.id]
        if moved:
            *numbers, documents = postgres_rows.turned(moved)
            texts = [postgres_rows.listed(column) for column in numbers]
            await self._writer.execute(postgres_rows.MOVE_CONVERSATIONS, *texts, documents)
        if shifted:
            await self._writer.execute(postgres_rows.SHIFT_CONVERSATIONS, *postgres_rows.turned(shifted))

    async def _write_entries(self, moves: Sequence[Move]) -> None:
        plain: list[tuple[Any, ...]] = []
        later: list[tuple[int, Written, tuple[Any, ...]]] = []
        attached: list[tuple[str, str, str]] = []
        for move in moves:
            if move.erases:  # before its own entries are there
                await self._writer.execute(postgres_rows.ERASE, await self._key(move.account, move.after.id))
                await postgres_docs.forget(self._writer, move.account, conversations=[move.after.id])
            if not move.entries:
                continue
            account, key = self._accounts[move.account], await self._key(move.account, move.after.id)
            for item in move.entries:
                row = rows.entry_row(account, key, item)
                if item.entry.seq != item.entry.born:
                    later.append((account, item, row))
                    continue
                plain.append(row)
                attached += [(move.after.id, item.entry.id, file.id) for file in item.entry.attachments]
        if plain:
            await self._writer.copy_records_to_table("entries", records=plain, columns=postgres_rows.ENTRY_COLUMNS)
        if attached:
            await self._writer.executemany(postgres_rows.ATTACH, attached)
        if later:
            versions = [(*row, item.ask, item.asker, item.asked_at) for _, item, row in later]
            columns = (*postgres_rows.ENTRY_COLUMNS, "ask", "asker", "asked_at")
            await self._writer.copy_records_to_table("entries", records=versions, columns=columns)
            older = [(item.entry.id, account, item.entry.seq) for account, item, _ in later]
            for statement in postgres_rows.SUPERSEDE:
                await self._writer.execute(statement, *postgres_rows.turned(older))

    async def _write_rest(self, moves: Sequence[Move]) -> None:
        """Timers and followers: few moves have any."""
        for move in moves:
            before, after = set(move.before.followers if move.before else ()), set(move.after.followers)
            if before != after:
                key = await self._key(move.account, move.after.id)
                await self._writer.executemany(postgres_rows.FOLLOW, [(actor, key) for actor in after - before])
                await self._writer.executemany(postgres_rows.UNFOLLOW, [(actor, key) for actor in before - after])
            if move.timers:
                await self._write_timers([(move.account, timer) for timer in move.timers])

    async def _write_beside(self, beside: Rows) -> None:
        if beside.contacts:
            await self._write_contacts(beside.contacts)
        if beside.timers:
            await self._write_timers(beside.timers)
        keys = {
            (hold.account, hold.conversation): await self._key(hold.account, hold.conversation) for hold in beside.holds
        }
        for statement, values in duty_rows.values_of(beside, self._accounts, keys).items():
            if values:
                await self._writer.executemany(duty_rows.worded(statement, "$", len(values[0])), values)

    async def _write_timers(self, timers: Sequence[tuple[str, Timer]]) -> None:
        accounts = self._accounts
        values = [(accounts[account], each.id, each.at, each.kind, each.conversation) for account, each in timers]
        await self._writer.executemany(postgres_rows.INSERT_TIMER, values)

    async def _write_contacts(self, contacts: Collection[Contact]) -> None:
        await self._writer.executemany(postgres_rows.WRITE_CONTACT, [rows.contact_row(contact) for contact in contacts])
        for contact in contacts:
            if contact.merged_into is not None or contact.erased:
                await postgres_docs.forget(self._writer, contact.account, contacts=[contact.id])
            if contact.merged_into is not None:
                for statement in postgres_rows.MERGE_CONTACT:
                    await self._writer.execute(statement, contact.merged_into, contact.id)

    async def _key(self, account: str, conversation: str) -> int:
        keys = self._known[account].keys
        if conversation not in keys:
            keys[conversation] = await self._writer.fetchval(
                "SELECT key FROM conversations WHERE id = $1", conversation
            )
        return keys[conversation]


def _trim(known: Known) -> None:
    """Drop the oldest tenth of a cache that is full. Keys live as long as states, so that both stay bounded."""
    for cache in (known.states, known.keys):
        if len(cache) > CACHED:
            for id_ in list(cache)[: CACHED // 10]:
                del cache[id_]


@contextmanager
def _as_unavailable_when_cold(what: str) -> Any:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, OSError, TimeoutError) as error:
        raise Unavailable(f"the database can't be {what}: {error}") from error


_: type[Store] = PostgresStore
