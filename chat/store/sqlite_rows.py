"""What the SQLite engine says to the database in a batch: its statements, and rows to values and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson

from chat.model import (
    Actor,
    AttributeType,
    Contact,
    Conversation,
    Entry,
    Inbox,
    Queue,
    Receipt,
    Team,
    Upload,
)
from chat.store import Scoped, Written, duty_rows
from chat.store.rows import ENTRY, decode_state, entry_of

_IDS = "(SELECT value FROM json_each(?))"
_RECEIPTS = f"""
    SELECT a.id, e.id, e.author, e.digest, c.id, e.seq, e.at FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE e.id IN {_IDS} AND e.seq = e.born"""
_RECEIPTS_OF_VERSIONS = f"""
    SELECT a.id, e.ask, coalesce(e.asker, e.author), e.digest, c.id, e.seq, coalesce(e.asked_at, e.at)
    FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE e.ask IN {_IDS}"""
# Ids are made in the order of time, so nearly always nothing between a batch's first and last one made a version.
_ANY_VERSION = "SELECT 1 FROM entries WHERE ask BETWEEN ? AND ? LIMIT 1"
_ENTRIES = f"""
    SELECT a.id, c.id, {ENTRY} FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE NOT e.superseded AND e.seq {{}} e.born AND e.id IN {_IDS}"""
_CONTACTS = f"""
    SELECT a.id, c.id, c.name, c.email, c.attributes, c.blocked_until, c.merged_into, c.erased
    FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id IN {_IDS}"""
_OF_CONTACTS = f"""
    SELECT a.id, c.contact, c.id FROM conversations c JOIN accounts a ON a.key = c.account WHERE c.contact IN {_IDS}"""
_UPLOADS = f"""
    SELECT a.id, u.id, u.owner, u.name, u.type, u.size, u.width, u.height, u.conversation, u.entry
    FROM uploads u JOIN accounts a ON a.key = u.account WHERE u.finished AND u.id IN {_IDS}"""
_ATTRIBUTES = f"""
    SELECT a.id, t.of, t.name, t.type, t.choices FROM attribute_types t
    JOIN accounts a ON a.key = t.account WHERE a.id IN {_IDS} ORDER BY t.name"""
_CONVERSATIONS = f"""
    SELECT a.id, c.id, c.key, c.state FROM conversations c JOIN accounts a ON a.key = c.account WHERE c.id IN {_IDS}"""
_IS_BOUND = "coalesce(json_extract(a.settings, '$.claims_beyond_slots'), 1) = 0"
_ACTORS = f"""
    SELECT a.id, 'agent', g.id, g.name, g.role, g.picture, g.active AND a.suspended_at IS NULL, 0, {_IS_BOUND}
    FROM agents g JOIN accounts a ON a.key = g.account WHERE g.id IN {_IDS}
    UNION ALL SELECT a.id, 'bot', b.id, b.name, NULL, b.picture, b.active AND a.suspended_at IS NULL, 0, {_IS_BOUND}
    FROM bots b JOIN accounts a ON a.key = b.account WHERE b.id IN {_IDS}
    UNION ALL SELECT a.id, 'contact', c.id, c.name, NULL, NULL,
    c.merged_into IS NULL AND NOT c.erased AND a.suspended_at IS NULL, c.blocked_until, 0
    FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id IN {_IDS}"""
_INBOXES = f"SELECT a.id, i.id, i.name FROM inboxes i JOIN accounts a ON a.key = i.account WHERE i.id IN {_IDS}"
_TEAMS = f"SELECT a.id, t.id, t.name FROM teams t JOIN accounts a ON a.key = t.account WHERE t.id IN {_IDS}"

INSERT_CONVERSATION = """
    INSERT INTO conversations
    (key, account, id, contact, status, assignee, team, priority, waiting_since, seq, cursor, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# The hot one leaves the columns of the views' index alone, so that SQLite doesn't touch that index.
MOVE_CONVERSATION = "UPDATE conversations SET waiting_since = ?, seq = ?, cursor = ?, state = ? WHERE key = ?"
SHIFT_CONVERSATION = """
    UPDATE conversations
    SET contact = ?, status = ?, assignee = ?, team = ?, priority = ?, waiting_since = ?, seq = ?, cursor = ?, state = ?
    WHERE key = ?"""
MOVE_LEDGER = "UPDATE ledgers SET cursor = ?, at = ? WHERE account = ?"
INSERT_ENTRY = """
    INSERT INTO entries
    (account, conversation, id, seq, born, cursor, kind, audience, author, at, text, activity, data, digest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# The same for what nearly all entries are: what each of them has in common isn't bound each time.
INSERT_PLAIN = """
    INSERT INTO entries
    (account, conversation, id, seq, born, cursor, kind, audience, author, at, text, activity, data, digest)
    VALUES (?1, ?2, ?3, ?4, ?4, ?5, 'message', 'everyone', ?6, ?7, ?8, '', NULL, ?9)"""
# In two steps: each has an index of its own, and one statement over both would find neither.
SUPERSEDE = (
    "UPDATE entries SET superseded = 1 WHERE id = ? AND account = ? AND seq = born AND seq < ?",
    "UPDATE entries SET superseded = 1 WHERE id = ? AND account = ? AND seq <> born AND seq < ?",
)
INSERT_VERSION = """
    INSERT INTO entries
    (account, conversation, id, seq, born, cursor, kind, audience, author, at, text, activity, data, digest,
    ask, asker, asked_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ERASE = "UPDATE entries SET text = '', data = NULL WHERE conversation = ?"
INSERT_TIMER = "INSERT OR IGNORE INTO timers (account, id, at, kind, conversation) VALUES (?, ?, ?, ?, ?)"
FOLLOW = "INSERT OR IGNORE INTO followers (actor, conversation) VALUES (?, ?)"
UNFOLLOW = "DELETE FROM followers WHERE actor = ? AND conversation = ?"
ATTACH = "UPDATE uploads SET conversation = ?, entry = ? WHERE id = ?"
WRITE_CONTACT = """
    UPDATE contacts SET name = ?, email = ?, attributes = ?, blocked_until = ?, merged_into = ?, erased = ?
    WHERE id = ?"""
# What belonged to a contact that lives on in another belongs to that one.
MERGE_CONTACT = (
    "UPDATE sessions SET actor = ? WHERE actor = ?",
    "UPDATE identities SET contact = ? WHERE contact = ?",
    "UPDATE uploads SET owner = ? WHERE owner = ?",
    """UPDATE entries SET author = ?1 WHERE author = ?2 AND conversation IN (
        SELECT c.key FROM conversations c WHERE c.contact = ?1)""",
    """UPDATE entries SET asker = ?1 WHERE asker = ?2 AND conversation IN (
        SELECT c.key FROM conversations c WHERE c.contact = ?1)""",
    # Reactions and answered forms name it; but the line that says who became whom stays true. An id is made of letters,
    # digits and an underscore: JSON has it as it is.
    """UPDATE entries SET data = replace(data, '"' || ?2 || '"', '"' || ?1 || '"') WHERE data IS NOT NULL
        AND activity <> 'merged' AND conversation IN (SELECT c.key FROM conversations c WHERE c.contact = ?1)""",
)


def is_plain(entry: Entry) -> bool:
    """Whether it is a new message of nothing but words."""
    return entry.kind == "message" and entry.data is None and not entry.blocks and not entry.attachments


def plain_row(account: int, conversation: int, item: Written) -> tuple[Any, ...]:
    entry = item.entry
    return (
        account,
        conversation,
        entry.id,
        entry.seq,
        item.cursor,
        entry.author.id,
        entry.at,
        entry.text,
        item.digest,
    )


def receipts(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Receipt]:
    if not wanted:
        return {}
    ids = [id_ for _, id_ in wanted]
    rows = writer.execute(_RECEIPTS, (_ids(wanted),)).fetchall()
    if writer.execute(_ANY_VERSION, (min(ids), max(ids))).fetchone():
        rows += writer.execute(_RECEIPTS_OF_VERSIONS, (_ids(wanted),)).fetchall()
    found = {(account, entry): Receipt(*rest) for account, entry, *rest in rows}
    return {scoped: receipt for scoped, receipt in found.items() if scoped in wanted}


def conversations(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, tuple[int, Conversation]]:
    """Each with its surrogate key."""
    rows = writer.execute(_CONVERSATIONS, (_ids(wanted),)).fetchall()
    return {(account, conversation): (key, decode_state(state)) for account, conversation, key, state in rows}


def actors(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Actor]:
    rows = writer.execute(_ACTORS, (_ids(wanted),) * 3)
    return {
        (account, id_): Actor(account, kind, id_, name, role, picture, bool(active), blocked_until, bool(is_bound))
        for account, kind, id_, name, role, picture, active, blocked_until, is_bound in rows
    }


def inboxes(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Inbox]:
    return {(row[0], row[1]): Inbox(*row) for row in writer.execute(_INBOXES, (_ids(wanted),))}


def teams(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Team]:
    return {(row[0], row[1]): Team(*row) for row in writer.execute(_TEAMS, (_ids(wanted),))}


def entries(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, tuple[str, Entry]]:
    """Each in its newest version, with its conversation."""
    return {
        (account, row[0]): (conversation, entry_of(row))
        for comparison in ("=", "<>")  # each has an index of its own
        for account, conversation, *row in writer.execute(_ENTRIES.format(comparison), (_ids(wanted),))
        if (account, row[0]) in wanted
    }


def contacts(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Contact]:
    rows = writer.execute(_CONTACTS, (_ids(wanted),))
    return {
        (account, id_): Contact(account, id_, name, email, orjson.loads(attributes), blocked, merged, bool(erased))
        for account, id_, name, email, attributes, blocked, merged, erased in rows
        if (account, id_) in wanted
    }


def of_contacts(writer: sqlite3.Connection, wanted: set[Scoped]) -> set[Scoped]:
    """All conversations of these contacts."""
    rows = writer.execute(_OF_CONTACTS, (_ids(wanted),))
    return {(account, conversation) for account, contact, conversation in rows if (account, contact) in wanted}


def uploads(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Upload]:
    rows = writer.execute(_UPLOADS, (_ids(wanted),))
    return {(row[0], row[1]): Upload(*row) for row in rows if (row[0], row[1]) in wanted}


def attributes(writer: sqlite3.Connection, accounts: set[str]) -> dict[str, tuple[AttributeType, ...]]:
    found: dict[str, tuple[AttributeType, ...]] = {}
    for account, of, name, type_, choices in writer.execute(_ATTRIBUTES, (orjson.dumps(list(accounts)).decode(),)):
        declared = AttributeType(of, name, type_, tuple(orjson.loads(choices)))
        found[account] = (*found.get(account, ()), declared)
    return found


def desks(writer: sqlite3.Connection, accounts: set[str]) -> tuple[duty_rows.Found, set[Scoped]]:
    """The desks but for what waits there, and what that is."""
    ids = _list(accounts)

    def rows(statement: str) -> list[tuple[Any, ...]]:
        return writer.execute(_among(statement), {"ids": ids}).fetchall()

    found = duty_rows.Found(accounts)
    found.take_settings(rows(duty_rows.SETTINGS))
    found.take_teams(rows(duty_rows.TEAMS), rows(duty_rows.TEAM_MEMBERS))
    found.take_members([row for statement in duty_rows.MEMBERS for row in rows(statement)])
    found.take_serving(rows(duty_rows.SERVING))
    found.take_used(rows(duty_rows.USED))
    if not found.routed:
        return found, set()
    waiting = writer.execute(_among(duty_rows.WAITING), {"ids": ids, "teams": _list(found.routed)})
    return found, {(account, id_) for account, id_ in waiting}


def known(writer: sqlite3.Connection, contacts: Iterable[str]) -> list[tuple[Any, ...]]:
    """Who had these contacts, the last one last."""
    return writer.execute(_among(duty_rows.KNOWN), {"ids": _list(contacts)}).fetchall()


def held(writer: sqlite3.Connection, wanted: set[Scoped]) -> set[Scoped]:
    """All that is open in these hands."""
    rows = writer.execute(_among(duty_rows.HELD), {"ids": _ids(wanted)})
    return {(account, id_) for account, member, id_ in rows if (account, member) in wanted}


def queues(writer: sqlite3.Connection, wanted: set[Scoped]) -> dict[Scoped, Queue]:
    return duty_rows.queues(writer.execute(_among(duty_rows.QUEUES), {"ids": _ids(wanted)}), wanted)


@cache
def _among(statement: str) -> str:
    return statement.format(
        among="IN (SELECT value FROM json_each(:ids))", teams="IN (SELECT value FROM json_each(:teams))"
    )


def _list(ids: Iterable[str]) -> str:
    return orjson.dumps(list(ids)).decode()


def _ids(wanted: Iterable[Scoped]) -> str:
    return orjson.dumps([id_ for _, id_ in wanted]).decode()
