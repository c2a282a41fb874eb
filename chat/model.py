"""The values everything else speaks of: actors, conversations, entries, asks and changes. All frozen.

msgspec Structs without cycle tracking (`gc=False`): 4-9 µs per message cheaper than dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.json import Encoder

ActorKind = Literal["contact", "agent", "bot", "system"]
Role = Literal["agent", "supervisor", "admin"]
Status = Literal["queued", "open", "snoozed", "resolved"]
Handler = Literal["bot", "agent", "none"]
EntryKind = Literal["message", "note", "activity"]
Audience = Literal["everyone", "staff"]

Availability = Literal["available", "busy", "away"]
RoutingStatus = Literal["accepting_chats", "not_accepting_chats", "offline"]
ShiftState = Literal["on_shift", "off_shift", "time_off"]
Policy = Literal["manual", "least_busy", "round_robin"]

TEXT_LIMIT = 8000  # characters of one message: anchors/realtime.md 3.15
PREVIEW_LIMIT = 100  # characters

EntryId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
Named = Annotated[str, Meta(min_length=36, max_length=36)]  # an entry that is looked up: what isn't one isn't there
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
Key = Annotated[str, Meta(min_length=1, max_length=64)]
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Ref = Annotated[int, Meta(ge=0, le=2**53 - 1)]

KIND_OF_PREFIX: dict[str, ActorKind] = {"con": "contact", "agt": "agent", "bot": "bot", "sys": "system"}


class Actor(Struct, frozen=True, gc=False):
    """Whoever asks: a contact, an agent or a bot of one account, as the store knows it now."""

    account: str
    kind: ActorKind
    id: str
    name: str = ""
    role: Role | None = None
    picture: str | None = None
    active: bool = True
    blocked_until: int = 0
    """A contact's block ends at this moment (ms)."""
    is_bound: bool = False
    """Whether the account lets an agent or a bot take nothing beyond its slots, not even by hand."""

    @property
    def is_staff(self) -> bool:
        return self.kind != "contact"


