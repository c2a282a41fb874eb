"""Reading from SQLite at one moment. Every method ends without waiting, so a cursor never stays open."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any

import orjson
from msgspec.json import Decoder

from chat.model import Conversation, Entry, author_of
from chat.store import View

_decode = Decoder(Conversation).decode

_STATES = "SELECT c.state FROM conversations c JOIN accounts a ON a.key = c.account WHERE a.id = ?"
_ENTRIES = """
    SELECT e.id, e.seq, e.born, e.kind, e.author, e.at, e.text, e.activity, e.data, e.audience FROM entries e
    WHERE e.conversation = (
        SELECT c.key FROM conversations c JOIN accounts a ON a.key = c.account WHERE a.id = ? AND c.id = ?)
    AND NOT e.superseded"""
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

    async def of_contact(self, account: str, contact: str, limit: int) -> list[Conversation]:
        return self._states(_STATES + " AND c.contact = ? ORDER BY c.cursor DESC LIMIT ?", account, contact, limit)

    async def assigned(self, account: str, actor: str, limit: int) -> list[Conversation]:
        return self._states(
            _STATES
            + " AND c.status IN ('queued', 'open', 'snoozed') AND c.assignee = ? ORDER BY c.cursor DESC LIMIT ?",
            account,
            actor,
            limit,
        )

    async def moved(self, account: str, since: int, limit: int) -> list[Conversation]:
        return self._states(_STATES + " AND c.cursor > ? ORDER BY c.cursor LIMIT ?", account, since, limit)

    async def listed(self, account: str, *, resolved: bool, limit: int) -> list[Conversation]:
        statuses = "('resolved')" if resolved else "('queued', 'open', 'snoozed')"
        return self._states(
            f"{_STATES} AND c.status IN {statuses}"
            " ORDER BY c.waiting_since IS NULL, c.waiting_since, c.cursor DESC LIMIT ?",
            account,
            limit,
        )

    async def latest(self, account: str, conversation: str, limit: int, *, staff: bool) -> list[Entry]:
        return await self.before(account, conversation, 2**62, limit, staff=staff)

    async def before(self, account: str, conversation: str, born: int, limit: int, *, staff: bool) -> list[Entry]:
        audience = "" if staff else _FOR_EVERYONE
        return self._entries(
            f"{_ENTRIES}{audience} AND e.born < ? ORDER BY e.seq DESC LIMIT ?", account, conversation, born, limit
        )

    async def after_seq(self, account: str, conversation: str, seq: int, limit: int, *, staff: bool) -> list[Entry]:
        audience = "" if staff else _FOR_EVERYONE
        return self._entries(
            f"{_ENTRIES}{audience} AND e.seq > ? ORDER BY e.seq LIMIT ?", account, conversation, seq, limit
        )

    async def after_cursor(self, account: str, conversation: str, cursor: int, limit: int) -> list[Entry]:
        return self._entries(
            f"{_ENTRIES} AND e.cursor > ? ORDER BY e.seq LIMIT ?", account, conversation, cursor, limit
        )

    def _states(self, statement: str, *values: Any) -> list[Conversation]:
        return [_decode(row[0]) for row in self._reader.execute(statement, values).fetchall()]

    def _entries(self, statement: str, *values: Any) -> list[Entry]:
        rows = self._reader.execute(statement, values).fetchall()
        return sorted((_entry(row) for row in rows), key=lambda entry: (entry.born, entry.id))


def _entry(row: tuple[Any, ...]) -> Entry:
    id_, seq, born, kind, author, at, text, activity, data, audience = row
    decoded = None if data is None else orjson.loads(data)
    return Entry(id_, seq, born, kind, author_of(author), at, text, activity, decoded, audience)


_: type[View] = SqliteView
