"""The two doors: who may ask, and who may see what. Nothing for staff alone ever gets through to a contact."""

from __future__ import annotations

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from chat.access import (
    CONTACT,
    PARTICIPANTS,
    STAFF,
    allow,
    contact_entries,
    contact_signal,
    contact_view,
    contact_view_differs,
    enter,
    reach,
    sees,
)
from chat.errors import Forbidden, NotFound
from chat.model import Actor, Author, Conversation, Entry, Person, Position, Routing, Signal, author_of
from tests.builders import (
    DANA,
    ECHO,
    ELI,
    GONE,
    NOA,
    SOMCHAI,
    TEAM,
    a_conversation,
    a_held_conversation,
    a_message,
    a_note,
    an_activity,
    read_at,
)

# --- may this actor ask it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [DANA, NOA, ECHO], ids=lambda actor: actor.kind)
@pytest.mark.parametrize("may", [CONTACT, STAFF, PARTICIPANTS])
def test_only_the_kinds_named_may_ask(actor: Actor, may: frozenset[str]) -> None:
    if actor.kind in may:
        assert allow(may, actor) is actor  # type: ignore[arg-type]  # a frozenset of less is fine here
    else:
        with pytest.raises(Forbidden):
            allow(may, actor)  # type: ignore[arg-type]


@pytest.mark.parametrize("actor", [None, GONE], ids=["unknown", "inactive"])
def test_who_is_not_there_any_more_may_ask_nothing(actor: Actor | None) -> None:
    with pytest.raises(Forbidden):
        allow(PARTICIPANTS, actor)


# --- who may see it -----------------------------------------------------------------------------------------


def test_a_contact_sees_its_own_conversations_and_staff_sees_all() -> None:
    conversation = a_conversation()

    assert [sees(actor, conversation) for actor in (DANA, ELI, NOA, ECHO)] == [True, False, True, True]


@pytest.mark.parametrize("found", [None, a_conversation()], ids=["not there", "not yours"])
def test_not_there_and_not_yours_are_the_same_answer(found: Conversation | None) -> None:
    with pytest.raises(NotFound) as refused:
        enter(ELI, found)

    assert (str(refused.value), refused.value.field) == (str(NotFound()), "conversation")


def test_who_may_see_a_conversation_enters_it() -> None:
    conversation = a_conversation()

    assert enter(DANA, conversation) is conversation
    assert enter(NOA, conversation) is conversation


# --- what a contact sees ------------------------------------------------------------------------------------


def test_a_contacts_view_has_nothing_of_what_only_staff_may_know() -> None:
    whole = a_held_conversation(
        team=TEAM,
        tags=("troublesome",),
        priority=3,
        preview="what staff sees in its list",
        positions={SOMCHAI.id: read_at(1), NOA.id: read_at(1, seen=1)},
        subject="A parcel",
    )

    seen = encode(contact_view(whole)).decode()

    for secret in ("team", TEAM, "tags", "troublesome", "priority", "preview", "waiting", "messages", "cursor", "seen"):
        assert secret not in seen
    assert SOMCHAI.id not in seen  # has read it, and isn't one of those who answer


def test_a_contacts_view_has_all_that_everyone_may_know() -> None:
    whole = a_held_conversation(positions={NOA.id: read_at(1, seen=1), DANA.id: read_at(1)}, subject="A parcel", seq=9)

    view = contact_view(whole)

    assert (view.id, view.inbox, view.created_at, view.seq) == (whole.id, whole.inbox, whole.created_at, 9)
    assert (view.status, view.handler, view.subject) == ("open", "agent", "A parcel")
    assert view.people == {DANA.id: Person("Dana"), NOA.id: Person("Noa")}
    assert {who: (at.read, at.delivered) for who, at in view.positions.items()} == {NOA.id: (1, 1), DANA.id: (1, 1)}


def test_a_contact_is_told_of_its_routing_only_that_it_has_left_a_message() -> None:
    waits = a_held_conversation(routing=Routing(queued_at=5, passed=(SOMCHAI.id,), known=SOMCHAI.id))
    left = replace(waits, routing=Routing(left=True))

    assert b"routing" not in encode(contact_view(waits))
    assert b"left" not in encode(contact_view(waits))
    assert contact_view(left).left


