"""Contacts as staff looks them up: listed, one by one with its conversations, and what goes when one is erased."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
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
SLICE = 500  # contacts looked at in one go: about a millisecond
LOOKED_AT = 100_000  # for one page


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


_ROWS = select(
    contacts.c.id,
    contacts.c.name,
    contacts.c.email,
    contacts.c.attributes,
    contacts.c.blocked_until,
    contacts.c.created_at,
    contacts.c.merged_into,
    contacts.c.erased,
).join_from(contacts, accounts)
_ONE = _ROWS.where(accounts.c.id == bindparam("account"), contacts.c.id == bindparam("id"))
_BY_KEYS = _ROWS.where(contacts.c.key.in_(bindparam("keys", expanding=True))).order_by(contacts.c.key.desc())
_SLICE = (
    select(contacts.c.key, contacts.c.id, contacts.c.name, contacts.c.email)
    .join_from(contacts, accounts)
    .where(
        accounts.c.id == bindparam("account"),
        contacts.c.key < bindparam("before"),
        contacts.c.merged_into.is_(None),
        ~contacts.c.erased,
    )
    .order_by(contacts.c.key.desc())
    .limit(SLICE)
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
    ) -> tuple[list[ContactShown], str | None]:
        """Those that came before the one named by `after`, the latest first, and what to name for the rest, if any.

        `email` and `name` are what these begin with, in upper or lower case. A page that took long to fill is shorter.
        """
        before = 2**62 if after is None else await self._store.inspect(lambda found: _place(found, account, after))
        keys: list[int] = []
        looked_at = 0
        while True:
            slice_ = await self._slice(account, before)
            for key, *known in slice_:
                before = key
                if _begins(known[1], name) and _begins(known[2] or "", email):
                    keys.append(key)
                    if len(keys) > limit:
                        return await self._whole(keys[:limit])
            looked_at += len(slice_)
            if len(slice_) < SLICE:
                return (await self._whole(keys))[0], None
            if looked_at >= LOOKED_AT:
                return (await self._whole(keys))[0], str(slice_[-1][1])
            await asyncio.sleep(0)  # a look at thousands must not hold anybody's message up

    async def _slice(self, account: str, before: int) -> Sequence[Any]:
        parameters = {"account": account, "before": before}
        return await self._store.inspect(lambda found: found.execute(_SLICE, parameters).all())

    async def _whole(self, keys: list[int]) -> tuple[list[ContactShown], str | None]:
        """These contacts, and the last one's id."""
        if not keys:
            return [], None
        found = await self._store.inspect(lambda found: found.execute(_BY_KEYS, {"keys": keys}).all())
        shown = [_shown(row) for row in found]
        return shown, shown[-1].id

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
            return (await view.of_contacts([who], CONVERSATIONS)).get(who, [])

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


def _place(connection: Connection, account: str, contact: str) -> int:
    key: int | None = connection.execute(_KEY, {"account": account, "id": contact}).scalar_one_or_none()
    if key is None:
        raise BadRequest("There is no such place.", field="after")
    return key


def _begins(text: str, start: str) -> bool:
    return not start or text.casefold().startswith(start.casefold())


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