class Author(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who wrote an entry. The id is left out where the reader may not know it."""

    kind: ActorKind
    id: str | None = None


@lru_cache(10_000)
def author_of(actor_id: str) -> Author:
    """The author with this id; the kind is in its prefix. The same value each time: it is in every entry."""
    return Author(KIND_OF_PREFIX[actor_id[:3]], actor_id)


class Contact(Struct, frozen=True, gc=False):
    """The person served, as staff knows it. A merged one lives on in another; an erased one has only its id."""

    account: str
    id: str
    name: str = ""
    email: str | None = None
    attributes: dict[str, Any] = {}
    blocked_until: int = 0
    merged_into: str | None = None
    erased: bool = False


class Person(Struct, frozen=True, gc=False, omit_defaults=True):
    """What others see of somebody who takes part."""

    name: str
    picture: str | None = None


class Position(Struct, frozen=True, gc=False, omit_defaults=True):
    """How far one actor has come: seqs read and delivered, and how many contact messages that were."""

    read: int = 0
    delivered: int = 0
    seen: int = 0


class Attachment(Struct, frozen=True, gc=False, omit_defaults=True):
    """A file of an entry: its upload's id by which it is fetched, and what is shown before that."""

    id: str
    name: str
    type: str
    size: int
    width: int = 0
    height: int = 0
    """Of an image, in pixels; it then has a thumbnail too."""


class Entry(Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of a conversation. Shown in the order of `born`; of two with one id the greater `seq` counts."""

    id: str
    seq: int
    born: int
    kind: EntryKind
    author: Author
    at: int
    text: str = ""
    activity: str = ""
    data: dict[str, Any] | None = None
    audience: Audience = "everyone"
    blocks: tuple[dict[str, Any], ...] = ()
    """What is shown beside the text: quick replies, buttons, cards, a form. See `chat.rules.blocks`."""
    attachments: tuple[Attachment, ...] = ()
    reactions: dict[str, tuple[str, ...]] = {}
    """Who reacted, by emoji."""
    edited_at: int = 0
    withdrawn: bool = False


class Routing(Struct, frozen=True, gc=False, omit_defaults=True):
    """How a conversation came to where it is: its place in the queue, and whether its assignee has taken it up."""

    queued_at: int = 0
    """Its place in the queue (ms): kept when it goes back there."""
    assigned_at: int = 0
    """When its assignee got it (ms)."""
    answer_by: int = 0
    """When it goes back to the queue unless the assignee has said something (ms). 0: it doesn't by itself."""
    unanswered: bool = False
    """Whether the assignee was given it and hasn't said anything since."""
    passed: tuple[str, ...] = ()
    """Who was given it and didn't answer: they come last when it is routed again."""
    left: bool = False
    """Whether its contact has left a message and an e-mail, and doesn't wait: live ones come first."""
    skills: tuple[str, ...] = ()
    """What whoever gets it should know; the contact's language is one: `th`, `pt-br`."""
    known: str | None = None
    """Who had it when it went back to the queue, and so knows what it is about."""
    joined: bool = False
    """Whether the assignee is among the people by this alone. Whoever loses it unanswered isn't one of them then."""


class Conversation(Struct, frozen=True, gc=False):
    """A conversation as staff may see it; its JSON is both the stored document and staff's `state` on the wire."""

    id: str
    inbox: str
    contact: str
    created_at: int
    status: Status = "queued"
    handler: Handler = "none"
    subject: str = ""
    assignee: str | None = None
    team: str | None = None
    tags: tuple[str, ...] = ()
    priority: int = 0
    waiting_since: int | None = None
    preview: str = ""
    preview_of: int = 0
    """Where the message was born that the preview is of: an edit of it changes the preview, of another one not."""
    messages: int = 0
    """How many the contact wrote; `contact_seq` is the seq of the last of them. Unread is derived from both."""
    contact_seq: int = 0
    people: dict[str, Person] = {}
    positions: dict[str, Position] = {}
    seq: int = 0
    cursor: int = 0
    rewritten: int = 0
    """The seq of the last change that rewrote entries in place (a merge, an erasure): older copies are worthless."""
    snoozed_until: int | None = None
    followers: tuple[str, ...] = ()
    attributes: dict[str, Any] = {}
    routing: Routing | None = None
    """None of one that was never queued for routing."""

    @property
    def hands(self) -> tuple[str, ...]:
        """Who hears all of it without asking: its assignee and those who follow it."""
        return self.followers if self.assignee is None else (self.assignee, *self.followers)


class ContactPosition(Struct, frozen=True, gc=False, omit_defaults=True):
    """A position without what only staff may know."""

    read: int = 0
    delivered: int = 0


class ContactView(Struct, frozen=True, gc=False, omit_defaults=True):
    """A conversation as its contact may see it."""

    id: str
    inbox: str
    created_at: int
    status: Status
    handler: Handler
    subject: str
    people: dict[str, Person]
    positions: dict[str, ContactPosition]
    seq: int
    left: bool = False
    """Whether it is a message that was left to be answered by e-mail: nobody waits here."""


class Timer(Struct, frozen=True, gc=False):
    """An ask that the service makes by itself at a moment (ms). Its id is the ask's, so that it is done once."""

    id: str
    at: int
    kind: str
    """The name of the ask in the catalog."""
    conversation: str


class Member(Struct, frozen=True, gc=False):
    """An agent or bot as routing sees it. `schedule` is what `presence.shifts` reads; here it is only carried."""

    account: str
    id: str
    name: str = ""
    picture: str | None = None
    active: bool = True
    teams: tuple[str, ...] = ()
    availability: Availability = "available"
    reason: str = ""
    """Why, in the member's own words; or what the service set it away for: idle, bounced."""
    set_by: str = ""
    """Who set the availability: an actor's id. Empty: nobody ever did."""
    set_at: int = 0
    finishes: bool = False
    """Whether it keeps, this time, what is still open when its shift ends."""
    slots: int = 4
    skills: tuple[str, ...] = ()
    schedule: str = ""
    """JSON. Empty: always on shift."""
    bounces: int = 0
    """Conversations in a row that were given to this member and not answered."""
    assigned_at: int = 0
    """When routing gave it something last (ms)."""
    status: RoutingStatus = "offline"
    """As it was written down last, with its reason, its end and its beginning."""
    status_reason: str = ""
    status_until: int | None = None
    status_at: int = 0


class Standing(Struct, frozen=True, gc=False):
    """What follows for one member from the four facts at one moment. See `presence.availability`."""

    status: RoutingStatus
    reason: str
    until: int | None
    is_present: bool
    shift: ShiftState
    shift_ends_at: int | None = None
    """ms; None: off shift, or always on it."""


class Candidate(Struct, frozen=True, gc=False):
    """Somebody who was looked at for a conversation, and what spoke for or against it. Kept in the routing log."""

    member: str
    status: RoutingStatus
    reason: str
    is_present: bool
    availability: Availability
    shift: ShiftState
    used: int
    slots: int
    verdict: str
    """`chosen`, or why not: the status's reason, `full`, `skill`, `busier`, `passed`, `later_turn` …"""


class Decision(Struct, frozen=True, gc=False):
    """One line of the routing log: what happened to a conversation's hands, and why."""

    account: str
    conversation: str
    at: int
    kind: Literal["routed", "claimed", "transferred", "bounced", "returned", "handed_over", "kept_waiting"]
    chosen: str | None
    team: str | None
    by: str
    """The actor who caused it; the service itself for routing."""
    candidates: tuple[Candidate, ...] = ()


class StatusLine(Struct, frozen=True, gc=False):
    """One line of the status log: since when a member has had which status, and what it came from."""

    account: str
    member: str
    at: int
    status: RoutingStatus
    reason: str
    until: int | None
    cause: str
    """What made it change: connected, disconnected, chosen, set, idle, bounced, shift, capacity …"""


class TeamRules(Struct, frozen=True, gc=False):
    """A team as routing sees it: who is in it, and what its admins have chosen."""

    id: str
    members: tuple[str, ...] = ()
    policy: Policy = "least_busy"
    overflow: tuple[str, ...] = ()
    """The teams that are asked too when nobody of this one could take a conversation for `overflow_seconds`."""
    overflow_seconds: int = 60
    queue_limit: int | None = None
    """A queue so long is full; None: it never is."""
    queue_reopen: int | None = None
    """A full queue takes contacts again when it is shorter than this; None: than its limit."""
    answer_seconds: int = 30
    """Who was given a conversation and says nothing for so long loses it."""
    bounces: int = 3
    """Who loses so many in a row is set away."""
    return_seconds: int = 300
    """What is in progress with somebody who has vanished goes back to the queue after so long."""
    needs_skills: bool = False
    """Whether nobody without the skills is given a conversation, however long it waits."""
    skills_after_seconds: int = 60
    """Who has the skills is waited for so long, unless they are needed."""
    prefers_known: bool = True
    """Whether who had the contact before is preferred."""
    bots_first: bool = False
    """Whether bots are asked before people; they come after them otherwise."""


class Desk(Struct, gc=False):
    """What routing sees of an account: read under its lock, and corrected by what the batch has done since."""

    members: dict[str, Member] = {}
    """Who works here, with the defaults for those of whom nobody has said anything."""
    used: dict[str, int] = {}
    """How many open conversations are in each one's hands. Who has none may be left out."""
    teams: dict[str, TeamRules] = {}
    inboxes: dict[str, tuple[str, ...]] = {}
    """The teams that answer for each inbox, the oldest first."""
    queued: tuple[Conversation, ...] = ()
    """What waits for a team that anything is routed to, in any order: at most 500, those who have waited longest."""
    known: dict[str, str] = {}
    """Who had the contacts of what waits before, by contact."""
    standings: Mapping[str, Standing] = {}
    """What follows for each member; empty where nobody knows who is present."""
    is_known: bool = False
    """Whether this node knows who is present."""


class Queue(Struct, frozen=True, gc=False):
    """The queue of the team that answers for an inbox, as long as it is by now. Who left a message isn't in it."""

    rules: TeamRules
    length: int
    is_full: bool = False
    """Whether it takes nobody more, as it was written down last."""


class Change(Struct, frozen=True, gc=False):
    """What a rule says must be written: the conversation afterwards and the entries that it gained.

    A rule that touches several conversations returns one for each. `contacts` and `members` are rows as they are
    afterwards; decisions and statuses are lines of their logs.
    """

    conversation: Conversation
    entries: tuple[Entry, ...] = ()
    contacts: tuple[Contact, ...] = ()
    timers: tuple[Timer, ...] = ()
    erases: bool = False
    """Everything that was written in the conversation before becomes blank, in all versions."""
    members: tuple[Member, ...] = ()
    statuses: tuple[StatusLine, ...] = ()
    decisions: tuple[Decision, ...] = ()
    queue: Queue | None = None
    """A queue that has become full, or no longer is."""
    email: str | None = None
    """The contact's address, if none is known."""
    outcome: str = ""
    """What the asker is told besides: of a transfer, `assigned` or `queued`."""


class RowChange(Struct, frozen=True, gc=False):
    """What a rule says must be written beside all conversations: it takes neither seq nor cursor."""

    contacts: tuple[Contact, ...] = ()
    members: tuple[Member, ...] = ()
    statuses: tuple[StatusLine, ...] = ()
    decisions: tuple[Decision, ...] = ()
    timers: tuple[Timer, ...] = ()


class Signal(Struct, frozen=True, gc=False):
    """Something that happens and is not kept."""

    name: str
    conversation: str
    by: Author
    on: bool
    text: str | None = None
    """What has been typed so far, of a preview."""


class Ask(Struct, frozen=True, gc=False, kw_only=True, tag_field="type"):
    """What an actor wants done. `ref` is the connection's number for the answer and no part of the ask."""

    ref: Ref | None = None


class Lasting(Ask, frozen=True, gc=False, kw_only=True):
    """An ask whose first entry gets the id that the client made, so that a resend is harmless."""

    id: EntryId
    after: Named | None = None


class Inbox(Struct, frozen=True, gc=False):
    """One storefront's door, as the rules need it."""

    account: str
    id: str
    name: str


class Team(Struct, frozen=True, gc=False):
    account: str
    id: str
    name: str


class Upload(Struct, frozen=True, gc=False):
    """A file that is whole and was sent by `owner`; `entry` is set once an entry has it."""

    account: str
    id: str
    owner: str
    name: str
    type: str
    size: int
    width: int = 0
    height: int = 0
    conversation: str | None = None
    entry: str | None = None


class Receipt(Struct, frozen=True, gc=False):
    """What the store remembers of an ask that was carried out: enough to answer it again."""

    author: str
    digest: bytes | None
    conversation: str
    seq: int
    at: int


class AttributeType(Struct, frozen=True):
    """A custom attribute that an account has declared for its conversations or contacts."""

    of: Literal["conversation", "contact"]
    name: str
    type: Literal["text", "number", "boolean", "date", "choice"]
    choices: tuple[str, ...] = ()


class Needs(Struct, frozen=True, gc=False):
    """The rows an ask wants to see besides its actor and the entries it names."""

    conversation: str | None = None
    inbox: str | None = None
    actor: str | None = None
    team: str | None = None
    entry: str | None = None
    """An entry of the conversation, in its newest version."""
    contacts: tuple[str, ...] = ()
    """Contacts, each with all its conversations."""
    attributes: bool = False
    """The attributes that the account has declared."""
    uploads: tuple[str, ...] = ()
    """Files that were uploaded and belong to no entry yet."""
    desk: bool = False
    """What routing looks at: see `Desk`."""
    held_by: tuple[str, ...] = ()
    """Agents and bots, each with all that is open in its hands."""

    @property
    def are_rare(self) -> bool:
        """Whether there is something among them that few asks want to see."""
        return (
            self.entry is not None
            or self.attributes
            or self.desk
            or self.contacts != ()
            or self.uploads != ()
            or self.held_by != ()
        )


class Turn(Struct, frozen=True, gc=False):
    """All that a rule may look at: the rows it needed, the moment (ms) and the cursor its change will get."""

    actor: Actor
    at: int
    cursor: int
    fresh: str
    """A conversation id nobody has yet: the same for the same ask, so that a resend makes no second one."""
    conversation: Conversation | None = None
    inbox: Inbox | None = None
    other: Actor | None = None
    team: Team | None = None
    entry: Entry | None = None
    contacts: dict[str, Contact] = {}
    conversations: tuple[Conversation, ...] = ()
    """All that the needed contacts have."""
    attribute_types: tuple[AttributeType, ...] = ()
    uploads: dict[str, Upload] = {}
    desk: Desk | None = None
    held: tuple[Conversation, ...] = ()
    """All that is open in the hands of those who were named."""
    queue: Queue | None = None
    """The queue behind the inbox, if a team answers for it."""

    @property
    def there(self) -> Conversation:
        """The conversation. The ledger has let the actor in before the rule runs."""
        assert self.conversation is not None
        return self.conversation


encode = Encoder().encode


def digest(ask: Lasting) -> bytes:
    """Twelve bytes that tell whether a resend asks the same thing: all but ref, id and after count.

    Those three are a Lasting's first fields, so the content is what its JSON has behind `after`, an id or null.
    """
    _, _, behind = encode(ask).partition(b'"after":')
    _, _, content = behind.partition(b",")
    hashed = _begun(type(ask)).copy()
    hashed.update(content)
    return hashed.digest()


@cache
def _begun(kind: type[Lasting]) -> blake2b:
    return blake2b(str(kind.__struct_config__.tag).encode(), digest_size=12)


def derived_id(prefix: str, *parts: str) -> str:
    """An id that follows from its cause, so that doing the cause again makes nothing new."""
    return f"{prefix}_{blake2b(chr(31).join(parts).encode(), digest_size=12).hexdigest()}"
