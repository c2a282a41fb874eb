"""What the PostgreSQL engine says to the database in a batch: its statements, and rows to values and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from chat.model import Actor, AttributeType, Contact, Conversation, Entry, Inbox, Queue, Receipt, Team, Upload
from chat.store import Scoped, duty_rows
from chat.store.rows import ENTRY, decode_state, entry_of

if TYPE_CHECKING:  # generic for the type checker alone
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

# Whoever locks several accounts waits for none of them, so nobody waits while holding a lock.
_HEADS = """
    SELECT a.id, a.key, l.cursor, l.at FROM ledgers l JOIN accounts a ON a.key = l.account
    WHERE a.id = ANY($1) ORDER BY l.account FOR NO KEY UPDATE OF l"""
LOCK_ONE, LOCK_FREE = _HEADS, f"{_HEADS} SKIP LOCKED"
KNOWN = "SELECT id FROM accounts WHERE id = ANY($1)"
# Of our nodes, those that hold an account and from whom nothing has come for a while: between two statements, or in a
# COPY, where no timeout of the server's reaches them. A node that only was slow is told `unavailable` and tries again.
END_THE_FROZEN = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'shopbell' AND datname = current_database() AND usename = current_user
    AND (state = 'idle in transaction' OR state = 'active' AND wait_event = 'ClientRead')
    AND state_change < clock_timestamp() - interval '1.5 seconds' AND EXISTS (
        SELECT FROM pg_locks l WHERE l.pid = pg_stat_activity.pid AND l.relation = 'ledgers'::regclass
        AND l.mode = 'RowShareLock' AND l.granted)"""
# Ids come as one text: of an array asyncpg looks at each element in Python, for longer than the server looks it up.
_AMONG = "ANY(string_to_array($1, ','))"
_RECEIPTS = f"""
    SELECT a.id, e.id, e.author, e.digest, c.id, e.seq, e.at FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE e.id = {_AMONG} AND e.seq = e.born
    UNION ALL SELECT a.id, e.ask, coalesce(e.asker, e.author), e.digest, c.id, e.seq, coalesce(e.asked_at, e.at)
    FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE e.ask = {_AMONG}"""
_ENTRIES = f"""
    SELECT a.id, c.id, {ENTRY} FROM entries e
    JOIN accounts a ON a.key = e.account JOIN conversations c ON c.key = e.conversation
    WHERE NOT e.superseded AND e.seq {{}} e.born AND e.id = {_AMONG}"""
_CONVERSATIONS = f"""
    SELECT a.id, c.id, c.key, c.state FROM conversations c JOIN accounts a ON a.key = c.account WHERE c.id = {_AMONG}"""
_OF_CONTACTS = f"""
    SELECT a.id, c.contact, c.id FROM conversations c JOIN accounts a ON a.key = c.account WHERE c.contact = {_AMONG}"""
_CONTACTS = f"""
    SELECT a.id, c.id, c.name, c.email, c.attributes, c.blocked_until, c.merged_into, c.erased
    FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id = {_AMONG}"""
_UPLOADS = f"""
    SELECT a.id, u.id, u.owner, u.name, u.type, u.size, u.width, u.height, u.conversation, u.entry
    FROM uploads u JOIN accounts a ON a.key = u.account WHERE u.finished AND u.id = {_AMONG}"""
_ATTRIBUTES = """
    SELECT a.id, t.of, t.name, t.type, t.choices FROM attribute_types t
    JOIN accounts a ON a.key = t.account WHERE a.id = ANY($1) ORDER BY t.name"""
_IS_BOUND = "coalesce(a.settings ->> 'claims_beyond_slots', 'true') = 'false'"
_ACTORS = f"""
    SELECT a.id, 'agent', g.id, g.name, g.role, g.picture, g.active AND a.suspended_at IS NULL, 0::bigint, {_IS_BOUND}
    FROM agents g JOIN accounts a ON a.key = g.account WHERE g.id = {_AMONG}
    UNION ALL SELECT a.id, 'bot', b.id, b.name, NULL, b.picture, b.active AND a.suspended_at IS NULL, 0, {_IS_BOUND}
    FROM bots b JOIN accounts a ON a.key = b.account WHERE b.id = {_AMONG}
    UNION ALL SELECT a.id, 'contact', c.id, c.name, NULL, NULL,
    c.merged_into IS NULL AND NOT c.erased AND a.suspended_at IS NULL, c.blocked_until, false
    FROM contacts c JOIN accounts a ON a.key = c.account WHERE c.id = {_AMONG}"""
