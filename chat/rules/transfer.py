"""Rule: hand a conversation on to somebody or to a team."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from chat.errors import Full, InvalidState, NotFound
from chat.model import TEXT_LIMIT, Change, Conversation, Decision, Desk, Entry, Key, Lasting, Member, Needs, Turn
from chat.routing import kept_waiting, route
from chat.rules.activities import activity
from chat.rules.follow import FOLLOWERS
from chat.rules.hands import Moved, accepts, candidate, desk_of, given, put_back
from chat.rules.messages import line, spoken
from chat.waiting import waiting

TEAM = "tem_"


class Transfer(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.transfer"):
    """Staff hands a conversation on to an agent, a bot or a team (`to`), with a note if there is something to say.

    `when_full` says what happens when nobody there can take it: it waits in the queue, or the ask is refused.
    """

    conversation: Key
    to: Key
    note: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    keep_following: bool = False
    when_full: Literal["queue", "refuse"] = "queue"


def transfer_needs(ask: Transfer) -> Needs:
    """Its own entry too: a resend finds there what came of it."""
    return Needs(conversation=ask.conversation, entry=ask.id, desk=True)


def transfer(ask: Transfer, turn: Turn) -> Change:
    """It is given to the one named, or to who of the team routing would choose; else it waits in the queue for them, in
    its old place. The contact sees one line. Full if nobody can take it and it isn't to wait."""
    conversation = turn.there
    if conversation.status == "resolved":
        raise InvalidState("A resolved conversation is reopened before it is transferred.")
    if ask.to == conversation.assignee:
        raise InvalidState("It is in these hands already.", field="to")
    moved = _to_team(ask, turn) if ask.to.startswith(TEAM) else _to_member(ask, turn)
    after = moved.conversation
    outcome = "queued" if after.assignee is None else "assigned"
    if outcome == "queued" and ask.when_full == "refuse":
        raise Full
    if ask.keep_following:
        after = _followed(after, turn.actor.id)
    seq = conversation.seq + 1
    return Change(
        replace(after, seq=seq, cursor=turn.cursor),
        _lines(ask, after, outcome, seq, turn),
        timers=moved.timers,
        decisions=moved.decisions,
        members=_assigned(desk_of(turn), after, turn),
        outcome=outcome,
    )


def _to_member(ask: Transfer, turn: Turn) -> Moved:
    conversation, desk = turn.there, desk_of(turn)
    member = desk.members.get(ask.to)
    if member is None:
        raise NotFound(field="to")
    rules = desk.teams.get(conversation.team or "")
    if accepts(desk, member.id):
        moved = given(_unpassed(conversation, turn), member, turn, rules, ask.id)
        decided = candidate(desk, member, "chosen")
    else:
        waits = put_back(conversation, _leaving(conversation, turn))
        routing = waits.routing
        moved = Moved(replace(waits, routing=routing and replace(routing, known=member.id)))
        decided = candidate(desk, member, desk.standings[member.id].reason if desk.is_known else "unknown")
    chosen = moved.conversation.assignee
    decision = Decision(
        turn.actor.account,
        conversation.id,
        turn.at,
        "transferred",
        chosen,
        conversation.team,
        turn.actor.id,
        (decided,),
    )
    return replace(moved, decisions=(decision,))


def _to_team(ask: Transfer, turn: Turn) -> Moved:
    conversation, desk = turn.there, desk_of(turn)
    if ask.to not in desk.teams:
        raise NotFound(field="to")
    waits = replace(put_back(conversation, _leaving(conversation, turn)), team=ask.to)
    in_line = waiting(waits, desk.inboxes, waits.routing.skills if waits.routing else ())
    facts = (desk.members, desk.used, desk.standings, desk.teams, turn.at, turn.actor.id)
    decisions = route([in_line], *facts) if desk.is_known else []
    if not decisions:
        return Moved(waits, decisions=(replace(kept_waiting(in_line, *facts), kind="transferred"),))
    decision = replace(decisions[0], kind="transferred")
    chosen = desk.members[decision.chosen or ""]
    moved = given(waits, chosen, turn, desk.teams[ask.to], ask.id)
    return replace(moved, decisions=(decision,))


def _leaving(conversation: Conversation, turn: Turn) -> str | None:
    """Whoever hands on its own conversation gets it back only if there is nobody else."""
    return turn.actor.id if conversation.assignee == turn.actor.id else None


def _unpassed(conversation: Conversation, turn: Turn) -> Conversation:
    waits = put_back(conversation, _leaving(conversation, turn))
    return replace(conversation, routing=waits.routing, people=waits.people)


def _assigned(desk: Desk, after: Conversation, turn: Turn) -> tuple[Member, ...]:
    return () if after.assignee is None else (replace(desk.members[after.assignee], assigned_at=turn.at),)


def _followed(conversation: Conversation, actor: str) -> Conversation:
    if actor in conversation.followers:
        return conversation
    if len(conversation.followers) >= FOLLOWERS:
        raise InvalidState(f"A conversation has at most {FOLLOWERS} followers.", field="keep_following")
    return replace(conversation, followers=(*conversation.followers, actor))


def _lines(ask: Transfer, after: Conversation, outcome: str, seq: int, turn: Turn) -> tuple[Entry, ...]:
    """What the contact may read says nothing of who it was and who it is."""
    what = {"to": ask.to, "assignee": after.assignee, "team": after.team}
    lines = [
        activity(ask.id, "transferred", seq, turn, data={"queued": outcome == "queued"}),
        activity(f"{ask.id}-assigned", "assigned", seq, turn, audience="staff", data=what),
    ]
    if ask.note:
        lines.append(line(f"{ask.id}-note", "note", spoken(ask.note), seq, turn))
    return tuple(lines)
