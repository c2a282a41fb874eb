"""Rules: put a conversation aside until a moment, and wake it then."""

from __future__ import annotations

from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState
from chat.model import Actor, Change, Key, Lasting, Seq, Timer, Turn
from chat.rules.activities import told_to_staff
from chat.rules.hands import Moved, answered, awake, check_slots, taken, timer_id

LONGEST_MS = 366 * 24 * 3600 * 1000
WAKE = "conversation.wake"


class Snooze(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.snooze"):
    """Staff puts a conversation aside until a moment (ms), at most a year; null takes it up again at once."""

    conversation: Key
    until: Seq | None


class Wake(Lasting, frozen=True, gc=False, kw_only=True, tag=WAKE):
    """The service takes up a conversation whose time has come."""

    conversation: Key


def snooze(ask: Snooze, turn: Turn) -> Change | None:
    """Put aside until then; an earlier end doesn't count any more. Nothing happens if that is its end already."""
    conversation = turn.there
    if ask.until is None:
        return _woken(ask.id, turn, turn.actor) if conversation.status == "snoozed" else None
    if ask.until <= turn.at:
        raise BadRequest("This moment is over.", field="until")
    if ask.until > turn.at + LONGEST_MS:
        raise BadRequest("That is more than a year from now.", field="until")
    if conversation.status == "resolved":
        raise InvalidState("A resolved conversation is reopened before it is snoozed.")
    if conversation.snoozed_until == ask.until:
        return None
    after = replace(answered(conversation), status="snoozed", snoozed_until=ask.until)
    change = told_to_staff(after, ask.id, "snoozed", turn, {"until": ask.until})
    return replace(change, timers=(Timer(timer_id(ask.id), ask.until, WAKE, conversation.id),))


def wake(ask: Wake, turn: Turn) -> Change | None:
    """Open again, unless it was taken up before or put aside for longer."""
    until = turn.there.snoozed_until
    return _woken(ask.id, turn) if until is not None and until <= turn.at else None


def _woken(ask_id: str, turn: Turn, actor: Actor | None = None) -> Change:
    """By its assignee if that is who wakes it, or who can take it; else from the queue."""
    conversation = turn.there
    if actor is not None and actor.id == conversation.assignee:
        check_slots(turn)
        moved = Moved(taken(conversation, actor, turn))
    else:
        moved = awake(conversation, turn, ask_id)
    change = told_to_staff(moved.conversation, ask_id, "woke", turn)
    return replace(change, timers=moved.timers, decisions=moved.decisions)
