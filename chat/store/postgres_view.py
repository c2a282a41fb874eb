"""Reading from PostgreSQL at one moment: every method of a view sees the snapshot that its first statement took."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from chat.model import Conversation, Entry
from chat.store import Scoped, View
from chat.store.rows import ENTRY, decode_state, entry_of

if TYPE_CHECKING:
    from chat.store.postgres_rows import Connection

_STATES = "SELECT c.state FROM conversations c WHERE c.account = (SELECT a.key FROM accounts a WHERE a.id = $1)"
_OPEN = " AND c.status IN ('queued', 'open', 'snoozed')"
_OF_CONTACTS = """
    SELECT a.id, w.contact, found.state FROM unnest($1::text[], $2::text[]) AS w(account, contact)
    JOIN accounts a ON a.id = w.account CROSS JOIN LATERAL (
        SELECT c.state, c.cursor FROM conversations c
        WHERE c.account = a.key AND c.contact = w.contact ORDER BY c.cursor DESC LIMIT $3
    ) found ORDER BY found.cursor DESC"""
_ASSIGNED = f"{_STATES}{_OPEN} AND c.assignee = $2 ORDER BY c.cursor DESC LIMIT $3"
_FOLLOWED = f"""{_STATES}{_OPEN} AND c.key IN (SELECT f.conversation FROM followers f WHERE f.actor = $2)
    ORDER BY c.cursor DESC LIMIT $3"""
# Cursors themselves have no index: it would be written with every change of a conversation.
_MOVED = f"{_STATES} AND c.stretch >= $2 / 4096 AND c.cursor > $2 ORDER BY c.stretch, c.cursor LIMIT $3"
_WAITING = f"{_STATES}{_OPEN} ORDER BY c.waiting_since NULLS LAST, c.cursor DESC LIMIT $2"
_RESOLVED = f"{_STATES} AND c.status = 'resolved' ORDER BY c.stretch DESC, c.cursor DESC LIMIT $2"
_BLOCKED = """
    SELECT c.blocked_until FROM contacts c JOIN accounts a ON a.key = c.account WHERE a.id = $1 AND c.id = $2"""
_CURSORS = "SELECT a.id, l.cursor FROM accounts a JOIN ledgers l ON l.account = a.key WHERE a.id = ANY($1)"
_KEY = "(SELECT c.key FROM conversations c JOIN accounts a ON a.key = c.account WHERE a.id = $1 AND c.id = $2)"
# One conversation's entries as a stretch of the index of all: for `e.conversation =` the planner expects a conversation
# of usual length, and of one that isn't it reads all and sorts it (12 ms for 20,000 entries).
# No seq is less than the one it was born with; for `=` the planner expects that hardly any row has the two equal.
_BACK = f"""
    SELECT {ENTRY}, e.superseded FROM entries e
    WHERE (e.conversation, e.seq) < ({_KEY}, $3) AND e.conversation >= {_KEY} AND e.seq <= e.born{{}}
    ORDER BY e.conversation DESC, e.seq DESC LIMIT $4"""
_AFTER_SEQ = f"""
    SELECT a.id, c.id, found.* FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w(account, conversation, seq)
    JOIN conversations c ON c.id = w.conversation JOIN accounts a ON a.key = c.account AND a.id = w.account
    CROSS JOIN LATERAL (
        SELECT {ENTRY}, e.superseded FROM entries e
        WHERE (e.conversation, e.seq) > (c.key, w.seq) AND e.conversation <= c.key AND NOT e.superseded{{}}
        ORDER BY e.conversation, e.seq LIMIT $4
    ) found"""
# Cursors grow with seqs but no index has both: the seq to begin at is looked for from the end, where what is missed
# stands.
_AFTER_CURSOR = f"""
    SELECT c.id, found.* FROM conversations c CROSS JOIN LATERAL (
        SELECT {ENTRY}, e.superseded FROM entries e
        WHERE (e.conversation, e.seq) > (c.key, coalesce(
            (SELECT max(o.seq) FROM entries o WHERE o.conversation = c.key AND o.cursor <= $3), 0))
        AND e.conversation <= c.key AND NOT e.superseded ORDER BY e.conversation, e.seq LIMIT $4
    ) found WHERE c.account = (SELECT a.key FROM accounts a WHERE a.id = $1) AND c.id = ANY($2)"""
_FOR_EVERYONE = " AND e.audience = 'everyone'"
_VERSIONS = f"""
    SELECT {ENTRY} FROM entries e WHERE e.account = (SELECT a.key FROM accounts a WHERE a.id = $1)
    AND e.seq {{}} e.born AND e.id = ANY($2)"""
_OF_CONVERSATION = " AND e.conversation = (SELECT c.key FROM conversations c WHERE c.id = $3)"


class PostgresView:
    """See `chat.store.View` for the promises."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    async def head(self, account: str) -> int:
        return (await self.cursors([account])).get(account, 0)

    async def cursors(self, accounts: Collection[str]) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._reader.fetch(_CURSORS, list(accounts))}

    async def conversation(self, account: str, conversation: str) -> Conversation | None:
        states = await self._states(_STATES + " AND c.id = $2", account, conversation)
        return states[0] if states else None

    async def blocked_until(self, account: str, contact: str) -> int:
        return await self._reader.fetchval(_BLOCKED, account, contact) or 0

    async def of_contacts(self, contacts: Collection[Scoped], limit: int) -> dict[Scoped, list[Conversation]]:
        found: dict[Scoped, list[Conversation]] = {}
        for account, contact, state in await self._reader.fetch(_OF_CONTACTS, *_columns(contacts), limit):
            found.setdefault((account, contact), []).append(decode_state(state))
        return found

    async def assigned(self, account: str, actor: str, limit: int) -> list[Conversation]:
        return await self._states(_ASSIGNED, account, actor, limit)

    async def followed(self, account: str, actor: str, limit: int) -> list[Conversation]:
        return await self._states(_FOLLOWED, account, actor, limit)

    async def moved(self, account: str, since: int, limit: int) -> list[Conversation]:
        return await self._states(_MOVED, account, since, limit)

    async def listed(self, account: str, *, resolved: bool, limit: int) -> list[Conversation]:
        return await self._states(_RESOLVED if resolved else _WAITING, account, limit)

    async def latest(self, account: str, conversation: str, limit: int, *, staff: bool) -> list[Entry]:
        return await self.before(account, conversation, 2**62, limit, staff=staff)

    async def before(self, account: str, conversation: str, born: int, limit: int, *, staff: bool) -> list[Entry]:
        """By what was born there; of what has later versions, the newest."""
        audience = "" if staff else _FOR_EVERYONE
        rows = await self._reader.fetch(_BACK.format(audience), account, conversation, born, limit)
        old = [row[0] for row in rows if row[-1]]
        if not old:
            return _sorted(rows)
        newest = {row[0]: row for row in await self._versions("<>", account, old, " AND NOT e.superseded")}
        return _sorted([(*newest[row[0]], False) if row[-1] else row for row in rows])

    async def versions(self, account: str, conversation: str, entry: str) -> list[Entry]:
        rows = [
            row
            for comparison in ("=", "<>")
            for row in await self._versions(comparison, account, [entry], _OF_CONVERSATION, conversation)
        ]
        return sorted((entry_of(row) for row in rows), key=lambda version: -version.seq)

    async def after_seq(self, seqs: Mapping[Scoped, int], limit: int, *, staff: bool) -> dict[Scoped, list[Entry]]:
        statement = _AFTER_SEQ.format("" if staff else _FOR_EVERYONE)
        found: dict[Scoped, list[Any]] = {}
        for account, id_, *row in await self._reader.fetch(statement, *_columns(seqs), list(seqs.values()), limit):
            found.setdefault((account, id_), []).append(row)
        return {each: _sorted(rows) for each, rows in found.items()}

    async def after_cursor(
        self, account: str, conversations: Collection[str], cursor: int, limit: int
    ) -> dict[str, list[Entry]]:
        found: dict[str, list[Any]] = {}
        for id_, *row in await self._reader.fetch(_AFTER_CURSOR, account, list(conversations), cursor, limit):
            found.setdefault(id_, []).append(row)
        return {id_: _sorted(rows) for id_, rows in found.items()}

    async def _versions(self, comparison: str, account: str, ids: list[str], more: str = "", *values: str) -> list[Any]:
        return await self._reader.fetch(_VERSIONS.format(comparison) + more, account, ids, *values)

    async def _states(self, statement: str, *values: Any) -> list[Conversation]:
        return [decode_state(row[0]) for row in await self._reader.fetch(statement, *values)]


def _columns(pairs: Collection[Scoped]) -> tuple[list[str], list[str]]:
    return [account for account, _ in pairs], [id_ for _, id_ in pairs]


def _sorted(rows: list[Any]) -> list[Entry]:
    return sorted((entry_of(tuple(row)[:-1]) for row in rows), key=lambda entry: (entry.born, entry.id))


_: type[View] = PostgresView
