"""Rules: resolve a conversation, reopen it."""

from __future__ import annotations

from msgspec.structs import replace

from chat.model import Change, Key, Lasting, Turn
from chat.rules.activities import activity
from chat.rules.hands import Moved, answered, awake, check_slots, taken


class Resolve(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.resolve"):
    """Staff says that the matter is settled."""

    conversation: Key


class Reopen(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.reopen"):
    """Staff takes up a settled matter again."""

    conversation: Key


def resolve(ask: Resolve, turn: Turn) -> Change | None:
    """Nobody waits any more. Nothing happens if it was resolved already."""
    conversation = turn.there
    if conversation.status == "resolved":
        return None
    seq = conversation.seq + 1
    after = replace(
        answered(conversation), status="resolved", waiting_since=None, snoozed_until=None, seq=seq, cursor=turn.cursor
    )
    return Change(after, (activity(ask.id, "resolved", seq, turn),))


def reopen(ask: Reopen, turn: Turn) -> Change | None:
    """Open again with whoever had it, if that is the actor or can take it now; else in the queue. Nothing happens if it
    wasn't resolved."""
    conversation, actor = turn.there, turn.actor
    if conversation.status != "resolved":
        return None
    if conversation.assignee == actor.id:
        check_slots(turn)
        moved = Moved(taken(conversation, actor, turn))
    else:
        moved = awake(conversation, turn, ask.id)
    seq = conversation.seq + 1
    after = replace(moved.conversation, seq=seq, cursor=turn.cursor)
    lines = (activity(ask.id, "reopened", seq, turn),)
    return Change(after, lines, timers=moved.timers, decisions=moved.decisions)
