"""What every store promises of what is rare: later versions of entries, contacts, timers, followers, files."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, insert, select

from chat.model import Attachment, AttributeType, Contact, Conversation, Entry, Receipt, Timer, Upload, author_of
from chat.store import Head, Loaded, Move, Rows, Store, Wanted, Written
from chat.store.tables import accounts, attribute_types, entries, identities, sessions, timers, uploads
from tests.builders import (
    DANA,
    DOOR,
    ELI,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    a_conversation,
    a_held_conversation,
    a_message,
    a_move,
    a_note,
    an_activity,
    an_id,
    store_moves,
)

FILE = Attachment("upl_1", "parcel.jpg", "image/jpeg", 1000, 640, 480)


async def load(store: Store, **wanted: Any) -> Loaded:
    transaction = await store.begin([MINE, OTHER])
    try:
        return await transaction.load(Wanted(**wanted))
    finally:
        await transaction.rollback()


async def write(store: Store, *moves: Move, contacts: tuple[Contact, ...] = ()) -> None:
    transaction = await store.begin([MINE])
    cursor = max([move.after.cursor for move in moves], default=transaction.heads[MINE].cursor)
    await transaction.write(moves, {MINE: Head(cursor, MOMENT)}, Rows(contacts=list(contacts)))
    await transaction.commit()


async def cold(store: Store, *statements: Any) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await store.administer(work)


async def count(store: Store, table: Any, *where: Any) -> int:
    statement = select(func.count()).select_from(table).where(*where)
    return await store.inspect(lambda connection: int(connection.execute(statement).scalar_one()))


async def key_of(store: Store, account: str = MINE) -> int:
    statement = select(accounts.c.key).where(accounts.c.id == account)
    return await store.inspect(lambda connection: int(connection.execute(statement).scalar_one()))


async def edited(store: Store, conversation: Conversation, entry: Entry, *, ask: int, **changed: Any) -> Conversation:
    """A later version of the entry, as an ask's."""
    seq = conversation.seq + 1
    after = replace(conversation, seq=seq, cursor=conversation.cursor + 1)
    version = replace(entry, seq=seq, **changed)
    move = a_move(after, before=conversation)
    move.entries.append(Written(version, after.cursor, b"e", an_id(ask)))
    await write(store, move)
    return after


async def three_messages(store: Store) -> tuple[Conversation, list[Entry]]:
    lines = [a_message(n, text=f"line {n}", seq=n) for n in (1, 2, 3)]
    conversation = a_conversation(seq=3, cursor=3)
    await store_moves(store, a_move(conversation, *lines))
    return conversation, lines


# --- later versions -----------------------------------------------------------------------------------------


async def test_the_newest_version_stands_where_the_entry_was_born(store: Store) -> None:
    conversation, (first, second, third) = await three_messages(store)
    conversation = await edited(store, conversation, second, ask=10, text="once", edited_at=5)
    conversation = await edited(store, conversation, second, ask=11, text="twice", edited_at=6)

    newest = replace(second, seq=5, text="twice", edited_at=6)
    async with store.view() as view:
        assert await view.latest(MINE, conversation.id, 10, staff=True) == [first, newest, third]
        assert await view.before(MINE, conversation.id, 3, 10, staff=False) == [first, newest]
        assert await view.before(MINE, conversation.id, 2, 1, staff=True) == [first]
        here = (MINE, conversation.id)
        assert await view.after_seq({here: 3}, 10, staff=True) == {here: [newest]}
        assert await view.after_cursor(MINE, [conversation.id], 4, 10) == {conversation.id: [newest]}
        versions = await view.versions(MINE, conversation.id, second.id)
        assert [version.text for version in versions] == ["twice", "once", "line 2"]
        assert await view.versions(OTHER, conversation.id, second.id) == []
        assert await view.versions(MINE, "cnv_another", second.id) == []


async def test_a_version_is_found_by_its_entry_and_its_ask(store: Store) -> None:
    conversation, (_, second, _) = await three_messages(store)
    conversation = await edited(store, conversation, second, ask=10, text="once")

    loaded = await load(
        store, receipts={(MINE, an_id(10)), (MINE, second.id), (OTHER, an_id(10))}, entries={(MINE, second.id)}
    )

    assert loaded.receipts == {
        (MINE, an_id(10)): Receipt(DANA.id, b"e", conversation.id, 4, MOMENT),
        (MINE, second.id): Receipt(DANA.id, b"d", conversation.id, 2, MOMENT),
    }
    assert loaded.entries == {(MINE, second.id): (conversation.id, replace(second, seq=4, text="once"))}


async def test_a_version_is_its_askers_whoever_wrote_the_entry(store: Store) -> None:
    conversation, (_, second, _) = await three_messages(store)
    after = replace(conversation, seq=4, cursor=4)
    move = a_move(after, before=conversation)
    move.entries.append(Written(replace(second, seq=4), 4, b"e", an_id(10), NOA.id, MOMENT + 9))
    await write(store, move)

    loaded = await load(store, receipts={(MINE, an_id(10)), (MINE, second.id)})

    assert loaded.receipts == {
        (MINE, an_id(10)): Receipt(NOA.id, b"e", conversation.id, 4, MOMENT + 9),
        (MINE, second.id): Receipt(DANA.id, b"d", conversation.id, 2, MOMENT),
    }


