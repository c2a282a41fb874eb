"""Who a contact is to a shop: the keys that an inbox's shop signs with, and the contact of each `sub`."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from chat import keys
from chat.audit import Audited
from chat.clock import Clock
from chat.directory import Door
from chat.errors import InvalidState, NotFound
from chat.model import AttributeType, Contact
from chat.sealing import BrokenSeal, Sealer
from chat.store import Scoped, Store
from chat.store.tables import accounts, attribute_types, contacts, identities, inbox_keys, inboxes

LIVE = 2  # keys at once: one that signs, and one that a shop is changing over to

INBOX_KEY_PREFIX = "sbk_"


class InboxKey(Struct, frozen=True):
    """A key as may be shown: never what it signs with."""

    id: str
    created_at: int
    expires_at: int | None
    """ms; None while nobody has set an end"""


class Known(Struct, frozen=True):
    """Who signed in: the contact as it is stored, and what its account has declared about contacts."""

    contact: Contact
    is_candidate: bool
    """It is the contact that the browser was already."""
    was_known: bool
    """It was this `sub` before."""
    candidate_is_anonymous: bool
    """Nobody has ever signed in as the contact that the browser was."""
    types: tuple[AttributeType, ...]


_INBOX = (
    select(inboxes.c.id).join(accounts).where(accounts.c.id == bindparam("account"), inboxes.c.id == bindparam("inbox"))
)
_KEYS = select(inbox_keys).where(inbox_keys.c.inbox == bindparam("inbox")).order_by(inbox_keys.c.created_at)
_LIVE_KEYS = _KEYS.where(or_(inbox_keys.c.expires_at.is_(None), inbox_keys.c.expires_at > bindparam("now")))
_OF_SUB = (
    select(contacts.c.id)
    .join_from(identities, contacts, contacts.c.id == identities.c.contact)
    .where(
        identities.c.inbox == bindparam("inbox"),
        identities.c.sub == bindparam("sub"),
        ~contacts.c.erased,
        contacts.c.merged_into.is_(None),
    )
)
_IS_SOMEBODY = select(identities.c.sub).where(identities.c.contact == bindparam("contact")).limit(1)
_CONTACT = (
    select(contacts)
    .join(accounts)
    .where(
        accounts.c.id == bindparam("account"),
        contacts.c.id == bindparam("contact"),
        ~contacts.c.erased,
        contacts.c.merged_into.is_(None),
    )
)
_TYPES = (
    select(attribute_types.c.of, attribute_types.c.name, attribute_types.c.type, attribute_types.c.choices)
    .join(accounts)
    .where(accounts.c.id == bindparam("account"), attribute_types.c.of == "contact")
)
_ACCOUNT_KEY = select(accounts.c.key).where(accounts.c.id == bindparam("account"))


class Identities:
    """Every method may raise Unavailable; those that name an inbox NotFound unless it is the account's."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    # --- keys -----------------------------------------------------------------------------------------------------

    async def keys(self, inbox: Scoped) -> list[InboxKey]:
        """All that the inbox ever had, the oldest first."""

        def work(connection: Connection) -> list[InboxKey]:
            _must_be(connection, inbox)
            return [_shown(row) for row in connection.execute(_KEYS, {"inbox": inbox[1]}).mappings()]

        return await self._store.inspect(work)

    async def add_key(self, inbox: Scoped, audit: Audited | None = None) -> tuple[InboxKey, str]:
        """A new key and its secret, which nobody can show again. InvalidState when two are live already."""
        secret = keys.fresh_secret(INBOX_KEY_PREFIX)
        made = InboxKey(keys.fresh_id("key"), self._clock.now(), None)

        def work(connection: Connection) -> None:
            _must_be(connection, inbox)
            live = connection.execute(_LIVE_KEYS, {"inbox": inbox[1], "now": made.created_at}).all()
            if len(live) >= LIVE:
                raise InvalidState(f"This inbox has {LIVE} live keys: let one expire first.", field="keys")
            sealed = self._sealer.seal(secret.encode(), purpose(inbox[1], made.id))
            connection.execute(
                insert(inbox_keys).values(inbox=inbox[1], id=made.id, secret=sealed, created_at=made.created_at)
            )
            if audit:
                audit(connection, "inbox_key.create", made.id, {"inbox": inbox[1]})

        await self._store.administer(work)
        return made, secret

    async def expire_key(self, inbox: Scoped, key: str, at: int, audit: Audited | None = None) -> InboxKey:
        """From this moment (ms) on, or at once if it is past, the key signs nothing. It can't be moved back to life."""

        def work(connection: Connection) -> InboxKey:
            _must_be(connection, inbox)
            found = [row for row in connection.execute(_KEYS, {"inbox": inbox[1]}).mappings() if row["id"] == key]
            if not found:
                raise NotFound(field="key")
            now, before = self._clock.now(), found[0]["expires_at"]
            if before is not None and before <= now:
                return _shown(found[0])
            ends = max(at, now)
            statement = update(inbox_keys).where(inbox_keys.c.inbox == inbox[1], inbox_keys.c.id == key)
            connection.execute(statement.values(expires_at=ends))
            if audit:
                audit(connection, "inbox_key.expire", key, {"inbox": inbox[1], "expires_at": ends})
            return InboxKey(key, found[0]["created_at"], ends)

        return await self._store.administer(work)

    async def live_keys(self, inbox: str) -> dict[str, bytes]:
        """What the inbox's shop may sign with now, by key id."""
        parameters = {"inbox": inbox, "now": self._clock.now()}
        rows = await self._store.inspect(lambda connection: connection.execute(_LIVE_KEYS, parameters).mappings().all())
        found = {}
        for row in rows:
            try:
                found[row["id"]] = self._sealer.open(row["secret"], purpose(inbox, row["id"]))
            except BrokenSeal:  # the server's secret was changed without `shopbell secret rotate`
                continue
        return found

    # --- who --------------------------------------------------------------------------------------------------------

    async def sign_in(self, door: Door, sub: str, candidate: str | None) -> Known:
        """The contact that this `sub` is, from now on: whoever it is already, else the candidate if nobody has signed
        in as that one, else a new contact. One transaction: of two that come at once, both get the same contact.
        """

        here = {"inbox": door.id, "sub": sub}

        def look(connection: Connection) -> Known | None:
            found = connection.execute(_OF_SUB, here).scalar_one_or_none()
            row = _row(connection, door.account, found)
            return None if row is None else _known(connection, door.account, row, candidate, was_known=True)

        def work(connection: Connection) -> Known:
            if (known := look(connection)) is not None:
                return known
            row = _row(connection, door.account, candidate) if _is_anonymous(connection, candidate) else None
            row = row or _row(connection, door.account, _new(connection, door.account, self._clock.now()))
            known = _known(connection, door.account, row, candidate, was_known=False)
            # One of a contact that was erased makes room.
            connection.execute(delete(identities).where(*(identities.c[name] == here[name] for name in here)))
            connection.execute(insert(identities).values(contact=known.contact.id, **here))
            return known

        known = await self._store.inspect(look)
        return await self._store.administer(work) if known is None else known

    async def has_become(self, account: str, contact: str, into: str) -> bool:
        """Whether the one contact of this account has been merged into the other."""
        statement = (
            select(contacts.c.key)
            .join(accounts)
            .where(accounts.c.id == account, contacts.c.id == contact, contacts.c.merged_into == into)
        )
        return await self._store.inspect(lambda connection: connection.execute(statement).first() is not None)


