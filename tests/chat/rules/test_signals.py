"""Signals: what happens and is not kept."""

from __future__ import annotations

import pytest

from chat.model import Author, Signal
from chat.rules.signals import Typing, typing
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
