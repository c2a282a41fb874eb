"""Contacts as staff looks them up: listed, one by one with its conversations, and what goes when one is erased."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, update

from chat.audit import Audited
from chat.belonging import must_be
from chat.clock import Clock
from chat.errors import BadRequest, NotFound
from chat.model import Conversation
from chat.store import Scoped, Store
from chat.store.tables import accounts, contacts, identities, inboxes, sessions

CONVERSATIONS = 10_000  # of one contact: nobody has more


class Identity(Struct, frozen=True):
    """Who a contact is to a shop."""

    inbox: str
    sub: str


class ContactShown(Struct, frozen=True):
    """A contact as staff knows it. One that was merged lives on in another; one that was erased has only its id."""

    id: str
    name: str
    email: str | None
    attributes: dict[str, Any]
    blocked_until: int
    created_at: int
    merged_into: str | None
    erased: bool


_ROWS = (
    select(
        contacts.c.id,
        contacts.c.name,
        contacts.c.email,
        contacts.c.attributes,
        contacts.c.blocked_until,
        contacts.c.created_at,
        contacts.c.merged_into,
        contacts.c.erased,
    )
    .join_from(contacts, accounts)
    .where(accounts.c.id == bindparam("account"))
)
_ONE = _ROWS.where(contacts.c.id == bindparam("id"))
_PAGE = (
    _ROWS.where(contacts.c.key < bindparam("before"), contacts.c.merged_into.is_(None), ~contacts.c.erased)
    .order_by(contacts.c.key.desc())
    .limit(bindparam("limit"))
)
_KEY = (
    select(contacts.c.key)
    .join_from(contacts, accounts)
    .where(accounts.c.id == bindparam("account"), contacts.c.id == bindparam("id"))
)
_IDENTITIES = (
    select(identities.c.inbox, identities.c.sub)
    .join(inboxes, inboxes.c.id == identities.c.inbox)
    .join(accounts, accounts.c.key == inboxes.c.account)
    .where(accounts.c.id == bindparam("account"), identities.c.contact == bindparam("id"))
    .order_by(identities.c.inbox, identities.c.sub)
)


class Contacts:
    """Every method may raise Unavailable, and NotFound for a contact that isn't there or is another account's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(
        self, account: str, *, after: str | None, limit: int, email: str = "", name: str = ""
    ) -> tuple[list[ContactShown], bool]:
        """Those that came before the one named by `after`, the latest first, and whether there are more.

        `email` and `name` are what these begin with; upper and lower case of a-z are the same.
        """

        def work(connection: Connection) -> list[ContactShown]:
            parameters: dict[str, Any] = {"account": account, "before": 2**62, "limit": limit + 1}
            if after is not None:
                key = connection.execute(_KEY, {"account": account, "id": after}).scalar_one_or_none()
                if key is None:
                    raise BadRequest("There is no such place.", field="after")
                parameters["before"] = key
            statement = _PAGE
            if email:
                statement = statement.where(contacts.c.email.istartswith(email, autoescape=True))
            if name:
                statement = statement.where(contacts.c.name.istartswith(name, autoescape=True))
            return [_shown(row) for row in connection.execute(statement, parameters)]

        found = await self._store.inspect(work)
        return found[:limit], len(found) > limit

    async def find(self, who: Scoped) -> ContactShown:
        return await self._store.inspect(lambda found: _find(found, who))

    async def identities(self, who: Scoped) -> list[Identity]:
        """As whom a shop's backend has signed it in."""
        parameters = {"account": who[0], "id": who[1]}
        return await self._store.inspect(
            lambda found: [Identity(*row) for row in found.execute(_IDENTITIES, parameters)]
        )

    async def conversations(self, who: Scoped) -> list[Conversation]:
        """All that the contact has, the latest change first."""
        await self.find(who)
        async with self._store.view() as view:
            return await view.of_contact(who[0], who[1], CONVERSATIONS)

    async def forget(self, who: Scoped, audit: Audited) -> None:
        """End its sessions and take its identities away, for good: nothing says any more who it was."""

        def work(connection: Connection) -> None:
            must_be(connection, contacts, who)
            now = self._clock.now()
            live = update(sessions).where(sessions.c.actor == who[1], sessions.c.ended_at.is_(None))
            connection.execute(live.values(ended_at=now))
            connection.execute(delete(identities).where(identities.c.contact == who[1]))
            audit(connection, "contact.erase", who[1], {})

        await self._store.administer(work)


def _find(connection: Connection, who: Scoped) -> ContactShown:
    row = connection.execute(_ONE, {"account": who[0], "id": who[1]}).one_or_none()
    if row is None:
        raise NotFound(field="contact")
    return _shown(row)


def _shown(row: Any) -> ContactShown:
    return ContactShown(
        row.id,
        row.name,
        row.email,
        json.loads(row.attributes),
        row.blocked_until,
        row.created_at,
        row.merged_into,
        row.erased,
    )
