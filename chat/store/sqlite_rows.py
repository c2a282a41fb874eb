"""What the SQLite engine says to the database in a batch: its statements, and rows to values and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson
from msgspec.json import Decoder

from chat.model import Actor, Conversation, Inbox, Receipt, Team
from chat.store import Move, Scoped, Written

_decode = Decoder(Conversation).decode

_IDS = "(SELECT value FROM json_each(?))"
_RECEIPTS = f"""
    SELECT a.id, e.id, e.author, e.digest, c.id, e.seq, e.at FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE e.id IN {_IDS} AND e.seq = e.born"""
_CONVERSATIONS = f"""
    SELECT a.id, c.id, c.key, c.state FROM conversations c JOIN accounts a ON a.key = c.account WHERE c.id IN {_IDS}"""
_ACTORS = f"""
    SELECT a.id, 'agent', g.id, g.name, g.role, g.picture, g.active
    FROM agents g JOIN accounts a ON a.key = g.account WHERE g.id IN {_IDS}
    UNION ALL SELECT a.id, 'bot', b.id, b.name, NULL, b.picture, b.active
    FROM bots b JOIN accounts a ON a.key = b.account WHERE b.id IN {_IDS}
    UNION ALL SELECT a.id, 'contact', c.id, c.name, NULL, NULL, 1
    FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id IN {_IDS}"""
_INBOXES = f"SELECT a.id, i.id, i.name FROM inboxes i JOIN accounts a ON a.key = i.account WHERE i.id IN {_IDS}"
_TEAMS = f"SELECT a.id, t.id, t.name FROM teams t JOIN accounts a ON a.key = t.account WHERE t.id IN {_IDS}"

INSERT_CONVERSATION = """
    INSERT INTO conversations
    (key, account, id, contact, status, assignee, team, waiting_since, seq, cursor, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# The hot one leaves the columns of the views' index alone, so that SQLite doesn't touch that index.
MOVE_CONVERSATION = "UPDATE conversations SET waiting_since = ?, seq = ?, cursor = ?, state = ? WHERE key = ?"
SHIFT_CONVERSATION = """
    UPDATE conversations SET status = ?, assignee = ?, team = ?, waiting_since = ?, seq = ?, cursor = ?, state = ?
    WHERE key = ?"""
MOVE_LEDGER = "UPDATE ledgers SET cursor = ?, at = ? WHERE account = ?"
INSERT_ENTRY = """
    INSERT INTO entries
    (account, conversation, id, seq, born, cursor, kind, audience, author, at, text, activity, data, digest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def columns(move: Move) -> tuple[Any, ...]:
    """A conversation's own columns, in the order of the statements."""
    after = move.after
    return after.status, after.assignee, after.team, after.waiting_since, after.seq, after.cursor, move.document


def is_shifted(before: Conversation, after: Conversation) -> bool:
    """Whether a column of the views' index has changed."""
    return before.status != after.status or before.assignee != after.assignee or before.team != after.team


def entry_rows(account: int, conversation: int, written: Iterable[Written]) -> Iterable[tuple[Any, ...]]:
    for item in written:
        entry = item.entry
        yield (
            account,
            conversation,
            entry.id,
            entry.seq,
            entry.born,
            item.cursor,
            entry.kind,
            entry.audience,
            entry.author.id,
            entry.at,
            entry.text,
            entry.activity,
            None if entry.data is None else orjson.dumps(entry.data).decode(),
            item.digest,
        )


def receipts(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Receipt]:
    if not wanted:
        return {}
    found = {(account, entry): Receipt(*rest) for account, entry, *rest in writer.execute(_RECEIPTS, (_ids(wanted),))}
    return {scoped: receipt for scoped, receipt in found.items() if scoped in wanted}


def conversations(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, tuple[int, Conversation]]:
    """Each with its surrogate key."""
    rows = writer.execute(_CONVERSATIONS, (_ids(wanted),)).fetchall()
    return {(account, conversation): (key, _decode(state)) for account, conversation, key, state in rows}


def actors(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Actor]:
    rows = writer.execute(_ACTORS, (_ids(wanted),) * 3)
    return {
        (account, id_): Actor(account, kind, id_, name, role, picture, bool(active))
        for account, kind, id_, name, role, picture, active in rows
    }


def inboxes(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Inbox]:
    return {(row[0], row[1]): Inbox(*row) for row in writer.execute(_INBOXES, (_ids(wanted),))}


def teams(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Team]:
    return {(row[0], row[1]): Team(*row) for row in writer.execute(_TEAMS, (_ids(wanted),))}


def _ids(wanted: Iterable[Scoped]) -> str:
    return orjson.dumps([id_ for _, id_ in wanted]).decode()
