"""Later versions: their place, what the preview says of them, and which entries can have any."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chat.errors import InvalidState, NotFound
from chat.model import Needs
from chat.rules.edits import Withdraw
from chat.rules.versions import entry_needs, standing, version
from tests.builders import DANA, MOMENT, NOA, a_held_conversation, a_message, a_note, a_turn, an_activity, an_id


def test_an_ask_about_an_entry_needs_it_and_its_conversation() -> None:
    ask = Withdraw(id=an_id(9), conversation="cnv_1", entry=an_id(1))

    assert entry_needs(ask) == Needs(conversation="cnv_1", entry=an_id(1))


def test_a_version_keeps_id_author_moment_and_place_and_takes_the_next_seq() -> None:
    before = a_held_conversation(seq=4, cursor=9)
    change = version(a_message(seq=2), a_turn(NOA, before), text="better")

    (entry,) = change.entries
    assert entry == replace(a_message(seq=2), seq=5, text="better")
    assert (entry.born, entry.at) == (2, MOMENT)
    assert change.conversation == replace(before, seq=5, cursor=10)


@pytest.mark.parametrize(("preview_of", "preview"), [(2, "better"), (3, "Hello")])
def test_the_preview_follows_its_own_message_and_no_other_that_said_the_same(preview_of: int, preview: str) -> None:
    before = a_held_conversation(seq=4, preview="Hello", preview_of=preview_of)
    change = version(a_message(seq=2, text="Hello"), a_turn(DANA, before), text="better")

    assert change.conversation.preview == preview


def test_what_is_not_there_has_no_versions() -> None:
    with pytest.raises(NotFound) as refused:
        standing(a_turn(NOA, a_held_conversation()))

    assert refused.value.field == "entry"


def test_a_note_is_not_there_for_the_contact() -> None:
    with pytest.raises(NotFound) as refused:
        standing(a_turn(DANA, a_held_conversation(), entry=a_note()))

    assert (refused.value.field, str(refused.value)) == ("entry", "There is no such thing.")


@pytest.mark.parametrize("entry", [an_activity("claimed"), replace(a_message(), text="", withdrawn=True)])
def test_activities_and_withdrawn_entries_stay_as_they_are(entry: object) -> None:
    with pytest.raises(InvalidState):
        standing(a_turn(NOA, a_held_conversation(), entry=entry))
