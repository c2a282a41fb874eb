"""What the administration did: one line for each act, written in the act's own transaction, never with a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select

from chat.belonging import account_key
from chat.clock import Clock
from chat.model import Actor
from chat.store import Store
from chat.store.tables import accounts, audit

Audited = Callable[[Connection, str, str, Mapping[str, object]], None]
"""Writes (action, target, data) into the transaction of this connection."""

_PAGE = (
    select(audit.c.key, audit.c.at, audit.c.actor, audit.c.action, audit.c.target, audit.c.data)
    .join_from(audit, accounts)
    .where(accounts.c.id == bindparam("account"), audit.c.key < bindparam("before"))
    .order_by(audit.c.key.desc())
    .limit(bindparam("limit"))
)
_LATELY = (
    select(audit.c.data)
    .where(
        audit.c.account == bindparam("account"),
        audit.c.action == bindparam("action"),
        audit.c.target == bindparam("target"),
    )
    .order_by(audit.c.key.desc())
    .limit(100)
)

NEWEST = 2**53 - 1


class Act(Struct, frozen=True):
    """Who did what to what at a moment (ms). `data` is what was said about it, as far as it is no secret."""

    position: int
    at: int
    actor: str
    action: str
    target: str
    data: dict[str, Any]


def record(
    connection: Connection, account: str, at: int, actor: str, action: str, target: str, data: Mapping[str, object]
) -> None:
    """Write one line. NotFound for an account that isn't there."""
    key = account_key(connection, account)
    row = {"account": key, "at": at, "actor": actor, "action": action, "target": target, "data": dict(data)}
    connection.execute(insert(audit).values(row))


def by(actor: Actor, clock: Clock) -> Audited:
    """Whatever is written with this was done by this actor, in its account, now."""

    def write(connection: Connection, action: str, target: str, data: Mapping[str, object]) -> None:
        record(connection, actor.account, clock.now(), actor.id, action, target, data)

    return write


def unheard(connection: Connection, action: str, target: str, data: Mapping[str, object]) -> None:
    """For what nobody is to be told of: the making of an account's first things."""


class Audit:
    """Every method may raise Unavailable."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def by(self, actor: Actor) -> Audited:
        """See the function of this name."""
        return by(actor, self._clock)

    async def write(self, actor: Actor, ask: str, action: str, target: str, data: Mapping[str, object]) -> None:
        """One line about an ask, which the ledger has committed before. Once for each: a resend finds its line."""

        def work(connection: Connection) -> None:
            key = account_key(connection, actor.account)
            lately = connection.execute(_LATELY, {"account": key, "action": action, "target": target}).scalars()
            if not any(each.get("ask") == ask for each in lately):
                self.by(actor)(connection, action, target, {**data, "ask": ask})

        await self._store.administer(work)

    async def page(self, account: str, before: int, limit: int) -> list[Act]:
        """The account's acts before a position, the newest first."""
        parameters = {"account": account, "before": before, "limit": limit}
        return await self._store.inspect(lambda found: [Act(*row) for row in found.execute(_PAGE, parameters)])
