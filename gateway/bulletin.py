"""What one stretch of an account's ledger means to listeners: frames encoded once per audience. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import encode

from chat.access import contact_entries, contact_view, contact_view_differs
from chat.batch import Commit
from chat.model import Conversation, Entry
from chat.store import Move
from gateway import protocol


class Item(Struct, frozen=True, gc=False):
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


class Bulletin(Struct, frozen=True, gc=False):
    """Everything that happened in an account after cursor `since` up to `cursor`."""

    account: str
    since: int
    cursor: int
    items: tuple[Item, ...]


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
    )


def _newest(entries: list[Entry]) -> list[Entry]:
    """Without what was superseded in the same batch: nobody is told a text that is withdrawn already."""
    by_id = {entry.id: entry for entry in entries}
    return entries if len(by_id) == len(entries) else list(by_id.values())


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
