"""What the service is to do by itself at a moment: read the timers that are due, delete those that are done."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, tuple_

from chat.model import Timer
from chat.store import Store
from chat.store.tables import accounts, timers

# Made once: SQLAlchemy finds the compiled form by the statement.
_DUE = (
    select(accounts.c.id, timers.c.key, timers.c.id, timers.c.at, timers.c.kind, timers.c.conversation)
    .join_from(timers, accounts)
    .where(
        timers.c.at <= bindparam("now"),
        tuple_(timers.c.at, timers.c.key) > tuple_(bindparam("after_at"), bindparam("after_key")),
        accounts.c.suspended_at.is_(None),
    )
    .order_by(timers.c.at, timers.c.key)
    .limit(bindparam("limit"))
)
# SQLite gives the key of the last one again when that one is gone.
_DELETE = delete(timers).where(
    timers.c.key.in_(bindparam("keys", expanding=True)), timers.c.id.in_(bindparam("ids", expanding=True))
)


class Due(Struct, frozen=True):
    """A timer whose moment has come. `place` says where it stands among all of them."""

    account: str
    timer: Timer
    place: tuple[int, int]


BEGINNING = (0, 0)


class Timers:
    """Rules set them in the change that they belong to. Both methods raise Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, now: int, limit: int, after: tuple[int, int] = BEGINNING) -> list[Due]:
        """At most so many that are due, the oldest first, from behind a place on; of suspended accounts none."""
        parameters = {"now": now, "limit": limit, "after_at": after[0], "after_key": after[1]}

        def work(connection: Connection) -> list[Due]:
            rows = connection.execute(_DUE, parameters)
            return [
                Due(account, Timer(id_, at, kind, conversation), (at, key))
                for account, key, id_, at, kind, conversation in rows
            ]

        return await self._store.inspect(work)

    async def delete(self, done: Collection[Due]) -> None:
        """These are done, and never due again."""
        these = {"keys": [due.place[1] for due in done], "ids": [due.timer.id for due in done]}
        await self._store.administer(lambda connection: connection.execute(_DELETE, these))
