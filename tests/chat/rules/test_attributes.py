"""Custom attributes: what was declared, and what is a value of each type."""

from __future__ import annotations

from typing import Any

import pytest

from chat.errors import BadRequest, TooLarge
from chat.model import AttributeType, Change
from chat.rules.attributes import VALUE_LIMIT, Describe, describe
from tests.builders import NOA, a_conversation, a_turn, an_id

TYPES = (
    AttributeType("conversation", "order", "text"),
    AttributeType("conversation", "value", "number"),
    AttributeType("conversation", "gift", "boolean"),
    AttributeType("conversation", "due", "date"),
    AttributeType("conversation", "size", "choice", ("S", "M")),
    AttributeType("contact", "vip", "boolean"),
)


def described(given: dict[str, Any], **before: Any) -> Change | None:
    conversation = a_conversation(attributes=before)
    ask = Describe(id=an_id(2), conversation=conversation.id, attributes=given)
    return describe(ask, a_turn(NOA, conversation, attribute_types=TYPES))


def test_what_is_named_is_set_what_is_null_goes_and_the_rest_stays() -> None:
    change = described({"value": 12.5, "order": None}, order="A-1", gift=True)

    assert change is not None
    assert change.conversation.attributes == {"gift": True, "value": 12.5}
    (entry,) = change.entries
    assert (entry.activity, entry.audience) == ("described", "staff")
    assert entry.data == {"attributes": {"value": 12.5, "order": None}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", ""),
        ("order", "שלום"),
        ("value", 0),
        ("value", -1.5),
        ("gift", False),
        ("due", "2028-02-29"),
        ("size", "M"),
    ],
)
def test_these_are_values(name: str, value: Any) -> None:
    change = described({name: value})

    assert change is not None
    assert change.conversation.attributes == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", 7),
        ("order", ["A"]),
        ("value", "7"),
        ("value", True),
        ("value", float("inf")),
        ("value", float("nan")),
        ("value", 2**53),
        ("value", 10**400),
        ("gift", 1),
        ("gift", "true"),
        ("due", "2027-02-29"),
        ("due", "20270101"),
        ("due", "2027-W01-1"),
        ("due", "2027-01-01T00:00"),
        ("due", "٢٠٢٧-٠١-٠١"),
        ("size", "L"),
        ("size", {"S": 1}),
        ("vip", True),
        ("unknown", "x"),
        ("unknown", None),
    ],
)
def test_these_are_not(name: str, value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        described({name: value})

    assert caught.value.field == "attributes"


def test_a_text_is_short() -> None:
    with pytest.raises(TooLarge):
        described({"order": "x" * (VALUE_LIMIT + 1)})


def test_what_is_so_already_changes_nothing() -> None:
    assert described({"order": "A-1"}, order="A-1") is None
    assert described({"order": None}) is None
    assert described({}) is None


def test_what_is_no_longer_declared_may_still_be_taken_away() -> None:
    change = described({"colour": None}, colour="red")

    assert change is not None
    assert change.conversation.attributes == {}
