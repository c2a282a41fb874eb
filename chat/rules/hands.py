"""In whose hands a conversation is: taken, given, back in the queue. What the rules of assignment have in common."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from chat.errors import DeskMissing, Full
from chat.model import (
    Actor,
    Candidate,
    Conversation,
    Decision,
    Desk,
    Handler,
    Member,
    Person,
    Routing,
    Standing,
    TeamRules,
    Timer,
    Turn,
)
from chat.waiting import queued_at

UNANSWERED = "routing.unanswered"

_NOWHERE = Standing("offline", "unknown", None, False, "off_shift")
_NEVER = Routing()


class Moved(Struct, frozen=True):
    """A conversation as it is afterwards, and what must be written with it."""

    conversation: Conversation
    timers: tuple[Timer, ...] = ()
    decisions: tuple[Decision, ...] = ()


def taken(conversation: Conversation, actor: Actor, turn: Turn) -> Conversation:
    """In the hands of somebody who wanted it."""
    routing = Routing(_place(conversation, turn), turn.at, skills=_skills(conversation))
    before = _taken_away(conversation)
    return replace(
        before,
        status="open",
        snoozed_until=None,
        assignee=actor.id,
        handler=_handler(actor.id),
        people=with_person(before, actor.id, Person(actor.name, actor.picture)),
        routing=routing,
    )


def handed(conversation: Conversation, actor: Actor, turn: Turn) -> Conversation:
    """In the hands of somebody to whom somebody else has given it: it stays there until that one vanishes."""
    after = taken(conversation, actor, turn)
    routing = after.routing or _NEVER
    joined = actor.id not in _taken_away(conversation).people
    return replace(after, routing=replace(routing, unanswered=True, joined=joined))


def given(conversation: Conversation, member: Member, turn: Turn, rules: TeamRules | None, cause: str) -> Moved:
    """In the hands of somebody whom routing has chosen: it goes back unless there is an answer in time.

    Of a team that nothing is routed to, nothing goes back.
    """
    answer_by = 0
    timers: tuple[Timer, ...] = ()
    if rules is not None and rules.policy != "manual":
        answer_by = turn.at + rules.answer_seconds * 1000
        timer = Timer(timer_id(cause, conversation.id, "answer"), answer_by, UNANSWERED, conversation.id)
        timers = (timer,)
    before, was = _taken_away(conversation), conversation.routing or _NEVER
    routing = Routing(
        _place(conversation, turn),
        turn.at,
        answer_by,
        True,
        was.passed,
        skills=was.skills,
        known=was.known,
        joined=member.id not in before.people,
    )
    after = replace(
        before,
        status="open",
        snoozed_until=None,
        assignee=member.id,
        handler=_handler(member.id),
        people=with_person(before, member.id, Person(member.name, member.picture)),
        routing=routing,
    )
    return Moved(after, timers)


def answered(conversation: Conversation) -> Conversation:
    """Its assignee has said something, and so has taken it up; or it is put aside, and nobody is to answer."""
    routing = conversation.routing
    if routing is None or not routing.unanswered:
        return conversation
    return replace(conversation, routing=replace(routing, unanswered=False, answer_by=0, passed=(), joined=False))


def claimed(conversation: Conversation, turn: Turn) -> Decision:
    """The line of the routing log when the actor takes it by itself."""
    actor = turn.actor
    return Decision(actor.account, conversation.id, turn.at, "claimed", actor.id, conversation.team, actor.id)


def queued(conversation: Conversation, at: int) -> Conversation:
    """At the end of the queue. Who had it is remembered."""
    known = conversation.assignee or (conversation.routing or _NEVER).known
    return _unassigned(conversation, Routing(at, skills=_skills(conversation), known=known))


def put_back(conversation: Conversation, passed: str | None = None) -> Conversation:
    """In the queue in its old place; `passed` is who didn't take it up, and comes last from now on."""
    before = conversation.routing or _NEVER
    known = before.known if before.unanswered else conversation.assignee
    gone = before.passed if passed is None else (*(each for each in before.passed if each != passed), passed)
    routing = Routing(queued_at(conversation), passed=gone, skills=before.skills, known=known)
    return _unassigned(conversation, routing)


