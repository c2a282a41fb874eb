"""Later versions of an entry: same id, same place, a new seq. What edits, withdrawals and reactions have in common."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec.structs import replace

from chat.access import reach
from chat.errors import InvalidState
from chat.model import Change, Entry, Needs, Turn
from chat.rules.messages import preview


class NamesEntry(Protocol):
    """An ask about an entry."""

    @property
    def conversation(self) -> str: ...

    @property
    def entry(self) -> str: ...


def entry_needs(ask: NamesEntry) -> Needs:
    return Needs(conversation=ask.conversation, entry=ask.entry)


def standing(turn: Turn) -> Entry:
    """The message or note that the ask names. NotFound if the actor can't see it, InvalidState if it is withdrawn."""
    entry = reach(turn.actor, turn.entry)
    if entry.kind == "activity":
        raise InvalidState("That is no message.", field="entry")
    if entry.withdrawn:
        raise InvalidState("It was withdrawn.", field="entry")
    return entry


def version(entry: Entry, turn: Turn, **changed: Any) -> Change:
    """The conversation with the entry as it is now. The preview follows, if it is of this entry."""
    before = turn.there
    seq = before.seq + 1
    now = replace(entry, seq=seq, **changed)
    words = preview(now) if now.born == before.preview_of else before.preview
    return Change(replace(before, preview=words, seq=seq, cursor=turn.cursor), (now,))
