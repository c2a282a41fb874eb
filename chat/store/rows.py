"""Rows as every engine writes and reads them: a conversation's columns, an entry's, a contact's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from msgspec import Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from chat.model import Attachment, Audience, Contact, Conversation, Entry, author_of
from chat.store import Move, Written

ENTRY = "e.id, e.seq, e.born, e.kind, e.author, e.at, e.text, e.activity, e.data, e.audience, e.cursor"


decode_state = Decoder(Conversation).decode


class Beside(Struct, frozen=True, gc=False, omit_defaults=True):
    """What few entries have, in one column."""

    data: dict[str, Any] | None = None
    blocks: tuple[dict[str, Any], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reactions: dict[str, tuple[str, ...]] = {}
    edited_at: int = 0
    withdrawn: bool = False


_decode_beside = Decoder(Beside).decode
# msgspec knows a default by identity: with the string that SQLite made, every entry's JSON would say "everyone".
_AUDIENCES: dict[str, Audience] = {"everyone": "everyone", "staff": "staff"}


def columns(move: Move) -> tuple[Any, ...]:
    """A conversation's own columns, in the order of the statements."""
    after = move.after
    return (
        after.status,
        after.assignee,
        after.team,
        after.priority,
        after.waiting_since,
        after.seq,
        after.cursor,
        move.document,
    )


def is_shifted(before: Conversation, after: Conversation) -> bool:
    """Whether a column has changed that messages leave alone: those of the views' indexes, and how urgent it is."""
    return (
        before.status != after.status
        or before.assignee != after.assignee
        or before.team != after.team
        or before.contact != after.contact
        or before.priority != after.priority
    )


def entry_row(account: int, conversation: int, item: Written) -> tuple[Any, ...]:
    entry = item.entry
    return (
        account,
        conversation,
        entry.id,
        entry.seq,
        entry.born,
        item.cursor,
        entry.kind,
        entry.audience,
        entry.author.id,
        entry.at,
        entry.text,
        entry.activity,
        _beside(entry),
        item.digest,
    )


def _beside(entry: Entry) -> str | None:
    # Only a later version has reactions, or is edited or withdrawn.
    if entry.data is None and entry.seq == entry.born and not entry.blocks and not entry.attachments:
        return None
    beside = Beside(entry.data, entry.blocks, entry.attachments, entry.reactions, entry.edited_at, entry.withdrawn)
    return encode(beside).decode()


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry in the columns of ENTRY."""
    id_, seq, born, kind, author, at, text, activity, data, audience, _ = row
    entry = Entry(id_, seq, born, kind, author_of(author), at, text, activity, None, _AUDIENCES[audience])
    if data is None:
        return entry
    beside = _decode_beside(data)
    return replace(entry, **{name: getattr(beside, name) for name in Beside.__struct_fields__})


def contact_row(contact: Contact) -> tuple[Any, ...]:
    attributes = orjson.dumps(contact.attributes).decode()
    return (
        contact.name,
        contact.email,
        attributes,
        contact.blocked_until,
        contact.merged_into,
        contact.erased,
        contact.id,
    )
