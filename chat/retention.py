"""Which lines of the logs are too old to be kept, and their going."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from chat.preferences import AccountSettings, chosen
from chat.store import Store
from chat.store.tables import accounts, handles, routing_log, status_log, waits

AT_ONCE = 500  # rows that one transaction deletes: milliseconds, in which nobody else writes to SQLite
DAY_MS = 24 * 3600 * 1000

_ACCOUNTS = select(accounts.c.key, accounts.c.settings).order_by(accounts.c.key)
# What tells the age of each table's rows, with an index on it by account.
_AGES = {
    status_log: status_log.c.at,
    routing_log: routing_log.c.at,
    waits: waits.c.queued_at,
    handles: handles.c.ended_at,
}
_OLD = [
    (
        table,
        select(*table.primary_key.columns).where(table.c.account == bindparam("account"), age < bindparam("before")),
    )
    for table, age in _AGES.items()
]
_LOOKS = [old.limit(1) for _, old in _OLD]
_SWEEPS = [delete(table).where(tuple_(*table.primary_key.columns).in_(old.limit(AT_ONCE))) for table, old in _OLD]


class Retention:
    """Raises Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def sweep(self, now: int) -> int:
        """Delete all lines that are older (ms) than their accounts keep them, some at a time; returns how many."""
        count = 0
        for account, settings in await self._store.inspect(lambda found: found.execute(_ACCOUNTS).all()):
            bounds = {"account": account, "before": now - chosen(settings, AccountSettings).log_days * DAY_MS}
            while await self._store.inspect(partial(_is_any, bounds)):  # else nobody waits for a writer
                count += await self._store.administer(partial(_sweep, bounds))
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        return count


def _is_any(bounds: dict[str, Any], connection: Connection) -> bool:
    return any(connection.execute(look, bounds).first() is not None for look in _LOOKS)


def _sweep(bounds: dict[str, Any], connection: Connection) -> int:
    return sum(connection.execute(sweep, bounds).rowcount for sweep in _SWEEPS)
