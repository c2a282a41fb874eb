"""The timeline's own lines: what happened to a conversation, as an entry."""

from __future__ import annotations

from typing import Any

from chat.model import Audience, Entry, Turn, author_of


def activity(
    entry_id: str,
    name: str,
    seq: int,
    turn: Turn,
    *,
    audience: Audience = "everyone",
    data: dict[str, Any] | None = None,
) -> Entry:
    """An entry that says what this turn did to the conversation."""
    return Entry(
        id=entry_id,
        seq=seq,
        born=seq,
        kind="activity",
        author=author_of(turn.actor.id),
        at=turn.at,
        activity=name,
        data=data,
        audience=audience,
    )
