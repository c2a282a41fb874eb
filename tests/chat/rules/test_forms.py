"""Forms: what may be filled in, once, and how it reads."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState, NotFound, TooLarge
from chat.model import Change, Entry
from chat.rules.blocks import Choice, Field, Form
from chat.rules.forms import Submit, submit
from tests.builders import DANA, NOA, a_held_conversation, a_message, a_turn, an_id

FORM = Form(
    [
        Field("name", "Your name", "text", required=True, least=2, most=20),
        Field("mail", "Email", "email"),
        Field("phone", "Phone", "phone"),
        Field("size", "Size", "number", least=36, most=47.5),
        Field("colour", "Colour", "choice", choices=[Choice("Red", "r"), Choice("Blue", "b")]),
        Field("day", "Day", "date"),
    ]
)
FIELDS = {field.name: field for field in FORM.fields}


def with_form(form: Form = FORM, **more: Any) -> Entry:
    return replace(a_message(by=NOA, seq=2, text="Tell us more"), blocks=(to_builtins(form),), **more)


def submitted(values: dict[str, Any], entry: Entry | None = None) -> Change:
    here = a_held_conversation(seq=3)
    ask = Submit(id=an_id(9), conversation=here.id, entry=an_id(1), values=values)
    return submit(ask, a_turn(DANA, here, entry=entry or with_form()))


def test_a_form_becomes_a_message_that_a_person_can_read() -> None:
    change = submitted({"day": "2026-11-22", "name": "Dana", "size": 38.5, "colour": "b", "mail": None, "phone": " "})

    message = change.entries[0]
    assert (message.id, message.kind, message.author.id) == (an_id(9), "message", DANA.id)
    assert message.text == "Your name: Dana\nSize: 38.5\nColour: Blue\nDay: 2026-11-22"
    values = {"name": "Dana", "size": 38.5, "colour": "b", "day": "2026-11-22"}
    assert message.data == {"form": an_id(1), "values": values}
    assert (change.conversation.messages, change.conversation.preview_of) == (2, 4)


def test_the_form_says_that_it_is_answered_in_the_same_change() -> None:
    message, form = submitted({"name": "Dana"}).entries

    assert form == replace(with_form(), seq=message.seq, data={"answered_by": DANA.id, "answer": an_id(9)})
    with pytest.raises(InvalidState) as refused:
        submitted({"name": "Dana"}, form)
    assert "answered already" in str(refused.value)


def test_what_has_no_form_takes_no_answers() -> None:
    with pytest.raises(NotFound) as refused:
        submitted({"name": "Dana"}, a_message(by=NOA))

    assert refused.value.field == "entry"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Jo"),
        ("mail", "dana.b+shop@mail.example.co.th"),
        ("mail", "דנה@דואר.example"),
        ("phone", "+66 (0) 81-234.5678"),
        ("size", 36),
        ("size", 47.5),
        ("colour", "r"),
        ("day", "2028-02-29"),
    ],
)
def test_good_values_are_taken_as_they_are(name: str, value: Any) -> None:
    data = submitted({"name": "Dana"} | {name: value}).entries[0].data

    assert data is not None
    assert data["values"][name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", None),
        ("name", "  "),
        ("name", "J"),
        ("name", "x" * 21),
        ("name", 7),
        ("mail", "dana"),
        ("mail", "dana@"),
        ("mail", "a@b@c.example"),
        ("mail", "dana@mail..example"),
        ("mail", "da na@mail.example"),
        ("phone", "12"),
        ("phone", "call me"),
        ("phone", 66812345678),
        ("size", "38"),
        ("size", 35),
        ("size", 48),
        ("colour", "Red"),
        ("day", "2027-02-29"),
        ("day", "22.11.2026"),
        ("day", "20261122"),
        ("nothing", "here"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(name: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        submitted({"name": "Dana"} | {name: value})

    assert refused.value.field == f"values.{name}"


def test_an_empty_answer_is_none() -> None:
    optional = Form([FIELDS["mail"], FIELDS["phone"]])

    with pytest.raises(BadRequest) as refused:
        submitted({"mail": " "}, with_form(optional))
    assert refused.value.field == "values"


def test_the_answers_together_are_one_message_long() -> None:
    long = Form([Field(f"f{n}", "More", "text") for n in range(5)])

    with pytest.raises(TooLarge):
        submitted({f"f{n}": "x" * 2000 for n in range(5)}, with_form(long))
