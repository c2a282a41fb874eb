"""A batch sees its own earlier changes: who has how much in hand, what waits, who has changed."""

from __future__ import annotations

from msgspec.structs import replace

from chat.desk import Working, held, note_hands
from chat.duty import NobodyKnows
from chat.model import Member, Routing, Standing, TeamRules
from chat.store import Hold, Rows, WaitEnd
from tests.builders import (
    FREE,
    MINE,
    MOMENT,
    NOA,
    SOMCHAI,
    TEAM,
    a_conversation,
    a_desk,
    a_held_conversation,
    a_member,
    a_move,
)


class Slots(NobodyKnows):
    """Everybody is here and has slots or hasn't."""

    def is_known(self, account: str) -> bool:
        return True

    def standing(self, member: Member, used: int, at: int) -> Standing:
        return FREE if used < member.slots else replace(FREE, status="not_accepting_chats", reason="full")


def a_working(**parts: object) -> Working:
    return Working(MINE, a_desk(a_member(NOA, slots=1), a_member(SOMCHAI), **parts), Slots(), MOMENT)  # type: ignore[arg-type]


def test_what_was_given_takes_a_slot_at_once_and_what_was_given_back_frees_it() -> None:
    waits = a_conversation(team=TEAM)
    working = a_working(queued=[waits])
    assert working.look().standings[NOA.id].status == "accepting_chats"
    taken = a_held_conversation(NOA, team=TEAM)

    working.moved(waits, taken)
    after = working.look()
    assert (after.queued, after.used[NOA.id], after.standings[NOA.id].reason) == ((), 1, "full")

    working.moved(taken, waits)
    after = working.look()
    assert (after.queued, after.used[NOA.id], after.standings[NOA.id].reason) == ((waits,), 0, "free")


def test_what_waits_for_a_team_that_nothing_is_routed_to_is_not_seen() -> None:
    working = a_working(rules=TeamRules(TEAM, policy="manual"))
    working.moved(None, a_conversation(team=TEAM))
    working.moved(None, a_conversation(id="cnv_nowhere", inbox="inb_other"))

    assert working.look().queued == ()


def test_a_member_that_has_changed_is_looked_at_again() -> None:
    working = a_working()
    assert working.look().standings[NOA.id] == FREE

    working.changed([a_member(NOA, slots=0)])

    assert working.look().standings[NOA.id].reason == "full"


def test_where_nobody_knows_who_is_present_there_are_no_standings() -> None:
    working = Working(MINE, a_desk(a_member(NOA)), NobodyKnows(), MOMENT)

    assert not working.look().is_known
    assert working.look().standings == {}


def test_only_what_is_open_is_in_somebodys_hands() -> None:
    mine = a_held_conversation(NOA)
    others = [a_held_conversation(NOA, status="resolved"), a_held_conversation(SOMCHAI), a_conversation()]

    assert held([mine, *others], [NOA.id]) == (mine,)


# --- the books ----------------------------------------------------------------------------------------------

QUEUED = a_conversation(routing=Routing(MOMENT))
GIVEN = a_held_conversation(NOA, routing=Routing(MOMENT, MOMENT + 10, unanswered=True))
TAKEN = a_held_conversation(NOA, routing=Routing(MOMENT, MOMENT + 10))


def noted(before: object, after: object) -> Rows:
    rows, move = Rows(), a_move(after, before=before)  # type: ignore[arg-type]
    assert move.before is not None
    note_hands(rows, move, move.before, MOMENT + 99)
    return rows


def test_a_wait_ends_when_somebody_takes_it_up_and_not_when_it_is_given() -> None:
    end = WaitEnd(QUEUED.id, MOMENT, MOMENT + 99, "answered")

    assert noted(QUEUED, TAKEN).wait_ends == [end]
    assert noted(GIVEN, TAKEN).wait_ends == [end]
    assert noted(QUEUED, GIVEN).wait_ends == []
    assert noted(GIVEN, QUEUED).wait_ends == []


def test_a_wait_that_nobody_took_up_is_abandoned() -> None:
    assert noted(QUEUED, replace(QUEUED, status="resolved")).wait_ends[0].outcome == "abandoned"
    assert noted(GIVEN, replace(GIVEN, status="resolved")).wait_ends[0].outcome == "abandoned"


def test_who_answers_what_it_was_given_has_not_bounced() -> None:
    assert noted(GIVEN, TAKEN).answered == [NOA.id]
    assert noted(GIVEN, QUEUED).answered == []


def test_what_was_answered_and_is_out_of_the_hands_was_held() -> None:
    hold = Hold(MINE, TAKEN.id, NOA.id, None, MOMENT + 10, MOMENT + 99)

    assert noted(TAKEN, replace(TAKEN, status="resolved")).holds == [hold]
    assert noted(TAKEN, QUEUED).holds == [hold]
    assert noted(GIVEN, QUEUED).holds == []
    assert noted(TAKEN, replace(TAKEN, seq=9)).holds == []