async def test_several_versions_in_one_transaction_leave_the_last_one(store: Store) -> None:
    conversation, (_, second, _) = await three_messages(store)
    after = replace(conversation, seq=5, cursor=5)
    move = a_move(after, before=conversation)
    for seq, text in ((4, "once"), (5, "twice")):
        move.entries.append(Written(replace(second, seq=seq, text=text), seq, b"e", an_id(seq * 10)))
    await write(store, move)

    async with store.view() as view:
        assert [entry.text for entry in await view.latest(MINE, conversation.id, 10, staff=True)] == [
            "line 1",
            "twice",
            "line 3",
        ]


async def test_all_that_an_entry_can_have_comes_back_as_it_was(store: Store) -> None:
    conversation = a_conversation()
    rich = replace(a_message(), blocks=({"kind": "buttons", "buttons": [{"label": "כן"}]},), attachments=(FILE,))
    await store_moves(store, a_move(conversation, rich))
    reacted = replace(rich, reactions={"👍": (NOA.id, DANA.id)}, edited_at=MOMENT)
    await edited(store, conversation, reacted, ask=9)

    async with store.view() as view:
        (found,) = await view.latest(MINE, conversation.id, 10, staff=True)
        assert found == replace(reacted, seq=2)


async def test_erasure_leaves_no_text_in_any_version(store: Store) -> None:
    conversation, (_, second, _) = await three_messages(store)
    conversation = await edited(store, conversation, replace(second, attachments=(FILE,)), ask=10, text="secret")
    after = replace(conversation, seq=5, cursor=5)
    move = a_move(after, a_note(20, text="", seq=5), before=conversation)
    move.erases = True
    await write(store, move)

    assert await count(store, entries, entries.c.text != "") == 0
    assert await count(store, entries, entries.c.data.is_not(None)) == 0
    assert (await load(store, receipts={(MINE, an_id(10))})).receipts  # a resend is still known


# --- contacts -----------------------------------------------------------------------------------------------


async def test_a_contact_is_loaded_with_all_its_conversations(store: Store) -> None:
    hers, another = a_conversation(), a_conversation(id="cnv_second", cursor=2)
    his = a_conversation(id="cnv_his", contact=ELI.id, cursor=3)
    await store_moves(store, *(a_move(each) for each in (hers, another, his)))

    loaded = await load(store, contacts={(MINE, DANA.id), (MINE, "con_nobody"), (OTHER, ELI.id)})

    assert loaded.contacts == {(MINE, DANA.id): Contact(MINE, DANA.id, DANA.name)}
    assert loaded.conversations == {(MINE, hers.id): hers, (MINE, another.id): another}


async def test_a_contact_that_was_written_is_so_for_everybody(store: Store) -> None:
    await load(store, actors={(MINE, DANA.id)})  # into a cache, if there is one
    blocked = Contact(MINE, DANA.id, "Dana B", "d@shop.example", {"tier": "gold"}, MOMENT + 1)
    await write(store, contacts=(blocked,))

    loaded = await load(store, contacts={(MINE, DANA.id)}, actors={(MINE, DANA.id)})

    assert loaded.contacts[MINE, DANA.id] == blocked
    actor = loaded.actors[MINE, DANA.id]
    assert (actor.name, actor.blocked_until, actor.active) == ("Dana B", MOMENT + 1, True)


async def test_a_rolled_back_contact_is_as_it_was(store: Store) -> None:
    transaction = await store.begin([MINE])
    await transaction.write([], {}, Rows(contacts=[Contact(MINE, DANA.id, "Never")]))
    await transaction.rollback()

    assert (await load(store, contacts={(MINE, DANA.id)})).contacts[MINE, DANA.id].name == DANA.name


async def test_a_merged_contact_takes_everything_to_the_other(store: Store) -> None:
    conversation = a_conversation()
    await store_moves(store, a_move(conversation, a_message(), a_message(2, by=NOA)))
    account = await key_of(store)
    session = {"account": account, "id": "ses_1", "secret": b"s", "actor": DANA.id, "created_at": 1, "expires_at": 2}
    await cold(
        store,
        insert(sessions).values(**session),
        insert(identities).values(inbox=DOOR, sub="42", contact=DANA.id),
    )

    after = replace(conversation, contact=ELI.id, seq=2, cursor=2)
    gone = Contact(MINE, DANA.id, merged_into=ELI.id)
    await write(store, a_move(after, before=conversation), contacts=(gone,))

    async with store.view() as view:
        assert await view.of_contacts([(MINE, ELI.id), (MINE, DANA.id)], 10) == {(MINE, ELI.id): [after]}
        authors = [entry.author for entry in await view.latest(MINE, conversation.id, 10, staff=True)]
        assert authors == [author_of(ELI.id), author_of(NOA.id)]
    assert await count(store, sessions, sessions.c.actor == ELI.id) == 1
    assert await count(store, identities, identities.c.contact == ELI.id) == 1
    assert not (await load(store, actors={(MINE, DANA.id)})).actors[MINE, DANA.id].active


