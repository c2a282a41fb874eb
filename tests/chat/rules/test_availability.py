"""What an agent chooses stays, and what the service sees is written down with its cause."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chat.access import SYSTEM, system
from chat.errors import Busy, Forbidden, NotFound
from chat.model import Change, Desk, Member, Routing, RowChange, Standing
from chat.rules.availability import Observe, SetAvailability, observe, set_availability
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
AWAY = Standing("not_accepting_chats", "away", None, True, "on_shift")
GIVEN = a_held_conversation(NOA, team=TEAM, routing=Routing(MOMENT, MOMENT, NOW + 9, True))
TALKED = a_held_conversation(NOA, id="cnv_talked", team=TEAM, routing=Routing(MOMENT, MOMENT))
FREE_NOA = a_member(NOA, status="accepting_chats", status_reason="free", status_at=MOMENT)


def chosen(ask: SetAvailability, desk: Desk | None = None, by: object = NOA) -> Member | None:
    turn = a_turn(by, desk=desk or a_desk(a_member(NOA, bounces=2), a_member(SOMCHAI)))  # type: ignore[arg-type]
    change = set_availability(ask, turn)
    return change.members[0] if change else None


def test_a_choice_is_written_with_who_made_it_and_when() -> None:
    after = chosen(SetAvailability(availability="away", reason="Lunch"))

    assert after is not None
    assert (after.availability, after.reason, after.set_by, after.set_at) == ("away", "Lunch", NOA.id, NOW)
    assert after.bounces == 0
    assert not after.finishes


def test_what_was_so_already_is_not_written_again() -> None:
    assert chosen(SetAvailability(availability="available")) is None
    assert chosen(SetAvailability(availability="available", finish=True)) is not None


def test_only_supervisors_and_admins_choose_for_others() -> None:
    ask = SetAvailability(availability="busy", agent=SOMCHAI.id)

    with pytest.raises(Forbidden):
        chosen(ask)
    after = chosen(ask, by=replace(NOA, role="supervisor"))
    assert after is not None
    assert (after.id, after.set_by) == (SOMCHAI.id, NOA.id)
    with pytest.raises(NotFound):
        chosen(SetAvailability(availability="busy", agent="agt_nobody"), by=replace(NOA, role="admin"))


def observed(
    member: Member, standing: Standing, *held: object, idle: bool | None = None, cause: str = "shift"
) -> tuple[Change, ...] | RowChange | None:
    desk = a_desk(member, standing=standing)
    ask = Observe(id=an_id(4), members=(member.id,), cause=cause, idle=idle)
    return observe(ask, a_turn(US, desk=desk, held=held, cursor=7))


def test_a_status_is_written_with_its_cause_and_the_same_one_never_twice() -> None:
    change = observed(a_member(NOA), FREE, cause="connected")

    assert isinstance(change, RowChange)
    (line,), (member,) = change.statuses, change.members
    assert (line.status, line.reason, line.cause, line.at) == ("accepting_chats", "free", "connected", NOW)
    assert (member.status, member.status_reason, member.status_at) == ("accepting_chats", "free", NOW)
    assert observed(member, FREE) is None


def test_another_end_of_the_same_status_is_no_line() -> None:
    change = observed(FREE_NOA, replace(FREE, until=NOW + 9))

    assert isinstance(change, RowChange)
    assert change.statuses == ()
    assert (change.members[0].status_until, change.members[0].status_at) == (NOW + 9, MOMENT)


def test_who_vanishes_loses_what_it_was_given_and_has_time_for_what_is_in_progress() -> None:
    changes = observed(FREE_NOA, GONE_HOME, GIVEN, TALKED, cause="disconnected")

    assert isinstance(changes, tuple)
    (change,) = changes
    assert (change.conversation.id, change.conversation.status) == (GIVEN.id, "queued")
    assert [decision.kind for decision in change.decisions] == ["returned"]
    (timer,) = change.timers
    assert (timer.kind, timer.conversation, timer.at) == ("routing.return", TALKED.id, NOW + 300_000)
    assert [line.reason for line in change.statuses] == ["not_present"]


def test_nobody_is_waited_for_beyond_the_end_of_its_shift_but_who_wants_to_finish() -> None:
    gone = replace(GONE_HOME, shift_ends_at=NOW + 60_000)
    times = []
    for member in (FREE_NOA, replace(FREE_NOA, finishes=True)):
        change = observed(member, gone, TALKED, cause="disconnected")
        assert isinstance(change, RowChange)
        times += [timer.at for timer in change.timers]

    assert times == [NOW + 60_000, NOW + 300_000]


def test_at_the_end_of_a_shift_everything_is_handed_over_or_finished() -> None:
    changes = observed(FREE_NOA, AFTER_HOURS, GIVEN, TALKED)

    assert isinstance(changes, tuple)
    assert [change.decisions[0].kind for change in changes] == ["handed_over", "handed_over"]
    assert [change.conversation.cursor for change in changes] == [7, 8]
    assert [change.conversation.status for change in changes] == ["queued", "queued"]
    assert isinstance(observed(replace(FREE_NOA, finishes=True), AFTER_HOURS, GIVEN, TALKED), RowChange)


def test_who_vanished_just_before_the_end_of_a_shift_hands_over_when_it_is_seen_later() -> None:
    gone = replace(GONE_HOME, shift="off_shift")
    change = observed(FREE_NOA, gone, GIVEN, TALKED)

    assert isinstance(change, tuple)
    assert [each.decisions[0].kind for each in change] == ["handed_over", "handed_over"]
    assert [timer for each in change for timer in each.timers] == []

    # Who wants to finish, or wasn't on shift before either, has time to come back.
    for member in (replace(FREE_NOA, finishes=True), replace(FREE_NOA, status="offline", status_reason="off_shift")):
        change = observed(member, gone, TALKED)
        assert isinstance(change, RowChange)
        assert [timer.at for timer in change.timers] == [NOW + 300_000]


def test_finishing_is_for_one_shift() -> None:
    after_hours = a_member(NOA, finishes=True, status="offline", status_reason="off_shift")
    change = observed(after_hours, FREE)

    assert isinstance(change, RowChange)
    assert not change.members[0].finishes


def test_who_does_nothing_is_away_by_us_until_the_next_act() -> None:
    change = observed(FREE_NOA, FREE, idle=True)
    assert isinstance(change, RowChange)
    (idle,) = change.members
    assert (idle.availability, idle.reason, idle.set_by) == ("away", "idle", SYSTEM)

    seen = observed(idle, AWAY)
    assert isinstance(seen, RowChange)
    assert [(line.reason, line.cause) for line in seen.statuses] == [("away", "idle")]

    back = observed(seen.members[0], AWAY, idle=False)
    assert isinstance(back, RowChange)
    assert back.members[0].availability == "available"


def test_what_they_chose_themselves_is_never_touched() -> None:
    busy = a_member(NOA, availability="busy", status="not_accepting_chats", status_reason="away")
    lunch = a_member(NOA, availability="away", reason="idle", set_by=NOA.id, status="x", status_reason="away")

    for member, idle in ((busy, True), (lunch, False)):
        change = observed(replace(member, status=AWAY.status), AWAY, idle=idle)
        assert change is None


def test_nothing_is_written_of_whom_nobody_knows() -> None:
    assert observed(FREE_NOA, replace(GONE_HOME, reason="unknown"), GIVEN) is None
    with pytest.raises(Busy):
        observe(Observe(id=an_id(4), members=(NOA.id,), cause="x"), a_turn(US, desk=a_desk(is_known=False)))


def test_what_is_held_by_somebody_who_does_not_work_here_any_more_goes_back() -> None:
    ask = Observe(id=an_id(4), members=("agt_gone",), cause="deactivated")
    held = a_conversation(status="open", assignee="agt_gone", handler="agent")

    changes = observe(ask, a_turn(US, desk=a_desk(), held=(held,)))

    assert isinstance(changes, tuple)
    assert changes[0].conversation.assignee is None
