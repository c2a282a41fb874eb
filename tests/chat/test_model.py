"""The values: what a resend is recognised by, ids that follow from their cause, and what is left out of the JSON."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.json import decode, encode

from chat.model import Author, Conversation, Entry, Lasting, Position, author_of, derived_id, digest
from chat.rules.assignment import Assign
from chat.rules.conversations import Reopen, Resolve
from chat.rules.messages import AddNote, Send
from tests.builders import DANA, ECHO, NOA, a_conversation, a_held_conversation, a_message, a_note, an_id


def a_send(**parts: object) -> Send:
    return msgspec.convert(
        {"type": "message.send", "id": an_id(1), "conversation": "cnv_1", "text": "Hi", **parts}, Send
    )


def test_contacts_alone_are_not_staff() -> None:
    assert [actor.is_staff for actor in (DANA, NOA, ECHO)] == [False, True, True]


@pytest.mark.parametrize(
    ("actor", "kind"), [("con_1", "contact"), ("agt_1", "agent"), ("bot_1", "bot"), ("sys_timer", "system")]
)
def test_an_id_tells_what_kind_of_author_it_is(actor: str, kind: str) -> None:
    author = author_of(actor)

    assert (author.kind, author.id) == (kind, actor)


def test_a_resend_has_the_same_digest_whatever_its_ref_and_its_predecessor() -> None:
    assert digest(a_send()) == digest(a_send(ref=7, after=an_id(9)))


@pytest.mark.parametrize("other", [a_send(text="Hi!"), a_send(conversation="cnv_2")])
def test_other_content_has_another_digest(other: Send) -> None:
    assert digest(a_send()) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_send(), AddNote(id=an_id(1), conversation="cnv_1", text="Hi")),
        (Resolve(id=an_id(1), conversation="cnv_1"), Reopen(id=an_id(1), conversation="cnv_1")),
        (
            Assign(id=an_id(1), conversation="cnv_1", team="tem_1"),
            Assign(id=an_id(1), conversation="cnv_1", team="tem_1", assignee=None),
        ),
        (
            Assign(id=an_id(1), conversation="cnv_1", team="tem_1"),
            Assign(id=an_id(1), conversation="cnv_1", assignee="tem_1"),
        ),
    ],
)
def test_another_thing_asked_has_another_digest(one: Lasting, other: Lasting) -> None:
    assert digest(one) != digest(other)


def test_a_derived_id_is_the_same_for_the_same_cause_only() -> None:
    ids = {derived_id("cnv", *cause) for cause in [("a", "bc"), ("ab", "c"), ("abc",), ("a", "bc"), ("a", "b", "c")]}

    assert len(ids) == 4
    assert all(id.startswith("cnv_") and len(id) == 28 for id in ids)


@pytest.mark.parametrize(
    "id",
    [
        "",
        "1",
        an_id(1).upper() + "0",
        an_id(10).upper(),
        an_id(1) + "-claimed",
        " " + an_id(1),
        an_id(1) + "\n",
        "é" * 36,
    ],
)
def test_an_ask_must_have_an_id_of_the_right_form(id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        a_send(id=id)


def test_a_text_has_at_most_8000_characters() -> None:
    with pytest.raises(msgspec.ValidationError):
        a_send(text="x" * 8001)

    assert a_send(text="x" * 8000).text == "x" * 8000


def test_a_conversation_survives_the_way_through_json() -> None:
    conversation = a_held_conversation(positions={NOA.id: Position(3, 4, 1)}, tags=("vip",), team="tem_1")

    assert decode(encode(conversation), type=Conversation) == conversation


def test_a_state_is_whole_even_where_it_says_nothing() -> None:
    state = decode(encode(a_conversation()))

    assert {"assignee", "team", "tags", "priority", "waiting_since", "preview"} <= state.keys()
    assert state["assignee"] is None


def test_an_entry_says_nothing_needless() -> None:
    assert decode(encode(a_message())).keys() == {"id", "seq", "born", "kind", "author", "at", "text"}
    assert decode(encode(a_note()))["audience"] == "staff"


def test_an_author_without_id_is_a_kind_alone() -> None:
    assert encode(Author("agent")) == b'{"kind":"agent"}'


def test_values_are_frozen() -> None:
    entry: Entry = a_message()

    with pytest.raises(AttributeError):
        entry.text = "other"  # type: ignore[misc]  # that is the point
