"""Pressing buttons: a message like any other, that says what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chat.errors import InvalidState, NotFound
from chat.model import Change, Entry
from chat.rules.postbacks import Press, press
from tests.builders import DANA, NOA, a_conversation, a_desk, a_held_conversation, a_message, a_note, a_turn, an_id

YES = {"label": "Yes, please", "value": "yes"}
PLACES: list[dict[str, Any]] = [
    {"kind": "quick_replies", "replies": [YES]},
    {"kind": "buttons", "buttons": [{"label": "Shop", "url": "https://shop.example"}, YES]},
    {"kind": "card", "title": "Cat", "buttons": [YES]},
    {"kind": "products", "products": [{"title": "A"}, {"title": "B", "buttons": [YES]}]},
]


def asking(*blocks: dict[str, Any]) -> Entry:
    return replace(a_message(by=NOA, text="Shall we send it again?"), blocks=blocks)


def pressed(entry: Entry | None, button: str = "yes", **state: Any) -> Change:
    here = a_held_conversation(seq=3, waiting_since=None, **state)
    return press(
        Press(id=an_id(9), conversation=here.id, entry=an_id(1), button=button),
        a_turn(DANA, here, entry=entry, desk=a_desk()),
    )


@pytest.mark.parametrize("block", PLACES, ids=lambda block: block["kind"])
def test_a_press_is_a_message_with_the_buttons_label(block: dict[str, Any]) -> None:
    (message,) = pressed(asking({"kind": "form", "fields": []}, block)).entries

    assert (message.id, message.kind, message.author.id, message.born) == (an_id(9), "message", DANA.id, 4)
    assert message.text == "Yes, please"
    assert message.data == {"postback": "yes", "of": an_id(1)}


def test_a_press_counts_as_a_message() -> None:
    change = pressed(asking(*PLACES), status="resolved")
    after = change.conversation

    assert (after.messages, after.contact_seq, after.preview, after.preview_of) == (2, 4, "Yes, please", 4)
    assert (after.status, after.waiting_since) == ("queued", change.entries[0].at)
    assert [entry.activity for entry in change.entries] == ["", "reopened"]


@pytest.mark.parametrize("button", ["no", "https://shop.example", "Yes, please"])
def test_a_button_that_the_entry_does_not_have_is_not_found(button: str) -> None:
    with pytest.raises(NotFound) as refused:
        pressed(asking(*PLACES), button)

    assert refused.value.field == "button"


def test_buttons_of_what_is_not_there_or_withdrawn_are_not_pressed() -> None:
    for entry in (None, replace(a_note(), blocks=tuple(PLACES))):
        with pytest.raises(NotFound):
            pressed(entry)
    with pytest.raises(InvalidState):
        pressed(replace(a_message(by=NOA, text=""), withdrawn=True))


def test_a_press_in_the_queue_leaves_it_there() -> None:
    here = a_conversation(seq=3)
    ask = Press(id=an_id(9), conversation=here.id, entry=an_id(1), button="yes")

    assert press(ask, a_turn(DANA, here, entry=asking(*PLACES))).conversation.status == "queued"
