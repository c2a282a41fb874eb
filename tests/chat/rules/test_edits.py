"""Editing and withdrawing: whose, for how long, and what is left."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chat.errors import BadRequest, Forbidden, InvalidState, NotFound
from chat.model import Actor, Attachment, Change, Entry
from chat.rules.blocks import Card
from chat.rules.edits import EDIT_SECONDS, Edit, Withdraw, edit, withdraw
from tests.builders import (
    DANA,
    ECHO,
    MOMENT,
    NOA,
    SOMCHAI,
    a_held_conversation,
    a_message,
    a_note,
    a_turn,
    an_id,
)

HERE = a_held_conversation(seq=3, preview="Where is my parcel?", preview_of=1)
FILE = Attachment("upl_1", "cat.png", "image/png", 9)
LATE = MOMENT + EDIT_SECONDS * 1000 + 1


def edited(actor: Actor, entry: Entry | None, text: str = "Found it", at: int = MOMENT + 1, **more: Any) -> Change:
    ask = Edit(id=an_id(9), conversation=HERE.id, entry=an_id(1), text=text, **more)
    change = edit(ask, a_turn(actor, HERE, entry=entry, at=at))
    assert change is not None
    return change


def withdrawn(actor: Actor, entry: Entry | None, at: int = MOMENT + 1) -> Change | None:
    ask = Withdraw(id=an_id(9), conversation=HERE.id, entry=an_id(1))
    return withdraw(ask, a_turn(actor, HERE, entry=entry, at=at))


# --- edit ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [a_message(by=NOA), a_note(by=NOA), a_message(by=NOA, text="x")])
def test_an_own_entry_gets_a_new_text_and_says_when(entry: Entry) -> None:
    change = edited(NOA, entry)

    assert change.entries == (replace(entry, seq=4, text="Found it", edited_at=MOMENT + 1),)


def test_an_edit_moves_nothing_else_of_the_conversation() -> None:
    after = edited(DANA, a_message()).conversation

    assert after == replace(HERE, seq=4, cursor=HERE.cursor + 1, preview="Found it")


@pytest.mark.parametrize("actor", [DANA, SOMCHAI, ECHO])
def test_nobody_edits_or_withdraws_what_another_wrote(actor: Actor) -> None:
    with pytest.raises(Forbidden):
        edited(actor, a_message(by=NOA))
    with pytest.raises(Forbidden):
        withdrawn(actor, a_message(by=NOA))


def test_a_contact_does_not_learn_that_there_is_a_note() -> None:
    for entry in (None, a_note()):
        with pytest.raises(NotFound):
            edited(DANA, entry)
        with pytest.raises(NotFound):
            withdrawn(DANA, entry)


def test_a_contact_edits_and_withdraws_within_a_quarter_of_an_hour() -> None:
    assert edited(DANA, a_message(), at=LATE - 1).entries
    assert withdrawn(DANA, a_message(), at=LATE - 1)
    with pytest.raises(InvalidState):
        edited(DANA, a_message(), at=LATE)
    with pytest.raises(InvalidState):
        withdrawn(DANA, a_message(), at=LATE)


def test_staff_edits_and_withdraws_whenever() -> None:
    assert edited(NOA, a_message(by=NOA), at=LATE).entries
    assert withdrawn(NOA, a_note(by=NOA), at=LATE)


def test_an_edit_that_changes_nothing_is_none() -> None:
    entry = replace(a_message(by=NOA), blocks=({"kind": "card", "title": "Cat"},))
    ask = Edit(id=an_id(9), conversation=HERE.id, entry=entry.id, text=entry.text, blocks=[Card("Cat")])

    assert edit(ask, a_turn(NOA, HERE, entry=entry)) is None


def test_blocks_that_are_left_out_stay_and_an_empty_list_takes_them_away() -> None:
    entry = replace(a_message(by=NOA), blocks=({"kind": "card", "title": "Cat"},))

    assert edited(NOA, entry).entries[0].blocks == entry.blocks
    assert edited(NOA, entry, blocks=[]).entries[0].blocks == ()
    assert edited(NOA, entry, blocks=[Card("Dog")]).entries[0].blocks == ({"kind": "card", "title": "Dog"},)


def test_a_contact_gets_no_blocks_by_editing() -> None:
    with pytest.raises(Forbidden) as refused:
        edited(DANA, a_message(), blocks=[Card("Cat")])

    assert refused.value.field == "blocks"


def test_files_and_reactions_survive_an_edit_and_files_need_no_words() -> None:
    entry = replace(a_message(by=NOA), attachments=(FILE,), reactions={"👍": (DANA.id,)})
    (after,) = edited(NOA, entry, text=" ").entries

    assert (after.text, after.attachments, after.reactions) == ("", (FILE,), {"👍": (DANA.id,)})
    with pytest.raises(BadRequest):
        edited(NOA, entry, text=" ", blocks=[Card("Cat")])
    with pytest.raises(BadRequest):
        edited(NOA, a_message(by=NOA), text="")


def test_what_a_button_or_a_form_wrote_is_withdrawn_but_not_edited() -> None:
    pressed = replace(a_message(), data={"postback": "yes", "of": an_id(5)})

    with pytest.raises(InvalidState):
        edited(DANA, pressed)
    change = withdrawn(DANA, pressed)
    assert change is not None
    assert change.entries[0].data is None


# --- withdraw -----------------------------------------------------------------------------------------------


def test_a_withdrawal_leaves_a_tombstone() -> None:
    entry = replace(
        a_message(by=NOA, seq=2),
        blocks=({"kind": "card", "title": "Cat"},),
        attachments=(FILE,),
        reactions={"👍": (DANA.id,)},
        edited_at=5,
    )
    change = withdrawn(NOA, entry)

    assert change is not None
    assert change.entries == (replace(a_message(by=NOA, seq=2), text="", seq=4, withdrawn=True),)


def test_the_state_does_not_show_what_is_withdrawn() -> None:
    change = withdrawn(DANA, a_message())

    assert change is not None
    assert change.conversation.preview == ""


def test_withdrawing_twice_is_withdrawing_once() -> None:
    gone = replace(a_message(), text="", withdrawn=True)

    assert withdrawn(DANA, gone) is None
    assert withdrawn(DANA, gone, at=LATE) is None


def test_what_is_withdrawn_is_not_edited() -> None:
    with pytest.raises(InvalidState):
        edited(NOA, replace(a_message(by=NOA), text="", withdrawn=True))
