"""What a conversation is about."""

from __future__ import annotations

from chat.access import contact_view, contact_view_differs
from chat.rules.subject import Rename, rename
from tests.builders import NOA, a_conversation, a_turn, an_id


def test_the_contact_sees_the_subject_and_not_who_wrote_it() -> None:
    before = a_conversation(subject="Parcel")

    change = rename(Rename(id=an_id(2), conversation=before.id, subject=" Lost\n parcel "), a_turn(NOA, before))

    assert change is not None
    assert contact_view(change.conversation).subject == "Lost parcel"
    assert contact_view_differs(before, change.conversation)
    (entry,) = change.entries
    assert (entry.activity, entry.audience) == ("renamed", "staff")
    assert entry.data == {"subject": "Lost parcel", "was": "Parcel"}


def test_the_same_subject_changes_nothing_and_an_empty_one_takes_it_away() -> None:
    before = a_conversation(subject="Parcel")

    assert rename(Rename(id=an_id(2), conversation=before.id, subject="Parcel "), a_turn(NOA, before)) is None
    change = rename(Rename(id=an_id(2), conversation=before.id, subject=" "), a_turn(NOA, before))
    assert change is not None
    assert change.conversation.subject == ""
