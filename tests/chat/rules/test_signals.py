"""Signals: what happens and is not kept."""

from __future__ import annotations

import pytest

from chat.model import Author, Signal
from chat.rules.signals import Preview, Typing, Viewing, preview, typing, viewing
from tests.builders import DANA, NOA, a_conversation


@pytest.mark.parametrize("on", [True, False])
def test_typing_tells_who_and_where(on: bool) -> None:
    conversation = a_conversation()

    assert typing(Typing(conversation=conversation.id, on=on), NOA, conversation) == Signal(
        "typing", conversation.id, Author("agent", NOA.id), on
    )


def test_typing_is_on_unless_told_otherwise() -> None:
    conversation = a_conversation()

    assert typing(Typing(conversation=conversation.id), DANA, conversation).on


@pytest.mark.parametrize(("text", "on"), [("Where is", True), ("", False)])
def test_a_preview_says_what_is_typed_so_far_and_an_empty_one_that_nothing_is(text: str, on: bool) -> None:
    conversation = a_conversation()

    assert preview(Preview(conversation=conversation.id, text=text), DANA, conversation) == Signal(
        "preview", conversation.id, Author("contact", DANA.id), on, text
    )


@pytest.mark.parametrize("on", [True, False])
def test_viewing_tells_who_looks(on: bool) -> None:
    conversation = a_conversation()

    assert viewing(Viewing(conversation=conversation.id, on=on), NOA, conversation) == Signal(
        "viewing", conversation.id, Author("agent", NOA.id), on
    )
