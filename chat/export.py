"""All that is known of one contact, as one JSON document in pieces: however much it is, little is in memory at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder
from sqlalchemy import bindparam, or_, select

from chat.access import contact_entries, contact_view
from chat.clock import Clock
from chat.contacts import Contacts, ContactShown, Identity
from chat.model import ContactView, Conversation, Entry
from chat.reading import TOGETHER
from chat.store import Scoped, Store
from chat.store.tables import accounts, conversations, uploads

PAGE = 200  # entries read at once

_encode = Encoder().encode
_UPLOADS = (
    select(uploads.c.id, uploads.c.name, uploads.c.type, uploads.c.size, uploads.c.created_at)
    .join_from(uploads, accounts)
    .outerjoin(conversations, conversations.c.id == uploads.c.conversation)
    .where(
        accounts.c.id == bindparam("account"),
        uploads.c.finished,
        or_(uploads.c.owner == bindparam("contact"), conversations.c.contact == bindparam("contact")),
    )
    .order_by(uploads.c.key)
)


class ExportedUpload(Struct, frozen=True):
    """A file of the contact's, or of its conversations. `path` is where staff fetches it."""

    id: str
    name: str
    type: str
    size: int
    created_at: int
    path: str


class ExportedConversation(Struct, frozen=True):
    """A conversation and all its entries, oldest first."""

    state: ContactView
    entries: list[Entry]


class Exported(Struct, frozen=True):
    """What an export is."""

    exported_at: int
    contact: ContactShown
    identities: list[Identity]
    conversations: list[ExportedConversation]
    uploads: list[ExportedUpload]


class Export:
    """Both methods may raise Unavailable."""

    def __init__(self, store: Store, clock: Clock, contacts: Contacts) -> None:
        self._store = store
        self._clock = clock
        self._contacts = contacts

    async def begin(self, who: Scoped, *, notes: bool) -> AsyncIterator[bytes]:
        """An `Exported` in pieces, in JSON. NotFound before the first piece.

        The entries are those that the contact may see; with `notes` those that only staff sees too.
        """
        contact = await self._contacts.find(who)
        identities = await self._contacts.identities(who)
        owned = await self._contacts.conversations(who)
        return self._pieces(who, contact, identities, owned, notes)

    async def _pieces(
        self, who: Scoped, contact: ContactShown, identities: list[Identity], owned: list[Conversation], notes: bool
    ) -> AsyncIterator[bytes]:
        head = _encode({"exported_at": self._clock.now(), "contact": contact, "identities": identities})
        yield head[:-1] + b',"conversations":['
        for number, conversation in enumerate(sorted(owned, key=lambda each: each.created_at)):
            yield (b"," if number else b"") + b'{"state":' + _encode(contact_view(conversation)) + b',"entries":['
            is_first = True
            async for entries in self._entries(who[0], conversation, notes):
                written = b",".join(_encode(entry) for entry in entries)
                if written:
                    yield written if is_first else b"," + written
                    is_first = False
            yield b"]}"
        yield b'],"uploads":' + _encode(await self._uploads(who)) + b"}"

    async def _entries(self, account: str, conversation: Conversation, notes: bool) -> AsyncIterator[list[Entry]]:
        """From the oldest on, each page read by itself: nothing stays open while somebody's line is slow."""
        after = 0
        while after < conversation.seq:
            async with self._store.view() as view:
                upto = min(after + PAGE, conversation.seq)
                # What was born in (after, upto], by position: a page backwards from its end.
                page = await view.before(account, conversation.id, upto + 1, PAGE * TOGETHER, staff=notes)
            page = [entry for entry in page if entry.born > after]
            yield page if notes else contact_entries(page)
            after = upto

    async def _uploads(self, who: Scoped) -> list[ExportedUpload]:
        parameters = {"account": who[0], "contact": who[1]}

        def work(connection: Any) -> list[ExportedUpload]:
            rows = connection.execute(_UPLOADS, parameters)
            return [
                ExportedUpload(row.id, row.name, row.type, row.size, row.created_at, f"/v1/uploads/{row.id}")
                for row in rows
            ]

        return await self._store.inspect(work)
