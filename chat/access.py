"""The only two doors: may this actor ask it, and who may see the result."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from chat.errors import Blocked, Changed, Forbidden, NotFound
from chat.model import Actor, ActorKind, Author, ContactPosition, ContactView, Conversation, Entry, Signal, Upload

CONTACT: frozenset[ActorKind] = frozenset({"contact"})
STAFF: frozenset[ActorKind] = frozenset({"agent", "bot"})
PARTICIPANTS: frozenset[ActorKind] = CONTACT | STAFF
OURSELVES: frozenset[ActorKind] = frozenset({"system"})
AGENTS: frozenset[ActorKind] = frozenset({"agent"})

SYSTEM = "sys_shopbell"
"""The service itself, which acts in every account: timers, identities. Nobody says hello as this one."""

# The author of these is somebody who answers, so that the contact may know them.
_OPEN_ACTIVITIES = frozenset({"claimed"})
_OPEN_SIGNALS = frozenset({"typing"})


def system(account: str) -> Actor:
    """The service itself, as an actor of this account."""
    return Actor(account, "system", SYSTEM)


def allow(may: frozenset[ActorKind], actor: Actor | None, at: int = 0, *, is_lasting: bool = False) -> Actor:
    """The actor, if this kind of actor may ask this kind of thing at all at this moment (ms).

    Else Forbidden, or Changed for a contact that has become another, or Blocked: a blocked contact may still say how
    far it has read.
    """
    if actor is None or actor.kind not in may:
        raise Forbidden
    if not actor.active:
        raise Changed if actor.kind == "contact" else Forbidden
    if is_lasting and actor.blocked_until > at:
        raise Blocked
    return actor


def sees(actor: Actor, conversation: Conversation) -> bool:
    """Whether the conversation exists for this actor. Both are of one account already."""
    return actor.kind != "contact" or conversation.contact == actor.id


def enter(actor: Actor, conversation: Conversation | None) -> Conversation:
    """The conversation, if it is there and the actor may see it; else NotFound for both."""
    if conversation is None or not sees(actor, conversation):
        raise NotFound(field="conversation")
    return conversation


def reach(actor: Actor, entry: Entry | None) -> Entry:
    """The entry of a conversation that the actor has entered, if it may see it; else NotFound for both."""
    if entry is None or (entry.audience != "everyone" and not actor.is_staff):
        raise NotFound(field="entry")
    return entry


def may_fetch(actor: Actor, upload: Upload, conversation: Conversation | None, entry: Entry | None) -> Upload:
    """The file, if this actor may have it; else NotFound. The entry is the newest version of the one that has it.

    As long as no entry has it, it is its sender's alone. An entry that was withdrawn or erased has no files.
    """
    if upload.entry is None:
        if upload.owner != actor.id:
            raise NotFound(field="upload")
        return upload
    if (
        conversation is None
        or entry is None
        or not sees(actor, conversation)
        or (actor.kind == "contact" and entry.audience != "everyone")
        or entry.withdrawn
        or all(file.id != upload.id for file in entry.attachments)
    ):
        raise NotFound(field="upload")
    return upload


def contact_view(conversation: Conversation) -> ContactView:
    """What its contact may see of a conversation: nothing of who else is in the team beyond who answers."""
    people = conversation.people
    return ContactView(
        id=conversation.id,
        inbox=conversation.inbox,
        created_at=conversation.created_at,
        status=conversation.status,
        handler=conversation.handler,
        subject=conversation.subject,
        people=people,
        positions={
            actor: ContactPosition(position.read, position.delivered)
            for actor, position in conversation.positions.items()
            if actor in people
        },
        seq=conversation.seq,
        left=was_left(conversation),
    )


def was_left(conversation: Conversation) -> bool:
    """Whether its contact has left a message and an e-mail, and doesn't wait."""
    return conversation.routing is not None and conversation.routing.left


def contact_view_differs(before: Conversation | None, after: Conversation) -> bool:
    """Whether the contact must be sent the state again. Positions alone count only when the view shows them."""
    if before is None:
        return True
    if (
        before.status != after.status
        or before.handler != after.handler
        or before.subject != after.subject
        or before.people is not after.people
        or was_left(before) != was_left(after)
    ):
        return True
    return before.positions is not after.positions and (contact_view(before).positions != contact_view(after).positions)


def contact_entries(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that a contact may see, as it may see them."""
    return [_unnamed(entry) for entry in entries if entry.audience == "everyone"]


def _unnamed(entry: Entry) -> Entry:
    if entry.reactions:
        # Never by who answers at the moment: what was sent before somebody joins must be as it is read after that.
        entry = replace(entry, reactions={emoji: tuple(map(_reactor, who)) for emoji, who in entry.reactions.items()})
    if entry.kind != "activity" or entry.activity in _OPEN_ACTIVITIES or entry.author.kind == "contact":
        return entry
    return replace(entry, author=Author(entry.author.kind))


def _reactor(actor: str) -> str:
    return actor if actor.startswith("con_") else "staff"


def contact_signal(signal: Signal, conversation: Conversation) -> Signal | None:
    """A signal as the contact may hear it, if it may: named only if it comes from somebody who answers."""
    if signal.name not in _OPEN_SIGNALS:
        return None
    if signal.by.id in conversation.people:
        return signal
    return replace(signal, by=Author(signal.by.kind))
