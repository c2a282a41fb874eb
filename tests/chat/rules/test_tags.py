"""Tags: what counts as the same one, and how many there may be."""

from __future__ import annotations

import pytest

from chat.errors import BadRequest, InvalidState, Refused, TooLarge
from chat.model import Change
from chat.rules.tags import TAG_LIMIT, TAGS, Tag, tag
from tests.builders import NOA, a_conversation, a_turn, an_id


def tagged(tags: tuple[str, ...] = (), *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> Change | None:
    before = a_conversation(tags=tags)
    return tag(Tag(id=an_id(2), conversation=before.id, add=add, remove=remove), a_turn(NOA, before))


def test_tags_are_put_on_and_taken_off_in_one_ask() -> None:
    change = tagged(("late", "vip"), add=("refund",), remove=("late",))

    assert change is not None
    assert change.conversation.tags == ("vip", "refund")
    (entry,) = change.entries
    assert (entry.id, entry.activity, entry.audience) == (an_id(2), "tagged", "staff")
    assert entry.data == {"added": ["refund"], "removed": ["late"]}


@pytest.mark.parametrize("same", ["VIP", " vip ", "Vip", "v\u0069p"])
def test_upper_and_lower_case_and_blanks_around_are_the_same_tag(same: str) -> None:
    assert tagged(("vip",), add=(same,)) is None
    change = tagged(("vip",), remove=(same,))
    assert change is not None
    assert change.conversation.tags == ()


def test_a_composed_and_a_decomposed_letter_are_the_same_tag() -> None:
    assert tagged(("r\u00e9tour",), add=("RE\u0301TOUR",)) is None


def test_the_form_in_which_it_was_put_on_is_shown() -> None:
    change = tagged(add=(" Straße  7 ", "STRASSE 7"))

    assert change is not None
    assert change.conversation.tags == ("Straße 7",)


def test_what_moves_no_tag_changes_nothing() -> None:
    assert tagged(("vip",), remove=("late",)) is None
    assert tagged(("vip",)) is None
    assert tagged(("vip",), add=("vip",), remove=("vip",)) is None


@pytest.mark.parametrize(
    ("bad", "kind"), [("", BadRequest), (" \t", BadRequest), ("x" * (TAG_LIMIT + 1), TooLarge)], ids=str
)
def test_a_tag_has_something_to_read_in_it_and_is_short(bad: str, kind: type[Refused]) -> None:
    with pytest.raises(kind) as caught:
        tagged(add=(bad,))

    assert caught.value.field == "add"


def test_there_are_at_most_so_many() -> None:
    many = tuple(f"tag {n}" for n in range(TAGS))

    with pytest.raises(InvalidState):
        tagged(many, add=("one more",))
    assert tagged(many, add=("another",), remove=("tag 0",)) is not None
