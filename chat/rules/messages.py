"""Rules: start a conversation, send a message, add a note."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from chat.errors import BadRequest, NotFound, QueueFull
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
    Queue,
    Routing,
    Turn,
    author_of,
)
from chat.rules.activities import activity
from chat.rules.attachments import Files, attached
from chat.rules.blocks import Blocks, stored
from chat.rules.hands import Moved, answered, awake, check_slots, claimed, taken, with_person
from chat.waiting import is_full, plain

Words = Annotated[str, Meta(max_length=TEXT_LIMIT)]
"""Empty only where there is something else to see."""
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z")]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*\Z", max_length=35)]


class Start(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.start"):
    """A contact opens a conversation with its first message.

    One with an `email` only leaves a message: it doesn't wait, and is answered there. `language` is what it would like
    to be answered in.
    """

    inbox: Key
    text: Words
    attachments: Files | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    language: Language | UnsetType = UNSET


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
    """A new conversation in the queue, with its first message. QueueFull if there is no room for one more who waits."""
    if turn.inbox is None:
        raise NotFound(field="inbox")
    email = ask.email or None
    now_full = _check_queue(turn.queue, has_left=email is not None)
    message = _written(ask, "message", 1, turn)
    skills = (plain(ask.language),) if ask.language else ()
    conversation = Conversation(
        id=turn.fresh,
        inbox=turn.inbox.id,
        contact=turn.actor.id,
        created_at=turn.at,
        team=turn.queue.rules.id if turn.queue else None,
        waiting_since=turn.at if email is None else None,
        preview=preview(message),
        preview_of=1,
        messages=1,
        contact_seq=1,
        people={turn.actor.id: person(turn.actor)},
        seq=1,
        cursor=turn.cursor,
        routing=Routing(turn.at, left=email is not None, skills=skills),
    )
    return Change(conversation, (message,), queue=now_full, email=email)


def _check_queue(queue: Queue | None, *, has_left: bool) -> Queue | None:
    """The queue, if it has become full by this one, or isn't any more."""
    if queue is None or queue.rules.queue_limit is None:
        return None
    was_full = is_full(queue.rules, queue.length, queue.is_full)
    if was_full and not has_left:
        raise QueueFull
    now_full = is_full(queue.rules, queue.length + (not has_left), was_full)
    return None if now_full == queue.is_full else replace(queue, is_full=now_full)


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
    routing = before.routing
    if before.status == "open" and before.assignee is not None and (routing is None or not routing.unanswered):
        return Change(after, (message,))  # nearly always: nothing follows from it
    moved = _moved(before, after, message, turn)
    lines = _consequences(message.id, before, moved.conversation, turn)
    return Change(moved.conversation, (message, *lines), timers=moved.timers, decisions=moved.decisions)


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
    """The conversation after its contact spoke: somebody waits."""
    seq = message.seq
    return replace(
        before,
        waiting_since=before.waiting_since or turn.at,
        preview=message.text[:PREVIEW_LIMIT] or preview(message),
        preview_of=seq,
        messages=before.messages + 1,
        contact_seq=seq,
        seq=seq,
        cursor=turn.cursor,
    )


def _answered(before: Conversation, message: Entry, turn: Turn) -> Conversation:
    """The conversation after staff spoke: nobody waits."""
    seq = message.seq
    return replace(
        before,
        waiting_since=None,
        preview=message.text[:PREVIEW_LIMIT] or preview(message),
        preview_of=seq,
        people=with_person(before, turn.actor.id, person(turn.actor)),
        seq=seq,
        cursor=turn.cursor,
    )


def _moved(before: Conversation, after: Conversation, message: Entry, turn: Turn) -> Moved:
    """In whose hands it is now: what was resolved or put aside is taken up again, and whoever of the staff speaks first
    has it, unless its assignee can take it."""
    is_aside = before.status in ("resolved", "snoozed")
    actor, routing = turn.actor, before.routing
    if actor.kind == "contact":
        if is_aside:
            return awake(after, turn, message.id)
        if routing is not None and routing.left:  # it is here again, and waits
            return Moved(replace(after, routing=replace(routing, left=False)))
        return Moved(after)
    if before.assignee is None or (before.assignee != actor.id and not is_aside):
        check_slots(turn)
        return Moved(taken(after, actor, turn), decisions=(claimed(after, turn),))
    if not is_aside:
        return Moved(answered(after))
    if before.assignee != actor.id and (moved := awake(after, turn, message.id)).conversation.assignee is not None:
        return moved
    check_slots(turn)
    decisions = () if before.assignee == actor.id else (claimed(after, turn),)
    return Moved(taken(after, actor, turn), decisions=decisions)


def _consequences(cause: str, before: Conversation, after: Conversation, turn: Turn) -> tuple[Entry, ...]:
    """In the order of their ids: they share one `born`, and so every reading shows them in one order."""
    lines: list[Entry] = []
    if after.assignee == turn.actor.id != before.assignee:
        lines.append(activity(f"{cause}-claimed", "claimed", after.seq, turn))
    if before.status == "resolved":
        lines.append(activity(f"{cause}-reopened", "reopened", after.seq, turn))
    if before.status == "snoozed":
        lines.append(activity(f"{cause}-woke", "woke", after.seq, turn, audience="staff"))
    return tuple(lines)
