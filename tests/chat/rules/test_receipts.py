"""Positions: never back, never beyond what exists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.model import Actor, Change, Conversation, Position
from chat.rules.receipts import Delivered, Read, delivered, read
from tests.builders import DANA, NOA, SOMCHAI, a_conversation, a_turn

SEQS = st.integers(0, 30)


def has_read(actor: Actor, conversation: Conversation, seq: int) -> Change | None:
    return read(Read(conversation=conversation.id, seq=seq), a_turn(actor, conversation))


def has_got(actor: Actor, conversation: Conversation, seq: int) -> Change | None:
    return delivered(Delivered(conversation=conversation.id, seq=seq), a_turn(actor, conversation))


def test_a_position_is_a_change_without_entries() -> None:
    change = has_read(DANA, a_conversation(seq=4, cursor=9), 3)

    assert change is not None
    assert change.entries == ()
    assert (change.conversation.seq, change.conversation.cursor) == (5, 10)
    assert change.conversation.positions == {DANA.id: Position(3, 3)}


def test_what_is_read_is_delivered_but_not_the_other_way_round() -> None:
    change = has_got(DANA, a_conversation(seq=4), 3)

    assert change is not None
    assert change.conversation.positions == {DANA.id: Position(0, 3)}


def test_other_peoples_positions_stay() -> None:
    before = a_conversation(seq=9, positions={NOA.id: Position(2, 2, 1)})

    change = has_read(DANA, before, 3)

    assert change is not None
    assert change.conversation.positions[NOA.id] == Position(2, 2, 1)
    assert before.positions.keys() == {NOA.id}  # the value from before is left alone


@pytest.mark.parametrize("seq", [0, 2, 3])
def test_a_position_that_is_behind_changes_nothing(seq: int) -> None:
    before = a_conversation(seq=9, positions={DANA.id: Position(3, 5)})

    assert has_read(DANA, before, seq) is None
    assert has_got(DANA, before, seq) is None


def test_nobody_has_read_what_does_not_exist_yet() -> None:
    change = has_read(DANA, a_conversation(seq=4), 2**53 - 1)

    assert change is not None
    assert change.conversation.positions == {DANA.id: Position(4, 4)}


def test_staff_that_read_to_the_contacts_last_message_has_seen_all_of_them() -> None:
    before = a_conversation(seq=9, messages=3, contact_seq=7)

    beyond, short = has_read(NOA, before, 7), has_read(NOA, before, 6)

    assert beyond is not None
    assert short is not None
    assert beyond.conversation.positions == {NOA.id: Position(7, 7, 3)}
    assert short.conversation.positions == {NOA.id: Position(6, 6, 0)}


def test_a_contact_counts_nothing() -> None:
    change = has_read(DANA, a_conversation(seq=9, messages=3, contact_seq=7), 9)

    assert change is not None
    assert change.conversation.positions == {DANA.id: Position(9, 9, 0)}


@given(st.lists(st.tuples(st.sampled_from([DANA, NOA, SOMCHAI]), st.booleans(), SEQS), max_size=12))
def test_positions_never_go_back_whatever_is_asked(asks: list[tuple[Actor, bool, int]]) -> None:
    conversation = a_conversation(seq=20, messages=5, contact_seq=18)
    for actor, is_read, seq in asks:
        change = (has_read if is_read else has_got)(actor, conversation, seq)
        if change is None:
            continue
        before, after = conversation.positions.get(actor.id, Position()), change.conversation.positions[actor.id]
        conversation = change.conversation

        assert after.read >= before.read
        assert after.delivered >= before.delivered
        assert after.seen >= before.seen
        assert after.read <= after.delivered <= conversation.seq
