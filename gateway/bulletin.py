"""What one stretch of an account's ledger means to listeners: frames encoded once per audience. Pure.

And its form on the bus: a head that all versions have in common, and behind it the items, unless they are too many.
"""

from __future__ import annotations

import struct

from msgspec import Struct, msgpack
from msgspec.json import encode

from chat.access import contact_entries, contact_view, contact_view_differs
from chat.batch import Commit
from chat.model import Conversation, Entry
from chat.store import Move
from gateway import protocol
from gateway.switchboard import LEDGER

VERSION = 1
# A full batch of usual messages has 300 KiB. Redis cuts off who has 8 MiB waiting for a minute, or 32 MiB at all.
PACKED_BYTES = 512 * 1024
_HEAD = struct.Struct(">BBQQ")  # kind, version, since, cursor: every version to come begins like this


class Item(Struct, frozen=True, gc=False, array_like=True):
    """One conversation's part of a stretch. `for_contact` is None when the contact may see nothing of it."""

    conversation: str
    seq: int
    contact: str
    hands: tuple[str, ...]
    """Who hears it without asking."""
    regrouped: bool
    """Whether that may have changed."""
    document: bytes
    for_staff: bytes
    for_contact: bytes | None
    rewritten: bool = False
    """Whether older entries changed in place: whoever holds some needs a snapshot."""
    left: tuple[str, ...] = ()
    """Contacts that are another one from now on."""
    is_routing: bool = True
    """Whether its status, its hands or its place in the queue may have changed. Older versions don't say."""


class Bulletin(Struct, frozen=True, gc=False):
    """Everything that happened in an account after cursor `since` up to `cursor`."""

    account: str
    since: int
    cursor: int
    items: tuple[Item, ...]


class Bell(Struct, frozen=True, gc=False):
    """That something happened after cursor `since` up to `cursor`. What it was stands in the store."""

    account: str
    since: int
    cursor: int


def pack(bulletin: Bulletin) -> bytes:
    """For other nodes. The account isn't in it: that is where it is sent."""
    head = _HEAD.pack(LEDGER, VERSION, bulletin.since, bulletin.cursor)
    items = _ENCODER.encode(bulletin.items)
    return head + items if len(head) + len(items) <= PACKED_BYTES else head


def unpack(account: str, payload: bytes) -> Bulletin | Bell | None:
    """What another node has packed. A bell, if it was too long or is of another version; None if it is nothing."""
    if len(payload) < _HEAD.size:
        return None
    _, version, since, cursor = _HEAD.unpack_from(payload)
    if version == VERSION and len(payload) > _HEAD.size:
        try:
            return Bulletin(account, since, cursor, _DECODER.decode(payload[_HEAD.size :]))
        except (ValueError, RecursionError):  # cut short, no text where it should be, or nested without end
            pass
    return Bell(account, since, cursor)


_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(tuple[Item, ...])


def of_commit(commit: Commit) -> Bulletin:
    """The bulletin of a transaction of this node."""
    return Bulletin(commit.account, commit.since, commit.cursor, tuple(_of_move(move) for move in commit.moves))


def of_missed(account: str, since: int, cursor: int, missed: list[tuple[Conversation, list[Entry]]]) -> Bulletin:
    """The bulletin of a stretch that was read from the store. What was before isn't known: states go whole."""
    return Bulletin(
        account,
        since,
        cursor,
        tuple(_missed(conversation, entries) for conversation, entries in missed),
    )


def _of_move(move: Move) -> Item:
    before, after = move.before, move.after
    rewritten = after.rewritten > (before.rewritten if before else 0)
    return _item(before, after, [written.entry for written in move.entries], move.document, rewritten)


def _missed(conversation: Conversation, entries: list[Entry]) -> Item:
    """Whatever rewrote it wrote a line about that too, under the same seq."""
    rewritten = any(entry.seq == conversation.rewritten for entry in entries)
    return _item(None, conversation, entries, encode(conversation), rewritten)


def _item(
    before: Conversation | None, after: Conversation, entries: list[Entry], document: bytes, rewritten: bool
) -> Item:
    entries = _newest(entries)
    encoded = encode(entries)
    return Item(
        conversation=after.id,
        seq=after.seq,
        contact=after.contact,
        hands=after.hands,
        regrouped=before is None or before.hands != after.hands or _comes_back(before, after),
        document=document,
        for_staff=protocol.change(after.id, after.seq, encoded, document, after.cursor),
        for_contact=_for_contact(before, after, entries, encoded),
        rewritten=rewritten,
        left=tuple(entry.data["contact"] for entry in entries if entry.activity == "merged" and entry.data),
        is_routing=before is None or _is_routing(before, after),
    )


def _newest(entries: list[Entry]) -> list[Entry]:
    """Without what was superseded in the same batch: nobody is told a text that is withdrawn already."""
    by_id = {entry.id: entry for entry in entries}
    return entries if len(by_id) == len(entries) else list(by_id.values())


def _is_routing(before: Conversation, after: Conversation) -> bool:
    """Of nearly every message it isn't, and nobody who routes need look into it."""
    return (
        before.status != after.status
        or before.assignee != after.assignee
        or before.team != after.team
        or before.priority != after.priority
        or before.contact != after.contact
        or before.routing != after.routing
    )


def _comes_back(before: Conversation, after: Conversation) -> bool:
    """Whether it was resolved: its assignee may not listen to it any more."""
    return before.status == "resolved" != after.status


def _for_contact(
    before: Conversation | None, after: Conversation, entries: list[Entry], encoded: bytes
) -> bytes | None:
    visible = contact_entries(entries)
    state = encode(contact_view(after)) if contact_view_differs(before, after) else None
    if not visible and state is None:
        return None
    if visible != entries:  # nearly always it is the same list, and is not encoded again
        encoded = encode(visible)
    return protocol.change(after.id, after.seq, encoded, state, None)
