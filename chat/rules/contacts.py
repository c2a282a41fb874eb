"""Rules of contacts: what is known of one, blocks, two that are one, and one that is to be forgotten.

Each is told in a line for staff alone, in the contact's newest conversation; a contact without any changes in silence.
A contact that was merged or erased isn't there any more for any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from chat.errors import BadRequest, Forbidden, NotFound
from chat.model import (
    Change,
    Contact,
    Conversation,
    Entry,
    Key,
    Lasting,
    Needs,
    Person,
    RowChange,
    Seq,
    Turn,
)
from chat.rules.activities import activity
from chat.rules.attributes import described

NAME_LIMIT = 100  # characters
FOR_EVER = 2**53 - 1  # ms, about the year 287,000

Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z")]
Result = tuple[Change, ...] | RowChange | None


class Update(Lasting, frozen=True, gc=False, kw_only=True, tag="contact.update"):
    """Staff says who a contact is. What is left out stays; null takes an address or an attribute away."""

    contact: Key
    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET


class Block(Lasting, frozen=True, gc=False, kw_only=True, tag="contact.block"):
    """An agent lets a contact write nothing until a moment (ms), or for ever (null)."""

    contact: Key
    until: Seq | None


class Unblock(Lasting, frozen=True, gc=False, kw_only=True, tag="contact.unblock"):
    """An agent lets a contact write again."""

    contact: Key


class Merge(Lasting, frozen=True, gc=False, kw_only=True, tag="contact.merge"):
    """Staff has found out that `contact` is `into`: all that it had is that one's from now on."""

    contact: Key
    into: Key


class Erase(Lasting, frozen=True, gc=False, kw_only=True, tag="contact.erase"):
    """A supervisor or admin has a contact forgotten, with all that was written to and by it."""

    contact: Key


def update_needs(ask: Update) -> Needs:
    return Needs(contacts=(ask.contact,), attributes=ask.attributes is not UNSET)


def contact_needs(ask: Block | Unblock | Erase) -> Needs:
    return Needs(contacts=(ask.contact,))


def merge_needs(ask: Merge) -> Needs:
    return Needs(contacts=(ask.contact, ask.into))


def update(ask: Update, turn: Turn) -> Result:
    """A new name shows in all of the contact's conversations. Nothing happens if all is so already."""
    before = _there(turn, ask.contact)
    after = before
    if ask.name is not UNSET:
        after = replace(after, name=" ".join(ask.name.split()))
    if ask.email is not UNSET:
        after = replace(after, email=ask.email)
    if ask.attributes is not UNSET:
        types = [declared for declared in turn.attribute_types if declared.of == "contact"]
        after = replace(after, attributes=described(before.attributes, ask.attributes, types))
    if after == before:
        return None
    what = {name: new for name in _KNOWN if (new := getattr(after, name)) != getattr(before, name)}
    steps = [_Step(each, _with_name(each, after)) for each in _of(turn, after.id)]
    return _told(ask.id, "contact_updated", turn, what, steps, after)


def block(ask: Block, turn: Turn) -> Result:
    """Nothing happens if that is the end of its block already."""
    contact = _there(turn, ask.contact)
    until = FOR_EVER if ask.until is None else ask.until
    if until <= turn.at:
        raise BadRequest("This moment is over.", field="until")
    if contact.blocked_until == until:
        return None
    steps = [_Step(each, each) for each in _of(turn, contact.id)]
    return _told(ask.id, "blocked", turn, {"until": ask.until}, steps, replace(contact, blocked_until=until))


def unblock(ask: Unblock, turn: Turn) -> Result:
    """Nothing happens if it isn't blocked."""
    contact = _there(turn, ask.contact)
    if contact.blocked_until <= turn.at:
        return None
    steps = [_Step(each, each) for each in _of(turn, contact.id)]
    return _told(ask.id, "unblocked", turn, None, steps, replace(contact, blocked_until=0))


