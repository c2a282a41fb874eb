"""Searching in PostgreSQL: candidates from the newest stretch of documents back, and their originals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from chat.folding import contains
from chat.search import Doc, Filters, contact_text, of_entry
from chat.store.postgres_docs import STRETCH, numbers_of, read_head
from chat.store.rows import ENTRY, decode_state, entry_of
from chat.store.search_index import LONG, LOOKED_AT, Candidates, Original, sought

if TYPE_CHECKING:
    from asyncpg import Record

    from chat.store.postgres_rows import Connection

ROWS = 256  # fetched at a time: others have their turn in between

# A sum has no index: the planner must go by the numbers, whatever it thinks of them. The conversation is looked up for
# those rows alone that are fetched.
_FOUND = """
    SELECT f.of, f.kind, f.conversation, (SELECT c.id FROM conversations c WHERE c.key = f.conversation), f.at, f.text
    FROM (
        SELECT d.of, d.kind, d.conversation, d.at, d.text FROM search_docs d
        WHERE d.grams @> $1 AND d.key + 0 BETWEEN $2 AND $3 ORDER BY d.key DESC
    ) f"""
_STATES = "SELECT c.key, c.state FROM conversations c WHERE c.key = ANY($1)"
_STATES_OF_CONTACTS = "SELECT c.contact, c.state FROM conversations c WHERE c.account = $1 AND c.contact = ANY($2)"
_ENTRIES = f"""
    SELECT c.contact, c.id, c.state, {ENTRY} FROM entries e JOIN conversations c ON c.key = e.conversation
    WHERE NOT e.superseded AND e.account = $1 AND e.seq {{}} e.born AND e.id = ANY($2)"""
_SUBJECTS = "SELECT c.state FROM conversations c WHERE c.account = $1 AND c.id = ANY($2)"
_CONTACTS = """
    SELECT c.id, c.name, c.email FROM contacts c
    WHERE c.account = $1 AND c.merged_into IS NULL AND NOT c.erased AND c.id = ANY($2)"""


class Search:
    """Walks an account's documents from the last one back, by those that have all grams of the query."""

    def __init__(self, reader: Connection, pieces: Sequence[str], filters: Filters, limit: int) -> None:
        self._reader = reader
        self._pieces = pieces
        self._filters = filters
        self._limit = limit
        self._looked_at = 0
        self._docs: list[Doc] = []
        self._admitted: dict[int | str, bool] = {}

    async def of(self, account: str) -> Candidates:
        head = await read_head(self._reader, account)
        if head is None:
            return Candidates([], cut=False)
        wanted = sought(self._pieces)
        for first in head.stretches():
            found = await self._reader.cursor(_FOUND, numbers_of(first, wanted), first, first + STRETCH - 1)
            while rows := await found.fetch(ROWS):
                if not await self._take(head.account, rows):
                    return Candidates(self._docs, cut=True)
        return Candidates(self._docs, cut=False)

    async def _take(self, account: int, rows: Sequence[Record]) -> bool:
        """Keep what is wanted. False when that is enough."""
        matching = []
        for of, kind, key, conversation, at, text in rows:
            self._looked_at += 1 + len(text) // LONG
            if self._filters.admit_doc(kind, at) and all(contains(text, piece) for piece in self._pieces):
                matching.append((key or of, Doc(of, kind, conversation, at, text)))
        if self._filters.of_conversation:
            await self._look_at_conversations(account, {name for name, _ in matching} - self._admitted.keys())
        for name, doc in matching:
            if self._admitted.get(name, True):
                if len(self._docs) == self._limit:
                    return False
                self._docs.append(doc)
        return self._looked_at < LOOKED_AT

    async def _look_at_conversations(self, account: int, names: Collection[int | str]) -> None:
        """Whether a document is admitted: by its conversation's key; a contact by any of its conversations."""
        keys = [name for name in names if isinstance(name, int)]
        contacts = [name for name in names if isinstance(name, str)]
        self._admitted.update(dict.fromkeys(names, False))
        for name, state in [
            *(await self._reader.fetch(_STATES, keys) if keys else ()),
            *(await self._reader.fetch(_STATES_OF_CONTACTS, account, contacts) if contacts else ()),
        ]:
            self._admitted[name] = self._admitted[name] or self._filters.admit(decode_state(state))


async def originals(reader: Connection, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
    head = await read_head(reader, account)
    if head is None:
        return {}
    subjects = [doc.of for doc in docs if doc.kind == "subject"]
    contacts = [doc.of for doc in docs if doc.kind == "contact"]
    entries = [doc.of for doc in docs if doc.kind not in ("subject", "contact")]
    found: dict[str, Original] = {}
    for comparison in ("=", "<>"):  # each has an index of its own
        for contact, conversation, state, *row in await reader.fetch(
            _ENTRIES.format(comparison), head.account, entries
        ):
            entry = entry_of(row)
            if of_entry(conversation, entry) is not None:
                found[entry.id] = Original(entry.text, contact, entry.author.id, decode_state(state).inbox)
    for (state,) in await reader.fetch(_SUBJECTS, head.account, subjects):
        there = decode_state(state)
        found[there.id] = Original(there.subject, there.contact, None, there.inbox)
    for id_, name, email in await reader.fetch(_CONTACTS, head.account, contacts):
        found[id_] = Original(contact_text(name, email), id_)
    return found
