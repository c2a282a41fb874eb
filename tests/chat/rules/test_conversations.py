"""Resolving and reopening."""

from __future__ import annotations

import pytest

from chat.model import Conversation, Standing
from chat.rules.conversations import Reopen, Resolve, reopen, resolve
from tests.builders import (
    ECHO,
    FREE,
    GONE_HOME,
    NOA,
    SOMCHAI,
    a_conversation,
    a_desk,
    a_held_conversation,
    a_member,
    a_turn,
    an_id,
)


@pytest.mark.parametrize("before", [a_conversation(), a_held_conversation()], ids=["queued", "open"])
def test_after_resolving_nobody_waits(before: Conversation) -> None:
    change = resolve(Resolve(id=an_id(2), conversation=before.id), a_turn(NOA, before))

    assert change is not None
    after = change.conversation
    assert (after.status, after.waiting_since) == ("resolved", None)
    assert (after.assignee, after.seq, after.cursor) == (before.assignee, 2, 2)
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience, entry.born) == (an_id(2), "resolved", "everyone", 2)


def test_whoever_is_staff_may_resolve_what_another_has() -> None:
    before = a_held_conversation(NOA)

    assert resolve(Resolve(id=an_id(2), conversation=before.id), a_turn(SOMCHAI, before)) is not None


def test_resolving_twice_changes_nothing() -> None:
    """fazer-ai/agents#158: the closing words came twice."""
    before = a_conversation(status="resolved")

    assert resolve(Resolve(id=an_id(2), conversation=before.id), a_turn(NOA, before)) is None


@pytest.mark.parametrize(
    ("before", "standing", "status", "assignee"),
    [
        (a_held_conversation(ECHO, status="resolved"), FREE, "open", ECHO.id),
        (a_held_conversation(ECHO, status="resolved"), GONE_HOME, "queued", None),
        (a_held_conversation(NOA, status="resolved"), GONE_HOME, "open", NOA.id),
        (a_conversation(status="resolved"), FREE, "queued", None),
    ],
    ids=["whoever had it is free", "has gone home", "reopens it", "nobody had it"],
)
def test_who_had_a_reopened_conversation_has_it_if_it_can_be_taken_up(
    before: Conversation, standing: Standing, status: str, assignee: str | None
) -> None:
    desk = a_desk(a_member(ECHO), standing=standing)
    change = reopen(Reopen(id=an_id(2), conversation=before.id), a_turn(NOA, before, desk=desk))

    assert change is not None
    after = change.conversation
    assert (after.status, after.assignee) == (status, assignee)
    assert (after.seq, after.cursor) == (2, 2)
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience) == (an_id(2), "reopened", "everyone")


@pytest.mark.parametrize("before", [a_conversation(), a_held_conversation()], ids=["queued", "open"])
def test_reopening_what_is_not_resolved_changes_nothing(before: Conversation) -> None:
    assert reopen(Reopen(id=an_id(2), conversation=before.id), a_turn(NOA, before)) is None