_INBOXES = f"SELECT a.id, i.id, i.name FROM inboxes i JOIN accounts a ON a.key = i.account WHERE i.id = {_AMONG}"
_TEAMS = f"SELECT a.id, t.id, t.name FROM teams t JOIN accounts a ON a.key = t.account WHERE t.id = {_AMONG}"

# Columns come as arrays: one statement, whatever the number of rows. The one that is carried out most has its numbers
# in texts, as ids are; where a text is empty there is one row, and `unnest` makes up for what it lacks by NULL.
INSERT_CONVERSATIONS = """
    INSERT INTO conversations
    (account, id, contact, status, assignee, team, priority, waiting_since, seq, cursor, state)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[]) RETURNING id, key"""
MOVE_CONVERSATIONS = """
    UPDATE conversations c SET waiting_since = m.waiting_since, seq = m.seq, cursor = m.cursor, state = m.state
    FROM unnest(string_to_array($1, ',', '')::bigint[], string_to_array($2, ',')::bigint[],
        string_to_array($3, ',')::bigint[], string_to_array($4, ',')::bigint[], $5::bytea[])
    AS m(waiting_since, seq, cursor, key, state) WHERE c.key = m.key"""
SHIFT_CONVERSATIONS = """
    UPDATE conversations c SET contact = m.contact, status = m.status, assignee = m.assignee, team = m.team,
    priority = m.priority, waiting_since = m.waiting_since, seq = m.seq, cursor = m.cursor, state = m.state
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::bytea[], $10::bigint[])
        AS m(contact, status, assignee, team, priority, waiting_since, seq, cursor, state, key)
    WHERE c.key = m.key"""
MOVE_LEDGERS = """
    UPDATE ledgers l SET cursor = m.cursor, at = m.at
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS m(cursor, at, account) WHERE l.account = m.account"""
ENTRY_COLUMNS = (
    "account", "conversation", "id", "seq", "born", "cursor", "kind", "audience", "author", "at", "text", "activity",
    "data", "digest",
)  # fmt: skip
_SUPERSEDE = """
    UPDATE entries e SET superseded = true FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS v(id, account, seq)
    WHERE e.id = v.id AND e.account = v.account AND e.seq {} e.born AND e.seq < v.seq"""
# In two steps: each has an index of its own, and one statement over both would find neither.
SUPERSEDE = (_SUPERSEDE.format("="), _SUPERSEDE.format("<>"))
ERASE = "UPDATE entries SET text = '', data = NULL WHERE conversation = $1"
INSERT_TIMER = """
    INSERT INTO timers (account, id, at, kind, conversation) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"""
FOLLOW = "INSERT INTO followers (actor, conversation) VALUES ($1, $2) ON CONFLICT DO NOTHING"
UNFOLLOW = "DELETE FROM followers WHERE actor = $1 AND conversation = $2"
ATTACH = "UPDATE uploads SET conversation = $1, entry = $2 WHERE id = $3"
WRITE_CONTACT = """
    UPDATE contacts SET name = $1, email = $2, attributes = $3, blocked_until = $4, merged_into = $5, erased = $6
    WHERE id = $7"""
# What belonged to a contact that lives on in another belongs to that one.
MERGE_CONTACT = (
    "UPDATE sessions SET actor = $1 WHERE actor = $2",
    "UPDATE identities SET contact = $1 WHERE contact = $2",
    "UPDATE uploads SET owner = $1 WHERE owner = $2",
    """UPDATE entries SET author = $1 WHERE author = $2 AND conversation IN (
        SELECT c.key FROM conversations c WHERE c.contact = $1)""",
    """UPDATE entries SET asker = $1 WHERE asker = $2 AND conversation IN (
        SELECT c.key FROM conversations c WHERE c.contact = $1)""",
    # Reactions and answered forms name it; but the line that says who became whom stays true. An id is made of letters,
    # digits and an underscore: JSON has it as it is.
    """UPDATE entries SET data = replace(data, '"' || $2::text || '"', '"' || $1::text || '"') WHERE data IS NOT NULL
        AND activity <> 'merged' AND conversation IN (SELECT c.key FROM conversations c WHERE c.contact = $1)""",
)


