"""Rules: who gets what waits, and what becomes of a conversation whose assignee doesn't answer or has vanished."""

from __future__ import annotations

from msgspec.structs import replace

from chat.access import SYSTEM
from chat.errors import Busy
from chat.model import (
    Change,
    Conversation,
    Decision,
    Desk,
    Key,
    Lasting,
    Member,
    Needs,
    Routing,
    TeamRules,
    Turn,
)
from chat.routing import route
from chat.rules.activities import activity
from chat.rules.hands import UNANSWERED, candidate, desk_of, given, put_back
from chat.waiting import Waiting, waiting

RUN = "routing.run"
RETURN = "routing.return"
BOUNCED = "bounced"


class Run(Lasting, frozen=True, gc=False, kw_only=True, tag=RUN):
    """The service gives what waits to those who accept chats."""


class Unanswered(Lasting, frozen=True, gc=False, kw_only=True, tag=UNANSWERED):
    """The service looks whether who was given a conversation has said something by now."""

    conversation: Key


class Return(Lasting, frozen=True, gc=False, kw_only=True, tag=RETURN):
    """The service looks whether who has a conversation in progress has come back by now."""

    conversation: Key


def run_needs(ask: Run) -> Needs:
    return Needs(desk=True)


def timer_needs(ask: Unanswered | Return) -> Needs:
    return Needs(conversation=ask.conversation, desk=True)


def run(ask: Run, turn: Turn) -> tuple[Change, ...] | None:
    """Each conversation that somebody can take is in those hands. Busy while nobody knows who is present."""
    desk = known_desk(turn)
    waits = [_waiting(conversation, desk) for conversation in desk.queued]
    decisions = route(waits, desk.members, desk.used, desk.standings, desk.teams, turn.at, turn.actor.id)
    if not decisions:
        return None
    by_id = {each.conversation.id: each for each in waits}
    members = dict(desk.members)
    changes: list[Change] = []
    for decision in decisions:
        members[decision.chosen or ""] = member = replace(members[decision.chosen or ""], assigned_at=turn.at)
        changes.append(_routed(ask.id, by_id[decision.conversation], decision, member, len(changes), turn))
    return tuple(changes)


def unanswered(ask: Unanswered, turn: Turn) -> Change | None:
    """Back in the queue, in its old place, if there was no answer in time. Who lets it happen again and again is away
    from then on. Nothing happens to what was answered, or given to somebody else since."""
    conversation, desk = turn.there, desk_of(turn)
    routing = conversation.routing
    if conversation.status != "open" or routing is None or not routing.unanswered:
        return None
    if not 0 < routing.answer_by <= turn.at or conversation.assignee is None:
        return None
    member = desk.members.get(conversation.assignee)
    change = returned(ask.id, conversation, turn, "bounced", 0)
    if member is None:
        return change
    return replace(change, members=(_bounced(member, rules_of(desk, conversation), turn),))


def back(ask: Return, turn: Turn) -> Change | None:
    """Back in the queue, if its assignee is still away, or was given it after hours and has said nothing. Busy while
    nobody knows that."""
    conversation, desk = turn.there, known_desk(turn)
    if conversation.status != "open" or conversation.assignee is None:
        return None
    member = desk.members.get(conversation.assignee)
    if member is not None:
        standing = desk.standings[member.id]
        if standing.reason == "unknown":
            raise Busy("Nobody knows at this moment who is here.")
        # Who came back and vanished again, or was given it anew, has a timer of that time's own.
        routing = conversation.routing or Routing()
        since = turn.at - max(member.status_at, routing.assigned_at)
        is_over = standing.shift != "on_shift" and not member.finishes
        is_here = standing.is_present and not (routing.unanswered and standing.status == "offline")
        if is_here or (since < rules_of(desk, conversation).return_seconds * 1000 and not is_over):
            return None
    return returned(ask.id, conversation, turn, "returned", 0)


def returned(entry_id: str, conversation: Conversation, turn: Turn, kind: str, nth: int) -> Change:
    """A conversation taken out of somebody's hands and put back in its old place, and a line for staff that says why:
    `bounced`, `returned` or `handed_over`. `nth` is which of the ask's changes it is."""
    desk, holder = desk_of(turn), conversation.assignee or ""
    member = desk.members.get(holder)
    seq = conversation.seq + 1
    after = put_back(conversation, holder if kind == "bounced" else None)
    rows = () if member is None else (candidate(desk, member, kind),)
    decision = Decision(turn.actor.account, conversation.id, turn.at, kind, None, conversation.team, SYSTEM, rows)  # type: ignore[arg-type]
    return Change(
        replace(after, seq=seq, cursor=turn.cursor + nth),
        (activity(entry_id, kind, seq, turn, audience="staff", data={"assignee": holder}),),
        decisions=(decision,),
    )


def known_desk(turn: Turn) -> Desk:
    """The desk, with who is present. Busy while nobody knows that: it is known in a moment."""
    desk = desk_of(turn)
    if not desk.is_known:
        raise Busy("Nobody knows at this moment who is here.")
    return desk


def rules_of(desk: Desk, conversation: Conversation) -> TeamRules:
    """Those of its team; what is usual for one without."""
    return desk.teams.get(conversation.team or "") or TeamRules("")


def _waiting(conversation: Conversation, desk: Desk) -> Waiting:
    routing = conversation.routing
    skills, known = (routing.skills, routing.known) if routing else ((), None)
    return waiting(conversation, desk.inboxes, skills, known or desk.known.get(conversation.contact))


def _routed(cause: str, waits: Waiting, decision: Decision, member: Member, nth: int, turn: Turn) -> Change:
    conversation, desk = waits.conversation, desk_of(turn)
    team = conversation.team or waits.teams[0]
    moved = given(conversation, member, turn, desk.teams[decision.team or team], cause)
    seq = conversation.seq + 1
    what = {"assignee": member.id, "team": team}
    return Change(
        replace(moved.conversation, team=team, seq=seq, cursor=turn.cursor + nth),
        (activity(cause if nth == 0 else f"{cause}-{nth}", "assigned", seq, turn, audience="staff", data=what),),
        timers=moved.timers,
        members=(member,),
        decisions=(decision,),
    )


def _bounced(member: Member, rules: TeamRules, turn: Turn) -> Member:
    """Whoever has chosen to be busy or away meanwhile stays so, with its own reason."""
    bounces = member.bounces + 1
    if bounces < rules.bounces or member.availability != "available":
        return replace(member, bounces=bounces)
    return replace(member, bounces=0, availability="away", reason=BOUNCED, set_by=SYSTEM, set_at=turn.at)
