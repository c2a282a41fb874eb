"""Files that were sent: their rows, who may have them, and which nobody needs any more. The bytes are elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, insert, or_, select, update

from chat import keys
from chat.access import PARTICIPANTS, allow, enter, may_fetch
from chat.clock import Clock
from chat.errors import NotFound
from chat.model import Actor, Upload
from chat.store import Scoped, Store
from chat.store.tables import accounts, contacts, conversations, inboxes, uploads

AT_ONCE = 500  # rows that one statement takes away


FAMILIES = ("image", "audio", "video", "pdf", "text", "office", "archive", "other")
FileType = Annotated[str, Meta(pattern=rf"^({'|'.join(FAMILIES)}|[a-z]+/[a-z0-9.+-]+)\Z", max_length=100)]
"""A family of files, or a single type such as `image/png`."""


class UploadLimits(Struct, frozen=True):
    """What an inbox takes. `bytes` and `types` are None where the server's own limits hold."""

    bytes: Annotated[int, Meta(ge=0)] | None = None
    types: Annotated[tuple[FileType, ...], Meta(max_length=50)] | None = None
    off: bool = False


_ROW = (
    select(
        accounts.c.id,
        uploads.c.id,
        uploads.c.owner,
        uploads.c.name,
        uploads.c.type,
        uploads.c.size,
        uploads.c.width,
        uploads.c.height,
        uploads.c.conversation,
        uploads.c.entry,
    )
    .join_from(uploads, accounts)
    .where(uploads.c.finished, accounts.c.id == bindparam("account"), uploads.c.id == bindparam("id"))
)
_ACCOUNT_KEY = select(accounts.c.key).where(accounts.c.id == bindparam("account"))
_SETTINGS = (
    select(inboxes.c.settings)
    .join_from(inboxes, accounts)
    .where(accounts.c.id == bindparam("account"), inboxes.c.id == bindparam("inbox"))
)
_CONTACT = (
    select(contacts.c.blocked_until, contacts.c.merged_into, contacts.c.erased)
    .join_from(contacts, accounts)
    .where(accounts.c.id == bindparam("account"), contacts.c.id == bindparam("contact"))
)
_LEFT = (
    select(accounts.c.id, uploads.c.id)
    .join_from(uploads, accounts)
    .where(uploads.c.entry.is_(None), uploads.c.created_at < bindparam("before"))
    .order_by(uploads.c.created_at)
    .limit(AT_ONCE)
)

_OF_ERASED = (
    select(accounts.c.id, uploads.c.id)
    .join_from(uploads, accounts)
    .join(conversations, conversations.c.id == uploads.c.conversation)
    .join(contacts, contacts.c.id == conversations.c.contact)
    .where(contacts.c.erased)
)


