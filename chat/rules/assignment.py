"""Rules: claim a conversation, assign it to somebody or to a team."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chat.errors import InvalidState, NotFound, Taken
from chat.model import Actor, Change, Conversation, Decision, Key, Lasting, Needs, Timer, Turn
from chat.rules.activities import activity
from chat.rules.hands import check_slots, claimed, desk_of, handed, put_back, taken, timer_id
from chat.rules.routing import RETURN, rules_of


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
    check_slots(turn)
    seq = conversation.seq + 1
    return Change(
        replace(taken(conversation, turn.actor, turn), seq=seq, cursor=turn.cursor),
        (activity(ask.id, "claimed", seq, turn),),
        decisions=(claimed(conversation, turn),),
    )


def assign(ask: Assign, turn: Turn) -> Change | None:
    """The conversation is the named one's, the team's, or nobody's: then it is in the queue again, in its old place.

    Whoever says so by hand knows better than routing: nobody is asked whether there is a free slot, but where the
    account allows nobody to take more by hand. But who isn't there loses it again, if that lasts.
    """
    conversation = turn.there
    after = conversation
    if ask.assignee is not UNSET and ask.assignee != conversation.assignee:
        after = _held_by(_assignable(ask.assignee, turn), after, turn)
    if ask.team is not UNSET and ask.team != conversation.team:
        if ask.team is not None and turn.team is None:
            raise NotFound(field="team")
        after = replace(after, team=ask.team)
    if after is conversation:
        return None
    seq = conversation.seq + 1
    what = {"assignee": after.assignee, "team": after.team}
    decision = Decision(turn.actor.account, after.id, turn.at, "transferred", after.assignee, after.team, turn.actor.id)
    return Change(
        replace(after, seq=seq, cursor=turn.cursor),
        (activity(ask.id, "assigned", seq, turn, audience="staff", data=what),),
        timers=_timers(ask.id, conversation, after, turn),
        decisions=(decision,),
    )


def _timers(cause: str, before: Conversation, after: Conversation, turn: Turn) -> tuple[Timer, ...]:
    """Whoever is at home won't vanish, so that nothing else would bring back what is given to them."""
    if after.status != "open" or after.assignee in (None, before.assignee, turn.actor.id):
        return ()
    desk = desk_of(turn)
    standing = desk.standings.get(after.assignee or "") if desk.is_known else None
    if standing is not None and standing.status != "offline":
        return ()
    at = turn.at + rules_of(desk, after).return_seconds * 1000
    return (Timer(timer_id(cause, after.id, "return"), at, RETURN, after.id),)


def _held_by(actor: Actor | None, conversation: Conversation, turn: Turn) -> Conversation:
    """The conversation in this one's hands, or in nobody's. A resolved one stays resolved, a snoozed one snoozed."""
    if actor is None:
        after = put_back(conversation)
    elif actor.id == turn.actor.id:
        check_slots(turn)
        after = taken(conversation, actor, turn)
    else:
        after = handed(conversation, actor, turn)
    if conversation.status in ("resolved", "snoozed"):
        aside = conversation
        return replace(after, status=aside.status, snoozed_until=aside.snoozed_until, routing=aside.routing)
    return after


def _assignable(assignee: str | None, turn: Turn) -> Actor | None:
    if assignee is None:
        return None
    if turn.other is None or not turn.other.is_staff or not turn.other.active:
        raise NotFound(field="assignee")
    return turn.other


def _named(value: str | UnsetType | None) -> str | None:
    return None if value is UNSET else value
