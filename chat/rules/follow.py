"""Rule: who of the staff hears a conversation whole without having it."""

from __future__ import annotations

from msgspec.structs import replace

from chat.errors import Forbidden, InvalidState, NotFound
from chat.model import Change, Key, Lasting, Needs, Turn
from chat.rules.activities import told_to_staff

FOLLOWERS = 20  # each of them is one more peer that every change goes to


class Follow(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.follow"):
    """Staff follows a conversation or stops it. Supervisors and admins may name somebody else as `actor`."""

    conversation: Key
    on: bool
    actor: Key | None = None


def follow_needs(ask: Follow) -> Needs:
    return Needs(conversation=ask.conversation, actor=ask.actor)


def follow(ask: Follow, turn: Turn) -> Change | None:
    """Nothing happens if the one meant followed already, or didn't."""
    conversation = turn.there
    who = turn.actor.id if ask.actor is None else ask.actor
    if who != turn.actor.id and turn.actor.role not in ("supervisor", "admin"):
        raise Forbidden(field="actor")
    if (who in conversation.followers) == ask.on:
        return None
    if not ask.on:
        left = tuple(each for each in conversation.followers if each != who)
        return told_to_staff(replace(conversation, followers=left), ask.id, "unfollowed", turn, {"actor": who})
    if who != turn.actor.id and (turn.other is None or not turn.other.is_staff or not turn.other.active):
        raise NotFound(field="actor")
    if len(conversation.followers) >= FOLLOWERS:
        raise InvalidState(f"A conversation has at most {FOLLOWERS} followers.")
    after = replace(conversation, followers=(*conversation.followers, who))
    return told_to_staff(after, ask.id, "followed", turn, {"actor": who})
