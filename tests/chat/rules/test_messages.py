"""Starting a conversation, sending, noting: what changes, and what is refused."""

from __future__ import annotations

import pytest

from chat.catalog import CATALOG
from chat.errors import BadRequest, Forbidden, NotFound
from chat.model import (
    Actor,
    Attachment,
    Change,
    Conversation,
    Desk,
    Entry,
    Needs,
    Person,
    Routing,
    Standing,
    Turn,
    Upload,
    encode,
)
from chat.rules.blocks import Card
from chat.rules.messages import AddNote, Send, Start, add_note, send, send_needs, start, start_needs
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    FREE,
    GONE_HOME,
    MINE,
    MOMENT,
    NOA,
    SOMCHAI,
    a_conversation,
    a_desk,
    a_door,
    a_held_conversation,
    a_member,
    a_turn,
    an_agent,
    an_id,
)

NOW = MOMENT + 1000  # the moment of `a_turn`
NOBODY_KNOWN = a_desk(is_known=False)
BLANK = " \t\n\u00a0\u2003"
FILE = Attachment("upl_cat", "cat.png", "image/png", 900, 30, 20)


def a_start(text: str = "Where is my parcel?") -> Start:
    return Start(id=an_id(1), inbox=DOOR, text=text)


def sent(actor: Actor, conversation: Conversation, text: str = "Hello", desk: Desk = NOBODY_KNOWN) -> Change:
    return send(Send(id=an_id(2), conversation=conversation.id, text=text), a_turn(actor, conversation, desk=desk))


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
        preview_of=1,
        messages=1,
        contact_seq=1,
        people={DANA.id: Person("Dana")},
        seq=1,
        cursor=7,
        routing=Routing(queued_at=NOW),
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
    ("before", "standing", "status"),
    [
        (a_held_conversation(status="resolved", waiting_since=None), FREE, "open"),
        (a_held_conversation(status="resolved", waiting_since=None), GONE_HOME, "queued"),
        (a_conversation(status="resolved", waiting_since=None), FREE, "queued"),
    ],
    ids=["in the hands of somebody who is here", "who isn't", "in nobody's"],
)
def test_a_contacts_message_reopens_a_resolved_conversation(
    before: Conversation, standing: Standing, status: str
) -> None:
    change = sent(DANA, before, desk=a_desk(a_member(NOA), standing=standing))

    assert (change.conversation.status, change.conversation.waiting_since) == (status, NOW)
    assert change.conversation.assignee == (NOA.id if status == "open" else None)
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
    """fazer-ai/agents#430: it answered over a human, and went on."""
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


# --- files and blocks ---------------------------------------------------------------------------------------


def a_turn_with_file(actor: Actor, conversation: Conversation | None = None, **more: object) -> Turn:
    upload = Upload(MINE, FILE.id, actor.id, FILE.name, FILE.type, FILE.size, FILE.width, FILE.height)
    return a_turn(actor, conversation, uploads={FILE.id: upload}, **more)


def test_an_ask_needs_its_files_too() -> None:
    assert send_needs(Send(id=an_id(2), conversation="c", text="x")) == Needs(conversation="c")
    assert send_needs(Send(id=an_id(2), conversation="c", text="x", attachments=[FILE.id])) == Needs(
        conversation="c", uploads=(FILE.id,)
    )
    assert start_needs(Start(id=an_id(2), inbox=DOOR, text="x", attachments=[FILE.id])) == Needs(
        inbox=DOOR, uploads=(FILE.id,)
    )


@pytest.mark.parametrize("actor", [DANA, NOA])
def test_a_message_has_files_and_the_list_shows_the_name_of_one_without_words(actor: Actor) -> None:
    before = a_held_conversation()
    ask = Send(id=an_id(2), conversation=before.id, text=BLANK, attachments=[FILE.id])
    change = send(ask, a_turn_with_file(actor, before))

    assert (change.entries[0].text, change.entries[0].attachments) == ("", (FILE,))
    assert (change.conversation.preview, change.conversation.preview_of) == ("📎 cat.png", 2)


def test_words_beside_a_file_are_what_the_list_shows() -> None:
    before = a_held_conversation()
    ask = Send(id=an_id(2), conversation=before.id, text="Like this one", attachments=[FILE.id])

    assert send(ask, a_turn_with_file(DANA, before)).conversation.preview == "Like this one"


def test_a_conversation_may_begin_with_a_file() -> None:
    ask = Start(id=an_id(1), inbox=DOOR, text="", attachments=[FILE.id])
    change = start(ask, a_turn_with_file(DANA, inbox=a_door()))

    assert change.entries[0].attachments == (FILE,)
    assert change.conversation.preview == "📎 cat.png"


def test_a_note_may_have_a_file_which_moves_nothing() -> None:
    before = a_held_conversation()
    ask = AddNote(id=an_id(2), conversation=before.id, text="", attachments=[FILE.id])
    change = add_note(ask, a_turn_with_file(NOA, before))

    assert (change.entries[0].audience, change.entries[0].attachments) == ("staff", (FILE,))
    assert (change.conversation.preview, change.conversation.preview_of) == (before.preview, before.preview_of)


def test_a_file_that_is_not_there_is_refused() -> None:
    before = a_held_conversation()
    for ask in (
        Send(id=an_id(2), conversation=before.id, text="x", attachments=["upl_other"]),
        AddNote(id=an_id(2), conversation=before.id, text="x", attachments=["upl_other"]),
    ):
        with pytest.raises(NotFound) as refused:
            CATALOG[type(ask)].rule(ask, a_turn_with_file(NOA, before))
        assert refused.value.field == "attachments"


@pytest.mark.parametrize("actor", [NOA, ECHO])
def test_staff_and_bots_show_blocks_beside_the_text(actor: Actor) -> None:
    before = a_held_conversation()
    ask = Send(id=an_id(2), conversation=before.id, text="A cat", blocks=[Card("Cat")])
    (message,) = send(ask, a_turn(actor, before)).entries

    assert (message.text, message.blocks) == ("A cat", ({"kind": "card", "title": "Cat"},))


def test_blocks_never_stand_without_text_that_says_the_same() -> None:
    before = a_held_conversation()
    for files in ([], [FILE.id]):
        ask = Send(id=an_id(2), conversation=before.id, text=BLANK, blocks=[Card("Cat")], attachments=files)
        with pytest.raises(BadRequest):
            send(ask, a_turn_with_file(NOA, before))


def test_contacts_show_no_blocks() -> None:
    before = a_held_conversation()

    with pytest.raises(Forbidden):
        send(Send(id=an_id(2), conversation=before.id, text="x", blocks=[Card("Cat")]), a_turn(DANA, before))


def test_a_plain_message_is_as_short_as_ever() -> None:
    """What it says is hashed, and so must not change with what it could say besides."""
    ask = Send(id=an_id(2), conversation="c", text="x")

    assert encode(ask).endswith(b'"after":null,"conversation":"c","text":"x"}')
