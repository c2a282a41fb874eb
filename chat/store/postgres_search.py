"""The search index in PostgreSQL: documents with the numbers of their grams, which GIN finds them by.

docs/decisions/0016 says why these aren't SQLite's runs, nor pg_trgm.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from chat.search import Doc, Filters, contact_text
from chat.store.postgres_candidates import Search, originals
from chat.store.postgres_docs import Head, change, forget, save_head, take_head
from chat.store.postgres_pool import PATIENCE_SECONDS, as_unavailable, undo
from chat.store.postgres_view import PostgresView
from chat.store.search_index import Candidates, IndexTurn, Original, SearchIndex

if TYPE_CHECKING:
    from chat.store.postgres_pool import Pool
    from chat.store.postgres_rows import Connection

ROOM = 192  # documents of one turn: only who erases or merges waits for it
TURN_PATIENCE_SECONDS = 0.5  # for other nodes' turns; then indexing comes again later

# Nobody waits for it to be on the disk: its end would be lost together with the cursor that says how far it came.
_BEGIN = f"""
    BEGIN ISOLATION LEVEL REPEATABLE READ;
    SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = {round(TURN_PATIENCE_SECONDS * 1000)}"""
# Without the accounts that another node has a turn on: it goes on with them by itself.
_BEHIND = """
    WITH behind AS MATERIALIZED (
        SELECT l.account FROM ledgers l LEFT JOIN search_heads h ON h.account = l.account
        WHERE l.cursor > coalesce(h.cursor, 0)
        UNION SELECT c.account FROM search_contacts s JOIN contacts c ON c.key = s.contact
    ), free AS MATERIALIZED (
        SELECT h.account FROM search_heads h WHERE h.account IN (SELECT b.account FROM behind b)
        FOR SHARE OF h SKIP LOCKED
    )
    SELECT a.id FROM behind b JOIN accounts a ON a.key = b.account
    WHERE b.account IN (SELECT f.account FROM free f)
    OR NOT EXISTS (SELECT FROM search_heads h WHERE h.account = b.account)"""
_REACHED = """
    SELECT c.id, t.seq FROM conversations c JOIN search_threads t ON t.conversation = c.key
    WHERE c.account = $1 AND c.id = ANY(string_to_array($2, ','))"""
_REACH = """
    INSERT INTO search_threads (conversation, seq)
    SELECT c.key, n.seq FROM unnest(string_to_array($2, ','), string_to_array($3, ',')::bigint[]) AS n(id, seq)
    JOIN conversations c ON c.account = $1 AND c.id = n.id
    ON CONFLICT (conversation) DO UPDATE SET seq = excluded.seq"""
_TAKE_WAITING = """
    WITH waiting AS (
        DELETE FROM search_contacts WHERE key IN (
            SELECT s.key FROM search_contacts s JOIN contacts c ON c.key = s.contact
            WHERE c.account = $1 ORDER BY s.key LIMIT $2)
        RETURNING key, contact
    )
    SELECT c.id, c.created_at, c.name, c.email, c.merged_into IS NOT NULL OR c.erased
    FROM waiting w JOIN contacts c ON c.key = w.contact ORDER BY w.key"""


class PostgresSearchIndex:
    """See `chat.store.search_index.SearchIndex` for the promises. It has connections of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def room(self) -> int:
        return ROOM

    async def behind(self) -> list[str]:
        with as_unavailable():
            async with self._pool.acquire(timeout=PATIENCE_SECONDS) as connection:
                return [row[0] for row in await connection.fetch(_BEHIND)]

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[PostgresIndexTurn]:
        with as_unavailable():
            writer = await self._pool.acquire(timeout=PATIENCE_SECONDS)
            try:
                turn = PostgresIndexTurn(writer, account, await _begin(writer, account))
                yield turn
                await turn.save()
                await writer.execute("COMMIT")
            except BaseException:
                await undo(self._pool, writer)
                raise
            await self._pool.release(writer)

    async def seal(self, account: str) -> bool:
        """Never anything to do: what was put can be found as it is."""
        return False

    async def candidates(self, account: str, pieces: Sequence[str], filters: Filters, limit: int) -> Candidates:
        async with self._moment() as reader:
            return await Search(reader, pieces, filters, limit).of(account)

    async def originals(self, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
        async with self._moment() as reader:
            return await originals(reader, account, docs)

    async def forget(
        self, account: str, *, conversations: Collection[str] = (), contacts: Collection[str] = ()
    ) -> None:
        with as_unavailable():
            async with self._pool.acquire(timeout=PATIENCE_SECONDS) as writer, writer.transaction():
                await forget(writer, account, conversations=conversations, contacts=contacts)

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[Connection]:
        with as_unavailable():
            async with (
                self._pool.acquire(timeout=PATIENCE_SECONDS) as reader,
                reader.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield reader


class PostgresIndexTurn:
    """See `chat.store.search_index.IndexTurn` for the promises. The ledger goes on meanwhile, and is seen as it was
    when the turn began; where it erases or merges, it waits for the account's head."""

    def __init__(self, writer: Connection, account: str, head: Head | None) -> None:
        self._writer = writer
        self._account = account
        self._head = head
        self._changes: dict[str, Doc | None] = {}
        self.view = PostgresView(writer)

    @property
    def cursor(self) -> int:
        return self._head.cursor if self._head else 0

    async def advance(self, cursor: int) -> None:
        self._there.cursor = cursor

    async def reached(self, conversations: Collection[str]) -> Mapping[str, int]:
        rows = await self._writer.fetch(_REACHED, self._there.account, ",".join(conversations))
        return {row[0]: row[1] for row in rows}

    async def reach(self, seqs: Mapping[str, int]) -> None:
        if seqs:
            numbers = ",".join(map(str, seqs.values()))
            await self._writer.execute(_REACH, self._there.account, ",".join(seqs), numbers)

    async def put(self, docs: Iterable[Doc]) -> None:
        for doc in docs:
            if self._changes.get(doc.of) != doc:
                self._changes.pop(doc.of, None)  # the last one goes last
                self._changes[doc.of] = doc

    async def drop(self, of: Collection[str]) -> None:
        self._changes.update(dict.fromkeys(of))

    async def waiting_contacts(self, limit: int) -> list[tuple[str, int, str | None]]:
        rows = await self._writer.fetch(_TAKE_WAITING, self._there.account, limit)
        return [(id_, at, None if gone else contact_text(name, email)) for id_, at, name, email, gone in rows]

    async def save(self) -> None:
        """Write what was put and dropped, all of it by a few statements."""
        if self._head is None:
            return
        if self._changes:
            await change(self._writer, self._head, self._changes)
        await save_head(self._writer, self._head)

    @property
    def _there(self) -> Head:
        assert self._head is not None, "an account that isn't there has nothing to index"
        return self._head


async def _begin(writer: Connection, account: str) -> Head | None:
    """The head, taken. Who has waited for it stands at a moment from before what was waited for, and the server refuses
    to go on from there: then once more, from now."""
    deadline = time.monotonic() + TURN_PATIENCE_SECONDS
    while True:
        await writer.execute(_BEGIN)
        try:
            return await take_head(writer, account)
        except asyncpg.SerializationError:
            if time.monotonic() > deadline:
                raise
            await writer.execute("ROLLBACK")


_: tuple[type[SearchIndex], type[IndexTurn]] = (PostgresSearchIndex, PostgresIndexTurn)
