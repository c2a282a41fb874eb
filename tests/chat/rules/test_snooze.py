"""Snoozing, and waking: at its time, by staff, or because somebody says something."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from chat.access import system
from chat.errors import BadRequest, InvalidState
from chat.model import Change, Conversation, Desk, Timer
from chat.rules.assignment import Assign, Claim, assign, claim
from chat.rules.conversations import Resolve, resolve
from chat.rules.messages import Send, send
from chat.rules.snooze import LONGEST_MS, Snooze, Wake, snooze, wake
from tests.builders import (
    DANA,
    GONE_HOME,
    MINE,
    MOMENT,
    NOA,
    SOMCHAI,
    a_conversation,
    a_desk,
    a_held_conversation,
    a_member,
    a_turn,
    an_id,
)

NOW = MOMENT + 1000
LATER = NOW + 60_000
US = system(MINE)
ASLEEP: dict[str, Any] = {"status": "snoozed", "snoozed_until": LATER}


def snoozed(before: Conversation, until: int | None = LATER, number: int = 2) -> Change | None:
    return snooze(Snooze(id=an_id(number), conversation=before.id, until=until), a_turn(NOA, before))


def woken(before: Conversation, at: int, desk: Desk | None = None) -> Change | None:
    return wake(Wake(id=an_id(3), conversation=before.id), a_turn(US, before, at=at, desk=desk))


def test_a_snoozed_conversation_is_aside_until_its_time_and_a_timer_is_set() -> None:
    change = snoozed(a_held_conversation())

    assert change is not None
    after = change.conversation
    assert (after.status, after.snoozed_until, after.assignee, after.seq) == ("snoozed", LATER, NOA.id, 2)
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience, entry.data) == (an_id(2), "snoozed", "staff", {"until": LATER})
    (timer,) = change.timers
    assert timer == Timer(timer.id, LATER, "conversation.wake", after.id)


def test_the_timers_id_is_one_that_an_ask_may_have_and_follows_from_the_snoozes() -> None:
    first, again, another = (snoozed(a_conversation(), number=number) for number in (2, 2, 3))

    assert first is not None
    assert again is not None
    assert another is not None
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.timers[0].id)
    assert first.timers == again.timers
    assert len({first.timers[0].id, another.timers[0].id, an_id(2), an_id(3)}) == 4


@pytest.mark.parametrize("until", [0, NOW, NOW + LONGEST_MS + 1], ids=["long ago", "now", "in more than a year"])
def test_the_moment_is_within_a_year_from_now(until: int) -> None:
    with pytest.raises(BadRequest) as caught:
        snoozed(a_conversation(), until)

    assert caught.value.field == "until"


def test_what_is_resolved_is_not_snoozed() -> None:
    with pytest.raises(InvalidState):
        snoozed(a_conversation(status="resolved"))


def test_snoozing_for_as_long_changes_nothing_and_for_longer_does() -> None:
    before = a_conversation(**ASLEEP)

    assert snoozed(before) is None
    change = snoozed(before, LATER + 1)
    assert change is not None
    assert change.conversation.snoozed_until == LATER + 1


@pytest.mark.parametrize(
    ("before", "status"),
    [(a_held_conversation(**ASLEEP), "open"), (a_conversation(**ASLEEP), "queued")],
    ids=["in somebody's hands", "in nobody's"],
)
def test_at_its_time_it_is_open_with_whoever_has_it_or_queued(before: Conversation, status: str) -> None:
    change = woken(before, LATER, a_desk(a_member(NOA)))

    assert change is not None
    assert (change.conversation.status, change.conversation.snoozed_until) == (status, None)
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience, entry.author.id) == (an_id(3), "woke", "staff", US.id)


def test_whoever_has_gone_home_gets_nothing_back() -> None:
    change = woken(a_held_conversation(**ASLEEP), LATER, a_desk(a_member(NOA), standing=GONE_HOME))

    assert change is not None
    assert (change.conversation.status, change.conversation.assignee) == ("queued", None)


def test_an_old_timer_does_nothing() -> None:
    assert woken(a_conversation(**ASLEEP), LATER - 1) is None
    assert woken(a_conversation(), LATER) is None
    assert woken(a_conversation(status="resolved"), LATER) is None


def test_staff_may_wake_it_and_waking_what_is_awake_changes_nothing() -> None:
    change = snoozed(a_held_conversation(**ASLEEP), None)

    assert change is not None
    assert (change.conversation.status, change.entries[0].activity, change.timers) == ("open", "woke", ())
    assert snoozed(a_held_conversation(), None) is None


@pytest.mark.parametrize("by", [DANA, NOA], ids=["its contact", "staff"])
def test_a_message_wakes_it(by: object) -> None:
    before = a_held_conversation(**ASLEEP)
    actor = DANA if by is DANA else NOA
    turn = a_turn(actor, before, desk=a_desk(a_member(NOA)))

    change = send(Send(id=an_id(4), conversation=before.id, text="Now"), turn)

    assert (change.conversation.status, change.conversation.snoozed_until) == ("open", None)
    assert [(entry.activity, entry.audience) for entry in change.entries] == [("", "everyone"), ("woke", "staff")]


def test_resolving_and_claiming_end_it_and_assigning_does_not() -> None:
    before = a_conversation(**ASLEEP)
    resolved = resolve(Resolve(id=an_id(2), conversation=before.id), a_turn(NOA, before))
    claimed = claim(Claim(id=an_id(2), conversation=before.id), a_turn(NOA, before))
    assigned = assign(
        Assign(id=an_id(2), conversation=before.id, assignee=SOMCHAI.id), a_turn(NOA, before, other=SOMCHAI)
    )

    assert resolved is not None
    assert claimed is not None
    assert assigned is not None
    assert (resolved.conversation.status, resolved.conversation.snoozed_until) == ("resolved", None)
    assert (claimed.conversation.status, claimed.conversation.snoozed_until) == ("open", None)
    assert replace(assigned.conversation, seq=1) == replace(
        before,
        assignee=SOMCHAI.id,
        handler="agent",
        people=assigned.conversation.people,
        seq=1,
        cursor=assigned.conversation.cursor,
    )
