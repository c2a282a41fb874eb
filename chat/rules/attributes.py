"""Rule: custom attributes of a conversation; and what a value of each declared type is, for contacts too."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from msgspec.structs import replace

from chat.errors import BadRequest, TooLarge
from chat.model import AttributeType, Change, Key, Lasting, Needs, Turn
from chat.rules.activities import told_to_staff

VALUE_LIMIT = 1000  # characters of a text
GREATEST = 2**53 - 1  # a whole number that every client can read

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Describe(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.describe"):
    """Staff sets custom attributes of a conversation, as the account has declared them; null takes one away."""

    conversation: Key
    attributes: dict[str, Any]


def describe_needs(ask: Describe) -> Needs:
    return Needs(conversation=ask.conversation, attributes=True)


def describe(ask: Describe, turn: Turn) -> Change | None:
    """What isn't named stays. Nothing happens if all is so already."""
    conversation = turn.there
    types = [declared for declared in turn.attribute_types if declared.of == "conversation"]
    attributes = described(conversation.attributes, ask.attributes, types)
    if attributes == conversation.attributes:
        return None
    after = replace(conversation, attributes=attributes)
    return told_to_staff(after, ask.id, "described", turn, {"attributes": ask.attributes})


def described(before: Mapping[str, Any], given: Mapping[str, Any], declared: Iterable[AttributeType]) -> dict[str, Any]:
    """The attributes with the given ones among them, without those given as None.

    BadRequest for a name that isn't declared (unless it is taken away) and for a value that isn't of its type.
    """
    types = {each.name: each for each in declared}
    after = dict(before)
    for name, value in given.items():
        if value is None and (name in types or name in before):
            after.pop(name, None)
        elif name not in types:
            raise BadRequest("There is no such attribute.", field="attributes")
        else:
            _check(types[name], value)
            after[name] = value
    return after


def _check(declared: AttributeType, value: Any) -> None:
    if declared.type == "text" and isinstance(value, str) and len(value) > VALUE_LIMIT:
        raise TooLarge(f"A text has at most {VALUE_LIMIT} characters.", field="attributes")
    if not _is_of(declared, value):
        raise BadRequest(f"The value of {declared.name!r} isn't a {declared.type}.", field="attributes")


def _is_of(declared: AttributeType, value: Any) -> bool:
    match declared.type:
        case "text":
            return isinstance(value, str)
        case "number":
            return _is_number(value)
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_date(value)
        case "choice":
            return isinstance(value, str) and value in declared.choices


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return (isinstance(value, int) and abs(value) <= GREATEST) or (isinstance(value, float) and math.isfinite(value))


def _is_date(value: str) -> bool:
    if not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
