"""How urgent a conversation is."""

from __future__ import annotations

import pytest
from msgspec import ValidationError, convert

from chat.rules.priority import Prioritize, prioritize
from tests.builders import NOA, a_conversation, a_turn, an_id


def test_it_is_as_urgent_as_staff_says() -> None:
    before = a_conversation(priority=1)

    change = prioritize(Prioritize(id=an_id(2), conversation=before.id, priority=3), a_turn(NOA, before))

    assert change is not None
    assert (change.conversation.priority, change.conversation.seq) == (3, 2)
    (entry,) = change.entries
    assert (entry.activity, entry.audience, entry.data) == ("prioritized", "staff", {"priority": 3, "was": 1})


def test_as_urgent_as_it_was_changes_nothing() -> None:
    before = a_conversation(priority=2)

    assert prioritize(Prioritize(id=an_id(2), conversation=before.id, priority=2), a_turn(NOA, before)) is None


@pytest.mark.parametrize("priority", [-1, 4, "high"])
def test_it_is_a_number_from_0_to_3(priority: object) -> None:
    with pytest.raises(ValidationError):
        convert(
            {"type": "conversation.prioritize", "id": an_id(2), "conversation": "c", "priority": priority}, Prioritize
        )
