"""Rules: start a conversation, send a message, add a note."""

from __future__ import annotations

from msgspec.structs import replace

from chat.errors import BadRequest, NotFound
from chat.model import (
    PREVIEW_LIMIT,
    Actor,
    Change,
    Conversation,
    Entry,
    EntryKind,
    Key,
    Lasting,
    Needs,
    Person,
    Text,
    Turn,
    author_of,
)
from chat.rules.activities import activity


class Start(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.start"):
    """A contact opens a conversation with its first message."""

    inbox: Key
    text: Text


class Send(Lasting, frozen=True, gc=False, kw_only=True, tag="message.send"):
    """Anybody who takes part says something."""

    conversation: Key
    text: Text


class AddNote(Lasting, frozen=True, gc=False, kw_only=True, tag="note.add"):
    """Staff writes something that the contact never sees."""

    conversation: Key
    text: Text


def start_needs(ask: Start) -> Needs:
    return Needs(inbox=ask.inbox)


def start(ask: Start, turn: Turn) -> Change:
    """A new conversation in the queue, with its first message."""
    if turn.inbox is None:
        raise NotFound(field="inbox")
    text = spoken(ask.text)
    conversation = Conversation(
        id=turn.fresh,
        inbox=turn.inbox.id,
        contact=turn.actor.id,
        created_at=turn.at,
        waiting_since=turn.at,
        preview=text[:PREVIEW_LIMIT],
        messages=1,
        contact_seq=1,
        people={turn.actor.id: person(turn.actor)},
        seq=1,
        cursor=turn.cursor,
    )
    return Change(conversation, (line(ask.id, "message", text, 1, turn),))


def send(ask: Send, turn: Turn) -> Change:
    """A message. It reopens a resolved conversation; staff's first answer claims an unassigned one."""
    before = turn.there
    text = spoken(ask.text)
    seq = before.seq + 1
    message = line(ask.id, "message", text, seq, turn)
    after = _asked(before, text, turn) if turn.actor.kind == "contact" else _answered(before, text, turn)
    if before.status == "open" and before.assignee is not None:  # nearly always: nothing follows from it
        return Change(after, (message,))
    return Change(after, (message, *_consequences(ask.id, before, after, turn)))


def add_note(ask: AddNote, turn: Turn) -> Change:
    """A note: an entry for staff alone; nothing else of the conversation moves."""
    conversation = turn.there
    seq = conversation.seq + 1
    note = line(ask.id, "note", spoken(ask.text), seq, turn)
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


def person(actor: Actor) -> Person:
    return Person(actor.name, actor.picture)


def with_person(conversation: Conversation, actor: Actor) -> dict[str, Person]:
    """The people of the conversation with this one among them; the same dict if nothing changes."""
    seen = person(actor)
    people = conversation.people
    return people if people.get(actor.id) == seen else {**people, actor.id: seen}


def spoken(text: str) -> str:
    """The text, unless it is only blanks."""
    if text.isspace():
        raise BadRequest("There is nothing to read in this text.", field="text")
    return text


def _asked(before: Conversation, text: str, turn: Turn) -> Conversation:
    """The conversation after its contact spoke: somebody waits, and a resolved one is open again."""
    status = before.status
    if status == "resolved":
        status = "open" if before.assignee else "queued"
    seq = before.seq + 1
    return replace(
        before,
        status=status,
        waiting_since=before.waiting_since or turn.at,
        preview=text[:PREVIEW_LIMIT],
        messages=before.messages + 1,
        contact_seq=seq,
        seq=seq,
        cursor=turn.cursor,
    )


def _answered(before: Conversation, text: str, turn: Turn) -> Conversation:
    """The conversation after staff spoke: nobody waits, and it has somebody who answers for it."""
    actor = turn.actor
    return replace(
        before,
        status="open",
        waiting_since=None,
        preview=text[:PREVIEW_LIMIT],
        people=with_person(before, actor),
        assignee=before.assignee or actor.id,
        handler=before.handler if before.assignee else ("bot" if actor.kind == "bot" else "agent"),
        seq=before.seq + 1,
        cursor=turn.cursor,
    )


def _consequences(cause: str, before: Conversation, after: Conversation, turn: Turn) -> tuple[Entry, ...]:
    """In the order of their ids: they share one `born`, and so every reading shows them in one order."""
    lines: list[Entry] = []
    if before.assignee is None and after.assignee is not None:
        lines.append(activity(f"{cause}-claimed", "claimed", after.seq, turn))
    if before.status == "resolved":
        lines.append(activity(f"{cause}-reopened", "reopened", after.seq, turn))
    return tuple(lines)