def merge(ask: Merge, turn: Turn) -> Result:
    """`into` has the conversations of both, what it didn't know of itself, and the longer block of the two."""
    if ask.contact == ask.into:
        raise BadRequest("Two different contacts become one.", field="into")
    left, into = _there(turn, ask.contact), _there(turn, ask.into, "into")
    after = replace(
        into,
        name=into.name or left.name,
        email=into.email or left.email,
        attributes={**left.attributes, **into.attributes},
        blocked_until=max(left.blocked_until, into.blocked_until),
    )
    # What the other one is called from now on stands in the line alone, and so is erased with it.
    lost = {name: old for name in _KNOWN if (old := getattr(left, name)) and old != getattr(after, name)}
    what = {"contact": left.id, "into": into.id, **({"was": lost} if lost else {})}
    steps = [_Step(each, _taken_over(each, after), is_told=True, is_rewritten=True) for each in _of(turn, left.id)]
    steps += [_Step(each, _with_name(each, after)) for each in _of(turn, into.id)]
    gone = replace(left, name="", email=None, attributes={}, merged_into=into.id)
    return _told(ask.id, "merged", turn, what, steps, after, gone)


def erase(ask: Erase, turn: Turn) -> Result:
    """Only figures stay: the texts of all its conversations go, in all versions. Nothing happens the second time."""
    if turn.actor.kind != "system" and turn.actor.role not in ("supervisor", "admin"):
        raise Forbidden
    known = turn.contacts.get(ask.contact)
    if known is not None and known.erased:
        return None
    contact = _there(turn, ask.contact)
    after = replace(contact, name="", email=None, attributes={}, erased=True)
    steps = [_Step(each, _emptied(each), is_told=True, is_rewritten=True, erases=True) for each in _of(turn, after.id)]
    return _told(ask.id, "erased", turn, None, steps, after)


class _Step(Struct, frozen=True):
    """What becomes of one conversation."""

    before: Conversation
    after: Conversation
    is_told: bool = False
    is_rewritten: bool = False
    erases: bool = False


def _told(
    ask_id: str, name: str, turn: Turn, what: dict[str, Any] | None, steps: Sequence[_Step], *contacts: Contact
) -> Result:
    """A change of each conversation that moves, the first with the line that has the ask's id."""
    if not steps:
        return RowChange(contacts)
    changes: list[Change] = []
    for step in steps:
        is_first = not changes
        if not is_first and not step.is_told and step.after is step.before:
            continue
        seq = step.before.seq + 1
        line: tuple[Entry, ...] = ()
        if is_first or step.is_told:
            entry_id = ask_id if is_first else f"{ask_id}-{len(changes)}"
            line = (activity(entry_id, name, seq, turn, audience="staff", data=what),)
        rewritten = seq if step.is_rewritten else step.after.rewritten
        after = replace(step.after, seq=seq, cursor=turn.cursor + len(changes), rewritten=rewritten)
        changes.append(Change(after, line, contacts if is_first else (), erases=step.erases))
    return tuple(changes)


def _there(turn: Turn, contact: str, field: str = "contact") -> Contact:
    found = turn.contacts.get(contact)
    if found is None or found.erased or found.merged_into is not None:
        raise NotFound(field=field)
    return found


def _of(turn: Turn, contact: str) -> list[Conversation]:
    """The contact's conversations, the newest first."""
    theirs = [conversation for conversation in turn.conversations if conversation.contact == contact]
    return sorted(theirs, key=lambda conversation: -conversation.cursor)


def _with_name(conversation: Conversation, contact: Contact) -> Conversation:
    """The same one if that is how the contact is called there already."""
    seen = Person(contact.name)
    if conversation.people.get(contact.id) == seen:
        return conversation
    return replace(conversation, people={**conversation.people, contact.id: seen})


def _taken_over(conversation: Conversation, into: Contact) -> Conversation:
    """Wherever the old contact stood, the other one stands."""
    left = conversation.contact
    people = {(into.id if id == left else id): person for id, person in conversation.people.items()}
    positions = {(into.id if id == left else id): position for id, position in conversation.positions.items()}
    return replace(conversation, contact=into.id, people={**people, into.id: Person(into.name)}, positions=positions)


def _emptied(conversation: Conversation) -> Conversation:
    return replace(
        conversation,
        subject="",
        preview="",
        preview_of=0,
        attributes={},
        people={**conversation.people, conversation.contact: Person("")},
        status="resolved",
        waiting_since=None,
        snoozed_until=None,
    )


_KNOWN = ("name", "email", "attributes")
