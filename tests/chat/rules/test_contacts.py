"""Rules of contacts: known better, blocked, merged, erased; each with what becomes of its conversations."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, ValidationError, convert
from msgspec.structs import replace

from chat.access import system
from chat.errors import BadRequest, Forbidden, NotFound, Refused
from chat.model import Actor, AttributeType, Change, Contact, Conversation, Person, Position, RowChange
from chat.rules import contacts
from chat.rules.contacts import FOR_EVER, Block, Erase, Merge, Result, Unblock, Update
from tests.builders import DANA, ELI, MINE, MOMENT, NOA, a_conversation, a_held_conversation, a_turn, an_id

NOW = MOMENT + 1000
LATER = NOW + 60_000
BOSS = Actor(MINE, "agent", "agt_boss", "Boss", "supervisor")
KNOWN_DANA = Contact(MINE, DANA.id, "Dana", "dana@home.example", {"vip": True})
KNOWN_ELI = Contact(MINE, ELI.id, "Eli")
TYPES = (AttributeType("contact", "vip", "boolean"), AttributeType("conversation", "order", "text"))

OLD = a_held_conversation(id="cnv_old", seq=4, cursor=4, positions={DANA.id: Position(3, 4), NOA.id: Position(4, 4, 1)})
NEW = a_conversation(id="cnv_new", seq=2, cursor=9)
ELIS = a_conversation(id="cnv_elis", contact=ELI.id, people={ELI.id: Person("Eli")}, seq=3, cursor=7)


def decided(
    rule: Any,
    ask: Any,
    *known: Contact,
    by: Actor = NOA,
    conversations: tuple[Conversation, ...] = (OLD, NEW),
) -> Result:
    turn = replace(
        a_turn(by, cursor=20, contacts={contact.id: contact for contact in known}, conversations=conversations),
        attribute_types=TYPES,
    )
    result: Result = rule(ask, turn)
    return result


def changes(result: Result) -> dict[str, Change]:
    assert isinstance(result, tuple)
    return {change.conversation.id: change for change in result}


def an_update(**fields: Any) -> Update:
    return Update(id=an_id(2), contact=DANA.id, **fields)


# --- known better ------------------------------------------------------------------------------------------------


def test_a_new_name_shows_in_all_conversations_and_the_newest_says_so_to_staff() -> None:
    result = decided(contacts.update, an_update(name=" Dana  Levi "), KNOWN_DANA, conversations=(OLD, NEW, ELIS))

    assert isinstance(result, tuple)
    assert [change.conversation.id for change in result] == [NEW.id, OLD.id]
    assert [change.conversation.cursor for change in result] == [20, 21]
    assert [change.conversation.seq for change in result] == [NEW.seq + 1, OLD.seq + 1]
    assert all(change.conversation.people[DANA.id] == Person("Dana Levi") for change in result)
    assert result[0].contacts == (replace(KNOWN_DANA, name="Dana Levi"),)
    (entry,) = result[0].entries
    assert (entry.id, entry.activity, entry.audience) == (an_id(2), "contact_updated", "staff")
    assert entry.data == {"name": "Dana Levi"}
    assert (result[1].entries, result[1].contacts) == ((), ())


def test_what_shows_nowhere_moves_the_newest_conversation_alone() -> None:
    moved = changes(decided(contacts.update, an_update(email=None, attributes={"vip": None}), KNOWN_DANA))

    assert list(moved) == [NEW.id]
    assert moved[NEW.id].contacts == (replace(KNOWN_DANA, email=None, attributes={}),)
    assert moved[NEW.id].entries[0].data == {"email": None, "attributes": {}}


def test_what_is_so_already_changes_nothing() -> None:
    ask = an_update(name="Dana", email="dana@home.example", attributes={"vip": True})

    assert decided(contacts.update, ask, KNOWN_DANA) is None
    assert decided(contacts.update, an_update(), KNOWN_DANA) is None


def test_a_contact_without_conversations_changes_in_silence() -> None:
    result = decided(contacts.update, an_update(name="D."), KNOWN_DANA, conversations=(ELIS,))

    assert result == RowChange((replace(KNOWN_DANA, name="D."),))


@pytest.mark.parametrize("attributes", [{"order": "A-1"}, {"vip": "yes"}, {"unknown": 1}])
def test_only_what_is_declared_for_contacts_is_kept(attributes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        decided(contacts.update, an_update(attributes=attributes), KNOWN_DANA)

    assert caught.value.field == "attributes"


@pytest.mark.parametrize("email", ["", "dana", "@home", "dana@", "a b@home.example", "dana@home.example\n"])
def test_an_address_looks_like_one(email: str) -> None:
    with pytest.raises(ValidationError):
        convert({"type": "contact.update", "id": an_id(2), "contact": DANA.id, "email": email}, Update)


def test_what_is_left_out_is_not_taken_for_null() -> None:
    ask = convert({"type": "contact.update", "id": an_id(2), "contact": DANA.id}, Update)

    assert (ask.name, ask.email, ask.attributes) == (UNSET, UNSET, UNSET)
    assert not contacts.update_needs(ask).attributes
    assert contacts.update_needs(an_update(attributes={})).attributes


# --- blocked ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("until", "end"), [(LATER, LATER), (None, FOR_EVER)], ids=["until then", "for ever"])
def test_a_block_has_an_end_or_none(until: int | None, end: int) -> None:
    moved = changes(decided(contacts.block, Block(id=an_id(2), contact=DANA.id, until=until), KNOWN_DANA))

    assert list(moved) == [NEW.id]
    assert moved[NEW.id].contacts == (replace(KNOWN_DANA, blocked_until=end),)
    (entry,) = moved[NEW.id].entries
    assert (entry.activity, entry.audience, entry.data) == ("blocked", "staff", {"until": until})


def test_a_block_that_is_over_is_none() -> None:
    with pytest.raises(BadRequest):
        decided(contacts.block, Block(id=an_id(2), contact=DANA.id, until=NOW), KNOWN_DANA)


def test_unblocking_ends_it_and_the_same_again_changes_nothing() -> None:
    blocked = replace(KNOWN_DANA, blocked_until=LATER)
    unblock = Unblock(id=an_id(2), contact=DANA.id)

    moved = changes(decided(contacts.unblock, unblock, blocked))
    assert moved[NEW.id].contacts == (KNOWN_DANA,)
    assert moved[NEW.id].entries[0].activity == "unblocked"
    assert decided(contacts.unblock, unblock, KNOWN_DANA) is None
    assert decided(contacts.unblock, unblock, replace(KNOWN_DANA, blocked_until=NOW)) is None
    assert decided(contacts.block, Block(id=an_id(3), contact=DANA.id, until=LATER), blocked) is None


# --- merged ----------------------------------------------------------------------------------------------------------

MERGE = Merge(id=an_id(2), contact=DANA.id, into=ELI.id)


def test_all_that_one_had_is_the_others() -> None:
    result = decided(contacts.merge, MERGE, KNOWN_DANA, KNOWN_ELI, conversations=(OLD, NEW, ELIS))

    moved = changes(result)
    assert set(moved) == {OLD.id, NEW.id}
    for before in (OLD, NEW):
        after = moved[before.id].conversation
        assert (after.contact, after.seq, after.rewritten) == (ELI.id, before.seq + 1, before.seq + 1)
        assert set(after.people) == {ELI.id if id == DANA.id else id for id in before.people}
        assert after.people[ELI.id] == Person("Eli")
    assert moved[OLD.id].conversation.positions == {ELI.id: Position(3, 4), NOA.id: Position(4, 4, 1)}
    assert sorted(change.conversation.cursor for change in moved.values()) == [20, 21]


def test_each_conversation_says_to_staff_who_became_whom_under_an_id_of_its_own() -> None:
    result = decided(contacts.merge, MERGE, KNOWN_DANA, KNOWN_ELI, conversations=(OLD, NEW, ELIS))

    assert isinstance(result, tuple)
    lines = [entry for change in result for entry in change.entries]
    assert [entry.id for entry in lines] == [an_id(2), f"{an_id(2)}-1"]
    assert {(entry.activity, entry.audience) for entry in lines} == {("merged", "staff")}
    assert lines[0].data == {"contact": DANA.id, "into": ELI.id, "was": {"name": "Dana"}}


def test_what_it_lacked_it_has_from_the_other_and_the_longer_block_counts() -> None:
    left = replace(KNOWN_DANA, attributes={"vip": True, "city": "Haifa"}, blocked_until=LATER)
    into = replace(KNOWN_ELI, name="", attributes={"city": "Jaffa"}, blocked_until=NOW)

    result = decided(contacts.merge, MERGE, left, into, conversations=(OLD, ELIS))

    assert isinstance(result, tuple)
    after, gone = result[0].contacts
    assert after == Contact(
        MINE, ELI.id, "Dana", "dana@home.example", {"vip": True, "city": "Jaffa"}, blocked_until=LATER
    )
    assert gone == Contact(MINE, DANA.id, blocked_until=LATER, merged_into=ELI.id)
    assert changes(result)[ELIS.id].conversation.people == {ELI.id: Person("Dana")}
    assert changes(result)[ELIS.id].conversation.rewritten == 0


def test_of_one_without_conversations_the_other_ones_newest_says_it() -> None:
    moved = changes(decided(contacts.merge, MERGE, KNOWN_DANA, KNOWN_ELI, conversations=(ELIS,)))

    assert list(moved) == [ELIS.id]
    assert moved[ELIS.id].entries[0].id == an_id(2)
    assert moved[ELIS.id].conversation.rewritten == 0


def test_two_without_conversations_become_one_in_silence() -> None:
    result = decided(contacts.merge, MERGE, KNOWN_DANA, KNOWN_ELI, conversations=())

    assert isinstance(result, RowChange)
    assert [contact.merged_into for contact in result.contacts] == [None, ELI.id]


def test_nobody_becomes_oneself() -> None:
    with pytest.raises(BadRequest):
        decided(contacts.merge, Merge(id=an_id(2), contact=DANA.id, into=DANA.id), KNOWN_DANA)


# --- erased ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOSS, replace(BOSS, role="admin"), system(MINE)], ids=["supervisor", "admin", "we"])
def test_after_an_erasure_only_figures_are_left(by: Actor) -> None:
    before = replace(
        OLD, subject="Parcel", attributes={"order": "A-1"}, tags=("late",), status="snoozed", snoozed_until=9
    )

    result = decided(
        contacts.erase, Erase(id=an_id(2), contact=DANA.id), KNOWN_DANA, by=by, conversations=(before, NEW)
    )

    moved = changes(result)
    assert set(moved) == {OLD.id, NEW.id}
    assert all(change.erases for change in moved.values())
    after = moved[OLD.id].conversation
    assert (after.subject, after.preview, after.attributes, after.waiting_since) == ("", "", {}, None)
    assert (after.status, after.snoozed_until, after.tags, after.messages) == ("resolved", None, ("late",), 1)
    assert after.people == {DANA.id: Person(""), NOA.id: Person("Noa")}
    assert (after.positions, after.rewritten) == (OLD.positions, OLD.seq + 1)
    assert {entry.activity for change in moved.values() for entry in change.entries} == {"erased"}
    assert moved[NEW.id].contacts == (Contact(MINE, DANA.id, erased=True),)


def test_a_plain_agent_erases_nobody() -> None:
    with pytest.raises(Forbidden):
        decided(contacts.erase, Erase(id=an_id(2), contact=DANA.id), KNOWN_DANA)


def test_erasing_twice_changes_nothing() -> None:
    erased = Contact(MINE, DANA.id, erased=True)

    assert decided(contacts.erase, Erase(id=an_id(3), contact=DANA.id), erased, by=BOSS) is None


# --- who isn't there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "ask"),
    [
        (contacts.update, an_update(name="D.")),
        (contacts.block, Block(id=an_id(2), contact=DANA.id, until=None)),
        (contacts.unblock, Unblock(id=an_id(2), contact=DANA.id)),
        (contacts.merge, MERGE),
        (contacts.merge, Merge(id=an_id(2), contact=ELI.id, into=DANA.id)),
        (contacts.erase, Erase(id=an_id(2), contact=DANA.id)),
    ],
    ids=["update", "block", "unblock", "merge", "merge into", "erase"],
)
def test_who_was_merged_is_not_there_nor_who_never_was(rule: Any, ask: Any) -> None:
    for known in ((replace(KNOWN_DANA, merged_into="con_third"), KNOWN_ELI), (KNOWN_ELI,)):
        with pytest.raises(NotFound) as caught:
            decided(rule, ask, *known, by=BOSS)
        assert caught.value.field in ("contact", "into")


def test_who_was_erased_is_not_there_either() -> None:
    erased = replace(KNOWN_DANA, erased=True)

    for rule, ask in ((contacts.update, an_update(name="D.")), (contacts.merge, MERGE)):
        with pytest.raises(Refused) as caught:
            decided(rule, ask, erased, KNOWN_ELI)
        assert caught.value.code == "not_found"
