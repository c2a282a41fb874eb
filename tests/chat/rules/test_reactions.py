"""Reactions: to what, by which emoji, and how many."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState, NotFound
from chat.model import Actor, Change, Entry
from chat.rules.reactions import EMOJI_LIMIT, REACTIONS_LIMIT, React, react
from tests.builders import DANA, ECHO, NOA, a_held_conversation, a_message, a_note, a_turn, an_activity, an_id

HERE = a_held_conversation(seq=3, preview="Where is my parcel?", preview_of=1)


def reacted(actor: Actor, entry: Entry | None, emoji: str = "👍", *, on: bool = True) -> Change | None:
    ask = React(id=an_id(9), conversation=HERE.id, entry=an_id(1), emoji=emoji, on=on)
    return react(ask, a_turn(actor, HERE, entry=entry))


def reactions(change: Change | None) -> dict[str, tuple[str, ...]]:
    assert change is not None
    (entry,) = change.entries
    return entry.reactions


@pytest.mark.parametrize("actor", [DANA, NOA, ECHO])
def test_anybody_reacts_to_a_message_and_nothing_else_moves(actor: Actor) -> None:
    change = reacted(actor, a_message())

    assert change is not None
    assert change.entries == (replace(a_message(), seq=4, reactions={"👍": (actor.id,)}),)
    assert change.conversation == replace(HERE, seq=4, cursor=HERE.cursor + 1)


def test_reactions_stand_in_the_order_they_came_each_actor_once() -> None:
    entry = replace(a_message(), reactions={"👍": (NOA.id,)})

    assert reactions(reacted(DANA, entry)) == {"👍": (NOA.id, DANA.id)}
    assert reactions(reacted(NOA, entry, "❤️")) == {"👍": (NOA.id,), "❤️": (NOA.id,)}
    assert reacted(NOA, entry) is None


def test_a_reaction_taken_back_leaves_the_others() -> None:
    entry = replace(a_message(), reactions={"👍": (NOA.id, DANA.id), "❤️": (NOA.id,)})

    assert reactions(reacted(NOA, entry, on=False)) == {"👍": (DANA.id,), "❤️": (NOA.id,)}
    assert reactions(reacted(NOA, entry, "❤️", on=False)) == {"👍": (NOA.id, DANA.id)}
    assert reacted(DANA, entry, "❤️", on=False) is None


def test_a_note_is_for_staffs_reactions_alone() -> None:
    assert reacted(NOA, a_note()) is not None
    with pytest.raises(NotFound):
        reacted(DANA, a_note())
    with pytest.raises(NotFound):
        reacted(DANA, None)


@pytest.mark.parametrize("entry", [an_activity("claimed"), replace(a_message(), text="", withdrawn=True)])
def test_nobody_reacts_to_activities_and_what_is_withdrawn(entry: Entry) -> None:
    with pytest.raises(InvalidState):
        reacted(NOA, entry)


def test_an_entry_has_so_many_different_reactions_at_most() -> None:
    full = replace(a_message(), reactions={chr(0x1F600 + n): (DANA.id,) for n in range(REACTIONS_LIMIT)})

    with pytest.raises(InvalidState):
        reacted(NOA, full, "👍")
    assert len(reactions(reacted(NOA, full, chr(0x1F600)))) == REACTIONS_LIMIT


GOOD = [
    "👍",
    "👍🏽",
    "❤️",
    "❤",
    "ℹ️",
    "1️⃣",
    "#️⃣",
    "🇹🇭",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "👁️‍🗨️",
    "🏴\U000e0067\U000e0062\U000e007f",
    "\U0001fae9",
]


@pytest.mark.parametrize("emoji", GOOD)
def test_one_emoji_is_a_reaction(emoji: str) -> None:
    assert len(emoji) <= EMOJI_LIMIT
    assert reactions(reacted(DANA, a_message(), emoji)) == {emoji: (DANA.id,)}


@pytest.mark.parametrize(
    "emoji", ["", "a", "1", "ok", "ไ", "👍👍", "👍 ", "\u200b", "\u202e👍", "e\u0301", "<b>", "\u200d"]
)
def test_anything_else_is_not(emoji: str) -> None:
    with pytest.raises(BadRequest) as refused:
        reacted(DANA, a_message(), emoji)

    assert refused.value.field == "emoji"
