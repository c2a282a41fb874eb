"""What every store promises: see the docstrings of `chat.store`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from unittest.mock import ANY

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from chat.errors import Unavailable
from chat.model import Conversation, Receipt, encode
from chat.store import Head, Loaded, Store, Wanted
from chat.store.tables import agents, contacts
from tests.builders import (
    DANA,
    DOOR,
    ELI,
    GONE,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    RIVAL,
    STRANGER,
    TEAM,
    a_conversation,
    a_door,
    a_held_conversation,
    a_message,
    a_move,
    a_note,
    a_team,
    an_activity,
    an_id,
    populate,
    store_moves,
)
from tests.engines import StoreEngine

PATIENCE_SECONDS = 2.0  # as the Store's docstring promises
SCHEDULING_SECONDS = 0.5  # what a busy machine may add


async def a_stored_conversation(store: Store, **parts: object) -> Conversation:
    conversation = a_conversation(**parts)
    await store_moves(store, a_move(conversation, a_message()))
    return conversation


async def a_few_turns() -> None:
    """Let everybody on the loop do what doesn't need to wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def heads(store: Store, *accounts: str) -> dict[str, Head]:
    transaction = await store.begin(accounts)
    try:
        return dict(transaction.heads)
    finally:
        await transaction.rollback()


# --- committing ---------------------------------------------------------------------------------------------


async def test_what_was_committed_is_seen_by_the_next_view(store: Store) -> None:
    conversation = await a_stored_conversation(store)

    async with store.view() as view:
        assert await view.conversation(MINE, conversation.id) == conversation
        assert await view.latest(MINE, conversation.id, 10, staff=True) == [a_message()]
        assert await view.head(MINE) == 1


async def test_what_was_committed_is_loaded_by_the_next_transaction(store: Store) -> None:
    conversation = await a_stored_conversation(store)

    transaction = await store.begin([MINE])
    loaded = await transaction.load(Wanted({(MINE, an_id(1))}, {(MINE, conversation.id)}))
    await transaction.rollback()

    assert transaction.heads == {MINE: Head(1, MOMENT)}
    assert loaded.conversations == {(MINE, conversation.id): conversation}
    assert loaded.receipts == {(MINE, an_id(1)): Receipt(DANA.id, b"d", conversation.id, 1, MOMENT)}


