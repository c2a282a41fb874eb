"""Starting a conversation, sending, noting: what changes, and what is refused."""

from __future__ import annotations

import pytest

from chat.errors import BadRequest, NotFound
from chat.model import Actor, Change, Conversation, Entry, Person
from chat.rules.messages import AddNote, Send, Start, add_note, send, start
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    MOMENT,
    NOA,
    SOMCHAI,
    a_conversation,
    a_door,
    a_held_conversation,
    a_turn,
    an_agent,
    an_id,
)

NOW = MOMENT + 1000  # the moment of `a_turn`
BLANK = " \t\n\u00a0\u2003"


def a_start(text: str = "Where is my parcel?") -> Start:
    return Start(id=an_id(1), inbox=DOOR, text=text)


def sent(actor: Actor, conversation: Conversation, text: str = "Hello") -> Change:
    return send(Send(id=an_id(2), conversation=conversation.id, text=text), a_turn(actor, conversation))


def activities(change: Change) -> list[str]:
    return [entry.activity for entry in change.entries if entry.kind == "activity"]


# --- start --------------------------------------------------------------------------------------------------


def test_a_start_puts_a_conversation_into_the_queue() -> None:
    conversation = start(a_start(), a_turn(DANA, inbox=a_door(), cursor=7)).conversation

    assert conversation == Conversation(
        id="cnv_fresh",
        inbox=DOOR,
        contact=DANA.id,
        created_at=NOW,
        status="queued",
        handler="none",
        waiting_since=NOW,
        preview="Where is my parcel?",
        messages=1,
        contact_seq=1,
        people={DANA.id: Person("Dana")},
        seq=1,
        cursor=7,
    )


def test_a_start_writes_the_first_message_under_the_asks_own_id() -> None:
    change = start(a_start(), a_turn(DANA, inbox=a_door()))

    (message,) = change.entries
    assert (message.id, message.kind, message.text, message.audience) == (
        an_id(1),
        "message",
        "Where is my parcel?",
        "everyone",
    )
    assert (message.author.kind, message.author.id, message.at) == ("contact", DANA.id, NOW)
    assert message.seq == message.born == change.conversation.seq == 1


def test_a_start_at_an_inbox_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotFound) as refused:
        start(a_start(), a_turn(DANA))

    assert refused.value.field == "inbox"


def test_a_start_with_nothing_to_read_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        start(a_start(BLANK), a_turn(DANA, inbox=a_door()))

    assert refused.value.field == "text"


# --- the contact sends --------------------------------------------------------------------------------------


def test_a_contacts_message_takes_the_next_seq_and_cursor() -> None:
    change = sent(DANA, a_conversation(seq=4, cursor=9))

    assert (change.conversation.seq, change.conversation.cursor) == (5, 10)
    assert [(entry.id, entry.seq, entry.born) for entry in change.entries] == [(an_id(2), 5, 5)]


def test_a_contacts_message_is_counted_and_shown_in_the_list() -> None:
    after = sent(DANA, a_conversation(seq=4), "x" * 101).conversation

    assert (after.messages, after.contact_seq, after.preview) == (2, 5, "x" * 100)


def test_who_waits_already_waits_since_then() -> None:
    assert sent(DANA, a_conversation(waiting_since=MOMENT - 5)).conversation.waiting_since == MOMENT - 5


def test_who_was_answered_waits_from_the_next_message_on() -> None:
    assert sent(DANA, a_held_conversation(waiting_since=None)).conversation.waiting_since == NOW


def test_a_contacts_message_in_an_unassigned_conversation_leaves_it_in_the_queue() -> None:
    after = sent(DANA, a_conversation()).conversation

    assert (after.status, after.handler, after.assignee) == ("queued", "none", None)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (a_held_conversation(status="resolved", waiting_since=None), "open"),
        (a_conversation(status="resolved", waiting_since=None), "queued"),
    ],
    ids=["in somebody's hands", "in nobody's"],
)
def test_a_contacts_message_reopens_a_resolved_conversation(before: Conversation, status: str) -> None:
    change = sent(DANA, before)

    assert (change.conversation.status, change.conversation.waiting_since) == (status, NOW)
    assert change.conversation.assignee == before.assignee
    assert activities(change) == ["reopened"]
    assert change.entries[1].author.id == DANA.id


