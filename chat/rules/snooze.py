"""Rules: put a conversation aside until a moment, and wake it then."""

from __future__ import annotations

from hashlib import blake2b

from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState
from chat.model import Change, Conversation, Key, Lasting, Seq, Timer, Turn
from chat.rules.activities import told_to_staff

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
        return _woken(ask.id, turn) if conversation.status == "snoozed" else None
    if ask.until <= turn.at:
        raise BadRequest("This moment is over.", field="until")
    if ask.until > turn.at + LONGEST_MS:
        raise BadRequest("That is more than a year from now.", field="until")
    if conversation.status == "resolved":
        raise InvalidState("A resolved conversation is reopened before it is snoozed.")
    if conversation.snoozed_until == ask.until:
        return None
    after = replace(conversation, status="snoozed", snoozed_until=ask.until)
    change = told_to_staff(after, ask.id, "snoozed", turn, {"until": ask.until})
    return replace(change, timers=(Timer(_timer_id(ask.id), ask.until, WAKE, conversation.id),))


def wake(ask: Wake, turn: Turn) -> Change | None:
    """Open again, unless it was taken up before or put aside for longer."""
    until = turn.there.snoozed_until
    return _woken(ask.id, turn) if until is not None and until <= turn.at else None


def awake(conversation: Conversation) -> Conversation:
    """Taken up again: with whoever has it, else in the queue."""
    return replace(conversation, status="open" if conversation.assignee else "queued", snoozed_until=None)


def _woken(ask_id: str, turn: Turn) -> Change:
    return told_to_staff(awake(turn.there), ask_id, "woke", turn)


def _timer_id(cause: str) -> str:
    """As every ask's id is, since the wake-up is one; from its cause, so that a resend sets no second timer."""
    digest = blake2b(cause.encode(), digest_size=10, person=b"conversation").hexdigest()
    return f"{cause[:13]}-{digest[:4]}-{digest[4:8]}-{digest[8:]}"
