"""Rules: start a conversation, send a message, add a note."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from chat.errors import BadRequest, NotFound
from chat.model import (
    PREVIEW_LIMIT,
    TEXT_LIMIT,
    Actor,
    Change,
    Conversation,
    Entry,
    EntryKind,
    Key,
    Lasting,
    Needs,
    Person,
    Turn,
    author_of,
)
from chat.rules.activities import activity
from chat.rules.attachments import Files, attached
from chat.rules.blocks import Blocks, stored

Words = Annotated[str, Meta(max_length=TEXT_LIMIT)]
"""Empty only where there is something else to see."""


class Start(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.start"):
    """A contact opens a conversation with its first message."""

    inbox: Key
    text: Words
    attachments: Files | UnsetType = UNSET


class Send(Lasting, frozen=True, gc=False, kw_only=True, tag="message.send"):
    """Anybody who takes part says something."""

    conversation: Key
    text: Words
    # Left out and not empty, so that a plain message is as short as ever, also to be hashed.
    blocks: Blocks | UnsetType = UNSET
    attachments: Files | UnsetType = UNSET


class AddNote(Lasting, frozen=True, gc=False, kw_only=True, tag="note.add"):
    """Staff writes something that the contact never sees."""

    conversation: Key
    text: Words
    attachments: Files | UnsetType = UNSET


def start_needs(ask: Start) -> Needs:
    return Needs(inbox=ask.inbox, uploads=tuple(ask.attachments) if ask.attachments else ())


def send_needs(ask: Send | AddNote) -> Needs:
    if ask.attachments:
        return Needs(conversation=ask.conversation, uploads=tuple(ask.attachments))
    return Needs(conversation=ask.conversation)


def start(ask: Start, turn: Turn) -> Change:
    """A new conversation in the queue, with its first message."""
    if turn.inbox is None:
        raise NotFound(field="inbox")
    message = _written(ask, "message", 1, turn)
    conversation = Conversation(
        id=turn.fresh,
        inbox=turn.inbox.id,
        contact=turn.actor.id,
        created_at=turn.at,
        waiting_since=turn.at,
        preview=preview(message),
        preview_of=1,
        messages=1,
        contact_seq=1,
        people={turn.actor.id: person(turn.actor)},
        seq=1,
        cursor=turn.cursor,
    )
    return Change(conversation, (message,))


def send(ask: Send, turn: Turn) -> Change:
    """A message. It reopens a resolved conversation; staff's first answer claims an unassigned one."""
    seq = turn.there.seq + 1
    if not ask.attachments and not ask.blocks:  # nearly always
        return said(line(ask.id, "message", spoken(ask.text), seq, turn), turn)
    message = _written(ask, "message", seq, turn)
    if ask.blocks:
        message = replace(message, text=spoken(ask.text), blocks=stored(ask.blocks, turn.actor))
    return said(message, turn)


def said(message: Entry, turn: Turn) -> Change:
    """What comes of a message of this turn's, however it was said."""
    before = turn.there
    after = _asked(before, message, turn) if turn.actor.kind == "contact" else _answered(before, message, turn)
    if before.status == "open" and before.assignee is not None:  # nearly always: nothing follows from it
        return Change(after, (message,))
    return Change(after, (message, *_consequences(message.id, before, after, turn)))


def add_note(ask: AddNote, turn: Turn) -> Change:
    """A note: an entry for staff alone; nothing else of the conversation moves."""
    conversation = turn.there
    seq = conversation.seq + 1
    note = _written(ask, "note", seq, turn)
    return Change(replace(conversation, seq=seq, cursor=turn.cursor), (note,))


def line(entry_id: str, kind: EntryKind, text: str, seq: int, turn: Turn) -> Entry:
    """An entry of this turn with words in it."""
    return Entry(
        id=entry_id,
        seq=seq,
        born=seq,
        kind=kind,
        author=author_of(turn.actor.id),
        at=turn.at,
        text=text,
        audience="staff" if kind == "note" else "everyone",
    )


def preview(message: Entry) -> str:
    """What a list shows of it: its words, else its first file's name."""
    if message.text or not message.attachments:
        return message.text[:PREVIEW_LIMIT]
    return f"📎 {message.attachments[0].name}"[:PREVIEW_LIMIT]


def person(actor: Actor) -> Person:
    return Person(actor.name, actor.picture)


def with_person(conversation: Conversation, actor: Actor) -> dict[str, Person]:
    """The people of the conversation with this one among them; the same dict if nothing changes."""
    seen = person(actor)
    people = conversation.people
    return people if people.get(actor.id) == seen else {**people, actor.id: seen}


def spoken(text: str, *, is_optional: bool = False) -> str:
    """The text, unless it is only blanks: then nothing, if there is something else to see."""
    if not text or text.isspace():
        if is_optional:
            return ""
        raise BadRequest("There is nothing to read in this text.", field="text")
    return text


def _written(ask: Start | Send | AddNote, kind: EntryKind, seq: int, turn: Turn) -> Entry:
    """The words, and the files if there are some."""
    if not ask.attachments:
        return line(ask.id, kind, spoken(ask.text), seq, turn)
    words = spoken(ask.text, is_optional=True)
    return replace(line(ask.id, kind, words, seq, turn), attachments=attached(ask.attachments, turn))


def _asked(before: Conversation, message: Entry, turn: Turn) -> Conversation:
    """The conversation after its contact spoke: somebody waits, and what was resolved or put aside is open again."""
    status = before.status
    if status == "resolved" or status == "snoozed":
        status = "open" if before.assignee else "queued"
    seq = message.seq
    return replace(
        before,
        status=status,
        snoozed_until=None,
        waiting_since=before.waiting_since or turn.at,
        preview=message.text[:PREVIEW_LIMIT] or preview(message),
        preview_of=seq,
        messages=before.messages + 1,
        contact_seq=seq,
        seq=seq,
        cursor=turn.cursor,
    )


def _answered(before: Conversation, message: Entry, turn: Turn) -> Conversation:
    """The conversation after staff spoke: nobody waits, and it has somebody who answers for it."""
    actor = turn.actor
    seq = message.seq
    return replace(
        before,
        status="open",
        snoozed_until=None,
        waiting_since=None,
        preview=message.text[:PREVIEW_LIMIT] or preview(message),
        preview_of=seq,
        people=with_person(before, actor),
        assignee=before.assignee or actor.id,
        handler=before.handler if before.assignee else ("bot" if actor.kind == "bot" else "agent"),
        seq=seq,
        cursor=turn.cursor,
    )


def _consequences(cause: str, before: Conversation, after: Conversation, turn: Turn) -> tuple[Entry, ...]:
    """In the order of their ids: they share one `born`, and so every reading shows them in one order."""
    lines: list[Entry] = []
    if before.assignee is None and after.assignee is not None:
        lines.append(activity(f"{cause}-claimed", "claimed", after.seq, turn))
    if before.status == "resolved":
        lines.append(activity(f"{cause}-reopened", "reopened", after.seq, turn))
    if before.status == "snoozed":
        lines.append(activity(f"{cause}-woke", "woke", after.seq, turn, audience="staff"))
    return tuple(lines)
