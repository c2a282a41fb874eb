"""The custom attributes that an account has declared for its conversations and contacts."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins
from sqlalchemy import Connection, bindparam, delete, insert, select

from chat.audit import Audited
from chat.belonging import account_key
from chat.errors import BadRequest, InvalidState, NotFound
from chat.model import AttributeType
from chat.store import Store
from chat.store.tables import accounts, attribute_types

ATTRIBUTES = 100  # declared ones: every ask that sets one loads them all

_OF_ACCOUNT = accounts.c.id == bindparam("account")
_TYPES = (
    select(attribute_types.c.of, attribute_types.c.name, attribute_types.c.type, attribute_types.c.choices)
    .join_from(attribute_types, accounts)
    .where(_OF_ACCOUNT)
    .order_by(attribute_types.c.of, attribute_types.c.name)
)


class Declarations:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's.

    What changes something writes one line by `audit`, in the same transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def declared(self, account: str) -> list[AttributeType]:
        """By what they are of, and by name."""
        return await self._store.inspect(lambda found: _types(found, account))

    async def declare(self, account: str, declared: AttributeType, audit: Audited) -> None:
        """A new attribute, or other choices of one that is there. InvalidState for another type: values have it."""

        def work(connection: Connection) -> None:
            key = account_key(connection, account)
            there = _types(connection, account)
            known = [each for each in there if (each.of, each.name) == (declared.of, declared.name)]
            if known and known[0].type != declared.type:
                raise InvalidState("An attribute keeps its type: delete it first.", field="type")
            if not known and len(there) >= ATTRIBUTES:
                raise InvalidState(f"An account declares at most {ATTRIBUTES} attributes.")
            connection.execute(_this(delete(attribute_types), key, declared.of, declared.name))
            connection.execute(insert(attribute_types).values(account=key, **to_builtins(declared)))
            told = {"type": declared.type, "choices": list(declared.choices)}
            audit(connection, "attribute.declare", f"{declared.of}.{declared.name}", told)

        await self._store.administer(work)

    async def delete(self, account: str, of: str, name: str, audit: Audited) -> None:
        """Nobody can set it any more; values that are there stay until they are taken away."""

        def work(connection: Connection) -> None:
            key = account_key(connection, account)
            if not connection.execute(_this(delete(attribute_types), key, of, name)).rowcount:
                raise NotFound(field="attribute")
            audit(connection, "attribute.delete", f"{of}.{name}", {})

        await self._store.administer(work)


def checked(declared: AttributeType) -> AttributeType:
    """The same, if its choices go with its type; else BadRequest."""
    if (declared.type == "choice") != bool(declared.choices):
        raise BadRequest("A choice has choices, and nothing else does.", field="choices")
    if len(set(declared.choices)) < len(declared.choices):
        raise BadRequest("Each choice is named once.", field="choices")
    return declared


def _types(connection: Connection, account: str) -> list[AttributeType]:
    rows = connection.execute(_TYPES, {"account": account})
    return [AttributeType(of, name, type_, tuple(choices)) for of, name, type_, choices in rows]


def _this(statement: Any, key: int, of: str, name: str) -> Any:
    table = attribute_types.c
    return statement.where(table.account == key, table.of == of, table.name == name)
