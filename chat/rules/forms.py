"""Rule: a contact submits a form, once. What was filled in is checked here, whatever the client checked."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState, NotFound, TooLarge
from chat.model import TEXT_LIMIT, Change, Key, Lasting, Named, Turn
from chat.rules.blocks import ANSWER_LIMIT, FIELDS_LIMIT, Field, Form, Number, form_of
from chat.rules.messages import line, said
from chat.rules.versions import standing

Answer = Annotated[str, Meta(max_length=ANSWER_LIMIT)] | Number | None

_is_email = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f.]+(?:\.[^@\s\x00-\x1f.]+)+").fullmatch
_is_phone = re.compile(r"\+?(?:[ ()./-]*[0-9]){3,20}[ )]*").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


class Submit(Lasting, frozen=True, gc=False, kw_only=True, tag="form.submit"):
    """A contact fills in the form of an entry. `values` are by the names of its fields; null is nothing."""

    conversation: Key
    entry: Named
    values: Annotated[dict[Key, Answer], Meta(max_length=FIELDS_LIMIT)]


def submit(ask: Submit, turn: Turn) -> Change:
    """A message of the contact's with what was filled in; and the form, answered.

    BadRequest names the first field at fault; InvalidState if it was answered before.
    """
    entry = standing(turn)
    form = form_of(entry)
    if form is None:
        raise NotFound(field="entry")
    if entry.data and "answer" in entry.data:
        raise InvalidState("This form was answered already.", field="entry")
    values = _checked(form, ask.values)
    text = "\n".join(f"{each.label}: {_shown(each, values[each.name])}" for each in form.fields if each.name in values)
    if len(text) > TEXT_LIMIT:
        raise TooLarge(field="values")
    message = line(ask.id, "message", text, turn.there.seq + 1, turn)
    change = said(replace(message, data={"form": entry.id, "values": values}), turn)
    answered = {**(entry.data or {}), "answered_by": turn.actor.id, "answer": ask.id}
    return replace(change, entries=(*change.entries, replace(entry, seq=message.seq, data=answered)))


def _checked(form: Form, given: dict[str, Any]) -> dict[str, Any]:
    """What was filled in, in the order of the form."""
    unknown = given.keys() - {each.name for each in form.fields}
    if unknown:
        raise BadRequest("The form has no such field.", field=f"values.{min(unknown)}")
    values: dict[str, Any] = {}
    for each in form.fields:
        value = given.get(each.name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if each.required:
                raise BadRequest("This is needed.", field=f"values.{each.name}")
            continue
        fault = _fault(each, value)
        if fault is not None:
            raise BadRequest(fault, field=f"values.{each.name}")
        values[each.name] = value
    if not values:
        raise BadRequest("Nothing was filled in.", field="values")
    return values


def _fault(field: Field, value: str | float) -> str | None:
    """What is wrong with this value, if anything is."""
    if field.kind == "number":
        return "This isn't a number." if isinstance(value, str) else _beyond(field, value)
    if not isinstance(value, str):
        return "This isn't text."
    match field.kind:
        case "text":
            return _beyond(field, len(value))
        case "email":
            return None if _is_email(value) else "This isn't an email address."
        case "phone":
            return None if _is_phone(value) else "This isn't a phone number."
        case "date":
            return None if _is_date(value) and _is_in_calendar(value) else "This isn't a date such as 2026-11-22."
        case "choice":
            return None if any(value == choice.value for choice in field.choices) else "There is no such choice."


def _beyond(field: Field, size: float) -> str | None:
    if field.least is not None and size < field.least:
        return f"At least {field.least}."
    return f"At most {field.most}." if field.most is not None and size > field.most else None


def _is_in_calendar(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _shown(field: Field, value: Any) -> str:
    """As a person reads it."""
    return next((choice.label for choice in field.choices if choice.value == value), str(value))
