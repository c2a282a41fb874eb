"""Whether a thing belongs to an account: asked inside the transaction that then relies on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, select

from chat.errors import NotFound
from chat.store import Scoped
from chat.store.tables import accounts, agents, bots

_ACCOUNT_KEY = select(accounts.c.key).where(accounts.c.id == bindparam("account"))


def account_key(connection: Connection, account: str) -> int:
    """The key by which the account's rows name it. NotFound if it isn't there."""
    key: int | None = connection.execute(_ACCOUNT_KEY, {"account": account}).scalar_one_or_none()
    if key is None:
        raise NotFound(field="account")
    return key


def must_be(connection: Connection, table: Table, what: Scoped) -> dict[str, Any]:
    """The row, or NotFound unless it is there and the account's."""
    statement = select(table).join(accounts).where(accounts.c.id == what[0], table.c.id == what[1])
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound(field=kind_of(table))
    return dict(row)


def kind_of(table: Table) -> str:
    """What one row of it is called."""
    return table.name.removesuffix("es" if table.name == "inboxes" else "s")


def must_be_staff(connection: Connection, member: Scoped) -> None:
    """NotFound unless it is an agent or a bot of the account."""
    must_be(connection, bots if member[1].startswith("bot_") else agents, member)


def link(connection: Connection, table: Table, values: dict[str, str]) -> bool:
    """Make the pair be there; whether it wasn't."""
    if connection.execute(select(table).where(_same(table, values))).first() is not None:
        return False
    connection.execute(insert(table).values(values))
    return True


def unlink(connection: Connection, table: Table, values: dict[str, str]) -> bool:
    """Make the pair, or all pairs with this half, be away; whether there was one."""
    return connection.execute(delete(table).where(_same(table, values))).rowcount > 0


def _same(table: Table, values: dict[str, str]) -> Any:
    return and_(*(table.c[name] == value for name, value in values.items()))
