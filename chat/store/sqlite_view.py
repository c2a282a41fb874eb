"""Reading from SQLite at one moment. Every method ends without waiting, so a cursor never stays open."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from chat.model import Conversation, Entry
from chat.store import Scoped, View
from chat.store.rows import ENTRY, decode_state, entry_of

BACKWARDS = 100  # entries of one step back

# A unary plus keeps a column out of the choice of an index: without it SQLite would walk through the whole account
# in the order of its cursors to find the few conversations of one contact.
_STATES = "SELECT c.state FROM conversations c WHERE c.account = (SELECT a.key FROM accounts a WHERE a.id = ?)"
_OF_CONTACT = _STATES.replace("c.account", "+c.account") + " AND c.contact = ? ORDER BY +c.cursor DESC LIMIT ?"
_OPEN = " AND c.status IN ('queued', 'open', 'snoozed')"
_ASSIGNED = f"{_STATES}{_OPEN} AND c.assignee = ? ORDER BY +c.cursor DESC LIMIT ?"
_MOVED = f"{_STATES} AND c.cursor > ? ORDER BY c.cursor LIMIT ?"
_WAITING = f"{_STATES}{_OPEN} ORDER BY c.waiting_since IS NULL, c.waiting_since, +c.cursor DESC LIMIT ?"
_RESOLVED = f"{_STATES} AND +c.status = 'resolved' ORDER BY c.cursor DESC LIMIT ?"
_FOLLOWED = f"""{_STATES}{_OPEN} AND c.key IN (SELECT f.conversation FROM followers f WHERE f.actor = ?)
    ORDER BY +c.cursor DESC LIMIT ?"""
_BLOCKED = """
    SELECT c.blocked_until FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id = ? AND a.id = ?"""
_ALL_ENTRIES = f"""
    SELECT {ENTRY}, e.superseded FROM entries e
    WHERE e.conversation = (
        SELECT c.key FROM conversations c JOIN accounts a ON a.key = c.account WHERE a.id = ? AND c.id = ?)"""
_ENTRIES = f"{_ALL_ENTRIES} AND NOT e.superseded"
_NEWEST = f"{_ENTRIES} AND e.seq < ? ORDER BY e.seq DESC LIMIT ?"
_VERSIONS = f"""
    SELECT {ENTRY} FROM entries e WHERE e.account = (SELECT a.key FROM accounts a WHERE a.id = ?)
    AND e.seq {{}} e.born AND e.id IN (SELECT value FROM json_each(?))"""
_OF_CONVERSATION = " AND +e.conversation = (SELECT c.key FROM conversations c WHERE c.id = ?)"
_FOR_EVERYONE = " AND e.audience = 'everyone'"


class SqliteView:
    """See `chat.store.View` for the promises."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader

    async def head(self, account: str) -> int:
        return (await self.cursors([account])).get(account, 0)

    async def cursors(self, accounts: Collection[str]) -> dict[str, int]:
        rows = self._reader.execute(
            """SELECT a.id, l.cursor FROM accounts a JOIN ledgers l ON l.account = a.key
            WHERE a.id IN (SELECT value FROM json_each(?))""",
            (orjson.dumps(list(accounts)).decode(),),
        )
        return dict(rows.fetchall())

    async def conversation(self, account: str, conversation: str) -> Conversation | None:
        states = self._states(_STATES + " AND c.id = ?", account, conversation)
        return states[0] if states else None

    async def blocked_until(self, account: str, contact: str) -> int:
        row = self._reader.execute(_BLOCKED, (contact, account)).fetchone()
        return int(row[0]) if row else 0

    async def of_contacts(self, contacts: Collection[Scoped], limit: int) -> dict[Scoped, list[Conversation]]:
        found = {each: self._states(_OF_CONTACT, *each, limit) for each in contacts}
        return {each: states for each, states in found.items() if states}

    async def assigned(self, account: str, actor: str, limit: int) -> list[Conversation]:
        return self._states(_ASSIGNED, account, actor, limit)

    async def followed(self, account: str, actor: str, limit: int) -> list[Conversation]:
        return self._states(_FOLLOWED, account, actor, limit)

    async def moved(self, account: str, since: int, limit: int) -> list[Conversation]:
        return self._states(_MOVED, account, since, limit)

    async def listed(self, account: str, *, resolved: bool, limit: int) -> list[Conversation]:
        return self._states(_RESOLVED if resolved else _WAITING, account, limit)

    async def latest(self, account: str, conversation: str, limit: int, *, staff: bool) -> list[Entry]:
        return await self.before(account, conversation, 2**62, limit, staff=staff)

    async def before(self, account: str, conversation: str, born: int, limit: int, *, staff: bool) -> list[Entry]:
        """By what was born there; of what has later versions, the newest."""
        audience = "" if staff else _FOR_EVERYONE
        rows = self._reader.execute(
            f"{_ALL_ENTRIES}{audience} AND e.seq = e.born AND e.seq < ? ORDER BY e.seq DESC LIMIT ?",
            (account, conversation, born, limit),
        ).fetchall()
        old = [row[0] for row in rows if row[-1]]
        if not old:
            return _sorted(rows)
        newest = {row[0]: row for row in self._versions("<>", account, old, " AND NOT e.superseded")}
        return _sorted([(*newest[row[0]], False) if row[-1] else row for row in rows])

    async def versions(self, account: str, conversation: str, entry: str) -> list[Entry]:
        rows = [
            row
            for comparison in ("=", "<>")
            for row in self._versions(comparison, account, [entry], _OF_CONVERSATION, conversation)
        ]
        return sorted((entry_of(row) for row in rows), key=lambda version: -version.seq)

    def _versions(self, comparison: str, account: str, ids: list[str], more: str = "", *values: str) -> list[Any]:
        statement = _VERSIONS.format(comparison) + more
        return self._reader.execute(statement, (account, orjson.dumps(ids).decode(), *values)).fetchall()

    async def after_seq(self, seqs: Mapping[Scoped, int], limit: int, *, staff: bool) -> dict[Scoped, list[Entry]]:
        statement = f"{_ENTRIES}{'' if staff else _FOR_EVERYONE} AND e.seq > ? ORDER BY e.seq LIMIT ?"
        found = {each: self._entries(statement, *each, seq, limit) for each, seq in seqs.items()}
        return {each: entries for each, entries in found.items() if entries}

    async def after_cursor(
        self, account: str, conversations: Collection[str], cursor: int, limit: int
    ) -> dict[str, list[Entry]]:
        found = {each: self._after_cursor(account, each, cursor, limit) for each in conversations}
        return {each: entries for each, entries in found.items() if entries}

    def _after_cursor(self, account: str, conversation: str, cursor: int, limit: int) -> list[Entry]:
        """Backwards in pages, as cursors grow with seqs but no index has both: what is missed is at the end."""
        rows: list[tuple[Any, ...]] = []
        before = 2**62
        while True:
            page = self._reader.execute(_NEWEST, (account, conversation, before, BACKWARDS)).fetchall()
            later = [row for row in page if row[-2] > cursor]
            rows += later
            if len(later) < BACKWARDS:
                return _sorted(rows[-limit:])
            before = page[-1][1]

    def _states(self, statement: str, *values: Any) -> list[Conversation]:
        return [decode_state(row[0]) for row in self._reader.execute(statement, values).fetchall()]

    def _entries(self, statement: str, *values: Any) -> list[Entry]:
        return _sorted(self._reader.execute(statement, values).fetchall())


def _sorted(rows: list[tuple[Any, ...]]) -> list[Entry]:
    return sorted((entry_of(row[:-1]) for row in rows), key=lambda entry: (entry.born, entry.id))


_: type[View] = SqliteView