# --- staff sends --------------------------------------------------------------------------------------------


def test_after_an_answer_nobody_waits() -> None:
    after = sent(NOA, a_held_conversation(NOA, waiting_since=MOMENT)).conversation

    assert after.waiting_since is None
    assert (after.messages, after.contact_seq) == (1, 1)  # those are the contact's


@pytest.mark.parametrize(("actor", "handler"), [(NOA, "agent"), (ECHO, "bot")])
def test_the_first_answer_claims(actor: Actor, handler: str) -> None:
    change = sent(actor, a_conversation())
    after = change.conversation

    assert (after.assignee, after.handler, after.status) == (actor.id, handler, "open")
    assert after.people[actor.id] == Person(actor.name)
    assert activities(change) == ["claimed"]


def test_an_answer_in_anothers_conversation_leaves_it_where_it_is() -> None:
    change = sent(SOMCHAI, a_held_conversation(NOA))

    assert (change.conversation.assignee, change.conversation.handler) == (NOA.id, "agent")
    assert SOMCHAI.id in change.conversation.people
    assert activities(change) == []


def test_a_bot_that_answers_beside_an_agent_does_not_take_over() -> None:
    assert sent(ECHO, a_held_conversation(NOA)).conversation.handler == "agent"


def test_an_answer_to_a_resolved_conversation_reopens_it() -> None:
    change = sent(NOA, a_held_conversation(NOA, status="resolved"))

    assert change.conversation.status == "open"
    assert activities(change) == ["reopened"]


def test_an_answer_to_a_resolved_conversation_of_nobodys_reopens_and_claims_it() -> None:
    change = sent(NOA, a_conversation(status="resolved"))

    assert (change.conversation.status, change.conversation.assignee) == ("open", NOA.id)
    assert set(activities(change)) == {"reopened", "claimed"}


def test_consequences_come_after_their_message_in_the_order_of_every_reading() -> None:
    entries = sent(NOA, a_conversation(status="resolved")).entries

    def place(entry: Entry) -> tuple[int, str]:
        return entry.born, entry.id

    assert entries[0].kind == "message"
    assert sorted(entries, key=place) == list(entries)  # as a view sorts them: everybody has one order
    assert len({entry.id for entry in entries}) == 3


def test_people_is_the_same_dict_while_nobody_joins() -> None:
    before = a_held_conversation(NOA)

    assert sent(NOA, before).conversation.people is before.people
    assert sent(DANA, before).conversation.people is before.people


def test_a_new_name_or_picture_shows_with_the_next_answer() -> None:
    renamed = an_agent(NOA.id, "Noa Levi", picture="/noa.png")

    assert sent(renamed, a_held_conversation(NOA)).conversation.people[NOA.id] == Person("Noa Levi", "/noa.png")


@pytest.mark.parametrize("actor", [DANA, NOA])
def test_a_message_with_nothing_to_read_is_refused(actor: Actor) -> None:
    with pytest.raises(BadRequest) as refused:
        sent(actor, a_conversation(), BLANK)

    assert refused.value.field == "text"


# --- notes --------------------------------------------------------------------------------------------------


def test_a_note_is_for_staff_and_moves_nothing_else() -> None:
    before = a_conversation(status="resolved", waiting_since=None, seq=4, cursor=9)
    ask = AddNote(id=an_id(2), conversation=before.id, text="Third time this week")

    change = add_note(ask, a_turn(NOA, before))

    (note,) = change.entries
    assert (note.id, note.kind, note.audience, note.text, note.born) == (
        an_id(2),
        "note",
        "staff",
        "Third time this week",
        5,
    )
    after = change.conversation
    assert (after.seq, after.cursor) == (5, 10)
    assert (after.status, after.preview, after.people, after.messages, after.assignee) == (
        before.status,
        before.preview,
        before.people,
        before.messages,
        None,
    )


def test_a_note_with_nothing_to_read_is_refused() -> None:
    before = a_conversation()

    with pytest.raises(BadRequest):
        add_note(AddNote(id=an_id(2), conversation=before.id, text=BLANK), a_turn(NOA, before))