def awake(conversation: Conversation, turn: Turn, cause: str) -> Moved:
    """Taken up again, after it was resolved or put aside: by its assignee if that one can take it, else from the
    queue. Who went home before gets nothing back."""
    assignee = conversation.assignee
    if assignee is None:
        return Moved(queued(conversation, turn.at))
    desk = desk_of(turn)
    member = desk.members.get(assignee)
    if member is None or not accepts(desk, assignee):
        return Moved(queued(conversation, turn.at))
    moved = given(conversation, member, turn, desk.teams.get(conversation.team or ""), cause)
    chosen = (candidate(desk, member, "chosen"),)
    decision = Decision(
        turn.actor.account, conversation.id, turn.at, "routed", assignee, conversation.team, turn.actor.id, chosen
    )
    return replace(moved, decisions=(decision,))


def desk_of(turn: Turn) -> Desk:
    """The desk. If it wasn't loaded, the rule is run again with it."""
    if turn.desk is None:
        raise DeskMissing
    return turn.desk


def accepts(desk: Desk, member: str) -> bool:
    """Whether routing may give this one a conversation now. Nobody, where nobody knows who is present."""
    if not desk.is_known or member not in desk.members:
        return False
    free = desk.used.get(member, 0) < desk.members[member].slots
    return free and desk.standings[member].status == "accepting_chats"


def check_slots(turn: Turn) -> None:
    """Full, if the account lets the actor take nothing beyond its slots and there is none free."""
    if not turn.actor.is_bound:
        return
    desk = desk_of(turn)
    member = desk.members.get(turn.actor.id)
    if member is not None and desk.used.get(member.id, 0) >= member.slots:
        raise Full("All your slots are taken.")


def candidate(desk: Desk, member: Member, verdict: str) -> Candidate:
    """How somebody stood when it was decided."""
    standing = desk.standings.get(member.id, _NOWHERE)
    return Candidate(
        member.id,
        standing.status,
        standing.reason,
        standing.is_present,
        member.availability,
        standing.shift,
        desk.used.get(member.id, 0),
        member.slots,
        verdict,
    )


def with_person(conversation: Conversation, id_: str, person: Person) -> dict[str, Person]:
    """The people of the conversation with this one among them; the same dict if nothing changes."""
    people = conversation.people
    return people if people.get(id_) == person else {**people, id_: person}


def timer_id(cause: str, *parts: str) -> str:
    """An id as every ask has one, from its cause, so that a resend sets no second timer."""
    told = chr(31).join((cause, *parts)).encode()
    digest = blake2b(told, digest_size=10, person=b"conversation").hexdigest()
    return f"{cause[:13]}-{digest[:4]}-{digest[4:8]}-{digest[8:]}"


def _taken_away(conversation: Conversation) -> Conversation:
    """Without its assignee among the people, if that one was given it, has said nothing, and had never been there."""
    routing, assignee = conversation.routing or _NEVER, conversation.assignee
    if not (routing.unanswered and routing.joined):
        return conversation
    return replace(conversation, people={id_: each for id_, each in conversation.people.items() if id_ != assignee})


def _unassigned(conversation: Conversation, routing: Routing) -> Conversation:
    left = _taken_away(conversation)
    return replace(left, status="queued", snoozed_until=None, assignee=None, handler="none", routing=routing)


def _place(conversation: Conversation, turn: Turn) -> int:
    """Its place in the queue, should it go back there. What is taken up again waits since now."""
    return turn.at if conversation.status in ("resolved", "snoozed") else queued_at(conversation)


def _handler(id_: str) -> Handler:
    return "bot" if id_.startswith("bot_") else "agent"


def _skills(conversation: Conversation) -> tuple[str, ...]:
    return (conversation.routing or _NEVER).skills
