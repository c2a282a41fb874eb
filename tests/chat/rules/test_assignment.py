"""Claiming and assigning: who gets the conversation, and who is turned down."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType

from chat.errors import InvalidState, NotFound, Taken
from chat.model import Actor, Change, Conversation, Person, Standing, Team
from chat.rules.assignment import Assign, Claim, assign, claim
from tests.builders import (
    AFTER_HOURS,
    DANA,
    ECHO,
    FREE,
    GONE,
    GONE_HOME,
    MOMENT,
    NOA,
    SOMCHAI,
    TEAM,
    a_conversation,
    a_desk,
    a_held_conversation,
    a_member,
    a_team,
    a_turn,
    an_id,
)


def claimed(actor: Actor, conversation: Conversation) -> Change | None:
    return claim(Claim(id=an_id(2), conversation=conversation.id), a_turn(actor, conversation))


def assigned(
    conversation: Conversation,
    assignee: str | UnsetType | None = UNSET,
    team: str | UnsetType | None = UNSET,
    *,
    other: Actor | None = None,
    found_team: Team | None = None,
    standing: Standing = FREE,
) -> Change | None:
    ask = Assign(id=an_id(2), conversation=conversation.id, assignee=assignee, team=team)
    desk = a_desk(*map(a_member, (NOA, SOMCHAI, ECHO)), standing=standing)
    return assign(ask, a_turn(NOA, conversation, other=other, team=found_team, desk=desk))


# --- claim --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("actor", "handler"), [(NOA, "agent"), (ECHO, "bot")])
def test_who_claims_has_it(actor: Actor, handler: str) -> None:
    change = claimed(actor, a_conversation(seq=4, cursor=9))

    assert change is not None
    after = change.conversation
    assert (after.assignee, after.handler, after.status) == (actor.id, handler, "open")
    assert after.people[actor.id] == Person(actor.name)
    assert (after.seq, after.cursor) == (5, 10)
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience, entry.author.id) == (an_id(2), "claimed", "everyone", actor.id)


def test_a_claim_answers_nobody() -> None:
    before = a_conversation()
    change = claimed(NOA, before)

    assert change is not None
    assert change.conversation.waiting_since == before.waiting_since


def test_claiming_what_one_has_changes_nothing() -> None:
    assert claimed(NOA, a_held_conversation(NOA)) is None


def test_what_somebody_else_has_is_taken() -> None:
    with pytest.raises(Taken):
        claimed(SOMCHAI, a_held_conversation(NOA))


def test_a_resolved_conversation_is_not_claimed() -> None:
    with pytest.raises(InvalidState):
        claimed(NOA, a_conversation(status="resolved"))


def test_a_resolved_conversation_of_somebody_else_is_taken_first_of_all() -> None:
    with pytest.raises(Taken):
        claimed(SOMCHAI, a_held_conversation(NOA, status="resolved"))


# --- assign -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("other", "handler"), [(SOMCHAI, "agent"), (ECHO, "bot")])
def test_staff_gives_a_conversation_to_an_agent_or_a_bot(other: Actor, handler: str) -> None:
    change = assigned(a_held_conversation(NOA, seq=4, cursor=9), other.id, other=other)

    assert change is not None
    after = change.conversation
    assert (after.assignee, after.handler, after.status) == (other.id, handler, "open")
    assert other.id in after.people
    assert NOA.id in after.people  # she took part
    assert (after.seq, after.cursor) == (5, 10)


def test_an_assignment_is_a_line_for_staff_alone() -> None:
    change = assigned(a_conversation(team=TEAM), SOMCHAI.id, other=SOMCHAI)

    assert change is not None
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience) == (an_id(2), "assigned", "staff")
    assert entry.data == {"assignee": SOMCHAI.id, "team": TEAM}


def test_a_conversation_taken_from_its_assignee_goes_back_to_the_queue() -> None:
    """tiledesk-dashboard#156: take over from others, put back."""
    change = assigned(a_held_conversation(NOA), None)

    assert change is not None
    after = change.conversation
    assert (after.assignee, after.handler, after.status) == (None, "none", "queued")


def test_a_team_gets_a_conversation_and_whoever_has_it_keeps_it() -> None:
    change = assigned(a_held_conversation(NOA), team=TEAM, found_team=a_team())

    assert change is not None
    assert (change.conversation.team, change.conversation.assignee) == (TEAM, NOA.id)


def test_a_team_is_taken_away_by_null() -> None:
    change = assigned(a_held_conversation(NOA, team=TEAM), team=None)

    assert change is not None
    assert (change.conversation.team, change.conversation.assignee) == (None, NOA.id)


def test_assignee_and_team_change_together() -> None:
    change = assigned(a_held_conversation(NOA), None, TEAM, found_team=a_team())

    assert change is not None
    assert (change.conversation.team, change.conversation.assignee) == (TEAM, None)
    assert len(change.entries) == 1


@pytest.mark.parametrize(
    ("assignee", "team"), [(UNSET, UNSET), (NOA.id, UNSET), (NOA.id, TEAM), (UNSET, TEAM)], ids=str
)
def test_what_is_so_already_changes_nothing(assignee: str | UnsetType, team: str | UnsetType) -> None:
    assert assigned(a_held_conversation(NOA, team=TEAM), assignee, team, other=NOA, found_team=a_team()) is None


@pytest.mark.parametrize("other", [None, GONE, DANA], ids=["unknown", "inactive", "a contact"])
def test_only_active_staff_of_the_account_can_be_assigned(other: Actor | None) -> None:
    with pytest.raises(NotFound) as refused:
        assigned(a_conversation(), other.id if other else "agt_nobody", other=other)

    assert refused.value.field == "assignee"


def test_a_team_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotFound) as refused:
        assigned(a_conversation(), team="tem_none")

    assert refused.value.field == "team"


@pytest.mark.parametrize("assignee", [SOMCHAI.id, None])
def test_a_resolved_conversation_stays_resolved_in_other_hands(assignee: str | None) -> None:
    change = assigned(a_held_conversation(NOA, status="resolved"), assignee, other=SOMCHAI)

    assert change is not None
    assert (change.conversation.assignee, change.conversation.status) == (assignee, "resolved")


@pytest.mark.parametrize("standing", [GONE_HOME, AFTER_HOURS], ids=["not here", "after hours"])
def test_who_is_not_there_to_get_it_has_so_long_to_come(standing: Standing) -> None:
    change = assigned(a_held_conversation(NOA), SOMCHAI.id, other=SOMCHAI, standing=standing)

    assert change is not None
    (timer,) = change.timers
    assert (timer.kind, timer.at - MOMENT) == ("routing.return", 301_000)


def test_who_is_there_and_what_is_put_aside_are_not_looked_after() -> None:
    for status, standing in (("open", FREE), ("resolved", GONE_HOME)):
        change = assigned(a_held_conversation(NOA, status=status), SOMCHAI.id, other=SOMCHAI, standing=standing)

        assert change is not None
        assert change.timers == ()