async def test_every_transaction_loads_the_newest_state(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    for seq in range(2, 5):
        transaction = await store.begin([MINE])
        wanted = Wanted(conversations={(MINE, conversation.id)})
        assert (await transaction.load(wanted)).conversations == {(MINE, conversation.id): conversation}
        moved = replace(conversation, seq=seq, cursor=seq)
        await transaction.write([a_move(moved, before=conversation)], {MINE: Head(seq, MOMENT)})
        await transaction.commit()
        conversation = moved

    assert await heads(store, MINE) == {MINE: Head(4, MOMENT)}


async def test_a_rollback_leaves_nothing_in_the_database_nor_in_memory(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    moved = replace(conversation, seq=2, cursor=2, preview="never")
    begun = a_conversation(id="cnv_never", cursor=3)

    transaction = await store.begin([MINE])
    await transaction.load(Wanted(conversations={(MINE, conversation.id)}))
    moves = [a_move(moved, a_message(2, seq=2), before=conversation), a_move(begun, a_message(3))]
    await transaction.write(moves, {MINE: Head(3, MOMENT)})
    await transaction.rollback()

    transaction = await store.begin([MINE])
    loaded = await transaction.load(
        Wanted({(MINE, an_id(2))}, {(MINE, conversation.id), (MINE, begun.id)}),
    )
    await transaction.rollback()
    assert transaction.heads[MINE].cursor == 1
    assert loaded.conversations == {(MINE, conversation.id): conversation}
    assert loaded.receipts == {}
    async with store.view() as view:
        assert await view.moved(MINE, 0, 10) == [conversation]
        assert len(await view.latest(MINE, conversation.id, 10, staff=True)) == 1


async def test_after_a_rollback_the_same_can_be_committed(store: Store) -> None:
    move = a_move(a_conversation(), a_message())
    transaction = await store.begin([MINE])
    await transaction.write([move], {MINE: Head(1, MOMENT)})
    await transaction.rollback()

    await store_moves(store, move)

    async with store.view() as view:
        assert await view.conversation(MINE, move.after.id) == move.after


async def test_one_bad_entry_takes_the_whole_transaction_with_it(store: Store) -> None:
    await a_stored_conversation(store)
    good = a_conversation(id="cnv_good", cursor=2)
    twice = a_conversation(id="cnv_twice", cursor=3)

    transaction = await store.begin([MINE])
    with pytest.raises(Exception) as failed:  # what it is, is the driver's business
        await transaction.write(
            [a_move(good, a_message(2)), a_move(twice, a_message(1))],  # entry 1 is there already
            {MINE: Head(3, MOMENT)},
        )
    await transaction.rollback()

    assert not isinstance(failed.value, Unavailable)  # the data is at fault, not the engine
    async with store.view() as view:
        assert await view.conversation(MINE, good.id) is None
        assert await view.head(MINE) == 1


async def test_many_conversations_of_several_accounts_are_committed_at_once(store: Store) -> None:
    mine = [a_conversation(id=f"cnv_{number}", cursor=number) for number in range(1, 6)]
    theirs = a_conversation(id="cnv_theirs", contact=STRANGER.id)

    await store_moves(
        store,
        *(a_move(conversation, a_message(conversation.cursor)) for conversation in mine),
        a_move(theirs, a_message(1, by=STRANGER), account=OTHER),
    )

    async with store.view() as view:
        assert await view.cursors([MINE, OTHER]) == {MINE: 5, OTHER: 1}
        assert await view.moved(MINE, 0, 10) == mine
        assert await view.moved(OTHER, 0, 10) == [theirs]


async def test_an_account_that_is_begun_is_locked_until_it_is_committed(store: Store) -> None:
    first = await store.begin([MINE])
    second = asyncio.create_task(store.begin([MINE]))
    await a_few_turns()
    assert not second.done()

    await first.write([a_move(a_conversation(), a_message())], {MINE: Head(1, MOMENT)})
    await first.commit()

    assert (await second).heads == {MINE: Head(1, MOMENT)}
    await second.result().rollback()


async def test_an_account_that_is_not_there_has_no_head(store: Store) -> None:
    assert await heads(store, MINE, "acc_nowhere") == {MINE: Head(0, 0)}
    async with store.view() as view:
        assert await view.head("acc_nowhere") == 0
        assert await view.cursors([MINE, "acc_nowhere"]) == {MINE: 0}


async def test_state_columns_follow_the_state(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    held = replace(conversation, status="open", assignee=NOA.id, seq=2, cursor=2)
    resolved = replace(held, status="resolved", waiting_since=None, seq=3, cursor=3)

    await store_moves(store, a_move(held, before=conversation))
    async with store.view() as view:
        assert await view.assigned(MINE, NOA.id, 10) == [held]
        assert await view.listed(MINE, resolved=False, limit=10) == [held]
    await store_moves(store, a_move(resolved, before=held))

    async with store.view() as view:
        assert await view.assigned(MINE, NOA.id, 10) == []
        assert await view.listed(MINE, resolved=False, limit=10) == []
        assert await view.listed(MINE, resolved=True, limit=10) == [resolved]


async def test_an_entry_comes_back_as_it_was(store: Store) -> None:
    conversation = a_conversation(seq=3, cursor=3)
    entries = [
        a_message(1, text="שלום\nสวัสดี 👋 <b>&amp;\u2028"),
        a_note(2, seq=2),
        an_activity("assigned", 3, seq=3, data={"assignee": NOA.id, "team": None}, audience="staff"),
    ]
    await store_moves(store, a_move(conversation, *entries))

    async with store.view() as view:
        found = await view.latest(MINE, conversation.id, 10, staff=True)
    assert found == entries
    assert encode(found) == encode(entries)  # a reader gets the bytes that a listener got


# --- loading ------------------------------------------------------------------------------------------------


async def test_everybody_and_everything_named_is_loaded(store: Store) -> None:
    wanted = Wanted(
        actors={(MINE, DANA.id), (MINE, NOA.id), (MINE, GONE.id), (MINE, "bot_echo"), (MINE, "agt_nobody")},
        inboxes={(MINE, DOOR), (MINE, "inb_nowhere")},
        teams={(MINE, TEAM), (MINE, "tem_none")},
    )

    transaction = await store.begin([MINE])
    loaded = await transaction.load(wanted)
    await transaction.rollback()

    assert loaded.actors.keys() == {(MINE, DANA.id), (MINE, NOA.id), (MINE, GONE.id), (MINE, "bot_echo")}
    assert loaded.actors[MINE, NOA.id] == NOA
    assert loaded.actors[MINE, DANA.id] == DANA
    assert not loaded.actors[MINE, GONE.id].active
    assert loaded.inboxes == {(MINE, DOOR): a_door()}
    assert loaded.teams == {(MINE, TEAM): a_team()}


async def test_nothing_is_loaded_from_another_account(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    wanted = Wanted(
        entries={(OTHER, an_id(1))},
        conversations={(OTHER, conversation.id)},
        actors={(OTHER, NOA.id), (OTHER, DANA.id), (MINE, RIVAL.id)},
        inboxes={(OTHER, DOOR)},
        teams={(OTHER, TEAM)},
    )

    for _ in range(2):  # the second time out of a cache, if there is one
        transaction = await store.begin([MINE, OTHER])
        await transaction.load(
            Wanted({(MINE, an_id(1))}, {(MINE, conversation.id)}, {(MINE, NOA.id)}, {(MINE, DOOR)}, {(MINE, TEAM)})
        )
        loaded = await transaction.load(wanted)
        await transaction.rollback()

        assert loaded == Loaded()


async def test_the_same_entry_id_may_be_used_in_two_accounts(store: Store) -> None:
    await a_stored_conversation(store)
    theirs = a_conversation(id="cnv_theirs", contact=STRANGER.id)
    await store_moves(store, a_move(theirs, a_message(1, by=STRANGER), account=OTHER, digest=b"other"))

    transaction = await store.begin([MINE, OTHER])
    loaded = await transaction.load(Wanted({(MINE, an_id(1)), (OTHER, an_id(1))}))
    await transaction.rollback()

    assert loaded.receipts[MINE, an_id(1)].author == DANA.id
    assert loaded.receipts[OTHER, an_id(1)] == Receipt(STRANGER.id, b"other", theirs.id, 1, ANY)


async def test_a_cold_write_is_seen_by_the_next_transaction(store: Store) -> None:
    async def noa() -> object:
        transaction = await store.begin([MINE])
        loaded = await transaction.load(Wanted(actors={(MINE, NOA.id)}))
        await transaction.rollback()
        return loaded.actors[MINE, NOA.id].active

    assert await noa() is True
    await store.administer(
        lambda connection: connection.execute(update(agents).where(agents.c.id == NOA.id).values(active=False))
    )

    assert await noa() is False


async def test_a_cold_write_that_fails_leaves_no_trace(store: Store) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(contacts).values(name="Nobody"))
        raise LookupError

    with pytest.raises(LookupError):
        await store.administer(work)

    names = await store.inspect(lambda connection: connection.execute(select(contacts.c.name)).scalars().all())
    assert sorted(names) == ["Dana", "Eli", "Stranger"]


# --- viewing ------------------------------------------------------------------------------------------------


async def test_another_accounts_conversation_is_not_there(store: Store) -> None:
    conversation = await a_stored_conversation(store, status="open", assignee=NOA.id)

    async with store.view() as view:
        assert await view.conversation(OTHER, conversation.id) is None
        assert await view.of_contacts([(OTHER, DANA.id)], 10) == {}
        assert await view.assigned(OTHER, NOA.id, 10) == []
        assert await view.moved(OTHER, 0, 10) == []
        assert await view.listed(OTHER, resolved=False, limit=10) == []
        assert await view.latest(OTHER, conversation.id, 10, staff=True) == []
        assert await view.before(OTHER, conversation.id, 99, 10, staff=True) == []
        assert await view.after_seq({(OTHER, conversation.id): 0}, 10, staff=True) == {}
        assert await view.after_cursor(OTHER, [conversation.id], 0, 10) == {}


async def test_contacts_have_their_own_conversations_latest_first(store: Store) -> None:
    first, second = a_conversation(cursor=1), a_conversation(id="cnv_2", cursor=3)
    elis = a_conversation(id="cnv_eli", contact=ELI.id, cursor=2)
    await store_moves(store, a_move(first, a_message(1)), a_move(elis, a_message(2)), a_move(second, a_message(3)))

    async with store.view() as view:
        dana, eli, nobody = (MINE, DANA.id), (MINE, ELI.id), (MINE, "con_none")
        assert await view.of_contacts([eli, dana, nobody], 10) == {dana: [second, first], eli: [elis]}
        assert await view.of_contacts([dana], 1) == {dana: [second]}
        assert await view.of_contacts([], 10) == {}


async def test_what_moved_after_a_cursor_comes_in_the_order_of_the_last_change(store: Store) -> None:
    one, two = a_conversation(cursor=1), a_conversation(id="cnv_2", cursor=2)
    await store_moves(store, a_move(one, a_message(1)), a_move(two, a_message(2)))
    later = replace(one, seq=2, cursor=3)
    await store_moves(store, a_move(later, a_message(3, seq=2), before=one))

    async with store.view() as view:
        assert await view.moved(MINE, 0, 10) == [two, later]
        assert await view.moved(MINE, 2, 10) == [later]
        assert await view.moved(MINE, 3, 10) == []
        assert await view.moved(MINE, 0, 1) == [two]


async def test_lists_have_who_waits_longest_first_and_then_the_latest(store: Store) -> None:
    waits = [a_conversation(id=f"cnv_{cursor}", cursor=cursor, waiting_since=MOMENT - cursor) for cursor in (1, 2)]
    answered = [a_held_conversation(id=f"cnv_{cursor}", cursor=cursor, waiting_since=None) for cursor in (3, 4)]
    both = [*waits, *answered]
    await store_moves(store, *(a_move(conversation, a_message(conversation.cursor)) for conversation in both))

    async with store.view() as view:
        listed = await view.listed(MINE, resolved=False, limit=10)
        assert [conversation.id for conversation in listed] == ["cnv_2", "cnv_1", "cnv_4", "cnv_3"]
        assert await view.listed(MINE, resolved=False, limit=1) == listed[:1]


async def test_entries_are_cut_from_the_right_end_and_come_oldest_first(store: Store) -> None:
    conversation = a_conversation(seq=9, cursor=9)
    entries = [a_message(seq, seq=seq) for seq in range(1, 10)]
    await store_moves(store, a_move(conversation, *entries))

    async with store.view() as view:
        assert await view.latest(MINE, conversation.id, 3, staff=True) == entries[6:]
        assert await view.before(MINE, conversation.id, 7, 3, staff=True) == entries[3:6]
        here = (MINE, conversation.id)
        assert await view.after_seq({here: 6}, 99, staff=True) == {here: entries[6:]}
        assert await view.after_seq({here: 0}, 2, staff=True) == {here: entries[:2]}
        assert await view.after_seq({here: 9}, 99, staff=True) == {}


async def test_entries_after_seqs_come_by_their_conversations_each_from_its_own_on(store: Store) -> None:
    one, two = a_conversation(seq=3, cursor=3), a_conversation(id="cnv_2", seq=3, cursor=6)
    ones, twos = [a_message(n, seq=n) for n in (1, 2, 3)], [a_message(n, seq=n - 3) for n in (4, 5, 6)]
    await store_moves(store, a_move(one, *ones), a_move(two, *twos))

    async with store.view() as view:
        here, there = (MINE, one.id), (MINE, two.id)
        assert await view.after_seq({there: 2, here: 1}, 10, staff=True) == {here: ones[1:], there: twos[2:]}
        assert await view.after_seq({here: 0, there: 0}, 2, staff=True) == {here: ones[:2], there: twos[:2]}
        assert await view.after_seq({here: 1, (OTHER, two.id): 0}, 10, staff=True) == {here: ones[1:]}
        assert await view.after_seq({}, 10, staff=True) == {}


async def test_entries_after_a_cursor_are_those_of_later_changes(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    moved = replace(conversation, seq=2, cursor=7)
    await store_moves(store, a_move(moved, a_message(2, seq=2), before=conversation))

    async with store.view() as view:
        for cursor, entries in ((0, [a_message(1), a_message(2, seq=2)]), (1, [a_message(2, seq=2)])):
            assert await view.after_cursor(MINE, [conversation.id], cursor, 10) == {conversation.id: entries}
        assert await view.after_cursor(MINE, [conversation.id], 7, 10) == {}


async def test_entries_after_a_cursor_come_by_their_conversations(store: Store) -> None:
    conversation = await a_stored_conversation(store)
    other, quiet = a_conversation(id="cnv_2", cursor=2, seq=2), a_conversation(id="cnv_3", cursor=4)
    await store_moves(store, a_move(other, a_message(2), a_message(3, seq=2)), a_move(quiet, a_message(4)))

    async with store.view() as view:
        found = await view.after_cursor(MINE, [conversation.id, other.id, "cnv_none"], 0, 10)

        assert found == {conversation.id: [a_message(1)], other.id: [a_message(2), a_message(3, seq=2)]}
        assert await view.after_cursor(MINE, [], 0, 10) == {}


async def test_entries_for_staff_are_left_out_for_others(store: Store) -> None:
    conversation = a_conversation(seq=2, cursor=2)
    await store_moves(store, a_move(conversation, a_message(1), a_note(2, seq=2)))

    async with store.view() as view:
        for entries in (
            await view.latest(MINE, conversation.id, 10, staff=False),
            await view.before(MINE, conversation.id, 10, 10, staff=False),
            (await view.after_seq({(MINE, conversation.id): 0}, 10, staff=False))[MINE, conversation.id],
        ):
            assert entries == [a_message(1)]


# --- trouble ------------------------------------------------------------------------------------------------


async def test_a_locked_database_is_unavailable_within_two_seconds_and_fine_afterwards(
    engine: StoreEngine, store: Store
) -> None:
    with engine.locked():
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await store.begin([MINE])
        took = time.monotonic() - began
        async with store.view() as view:  # reading goes on
            assert await view.head(MINE) == 0

    assert took < PATIENCE_SECONDS + SCHEDULING_SECONDS
    await a_stored_conversation(store)


async def test_who_waits_for_a_lock_gets_it_when_it_is_free(engine: StoreEngine, store: Store) -> None:
    with engine.locked():
        waiting = asyncio.create_task(store.begin([MINE]))
        await a_few_turns()
        assert not waiting.done()

    await (await waiting).rollback()


async def test_a_cold_write_waits_for_a_lock_as_well(engine: StoreEngine, store: Store) -> None:
    statement = update(contacts).values(name="Somebody")
    with engine.locked():
        waiting = asyncio.create_task(store.administer(lambda connection: connection.execute(statement)))
        await a_few_turns()
        assert not waiting.done()

    await waiting


async def test_a_database_that_breaks_is_unavailable_and_fine_afterwards(engine: StoreEngine, store: Store) -> None:
    with engine.broken():
        with pytest.raises(Unavailable):
            await store.begin([MINE])
        with pytest.raises(Unavailable):
            async with store.view() as view:
                await view.head(MINE)

    assert await heads(store, MINE) == {MINE: Head(0, 0)}


async def test_a_write_that_breaks_is_unavailable_and_can_be_done_again(engine: StoreEngine, store: Store) -> None:
    conversation = await a_stored_conversation(store)
    moved = replace(conversation, seq=2, cursor=2)
    move = a_move(moved, a_message(2, seq=2), before=conversation)
    with engine.broken(), pytest.raises(Unavailable):
        await store_moves(store, move)

    assert await heads(store, MINE) == {MINE: Head(1, MOMENT)}
    await store_moves(store, move)


async def test_a_commit_that_fails_is_unavailable_leaves_nothing_and_can_be_done_again(
    engine: StoreEngine, store: Store
) -> None:
    conversation = await a_stored_conversation(store)
    moved = replace(conversation, seq=2, cursor=2, status="open", assignee=NOA.id)
    begun = a_conversation(id="cnv_2", cursor=3)
    moves = [a_move(moved, a_message(2, seq=2), before=conversation), a_move(begun, a_message(3))]
    with engine.failing_commits(store), pytest.raises(Unavailable):
        await store_moves(store, *moves)

    async with store.view() as view:
        assert await view.moved(MINE, 0, 10) == [conversation]
    transaction = await store.begin([MINE])
    loaded = await transaction.load(Wanted({(MINE, an_id(2))}, {(MINE, conversation.id), (MINE, begun.id)}))
    await transaction.rollback()
    assert loaded.conversations == {(MINE, conversation.id): conversation}
    assert loaded.receipts == {}
    assert transaction.heads == {MINE: Head(1, MOMENT)}
    await store_moves(store, *moves)
    async with store.view() as view:
        assert await view.moved(MINE, 0, 10) == [moved, begun]


# --- closing and opening again ------------------------------------------------------------------------------


async def test_everything_is_there_after_opening_again(engine: StoreEngine) -> None:
    store = await engine.open()
    await populate(store)
    conversation = await a_stored_conversation(store)
    epoch = store.epoch
    await store.close()

    store = await engine.open()

    assert store.epoch == epoch
    async with store.view() as view:
        assert await view.conversation(MINE, conversation.id) == conversation
        assert await view.head(MINE) == 1
    await store_moves(store, a_move(a_conversation(id="cnv_2", cursor=2), a_message(2)))
    await store.close()


async def test_an_old_copy_that_comes_back_is_another_history(engine: StoreEngine) -> None:
    store = await engine.open()
    await populate(store)
    await store.close()
    engine.keep_copy()
    store = await engine.open()
    await a_stored_conversation(store)
    before = store.epoch
    await store.close()

    engine.bring_copy_back()
    store = await engine.open()
    after = store.epoch
    await store.close()
    again = await engine.open()

    assert after != before
    assert again.epoch == after
    await again.close()


async def test_an_epoch_begun_by_hand_stays(engine: StoreEngine) -> None:
    store = await engine.open()
    before = store.epoch

    await store.renew()
    after = store.epoch
    await store.close()
    store = await engine.open()

    assert store.epoch == after != before
    await store.close()


async def test_heads_are_told_of_accounts_that_are_there(store: Store) -> None:
    await store_moves(store, a_move(a_conversation(), a_message()))
    epoch = store.epoch

    assert await store.heads({MINE: 1, OTHER: 0, "acc_none": 0}) == {MINE: 1, OTHER: 0}
    assert await store.heads({}) == {}
    assert store.epoch == epoch


async def test_two_databases_have_two_epochs(new_engine: Callable[[], StoreEngine]) -> None:
    first, second = await new_engine().open(), await new_engine().open()

    assert first.epoch != second.epoch
    await first.close()
    await second.close()


async def test_what_was_deleted_can_be_scrubbed_at_any_time(store: Store, engine: StoreEngine) -> None:
    assert await store.scrub() == engine.scrubs_at_once
    await store.administer(lambda connection: connection.execute(update(contacts).values(name="Zwiebelkuchen")))
    await store.administer(lambda connection: connection.execute(update(contacts).values(name="")))

    assert await store.scrub() == engine.scrubs_at_once

    found = await store.inspect(lambda connection: connection.execute(select(contacts.c.name)).scalars().all())
    assert set(found) == {""}
