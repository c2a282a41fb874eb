"""Notices when a PostgreSQL database isn't the one that it was, or ends earlier, and begins another epoch.

A standby that takes over, a recovery up to a moment and a restored dump leave a mark: the cluster, its timeline or the
database's number is another. It is looked for on each new connection, before anything else is done on it. What leaves
no mark (files put back as they were) is noticed by heads that are lower than they have been.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import asyncpg

from chat.errors import Unavailable
from chat.store import epochs
from chat.store.epochs import Epochs, Seen

if TYPE_CHECKING:
    from chat.store.postgres_rows import Connection

log = logging.getLogger("chat.store.postgres")

SUM_OF_HEADS = "SELECT coalesce(sum(cursor), 0)::bigint FROM ledgers"
_HEADS = "SELECT a.id, l.cursor FROM accounts a JOIN ledgers l ON l.account = a.key WHERE a.id = ANY($1)"
_EPOCH = "SELECT value FROM meta WHERE name = 'epoch'"
# The timeline stands in the names of the log's files; the checkpoint's, in the control file, comes later.
_MARK = """
    SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()))"""
_ALONE = "SELECT pg_advisory_xact_lock(23308)"  # whoever looks at the mark and the epoch, and may change them
_ROWS = "SELECT name, value FROM meta WHERE name IN ('epoch', 'epochs', 'mark')"
_WRITE = """
    INSERT INTO meta (name, value) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""


class History:
    """What this node knows of the history of its database. `seen` is how far it saw it come before it started.

    `meet` is for every new connection, `look` for now and then.
    """

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen
        self._mark = ""
        self._renewed: list[Callable[[], None]] = []
        self.epoch = ""

    def listen(self, renewed: Callable[[], None]) -> None:
        """`renewed` is called when the epoch has changed."""
        self._renewed.append(renewed)

    async def meet(self, connection: Connection) -> None:
        """Find out whether this connection leads to the history that is known here; where it doesn't, the epoch is
        another one when this returns. Raises Unavailable of a standby, and what the driver raises."""
        mark = await _mark(connection)
        if mark != self._mark or not self.epoch:
            await self._settle(connection, mark)

    async def look(self, connection: Connection, known: Mapping[str, int]) -> dict[str, int]:
        """The heads of these accounts, each of which stood at least so far; and whether the epoch is still the same."""
        heads: dict[str, int] = dict(map(tuple, await connection.fetch(_HEADS, list(known))))
        is_lower = any(heads.get(account, 0) < cursor for account, cursor in known.items())
        if is_lower or await connection.fetchval(_EPOCH) != self.epoch:
            await self._settle(connection, await _mark(connection), is_lost=is_lower)
        return heads

    async def renew(self, connection: Connection) -> None:
        """Begin another epoch, whatever is there."""
        await self._settle(connection, await _mark(connection), is_lost=True)

    async def _settle(self, connection: Connection, mark: str, *, is_lost: bool = False) -> None:
        """Agree with all other nodes on the epoch. Of several that notice the same loss, the first begins a new one."""
        async with connection.transaction():
            await connection.execute(_ALONE)
            rows: dict[str, str] = dict(map(tuple, await connection.fetch(_ROWS)))
            heads = await connection.fetchval(SUM_OF_HEADS)
            found = epochs.read(rows)
            new = found or epochs.first()
            if found and self._is_another(found, heads, mark, rows.get("mark", ""), is_lost=is_lost):
                new = found.renewed()
            written = {**epochs.written(new), "mark": mark or rows.get("mark", "")}
            if written != rows:
                await connection.execute(_WRITE, list(written), list(written.values()))
        self._mark = mark
        self._begin(new)

    def _is_another(self, found: Epochs, heads: int, mark: str, before: str, *, is_lost: bool) -> bool:
        if mark and before and mark != before:
            return True
        if not self.epoch:
            return epochs.is_lost(found, heads, self._seen)
        return not found.know(self.epoch) or (is_lost and found.current == self.epoch)

    def _begin(self, found: Epochs) -> None:
        before, self.epoch = self.epoch, found.current
        if before not in ("", found.current):
            log.warning("the database isn't the one that it was, or has lost something: everybody begins anew")
            for renewed in self._renewed:
                renewed()


async def _mark(connection: Connection) -> str:
    """Of this server's history; empty where the server doesn't tell, as some hosts' don't."""
    try:
        return str(await connection.fetchval(_MARK))
    except (asyncpg.FeatureNotSupportedError, asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        return ""
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise Unavailable("the database's server is a standby, and takes no writes") from error
