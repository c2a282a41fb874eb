"""In whose hands a conversation is, and what stays of where it was."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chat.errors import DeskMissing, Full
from chat.model import Routing, TeamRules
from chat.rules.hands import accepts, answered, awake, check_slots, given, handed, put_back, queued, taken, timer_id
from tests.builders import (
    AFTER_HOURS,
    FREE,
    GONE_HOME,
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

NOW = MOMENT + 1000
IN_LINE = a_conversation(team=TEAM, routing=Routing(MOMENT - 5000, skills=("th",)))


def test_who_takes_it_need_not_answer_in_time_and_the_place_is_kept() -> None:
    after = taken(IN_LINE, NOA, a_turn(NOA, IN_LINE))

    assert (after.status, after.assignee, after.handler) == ("open", NOA.id, "agent")
    assert after.routing == Routing(MOMENT - 5000, NOW, skills=("th",))


def test_who_is_given_it_must_answer_in_time() -> None:
    rules = TeamRules(TEAM, answer_seconds=20)
    moved = given(IN_LINE, a_member(NOA), a_turn(SOMCHAI, IN_LINE), rules, an_id(9))

    assert moved.conversation.routing == Routing(MOMENT - 5000, NOW, NOW + 20_000, True, skills=("th",), joined=True)
    (timer,) = moved.timers
    assert (timer.at, timer.kind, timer.conversation) == (NOW + 20_000, "routing.unanswered", IN_LINE.id)


@pytest.mark.parametrize("rules", [None, TeamRules(TEAM, policy="manual")], ids=["no team", "a manual one"])
def test_where_nothing_is_routed_nothing_goes_back_by_itself(rules: TeamRules | None) -> None:
    moved = given(IN_LINE, a_member(NOA), a_turn(SOMCHAI, IN_LINE), rules, an_id(9))

    assert moved.timers == ()
    assert moved.conversation.routing is not None
    assert moved.conversation.routing.answer_by == 0


def test_to_whom_a_colleague_hands_it_has_time_and_has_not_answered() -> None:
    after = handed(IN_LINE, NOA, a_turn(SOMCHAI, IN_LINE))

    assert after.routing == Routing(MOMENT - 5000, NOW, 0, True, skills=("th",), joined=True)


def test_an_answer_settles_it_and_changes_nothing_else() -> None:
    before = a_held_conversation(NOA, routing=Routing(MOMENT, NOW, NOW + 9, True, ("agt_b",)))

    assert answered(before) == replace(before, routing=Routing(MOMENT, NOW))
    assert answered(answered(before)) == answered(before)


def test_what_is_put_back_has_its_old_place_and_who_passed_comes_last_once() -> None:
    held = a_held_conversation(NOA, routing=Routing(MOMENT, NOW, NOW + 9, True, (NOA.id, SOMCHAI.id)))

    after = put_back(held, NOA.id)

    assert (after.status, after.assignee, after.handler) == ("queued", None, "none")
    assert after.routing == Routing(MOMENT, passed=(SOMCHAI.id, NOA.id))


def test_the_contact_does_not_go_on_reading_the_name_of_who_never_answered() -> None:
    turn = a_turn(SOMCHAI, IN_LINE)
    for moved in (
        given(IN_LINE, a_member(NOA), turn, TeamRules(TEAM), an_id(9)).conversation,
        handed(IN_LINE, NOA, turn),
    ):
        assert NOA.id in moved.people
        assert put_back(moved).people == IN_LINE.people
        assert taken(moved, SOMCHAI, turn).people.keys() == {*IN_LINE.people, SOMCHAI.id}
        assert NOA.id in put_back(answered(moved)).people
        again = given(put_back(answered(moved)), a_member(NOA), turn, TeamRules(TEAM), an_id(9)).conversation
        assert NOA.id in put_back(again).people  # she has taken part before


def test_who_had_answered_is_remembered() -> None:
    assert put_back(a_held_conversation(NOA, routing=Routing(MOMENT, NOW))).routing == Routing(MOMENT, known=NOA.id)
    assert queued(a_held_conversation(NOA), NOW).routing == Routing(NOW, known=NOA.id)


@pytest.mark.parametrize("standing", [FREE, GONE_HOME, AFTER_HOURS], ids=["free", "gone home", "after hours"])
def test_what_was_aside_is_taken_up_by_who_can_take_it(standing: object) -> None:
    before = a_held_conversation(NOA, status="resolved", team=TEAM, routing=Routing(MOMENT - 9999, MOMENT))
    desk = a_desk(a_member(NOA), standing=standing)  # type: ignore[arg-type]

    moved = awake(before, a_turn(SOMCHAI, before, desk=desk), an_id(3))

    after = moved.conversation
    assert after.assignee == (NOA.id if standing is FREE else None)
    assert after.routing is not None
    assert after.routing.queued_at == NOW  # it waits since now
    assert [decision.chosen for decision in moved.decisions] == ([NOA.id] if standing is FREE else [])


def test_nobody_accepts_beyond_the_slots_whatever_the_standing_says() -> None:
    desk = a_desk(a_member(NOA, slots=2), a_member(SOMCHAI), used={NOA.id: 2})

    assert not accepts(desk, NOA.id)
    assert accepts(desk, SOMCHAI.id)
    assert not accepts(desk, "agt_nobody")
    assert not accepts(replace(desk, is_known=False), SOMCHAI.id)


def test_only_who_is_bound_needs_a_free_slot_by_hand() -> None:
    bound = replace(NOA, is_bound=True)
    desk = a_desk(a_member(NOA, slots=1), used={NOA.id: 1})

    check_slots(a_turn(NOA))
    check_slots(a_turn(bound, desk=a_desk(a_member(NOA, slots=1))))
    with pytest.raises(Full):
        check_slots(a_turn(bound, desk=desk))
    with pytest.raises(DeskMissing):
        check_slots(a_turn(bound))


def test_a_timer_has_an_id_of_its_own_that_follows_from_its_cause() -> None:
    ids = {timer_id(an_id(1)), timer_id(an_id(1), "a"), timer_id(an_id(1), "b"), timer_id(an_id(2), "a")}

    assert len(ids) == 4
    assert {len(each) for each in ids} == {36}
    assert timer_id(an_id(1), "a") in ids
