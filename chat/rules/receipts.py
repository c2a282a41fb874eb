"""Rules: how far an actor has read, and how far it has received."""

from __future__ import annotations

from msgspec.structs import replace

from chat.model import Ask, Change, Conversation, Key, Position, Seq, Turn


class Read(Ask, frozen=True, gc=False, kw_only=True, tag="read"):
    """The actor has read everything up to this seq."""

    conversation: Key
    seq: Seq


class Delivered(Ask, frozen=True, gc=False, kw_only=True, tag="delivered"):
    """The actor's device has everything up to this seq."""

    conversation: Key
    seq: Seq


def read(ask: Read, turn: Turn) -> Change | None:
    """A position never goes back, nor beyond what exists. What is read is delivered too."""
    conversation, before = turn.there, _position(turn)
    seq = min(ask.seq, conversation.seq)
    seen = conversation.messages if seq >= conversation.contact_seq and turn.actor.is_staff else before.seen
    return _moved(turn, before, Position(max(seq, before.read), max(seq, before.delivered), seen))


def delivered(ask: Delivered, turn: Turn) -> Change | None:
    """A position never goes back, nor beyond what exists."""
    before = _position(turn)
    seq = min(ask.seq, turn.there.seq)
    return _moved(turn, before, Position(before.read, max(seq, before.delivered), before.seen))


def _position(turn: Turn) -> Position:
    return turn.there.positions.get(turn.actor.id, _NOWHERE)


def _moved(turn: Turn, before: Position, after: Position) -> Change | None:
    if after == before:
        return None
    conversation: Conversation = turn.there
    positions = {**conversation.positions, turn.actor.id: after}
    return Change(replace(conversation, positions=positions, seq=conversation.seq + 1, cursor=turn.cursor))


_NOWHERE = Position()
