"""Handing on: to whom, with what, and what the contact reads of it."""

from __future__ import annotations

import pytest

from chat.access import contact_entries
from chat.errors import Full, InvalidState, NotFound
from chat.model import Change, Conversation, Desk, Routing, TeamRules
from chat.rules.transfer import Transfer, transfer, transfer_needs
from tests.builders import (
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
HERE = a_held_conversation(NOA, team=TEAM, routing=Routing(MOMENT, MOMENT))
DESK = a_desk(a_member(NOA), a_member(SOMCHAI), used={NOA.id: 1})


def handed_on(to: str = SOMCHAI.id, desk: Desk = DESK, before: Conversation = HERE, **more: object) -> Change:
    ask = Transfer(id=an_id(2), conversation=before.id, to=to, **more)  # type: ignore[arg-type]
    return transfer(ask, a_turn(NOA, before, desk=desk))


def test_the_contact_reads_one_line_that_names_nobody() -> None:
    change = handed_on(note="He wants his money back", keep_following=True)

    assert [entry.activity or entry.kind for entry in change.entries] == ["transferred", "assigned", "note"]
    (line,) = contact_entries(change.entries)
    assert (line.author.id, line.data) == (None, {"queued": False})
    assert (change.outcome, change.conversation.followers) == ("assigned", (NOA.id,))


def test_who_gets_it_must_answer_in_time_and_who_had_it_comes_last() -> None:
    change = handed_on()

    assert change.conversation.routing == Routing(MOMENT, NOW, NOW + 30_000, True, (NOA.id,), known=NOA.id, joined=True)
    assert [timer.kind for timer in change.timers] == ["routing.unanswered"]
    assert [(row.member, row.verdict) for row in change.decisions[0].candidates] == [(SOMCHAI.id, "chosen")]
    assert [member.assigned_at for member in change.members] == [NOW]


@pytest.mark.parametrize("to", [SOMCHAI.id, TEAM])
def test_what_nobody_can_take_waits_or_is_refused_as_the_asker_likes(to: str) -> None:
    desk = a_desk(a_member(NOA), a_member(SOMCHAI), standing=GONE_HOME)

    change = handed_on(to, desk)

    assert (change.outcome, change.conversation.status, change.timers) == ("queued", "queued", ())
    assert [row.verdict for row in change.decisions[0].candidates if row.member == SOMCHAI.id] == ["not_present"]
    with pytest.raises(Full):
        handed_on(to, desk, when_full="refuse")


def test_to_a_team_it_goes_as_routing_would_choose_and_not_back_to_who_had_it() -> None:
    change = handed_on(TEAM)

    assert (change.conversation.assignee, change.conversation.team) == (SOMCHAI.id, TEAM)


def test_the_log_counts_what_is_handed_on_to_who_has_it() -> None:
    (decision,) = handed_on(TEAM).decisions

    assert {row.member: row.used for row in decision.candidates} == {NOA.id: 1, SOMCHAI.id: 0}


def test_to_a_team_to_which_nothing_is_routed_it_waits() -> None:
    change = handed_on(TEAM, a_desk(a_member(SOMCHAI), rules=TeamRules(TEAM, policy="manual")))

    assert change.outcome == "queued"


def test_nothing_goes_to_whom_there_is_not_or_who_has_it_or_out_of_a_resolved_one() -> None:
    for to in ("agt_nobody", "tem_nowhere"):
        with pytest.raises(NotFound):
            handed_on(to)
    with pytest.raises(InvalidState):
        handed_on(NOA.id)
    with pytest.raises(InvalidState):
        handed_on(before=a_conversation(status="resolved"))


def test_it_needs_the_desk_and_its_own_entry_in_case_it_is_a_resend() -> None:
    needs = transfer_needs(Transfer(id=an_id(2), conversation=HERE.id, to=TEAM))

    assert (needs.conversation, needs.entry, needs.desk) == (HERE.id, an_id(2), True)
