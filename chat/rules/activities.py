"""The timeline's own lines: what happened to a conversation, as an entry."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chat.model import Audience, Change, Conversation, Entry, Turn, author_of


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


def told_to_staff(
    after: Conversation, ask_id: str, name: str, turn: Turn, data: dict[str, Any] | None = None
) -> Change:
    """The conversation as it is afterwards, with a line about it that staff alone sees."""
    seq = turn.there.seq + 1
    line = activity(ask_id, name, seq, turn, audience="staff", data=data)
    return Change(replace(after, seq=seq, cursor=turn.cursor), (line,))