def turned(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as columns."""
    return [list(column) for column in zip(*rows, strict=True)]


def listed(numbers: Iterable[int | None]) -> str:
    """As one text, as ids are handed over; nothing stands for None."""
    return ",".join(["" if number is None else str(number) for number in numbers])


async def receipts(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Receipt]:
    found = await _found(writer, _RECEIPTS, wanted)
    return {scoped: Receipt(*rest) for scoped, rest in found}


async def conversations(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, tuple[int, Conversation]]:
    """Each with its surrogate key."""
    return {scoped: (key, decode_state(state)) for scoped, (key, state) in await _found(writer, _CONVERSATIONS, wanted)}


async def of_contacts(writer: Connection, wanted: set[Scoped]) -> set[Scoped]:
    """All conversations of these contacts."""
    return {(scoped[0], id_) for scoped, (id_,) in await _found(writer, _OF_CONTACTS, wanted)}


async def actors(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Actor]:
    rows = await writer.fetch(_ACTORS, _ids(wanted)) if wanted else []
    found = [Actor(*row) for row in rows]
    return {(actor.account, actor.id): actor for actor in found if (actor.account, actor.id) in wanted}


async def inboxes(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Inbox]:
    return {scoped: Inbox(*scoped, *rest) for scoped, rest in await _found(writer, _INBOXES, wanted)}


async def teams(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Team]:
    return {scoped: Team(*scoped, *rest) for scoped, rest in await _found(writer, _TEAMS, wanted)}


async def entries(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, tuple[str, Entry]]:
    """Each in its newest version, with its conversation."""
    rows = [
        tuple(row)
        for comparison in ("=", "<>")  # each has an index of its own
        for row in (await writer.fetch(_ENTRIES.format(comparison), _ids(wanted)) if wanted else [])
    ]
    return {(row[0], row[2]): (row[1], entry_of(row[2:])) for row in rows if (row[0], row[2]) in wanted}


async def contacts(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Contact]:
    return {
        scoped: Contact(*scoped, name, email, orjson.loads(attributes), *rest)
        for scoped, (name, email, attributes, *rest) in await _found(writer, _CONTACTS, wanted)
    }


async def uploads(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Upload]:
    return {scoped: Upload(*scoped, *rest) for scoped, rest in await _found(writer, _UPLOADS, wanted)}


async def attributes(writer: Connection, accounts: set[str]) -> dict[str, tuple[AttributeType, ...]]:
    found: dict[str, tuple[AttributeType, ...]] = {}
    for account, of, name, type_, choices in await writer.fetch(_ATTRIBUTES, list(accounts)):
        declared = AttributeType(of, name, type_, tuple(orjson.loads(choices)))
        found[account] = (*found.get(account, ()), declared)
    return found


async def desks(writer: Connection, accounts: set[str]) -> tuple[duty_rows.Found, set[Scoped]]:
    """The desks but for what waits there, and what that is."""
    ids = ",".join(accounts)
    found = duty_rows.Found(accounts)
    found.take_settings(await writer.fetch(_among(duty_rows.SETTINGS), ids))
    members = await writer.fetch(_among(duty_rows.TEAM_MEMBERS), ids)
    found.take_teams(await writer.fetch(_among(duty_rows.TEAMS), ids), members)
    for statement in duty_rows.MEMBERS:
        found.take_members(await writer.fetch(_among(statement), ids))
    found.take_serving(await writer.fetch(_among(duty_rows.SERVING), ids))
    found.take_used(await writer.fetch(_among(duty_rows.USED), ids))
    if not found.routed:
        return found, set()
    waiting = await writer.fetch(_among(duty_rows.WAITING), ids, found.routed)
    return found, {(account, id_) for account, id_ in waiting}


async def known(writer: Connection, contacts: Iterable[str]) -> list[Any]:
    """Who had these contacts, the last one last."""
    return await writer.fetch(_among(duty_rows.KNOWN), ",".join(contacts))


async def held(writer: Connection, wanted: set[Scoped]) -> set[Scoped]:
    """All that is open in these hands."""
    rows = await writer.fetch(_among(duty_rows.HELD), _ids(wanted))
    return {(account, id_) for account, member, id_ in rows if (account, member) in wanted}


async def queues(writer: Connection, wanted: set[Scoped]) -> dict[Scoped, Queue]:
    return duty_rows.queues(await writer.fetch(_among(duty_rows.QUEUES), _ids(wanted)), wanted)


@cache
def _among(statement: str) -> str:
    return statement.format(among=f"= {_AMONG}", teams="= ANY($2)")


async def _found(writer: Connection, statement: str, wanted: set[Scoped]) -> list[tuple[Scoped, Sequence[Any]]]:
    """Rows by their account and id, of those that are wanted."""
    rows = [tuple(row) for row in await writer.fetch(statement, _ids(wanted))] if wanted else []
    return [((row[0], row[1]), row[2:]) for row in rows if (row[0], row[1]) in wanted]


def _ids(wanted: Iterable[Scoped]) -> str:
    """For `_AMONG`. An id has no comma in it: what has one is found nowhere, or isn't what is wanted."""
    return ",".join([id_ for _, id_ in wanted])
