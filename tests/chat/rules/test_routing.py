"""Giving out what waits, and taking back what isn't answered or is in nobody's care any more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chat.access import system
from chat.errors import Busy
from chat.model import Availability, Change, Conversation, Desk, Routing, TeamRules
from chat.rules.routing import Return, Run, Unanswered, back, run, unanswered
from tests.builders import (
    AFTER_HOURS,
    FREE,
    GONE_HOME,
    MINE,
    MOMENT,
    NOA,
    SOMCHAI,
    TEAM,
    a_conversation,
    a_desk,
    a_held_conversation,
    a_member,
    a_turn,
    an_id,
)

US = system(MINE)
NOW = MOMENT + 1000
WAITING = tuple(a_conversation(id=f"cnv_{n}", routing=Routing(MOMENT + n)) for n in range(3))
GIVEN = a_held_conversation(NOA, team=TEAM, routing=Routing(MOMENT, MOMENT, NOW, True))
TALKED = a_held_conversation(NOA, team=TEAM, routing=Routing(MOMENT - 900_000, MOMENT - 900_000))


def ran(desk: Desk) -> tuple[Change, ...]:
    return run(Run(id=an_id(5)), a_turn(US, desk=desk, cursor=7)) or ()


def test_each_change_has_its_own_cursor_entry_and_decision_and_the_first_the_asks_id() -> None:
    changes = ran(a_desk(a_member(NOA, slots=1), a_member(SOMCHAI, slots=1), queued=WAITING))

    assert [change.conversation.id for change in changes] == ["cnv_0", "cnv_1"]
    assert [change.conversation.cursor for change in changes] == [7, 8]
    assert [change.entries[0].id for change in changes] == [an_id(5), f"{an_id(5)}-1"]
    assert {change.conversation.assignee for change in changes} == {NOA.id, SOMCHAI.id}
    for change in changes:
        (decision,), (member,) = change.decisions, change.members
        assert (decision.kind, decision.chosen, decision.by) == ("routed", change.conversation.assignee, US.id)
        assert {row.member for row in decision.candidates} == {NOA.id, SOMCHAI.id}
        assert (member.id, member.assigned_at) == (decision.chosen, NOW)
        assert (change.conversation.team, change.entries[0].audience) == (TEAM, "staff")


def test_where_nobody_can_take_anything_nothing_happens() -> None:
    assert ran(a_desk(a_member(NOA), standing=GONE_HOME, queued=WAITING)) == ()
    assert ran(a_desk(a_member(NOA))) == ()


def test_nothing_is_routed_before_it_is_known_who_is_here() -> None:
    with pytest.raises(Busy):
        ran(a_desk(a_member(NOA), queued=WAITING, is_known=False))


def test_the_language_of_the_contact_is_looked_for() -> None:
    thai = replace(WAITING[0], routing=Routing(MOMENT, skills=("th",)))
    desk = a_desk(a_member(NOA), a_member(SOMCHAI, skills=("th",)), queued=[thai])

    assert [change.conversation.assignee for change in ran(desk)] == [SOMCHAI.id]


def unanswered_by(conversation: Conversation, desk: Desk, at: int = NOW) -> Change | None:
    return unanswered(Unanswered(id=an_id(6), conversation=conversation.id), a_turn(US, conversation, desk=desk, at=at))


def test_what_was_not_answered_goes_back_and_is_counted() -> None:
    change = unanswered_by(GIVEN, a_desk(a_member(NOA, bounces=1)))

    assert change is not None
    assert change.conversation.routing == Routing(MOMENT, passed=(NOA.id,))
    assert (change.entries[0].activity, change.entries[0].audience) == ("bounced", "staff")
    assert [(member.bounces, member.availability) for member in change.members] == [(2, "available")]
    assert [row.verdict for row in change.decisions[0].candidates] == ["bounced"]


def test_the_last_bounce_sets_away() -> None:
    change = unanswered_by(GIVEN, a_desk(a_member(NOA, bounces=1), rules=TeamRules(TEAM, bounces=2)))

    assert change is not None
    (member,) = change.members
    assert (member.availability, member.reason, member.set_by, member.bounces) == ("away", "bounced", US.id, 0)


@pytest.mark.parametrize("choice", ["away", "busy"])
def test_the_last_bounce_leaves_alone_what_was_chosen_meanwhile(choice: Availability) -> None:
    chosen = a_member(NOA, bounces=1, availability=choice, reason="lunch", set_by=NOA.id)

    change = unanswered_by(GIVEN, a_desk(chosen, rules=TeamRules(TEAM, bounces=2)))

    assert change is not None
    (member,) = change.members
    assert (member.availability, member.reason, member.set_by, member.bounces) == (choice, "lunch", NOA.id, 2)


def test_what_was_answered_or_has_time_yet_stays() -> None:
    desk = a_desk(a_member(NOA))

    assert unanswered_by(TALKED, desk) is None
    assert unanswered_by(GIVEN, desk, at=NOW - 1) is None
    assert unanswered_by(replace(GIVEN, status="resolved"), desk) is None
    assert unanswered_by(a_conversation(), desk) is None


def returned(desk: Desk, conversation: Conversation = TALKED) -> Change | None:
    return back(Return(id=an_id(6), conversation=conversation.id), a_turn(US, conversation, desk=desk))


def test_what_was_in_progress_goes_back_only_from_who_is_still_away_for_long_enough() -> None:
    away_since = {0: NOW - 300_000, 1: NOW - 299_999}
    desks = [a_desk(a_member(NOA, status_at=at), standing=GONE_HOME) for at in away_since.values()]

    assert returned(desks[0]) is not None
    assert returned(desks[1]) is None
    assert returned(a_desk(a_member(NOA), standing=FREE)) is None
    assert returned(a_desk(), a_conversation()) is None
    assert returned(a_desk()) is not None  # doesn't work here any more


def test_what_was_given_to_somebody_who_is_away_goes_back_so_long_after_that() -> None:
    home, after_hours = [a_desk(a_member(NOA), standing=standing) for standing in (GONE_HOME, AFTER_HOURS)]
    anew, long_ago = [replace(TALKED, routing=Routing(1, NOW - ago, unanswered=True)) for ago in (299_999, 300_000)]

    assert returned(home, anew) is None
    for desk in (home, after_hours):
        assert returned(desk, long_ago) is not None
    assert returned(after_hours) is None  # what one talks about, though it is late, is one's own


def test_what_was_in_progress_with_who_vanished_goes_back_at_the_end_of_its_shift() -> None:
    over = replace(GONE_HOME, shift="off_shift")
    vanished = a_member(NOA, status_at=NOW - 1000)

    assert returned(a_desk(vanished, standing=over)) is not None
    assert returned(a_desk(replace(vanished, finishes=True), standing=over)) is None


def test_nothing_goes_back_while_it_is_not_known_where_somebody_is() -> None:
    unknown = replace(GONE_HOME, reason="unknown")
    for desk in (a_desk(a_member(NOA), standing=unknown), a_desk(a_member(NOA), is_known=False)):
        with pytest.raises(Busy):
            returned(desk)