def purpose(inbox: str, key: str) -> str:
    """What a key's secret is sealed for."""
    return f"inbox_key:{inbox}:{key}"


def reseal(connection: Connection, sealer: Sealer) -> int:
    """Seal every key's secret with the sealer's newest key; returns how many. What can't be opened stays as it is."""
    count = 0
    for inbox, key, sealed in connection.execute(
        select(inbox_keys.c.inbox, inbox_keys.c.id, inbox_keys.c.secret).with_for_update()
    ).all():
        try:
            plain = sealer.open(sealed, purpose(inbox, key))
        except BrokenSeal:
            continue
        statement = update(inbox_keys).where(inbox_keys.c.inbox == inbox, inbox_keys.c.id == key)
        connection.execute(statement.values(secret=sealer.seal(plain, purpose(inbox, key))))
        count += 1
    return count


def _must_be(connection: Connection, inbox: Scoped) -> None:
    if connection.execute(_INBOX, {"account": inbox[0], "inbox": inbox[1]}).first() is None:
        raise NotFound(field="inbox")


def _shown(row: Any) -> InboxKey:
    return InboxKey(row["id"], row["created_at"], row["expires_at"])


def _new(connection: Connection, account: str, now: int) -> str:
    contact = keys.fresh_id("con")
    key = connection.execute(_ACCOUNT_KEY, {"account": account}).scalar_one()
    connection.execute(insert(contacts).values(account=key, id=contact, created_at=now))
    return contact


def _row(connection: Connection, account: str, contact: str | None) -> Any:
    return connection.execute(_CONTACT, {"account": account, "contact": contact}).mappings().one_or_none()


def _is_anonymous(connection: Connection, contact: str | None) -> bool:
    return contact is not None and connection.execute(_IS_SOMEBODY, {"contact": contact}).first() is None


def _known(connection: Connection, account: str, row: Any, candidate: str | None, *, was_known: bool) -> Known:
    contact = Contact(
        account, row["id"], row["name"], row["email"], json.loads(row["attributes"]), row["blocked_until"]
    )
    types = connection.execute(_TYPES, {"account": account}).all()
    return Known(
        contact,
        contact.id == candidate,
        was_known,
        _is_anonymous(connection, candidate),
        tuple(AttributeType(of, name, type_, tuple(choices)) for of, name, type_, choices in types),
    )
