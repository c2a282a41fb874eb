"""The timeline's own lines."""

from __future__ import annotations

from chat.model import Author, Entry
from chat.rules.activities import activity, told_to_staff
from tests.builders import MOMENT, NOA, a_conversation, a_turn, an_id


def test_an_activity_says_who_did_what_and_when() -> None:
    turn = a_turn(NOA, a_conversation())

    assert activity(an_id(2), "resolved", 5, turn) == Entry(
        id=an_id(2),
        seq=5,
        born=5,
        kind="activity",
        author=Author("agent", NOA.id),
        at=MOMENT + 1000,
        activity="resolved",
    )


def test_an_activity_may_be_for_staff_and_carry_what_it_is_about() -> None:
    line = activity(an_id(2), "assigned", 5, a_turn(NOA), audience="staff", data={"team": None})

    assert (line.audience, line.data) == ("staff", {"team": None})


def test_a_line_for_staff_moves_the_conversation_by_one() -> None:
    before = a_conversation(seq=4, cursor=7)

    change = told_to_staff(before, an_id(2), "tagged", a_turn(NOA, before), {"added": ["vip"]})

    assert (change.conversation.seq, change.conversation.cursor) == (5, 8)
    (line,) = change.entries
    assert (line.id, line.activity, line.audience, line.seq) == (an_id(2), "tagged", "staff", 5)
