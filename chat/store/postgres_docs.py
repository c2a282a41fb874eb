"""The rows of PostgreSQL's search index: an account's head, its documents, the numbers of their grams, and taking away.

Whoever changes an account's documents takes its head first. docs/decisions/0016 says why it is this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from msgspec import Struct

from chat.folding import grams
from chat.search import Doc

if TYPE_CHECKING:
    from chat.store.postgres_rows import Connection

PLACE_BITS = 36  # of a document's key: its place among its account's
STRETCH_BITS = 12
STRETCH = 1 << STRETCH_BITS  # documents that are looked through at a time
SLICE = 1_000  # characters, whose grams take a ms: so long everybody else waits
# A number is an int4. So few bits are left of a gram that many grams share each number: GIN keeps a number for good,
# and this way it tells nothing. Of usual texts one in forty has a given number by chance; four of them, hardly any.
GRAM_BITS = 12
SCOPE_BITS = 19  # whose number it is: of one account's stretch, and now and then of another one's too

_READ = """
    SELECT a.key, coalesce(h.cursor, 0), coalesce(h.place, 0)
    FROM accounts a LEFT JOIN search_heads h ON h.account = a.key WHERE a.id = $1"""
# Who only locked the row would be overlooked by whoever has waited for it: a row that was written isn't.
_TAKE = """
    INSERT INTO search_heads AS h (account, cursor, place, sealed, size)
    SELECT a.key, 0, 0, 0, 0 FROM accounts a WHERE a.id = $1
    ON CONFLICT (account) DO UPDATE SET cursor = h.cursor RETURNING h.account, h.cursor, h.place"""
_SAVE = "UPDATE search_heads SET cursor = $2, place = $3 WHERE account = $1"
_THERE = "SELECT d.of, d.at, d.text FROM search_docs d WHERE d.account = $1 AND d.of = ANY($2)"
_DROP = "DELETE FROM search_docs d WHERE d.account = $1 AND d.of = ANY($2)"
_DROP_ENTRIES = """
    DELETE FROM search_docs d WHERE d.account = $1 AND d.of IN (
        SELECT e.id FROM entries e JOIN conversations c ON c.key = e.conversation
        WHERE c.account = $1 AND c.id = ANY($2))"""
_KEYS = "SELECT c.id, c.key FROM conversations c WHERE c.account = $1 AND c.id = ANY($2)"
_COLUMNS = ("key", "account", "of", "kind", "conversation", "at", "text", "grams")


class Head(Struct):
    """How far an account is indexed, and where its next document goes: its row in search_heads."""

    account: int
    cursor: int
    place: int

    def stretches(self) -> Iterator[int]:
        """The key of each stretch's first place, the last stretch first."""
        for stretch in reversed(range(-(-self.place >> STRETCH_BITS))):
            yield self.account << PLACE_BITS | stretch << STRETCH_BITS


async def read_head(connection: Connection, account: str) -> Head | None:
    row = await connection.fetchrow(_READ, account)
    return None if row is None else Head(*row)


async def take_head(connection: Connection, account: str) -> Head | None:
    """Until the transaction ends nobody else changes this account's documents. None if there is no such account."""
    row = await connection.fetchrow(_TAKE, account)
    return None if row is None else Head(*row)


async def save_head(connection: Connection, head: Head) -> None:
    await connection.execute(_SAVE, head.account, head.cursor, head.place)


async def forget(
    connection: Connection, account: str, *, conversations: Collection[str] = (), contacts: Collection[str] = ()
) -> None:
    """Take away all that the index has of these, entries included: a part of the transaction that this one is in."""
    head = await take_head(connection, account)
    if head is None:
        return
    await connection.execute(_DROP, head.account, [*conversations, *contacts])
    if conversations:
        await connection.execute(_DROP_ENTRIES, head.account, list(conversations))


async def change(connection: Connection, head: Head, changes: dict[str, Doc | None]) -> None:
    """Put these documents in the place of what is there of the same, in their order; None takes it away. A document
    that is there as it is keeps its place."""
    there = {of: (at, text) for of, at, text in await connection.fetch(_THERE, head.account, list(changes))}
    new = [doc for doc in changes.values() if doc is not None and there.get(doc.of) != (doc.at, doc.text)]
    gone = [of for of in there if changes[of] is None] + [doc.of for doc in new if doc.of in there]
    if gone:
        await connection.execute(_DROP, head.account, gone)
    if new:
        await _add(connection, head, new)


async def _add(connection: Connection, head: Head, docs: list[Doc]) -> None:
    conversations = list({doc.conversation for doc in docs if doc.conversation is not None})
    keys = {row[0]: row[1] for row in await connection.fetch(_KEYS, head.account, conversations)}
    await connection.copy_records_to_table("search_docs", records=_rows(head, docs, keys), columns=_COLUMNS)


async def _rows(head: Head, docs: list[Doc], keys: dict[str, int]) -> AsyncIterator[tuple[object, ...]]:
    characters = 0
    for doc in docs:
        key = head.account << PLACE_BITS | head.place
        head.place += 1
        conversation = None if doc.conversation is None else keys[doc.conversation]
        numbers = numbers_of(key, grams(doc.text))
        yield key, head.account, doc.of, doc.kind, conversation, doc.at, doc.text, numbers
        characters += len(doc.text)
        if characters >= SLICE:
            characters = 0
            await asyncio.sleep(0)


def numbers_of(key: int, wanted: Iterable[str]) -> list[int]:
    """What these grams are called in the stretch that this key is in."""
    scope = crc32(b"%d" % (key >> STRETCH_BITS)) >> (32 - SCOPE_BITS) << GRAM_BITS
    return sorted({scope | crc32(gram.encode()) >> (32 - GRAM_BITS) for gram in wanted})