class Uploads:
    """Every method may raise Unavailable.

    Whoever takes rows away gets the uploads' names back and deletes their objects next. In this order a crash between
    leaves objects without rows, which are found and deleted later, and never rows without objects.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def limits(self, actor: Actor, *, conversation: str | None, inbox: str | None) -> UploadLimits:
        """What may be sent to this conversation or inbox. NotFound if the actor doesn't see it."""
        if conversation is not None:
            async with self._store.view() as view:
                inbox = enter(actor, await view.conversation(actor.account, conversation)).inbox
        parameters = {"account": actor.account, "inbox": inbox}
        found = await self._store.inspect(lambda read: read.execute(_SETTINGS, parameters).scalar_one_or_none())
        if found is None:
            raise NotFound(field="inbox")
        return limits_of(found)

    async def begin(self, actor: Actor, name: str) -> str:
        """The id under which a file's bytes may be stored now. Blocked contacts may send none."""
        upload = keys.fresh_id("upl")

        def work(connection: Connection) -> None:
            account = connection.execute(_ACCOUNT_KEY, {"account": actor.account}).scalar_one_or_none()
            if account is None:
                raise NotFound(field="account")
            allow(PARTICIPANTS, _as_it_is(connection, actor), self._clock.now(), is_lasting=True)
            values = {"account": account, "id": upload, "owner": actor.id, "name": name, "type": "", "size": 0}
            connection.execute(insert(uploads).values(**values, created_at=self._clock.now()))

        await self._store.administer(work)
        return upload

    async def finish(self, upload: Upload) -> None:
        """All of it is stored: from now on it can be fetched and attached. NotFound if it was swept meanwhile."""
        statement = (
            update(uploads)
            .where(uploads.c.id == upload.id)
            .values(type=upload.type, size=upload.size, width=upload.width, height=upload.height, finished=True)
        )
        if not await self._store.administer(lambda connection: connection.execute(statement).rowcount):
            raise NotFound(field="upload")

    async def find(self, actor: Actor, upload: str) -> Upload:
        """The file, if this actor may have it; NotFound for all others, as for one that isn't there."""
        parameters = {"account": actor.account, "id": upload}
        row = await self._store.inspect(lambda read: read.execute(_ROW, parameters).one_or_none())
        if row is None:
            raise NotFound(field="upload")
        found = _upload(row)
        if found.entry is None or found.conversation is None:
            return may_fetch(actor, found, None, None)
        async with self._store.view() as view:
            conversation = await view.conversation(actor.account, found.conversation)
            versions = await view.versions(actor.account, found.conversation, found.entry)
        return may_fetch(actor, found, conversation, versions[0] if versions else None)

    async def known(self, ids: Collection[str]) -> set[str]:
        """Those of these uploads that have a row, finished or not."""
        statement = select(uploads.c.id).where(uploads.c.id.in_(list(ids)))
        return await self._store.inspect(lambda read: set(read.execute(statement).scalars()))

    # --- Taking away ----------------------------------------------------------------------------------------------

    async def take_left(self, before: int) -> list[Scoped]:
        """Rows that no entry has and that began before this moment (ms), finished or not. At most 500 at once."""

        def work(connection: Connection) -> list[Scoped]:
            found = [(row[0], row[1]) for row in connection.execute(_LEFT, {"before": before})]
            if found:
                connection.execute(delete(uploads).where(uploads.c.id.in_([upload for _, upload in found])))
            return found

        return await self._store.administer(work)

    async def take(self, account: str, ids: Collection[str]) -> list[Scoped]:
        """These uploads of the account, attached or not: whoever has their entries erased."""
        return await self._take(account, uploads.c.id.in_(list(ids)))

    async def take_of_contact(self, account: str, contact: str) -> list[Scoped]:
        """All that this contact sent, and all that anybody sent in its conversations."""
        own = select(conversations.c.id).where(conversations.c.contact == contact)
        return await self._take(account, or_(uploads.c.owner == contact, uploads.c.conversation.in_(own)))

    async def take_erased(self, ids: Collection[str]) -> list[Scoped]:
        """Those of these uploads that are in conversations of contacts who were erased."""
        statement = _OF_ERASED.where(uploads.c.id.in_(list(ids)))

        def work(connection: Connection) -> list[Scoped]:
            found = [(row[0], row[1]) for row in connection.execute(statement)]
            connection.execute(delete(uploads).where(uploads.c.id.in_([upload for _, upload in found])))
            return found

        if not await self._store.inspect(lambda read: read.execute(statement).first()):
            return []  # nearly always: nobody waits for a writer
        return await self._store.administer(work)

    async def _take(self, account: str, which: ColumnElement[bool]) -> list[Scoped]:
        def work(connection: Connection) -> list[Scoped]:
            key = connection.execute(_ACCOUNT_KEY, {"account": account}).scalar_one_or_none()
            mine = and_(uploads.c.account == key, which)
            found: Sequence[str] = connection.execute(select(uploads.c.id).where(mine)).scalars().all()
            connection.execute(delete(uploads).where(mine))
            return [(account, upload) for upload in found]

        return await self._store.administer(work)


def limits_of(settings: dict[str, Any]) -> UploadLimits:
    """What an inbox' settings say about uploads. What they say wrongly counts as not said."""
    try:
        return msgspec.convert(settings.get("uploads", {}), UploadLimits)
    except msgspec.ValidationError:
        return UploadLimits()


def _upload(row: Sequence[Any]) -> Upload:
    return Upload(*row)


def _as_it_is(connection: Connection, actor: Actor) -> Actor | None:
    """A contact may have been blocked or merged since its session was read."""
    if actor.kind != "contact":
        return actor
    row = connection.execute(_CONTACT, {"account": actor.account, "contact": actor.id}).one_or_none()
    if row is None:
        return None
    blocked_until, merged_into, is_erased = row
    return msgspec.structs.replace(actor, blocked_until=blocked_until, active=merged_into is None and not is_erased)
