"""Rule: how urgent a conversation is."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from chat.model import Change, Key, Lasting, Turn
from chat.rules.activities import told_to_staff

Priority = Annotated[int, Meta(ge=0, le=3)]


class Prioritize(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.prioritize"):
    """Staff says how urgent a conversation is: 0, as all begin, to 3."""

    conversation: Key
    priority: Priority


def prioritize(ask: Prioritize, turn: Turn) -> Change | None:
    """Nothing happens if it was as urgent already."""
    conversation = turn.there
    if conversation.priority == ask.priority:
        return None
    after = replace(conversation, priority=ask.priority)
    return told_to_staff(after, ask.id, "prioritized", turn, {"priority": ask.priority, "was": conversation.priority})
