"""Rules: claim a conversation, assign it to somebody or to a team."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chat.errors import InvalidState, NotFound, Taken
from chat.model import Actor, Change, Conversation, Handler, Key, Lasting, Needs, Status, Turn
from chat.rules.activities import activity
from chat.rules.messages import with_person
from chat.rules.snooze import awake


class Claim(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.claim"):
    """An agent or bot takes a conversation that nobody has."""

    conversation: Key


class Assign(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.assign"):
    """Staff says who has the conversation. A field left out stays as it is; null takes it away."""

    conversation: Key
    assignee: Key | UnsetType | None = UNSET
    team: Key | UnsetType | None = UNSET


def assign_needs(ask: Assign) -> Needs:
    return Needs(conversation=ask.conversation, actor=_named(ask.assignee), team=_named(ask.team))


def claim(ask: Claim, turn: Turn) -> Change | None:
    """The conversation is the actor's, who takes it up. Nothing happens if it was already; Taken if it is another's."""
    conversation = turn.there
    if conversation.assignee == turn.actor.id:
        return None
    if conversation.assignee is not None:
        raise Taken
    if conversation.status == "resolved":
        raise InvalidState("A resolved conversation is reopened before it is claimed.")
    after = held_by(turn.actor, awake(conversation))
    seq = conversation.seq + 1
    return Change(
        replace(after, seq=seq, cursor=turn.cursor),
        (activity(ask.id, "claimed", seq, turn),),
    )


def assign(ask: Assign, turn: Turn) -> Change | None:
    """The conversation is the named one's, the team's, or nobody's."""
    conversation = turn.there
    after = conversation
    if ask.assignee is not UNSET and ask.assignee != conversation.assignee:
        after = held_by(_assignable(ask.assignee, turn), after)
    if ask.team is not UNSET and ask.team != conversation.team:
        if ask.team is not None and turn.team is None:
            raise NotFound(field="team")
        after = replace(after, team=ask.team)
    if after is conversation:
        return None
    seq = conversation.seq + 1
    what = {"assignee": after.assignee, "team": after.team}
    return Change(
        replace(after, seq=seq, cursor=turn.cursor),
        (activity(ask.id, "assigned", seq, turn, audience="staff", data=what),),
    )


def held_by(actor: Actor | None, conversation: Conversation) -> Conversation:
    """The conversation in this one's hands, or in nobody's. A resolved one stays resolved, a snoozed one snoozed."""
    if actor is None:
        return replace(conversation, assignee=None, handler="none", status=_unless_aside(conversation, "queued"))
    handler: Handler = "bot" if actor.kind == "bot" else "agent"
    return replace(
        conversation,
        assignee=actor.id,
        handler=handler,
        status=_unless_aside(conversation, "open"),
        people=with_person(conversation, actor),
    )


def _assignable(assignee: str | None, turn: Turn) -> Actor | None:
    if assignee is None:
        return None
    if turn.other is None or not turn.other.is_staff or not turn.other.active:
        raise NotFound(field="assignee")
    return turn.other


def _unless_aside(conversation: Conversation, status: Status) -> Status:
    return conversation.status if conversation.status in ("resolved", "snoozed") else status


def _named(value: str | UnsetType | None) -> str | None:
    return None if value is UNSET else value
