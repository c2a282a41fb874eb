"""What a stretch of the ledger means to listeners: staff hears all of it, the contact only what concerns it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.batch import Commit
from chat.model import Conversation, Entry, Position
from gateway import bulletin as bulletin_module
from gateway.bulletin import PACKED_BYTES, VERSION, Bell, Bulletin, Item, of_commit, of_missed, pack, unpack
from gateway.switchboard import LEDGER
from tests.builders import (
    DANA,
    ELI,
    MINE,
    NOA,
    SOMCHAI,
    a_conversation,
    a_held_conversation,
    a_message,
    a_move,
    a_note,
    an_activity,
)


def the_item(after: Conversation, *entries: Entry, before: Conversation | None = None) -> Item:
    """The only item of a commit that moved one conversation."""
    (item,) = of_commit(Commit(MINE, 0, after.cursor, (a_move(after, *entries, before=before),))).items
    return item


def staff_hears(item: Item) -> Any:
    return json.loads(item.for_staff)


def the_contact_hears(item: Item) -> Any:
    return None if item.for_contact is None else json.loads(item.for_contact)


def test_a_bulletin_says_which_stretch_it_is_of() -> None:
    bulletin = of_commit(Commit(MINE, 3, 5, (a_move(a_conversation(cursor=5)),)))

    assert (bulletin.account, bulletin.since, bulletin.cursor) == (MINE, 3, 5)


def test_a_first_message_is_heard_whole_by_both_sides() -> None:
    item = the_item(a_conversation(cursor=7), a_message())

    staff, contact = staff_hears(item), the_contact_hears(item)
    assert staff["entries"] == contact["entries"]
    assert (staff["cursor"], staff["state"]["preview"]) == (7, "Where is my parcel?")
    assert "cursor" not in contact
    assert {"contact", "assignee", "preview", "cursor", "messages"}.isdisjoint(contact["state"])


def test_a_message_that_moves_nothing_else_brings_the_contact_no_state() -> None:
    before = a_held_conversation(seq=2)
    after = a_held_conversation(seq=3, cursor=3, people=before.people, positions=before.positions)

    item = the_item(after, a_message(2, seq=3), before=before)

    assert "state" in staff_hears(item)
    assert "state" not in the_contact_hears(item)


def test_a_note_is_nothing_to_the_contact() -> None:
    before = a_held_conversation()
    after = a_held_conversation(seq=2, cursor=2, people=before.people, positions=before.positions)

    item = the_item(after, a_note(2, seq=2), before=before)

    assert [entry["text"] for entry in staff_hears(item)["entries"]] == ["A secret of the staff"]
    assert the_contact_hears(item) is None


def test_of_a_note_and_a_message_the_contact_hears_the_message() -> None:
    item = the_item(a_held_conversation(seq=3), a_note(2, seq=2), a_message(3, by=NOA, seq=3))

    assert [entry["kind"] for entry in staff_hears(item)["entries"]] == ["note", "message"]
    assert [entry["kind"] for entry in the_contact_hears(item)["entries"]] == ["message"]
    assert b"secret" not in (item.for_contact or b"")


def test_who_resolved_it_the_contact_isnt_told() -> None:
    before = a_held_conversation()
    after = a_held_conversation(status="resolved", seq=2, people=before.people)

    item = the_item(after, an_activity("resolved", 2, by=SOMCHAI, seq=2), before=before)

    assert the_contact_hears(item)["entries"][0]["author"] == {"kind": "agent"}
    assert SOMCHAI.id.encode() not in (item.for_contact or b"")
    assert staff_hears(item)["entries"][0]["author"]["id"] == SOMCHAI.id


def test_what_staff_has_read_before_answering_is_nothing_to_the_contact() -> None:
    before = a_conversation()
    after = a_conversation(seq=2, people=before.people, positions={NOA.id: Position(1, 1, 1)})

    assert the_contact_hears(the_item(after, before=before)) is None


def test_what_the_answering_agent_has_read_the_contact_sees() -> None:
    before = a_held_conversation()
    after = a_held_conversation(seq=2, people=before.people, positions={NOA.id: Position(1, 1, 1)})

    contact = the_contact_hears(the_item(after, before=before))

    assert contact["entries"] == []
    assert contact["state"]["positions"] == {NOA.id: {"read": 1, "delivered": 1}}  # how many it has seen isn't told


def test_a_new_assignee_is_pointed_out() -> None:
    held, moved = a_held_conversation(), a_held_conversation(SOMCHAI, seq=2)

    assert the_item(moved, before=held).regrouped
    assert the_item(a_conversation()).regrouped
    assert not the_item(a_held_conversation(seq=2), before=held).regrouped


def test_a_stretch_from_the_store_brings_whole_states() -> None:
    conversation = a_held_conversation(seq=4, cursor=9)

    bulletin: Bulletin = of_missed(MINE, 5, 9, [(conversation, [a_message(3, seq=3), a_note(4, seq=4)])])

    (item,) = bulletin.items
    assert (bulletin.since, bulletin.cursor) == (5, 9)
    assert item.regrouped
    assert staff_hears(item)["state"]["cursor"] == 9
    assert the_contact_hears(item)["state"]["people"].keys() == {DANA.id, NOA.id}
    assert [entry["kind"] for entry in the_contact_hears(item)["entries"]] == ["message"]


def merged(left: str, *, seq: int) -> Entry:
    data = {"contact": left, "into": DANA.id}
    return an_activity("merged", seq, seq=seq, audience="staff", data=data)


def test_what_was_rewritten_is_pointed_out_and_who_became_another() -> None:
    before = a_held_conversation(contact=ELI.id, seq=3)
    after = a_held_conversation(seq=4, rewritten=4)

    item = the_item(after, merged(ELI.id, seq=4), before=before)

    assert (item.rewritten, item.left, item.contact) == (True, (ELI.id,), DANA.id)
    assert not the_item(a_held_conversation(seq=5, rewritten=4), before=after).rewritten


def test_who_became_another_without_any_conversation_is_pointed_out_too() -> None:
    item = the_item(a_held_conversation(seq=4), merged(ELI.id, seq=4), before=a_held_conversation(seq=3))

    assert (item.rewritten, item.left) == (False, (ELI.id,))


def test_a_stretch_from_the_store_tells_of_a_rewriting_in_it_and_not_of_an_older_one() -> None:
    conversation = a_held_conversation(seq=6, rewritten=5, cursor=9)
    of_both = [merged(ELI.id, seq=4), merged("con_third", seq=5), a_message(6, seq=6)]

    (within,) = of_missed(MINE, 5, 9, [(conversation, of_both)]).items
    (after,) = of_missed(MINE, 8, 9, [(conversation, [a_message(6, seq=6)])]).items

    assert (within.rewritten, within.left) == (True, (ELI.id, "con_third"))
    assert (after.rewritten, after.left) == (False, ())


def test_who_follows_it_is_among_those_who_hear_it_without_asking() -> None:
    before = a_held_conversation()
    after = a_held_conversation(followers=(SOMCHAI.id,))

    item = the_item(after, before=before)

    assert (item.hands, item.regrouped) == ((NOA.id, SOMCHAI.id), True)


# --- on the bus ------------------------------------------------------------------------------------------------------


def pack_head(bulletin: Bulletin) -> bytes:
    """What every version begins with."""
    return bulletin_module._HEAD.pack(LEDGER, VERSION, bulletin.since, bulletin.cursor)


A_WHOLE_ITEM = msgspec.msgpack.encode(Item("cnv", 1, "con", (), False, b"", b"", None))[1:]  # a row
cursors = st.integers(0, 2**63)
items = st.builds(
    Item,
    conversation=st.text(max_size=40),
    seq=st.integers(0, 2**62),
    contact=st.text(max_size=40),
    hands=st.lists(st.text(max_size=40), max_size=3).map(tuple),
    regrouped=st.booleans(),
    document=st.binary(max_size=2000),
    for_staff=st.binary(max_size=2000),
    for_contact=st.none() | st.binary(max_size=2000),
    rewritten=st.booleans(),
    left=st.lists(st.text(max_size=40), max_size=2).map(tuple),
)
bulletins = st.builds(Bulletin, st.just(MINE), cursors, cursors, st.lists(items, max_size=4).map(tuple))


@given(bulletins)
def test_what_was_packed_comes_out_as_it_was(bulletin: Bulletin) -> None:
    assert unpack(MINE, pack(bulletin)) == bulletin


@given(bulletins, st.data())
def test_what_was_cut_short_is_at_least_a_bell_as_long_as_its_head_is_there(
    bulletin: Bulletin, data: st.DataObject
) -> None:
    whole = pack(bulletin)
    kept = data.draw(st.integers(0, len(whole) - 1))

    heard = unpack(MINE, whole[:kept])

    head = len(pack_head(bulletin))
    assert heard == (Bell(MINE, bulletin.since, bulletin.cursor) if kept >= head else None)


@given(bulletins, st.integers(0, 255).filter(lambda version: version != VERSION), st.binary(max_size=100))
def test_of_another_version_only_the_bell_is_heard(bulletin: Bulletin, version: int, body: bytes) -> None:
    heard = unpack(MINE, bytes([LEDGER, version]) + pack_head(bulletin)[2:] + body)

    assert heard == Bell(MINE, bulletin.since, bulletin.cursor)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda body: bytes([LEDGER, VERSION]) + body))
@example(pack_head(Bulletin(MINE, 1, 2, ())) + b"\x91\x92\xa2\xff\xfe\x01")
@example(pack_head(Bulletin(MINE, 1, 2, ())) + b"\x91\xdc\x00\x0b" + A_WHOLE_ITEM + b"\x91" * 40_000 + b"\x01")
def test_whatever_comes_never_raises(payload: bytes) -> None:
    assert isinstance(unpack(MINE, payload), Bulletin | Bell | None)


@given(bulletins)
def test_what_a_newer_node_adds_to_an_item_is_left_out(bulletin: Bulletin) -> None:
    newer = [[*msgspec.structs.astuple(item), "something new"] for item in bulletin.items]

    assert unpack(MINE, pack_head(bulletin) + msgspec.msgpack.encode(newer)) == bulletin


def test_a_commit_goes_over_the_bus_as_it_is() -> None:
    bulletin = of_commit(Commit(MINE, 3, 5, (a_move(a_conversation(cursor=5), a_message()),)))

    assert unpack(MINE, pack(bulletin)) == bulletin


@pytest.mark.parametrize("room", [0, -1])
def test_what_is_too_long_is_only_a_bell(room: int) -> None:
    bulletin = of_commit(Commit(MINE, 3, 5, (a_move(a_conversation(cursor=5), a_message()),)))
    filled = Item(**{**msgspec.structs.asdict(bulletin.items[0]), "document": bytes(PACKED_BYTES)})
    over = len(msgspec.msgpack.encode((filled,))) + len(pack_head(bulletin)) - PACKED_BYTES
    fitting = Item(**{**msgspec.structs.asdict(filled), "document": bytes(PACKED_BYTES - over - room)})

    packed = pack(Bulletin(MINE, 3, 5, (fitting,)))

    assert len(packed) == (PACKED_BYTES if room == 0 else len(pack_head(bulletin)))
    assert isinstance(unpack(MINE, packed), Bulletin if room == 0 else Bell)