async def test_a_merged_contact_takes_its_reactions_and_asks_along(store: Store) -> None:
    conversation = a_conversation()
    answer = a_message(2, by=NOA)
    await store_moves(store, a_move(conversation, answer))
    after = replace(conversation, seq=2, cursor=2)
    move = a_move(after, before=conversation)
    reacted = replace(answer, seq=2, reactions={"👍": (NOA.id, DANA.id)})
    move.entries.append(Written(reacted, 2, b"e", an_id(10), DANA.id, MOMENT))
    await write(store, move)

    merged = replace(after, contact=ELI.id, seq=3, cursor=3)
    await write(store, a_move(merged, before=after), contacts=(Contact(MINE, DANA.id, merged_into=ELI.id),))

    async with store.view() as view:
        (found,) = await view.latest(MINE, conversation.id, 10, staff=True)
        assert found.reactions == {"👍": (NOA.id, ELI.id)}
    assert (await load(store, receipts={(MINE, an_id(10))})).receipts[MINE, an_id(10)].author == ELI.id


# --- timers, followers, files, attributes -------------------------------------------------------------------


async def test_a_timer_is_there_once(store: Store) -> None:
    conversation = a_conversation()
    timer = Timer(an_id(7), MOMENT + 1000, "conversation.wake", conversation.id)
    move = a_move(conversation)
    move.timers = [timer, timer]
    await write(store, move)

    assert await count(store, timers, timers.c.id == timer.id, timers.c.at == timer.at) == 1


async def test_what_is_followed_is_found_until_it_is_resolved_or_let_go(store: Store) -> None:
    first, second = (
        a_held_conversation(followers=("agt_somchai",)),
        a_held_conversation(id="cnv_second", cursor=2, followers=("agt_somchai", "bot_echo")),
    )
    await store_moves(store, a_move(first), a_move(second))
    async with store.view() as view:
        assert await view.followed(MINE, "agt_somchai", 10) == [second, first]
        assert await view.followed(OTHER, "agt_somchai", 10) == []

    let_go = replace(first, followers=(), cursor=3)
    resolved = replace(second, status="resolved", cursor=4)
    await write(store, a_move(let_go, before=first), a_move(resolved, before=second))

    async with store.view() as view:
        assert await view.followed(MINE, "agt_somchai", 10) == []


@pytest.mark.parametrize(("finished", "account"), [(True, MINE), (False, MINE), (True, OTHER)])
async def test_only_a_whole_file_of_the_account_is_there_and_belongs_to_its_entry(
    store: Store, finished: bool, account: str
) -> None:
    key = await key_of(store)
    row = {"account": key, "id": FILE.id, "owner": DANA.id, "name": FILE.name, "type": FILE.type, "size": FILE.size}
    await cold(store, insert(uploads).values(**row, created_at=1, finished=finished))

    loaded = await load(store, uploads={(account, FILE.id)})
    is_there = finished and account == MINE
    there = Upload(MINE, FILE.id, DANA.id, FILE.name, FILE.type, FILE.size)
    assert loaded.uploads == ({(MINE, FILE.id): there} if is_there else {})

    await store_moves(store, a_move(a_conversation(), replace(a_message(), attachments=(FILE,))))
    if is_there:
        attached = (await load(store, uploads={(MINE, FILE.id)})).uploads[MINE, FILE.id]
        assert (attached.conversation, attached.entry) == ("cnv_parcel", an_id(1))


async def test_declared_attributes_are_the_accounts_own(store: Store) -> None:
    key = await key_of(store)
    tier = {"account": key, "of": "contact", "name": "tier", "type": "choice", "choices": ["gold", "tin"]}
    await cold(store, insert(attribute_types).values(**tier))

    loaded = await load(store, attributes={MINE, OTHER})

    assert loaded.attributes == {MINE: (AttributeType("contact", "tier", "choice", ("gold", "tin")),)}


async def test_the_end_of_a_block_is_read_by_account_and_contact(store: Store) -> None:
    await write(store, contacts=(Contact(MINE, DANA.id, "Dana", blocked_until=7),))

    async with store.view() as view:
        assert await view.blocked_until(MINE, DANA.id) == 7
        assert await view.blocked_until(MINE, ELI.id) == 0
        assert await view.blocked_until(OTHER, DANA.id) == 0
        assert await view.blocked_until(MINE, "con_nobody") == 0


async def test_the_line_that_says_who_became_whom_stays_true(store: Store) -> None:
    conversation = a_conversation()
    data = {"contact": DANA.id, "into": ELI.id}
    await store_moves(store, a_move(conversation, an_activity("merged", 2, audience="staff", data=data)))

    after = replace(conversation, contact=ELI.id, seq=2, cursor=2)
    gone = Contact(MINE, DANA.id, merged_into=ELI.id)
    await write(store, a_move(after, before=conversation), contacts=(gone,))

    async with store.view() as view:
        assert [entry.data for entry in await view.latest(MINE, conversation.id, 10, staff=True)] == [data]