def test_entries_for_staff_do_not_reach_a_contact() -> None:
    secret = an_activity("assigned", 3, audience="staff", data={"assignee": NOA.id, "team": TEAM})

    assert contact_entries([a_message(1), a_note(2), secret, a_message(4)]) == [a_message(1), a_message(4)]


def test_a_message_names_its_author_to_the_contact() -> None:
    answer = a_message(by=NOA)

    assert contact_entries([answer]) == [answer]


@pytest.mark.parametrize(
    ("entry", "author"),
    [
        (an_activity("claimed"), Author("agent", NOA.id)),  # whoever claims answers
        (an_activity("claimed", by=ECHO), Author("bot", ECHO.id)),
        (an_activity("resolved"), Author("agent")),
        (an_activity("reopened", by=ECHO), Author("bot")),
        (an_activity("reopened", by=DANA), Author("contact", DANA.id)),
    ],
    ids=lambda part: getattr(part, "activity", ""),
)
def test_an_activity_names_only_who_answers_and_the_contact_itself(entry: Entry, author: Author) -> None:
    assert contact_entries([entry]) == [replace(entry, author=author)]


def test_of_reactions_a_contact_learns_its_own_and_how_many_are_of_staff() -> None:
    entry = replace(a_message(), reactions={"👍": (NOA.id, DANA.id, ECHO.id), "❤️": (SOMCHAI.id,)})

    (seen,) = contact_entries([entry])

    assert seen == replace(entry, reactions={"👍": ("staff", DANA.id, "staff"), "❤️": ("staff",)})


def test_an_entry_is_reached_by_those_who_may_see_it() -> None:
    assert reach(DANA, a_message()) == a_message()
    assert reach(NOA, a_note()) == a_note()
    for entry in (None, a_note()):
        with pytest.raises(NotFound) as refused:
            reach(DANA, entry)
        assert (refused.value.field, str(refused.value)) == ("entry", "There is no such thing.")


def test_a_signal_is_named_only_if_it_comes_from_somebody_who_answers() -> None:
    conversation = a_held_conversation(NOA)

    def by(actor: Actor) -> Author:
        signal = contact_signal(Signal("typing", conversation.id, author_of(actor.id), True), conversation)
        assert signal is not None
        return signal.by

    assert by(NOA) == Author("agent", NOA.id)
    assert by(SOMCHAI) == Author("agent")


@pytest.mark.parametrize("name", ["preview", "viewing"])
def test_what_a_contact_types_and_who_of_the_staff_looks_is_for_staff(name: str) -> None:
    conversation = a_held_conversation(NOA)

    assert contact_signal(Signal(name, conversation.id, author_of(NOA.id), True), conversation) is None


# --- when a contact is told ---------------------------------------------------------------------------------


def test_a_new_conversation_is_news_to_its_contact() -> None:
    assert contact_view_differs(None, a_conversation())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "resolved"},
        {"handler": "bot"},
        {"subject": "Another"},
        {"people": {DANA.id: Person("Dana"), ECHO.id: Person("Echo")}},
        {"positions": {NOA.id: read_at(1)}},
        {"positions": {DANA.id: read_at(1)}},
        {"routing": Routing(left=True)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_shows_in_the_contacts_view_is_news_to_it(change: dict[str, object]) -> None:
    before = a_held_conversation()

    assert contact_view_differs(before, replace(before, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"team": TEAM},
        {"tags": ("vip",)},
        {"priority": 2},
        {"waiting_since": None},
        {"preview": "other"},
        {"messages": 9, "contact_seq": 9},
        {"assignee": SOMCHAI.id},
        {"positions": {SOMCHAI.id: read_at(1)}},
        {"seq": 2, "cursor": 2},
        {"routing": Routing(unanswered=True, known=NOA.id, passed=(NOA.id,))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_show_in_the_contacts_view_is_no_news_to_it(change: dict[str, object]) -> None:
    before = a_held_conversation()

    assert not contact_view_differs(before, replace(before, **change))


def test_a_staff_members_count_of_what_it_has_seen_is_no_news_to_the_contact() -> None:
    before = a_held_conversation(positions={NOA.id: Position(5, 5, 1)})

    assert not contact_view_differs(before, replace(before, positions={NOA.id: Position(5, 5, 2)}))
