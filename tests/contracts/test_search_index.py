"""What every store's search index promises: see the docstrings of `chat.store.search_index`."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, update

from chat.errors import Unavailable
from chat.folding import contains, fold
from chat.model import Contact, Conversation, Entry
from chat.search import Doc, Filters
from chat.store import Head, Rows, Store, Written
from chat.store.search_index import Candidates, Original
from chat.store.tables import contacts
from tests.builders import (
    DANA,
    DOOR,
    ELI,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    SOMCHAI,
    STRANGER,
    a_conversation,
    a_message,
    a_move,
    a_note,
    an_id,
    populate,
    store_moves,
)
from tests.engines import StoreEngine

ALL = 10_000
LONG = "n" * 400


def a_doc(number: int, text: str, **parts: Any) -> Doc:
    return replace(Doc(an_id(number), "message", "cnv_parcel", MOMENT, fold(text)), **parts)


async def with_conversation(store: Store, *entries: Entry, **parts: Any) -> Conversation:
    made = a_conversation(**parts)
    await store_moves(store, a_move(made, *entries))
    return made


async def put(store: Store, docs: Iterable[Doc], account: str = MINE) -> None:
    """As indexing does: a few at a time, sealing in between."""
    waiting = list(docs)
    while waiting:
        async with store.search.turn(account) as turn:
            await turn.put(waiting[:100])
        del waiting[:100]
        while await store.search.seal(account):
            pass


async def drop(store: Store, *of: str, account: str = MINE) -> None:
    async with store.search.turn(account) as turn:
        await turn.drop(of)


async def found(store: Store, *pieces: str, account: str = MINE, limit: int = ALL, **filters: Any) -> Candidates:
    return await store.search.candidates(account, [fold(piece) for piece in pieces], Filters(**filters), limit)


async def found_ids(store: Store, *pieces: str, **more: Any) -> list[str]:
    return [doc.of for doc in (await found(store, *pieces, **more)).docs]


# --- candidates ---------------------------------------------------------------------------------------------


async def test_documents_are_found_by_all_their_pieces_the_last_first(store: Store) -> None:
    await with_conversation(store)
    docs = [a_doc(1, "Red shirt"), a_doc(2, "blue shirt"), a_doc(3, "A red hat")]
    await put(store, docs)

    assert (await found(store, "shirt")).docs == [docs[1], docs[0]]
    assert await found_ids(store, "red", "shi") == [an_id(1)]
    assert await found_ids(store, "e", "b") == []
    assert await found_ids(store, "b", "s") == [an_id(2)]
    assert await found_ids(store, "green") == []


@pytest.mark.parametrize("seed", range(3))
async def test_candidates_are_what_looking_at_all_of_it_finds(store: Store, seed: int) -> None:
    """With documents that are put, changed and dropped, before and after they are sealed."""
    chance = random.Random(seed)
    await with_conversation(store)
    numbers = count(1)
    there: dict[str, Doc] = {}

    def a_text() -> str:
        words = chance.choices(
            ["red", "ready", "שלום", "น้ำหอม", "I", "退款", "12", "a-b", LONG], k=chance.randint(1, 6)
        )
        return chance.choice(["", " "]).join(words)

    for _ in range(12):
        new = [a_doc(next(numbers), a_text(), at=chance.randint(0, 5)) for _ in range(chance.randint(0, 90))]
        changed = [replace(there[of], text=fold(a_text())) for of in chance.sample(sorted(there), len(there) // 9)]
        await put(store, [*new, *changed])
        for doc in (*new, *changed):
            if there.get(doc.of) != doc:
                there.pop(doc.of, None)
                there[doc.of] = doc
        gone = chance.sample(sorted(there), len(there) // 10)
        await drop(store, *gone)
        for of in gone:
            del there[of]
    everything = list(reversed(there.values()))

    assert len(everything) > 250
    for pieces in (
        ["red"],
        ["rea"],
        ["ed"],
        ["הי"],
        ["שלום"],
        ["น้"],
        ["หอม", "i"],
        ["退"],
        ["2"],
        ["-b"],
        ["nnnn", "12"],
    ):
        folded = [fold(piece) for piece in pieces]
        expected = [doc for doc in everything if all(contains(doc.text, piece) for piece in folded)]
        assert (await found(store, *pieces)).docs == expected
        assert (await found(store, *pieces, since=2, until=4)).docs == [doc for doc in expected if 2 <= doc.at < 4]


async def test_a_limit_cuts_the_oldest_off_and_says_so(store: Store) -> None:
    await with_conversation(store)
    await put(store, [a_doc(number, f"red {number}") for number in range(700)])

    cut = await found(store, "red", limit=600)
    whole = await found(store, "red", limit=700)

    assert ([doc.of for doc in cut.docs], cut.cut) == ([an_id(number) for number in range(699, 99, -1)], True)
    assert (len(whole.docs), whole.cut) == (700, False)


async def test_a_document_is_there_once(store: Store) -> None:
    await with_conversation(store)
    await put(store, [a_doc(number, "red") for number in range(600)])
    for text in ("green", "green", "blue"):
        await put(store, [a_doc(7, text)])

    assert await found_ids(store, "blue") == [an_id(7)]
    assert await found_ids(store, "green") == []
    assert len(await found_ids(store, "red")) == 599


async def test_one_account_never_finds_what_is_anothers(store: Store) -> None:
    await with_conversation(store)
    theirs = a_conversation(id="cnv_theirs", contact=STRANGER.id)
    await store_moves(store, a_move(theirs, account=OTHER))
    await put(store, [a_doc(number, "red") for number in range(300)])
    await put(store, [a_doc(number, "red", conversation="cnv_theirs") for number in range(290, 600)], account=OTHER)

    assert set(await found_ids(store, "red")) == {an_id(number) for number in range(300)}
    assert set(await found_ids(store, "red", account=OTHER)) == {an_id(number) for number in range(290, 600)}
    assert await found_ids(store, "red", account="acc_nowhere") == []


async def test_filters_look_at_the_conversation_as_it_is_now(store: Store) -> None:
    before = await with_conversation(store)
    await with_conversation(store, id="cnv_second", contact=ELI.id, inbox="inb_other", cursor=2, assignee=SOMCHAI.id)
    docs = [
        a_doc(1, "red"),
        a_doc(2, "red", conversation="cnv_second"),
        a_doc(3, "red", of="cnv_second", conversation="cnv_second", kind="subject"),
        a_doc(4, "red", of=DANA.id, conversation=None, kind="contact"),
    ]
    await put(store, docs)
    after = replace(before, tags=("vip",), assignee=NOA.id, seq=2, cursor=3)
    await store_moves(store, a_move(after, before=before))

    assert await found_ids(store, "red", tag="vip") == [DANA.id, an_id(1)]
    assert await found_ids(store, "red", inbox="inb_other") == ["cnv_second", an_id(2)]
    assert await found_ids(store, "red", inbox=DOOR, agent=NOA.id) == [DANA.id, an_id(1)]
    assert await found_ids(store, "red", inbox=DOOR, agent=SOMCHAI.id) == []
    assert await found_ids(store, "red", kind="subject") == ["cnv_second"]
    assert await found_ids(store, "red", kind="contact", inbox="inb_other") == []


# --- turns --------------------------------------------------------------------------------------------------


async def test_a_turn_that_fails_leaves_nothing(store: Store) -> None:
    made = await with_conversation(store)

    with pytest.raises(ZeroDivisionError):
        async with store.search.turn(MINE) as turn:
            await turn.put([a_doc(1, "red")])
            await turn.reach({made.id: 1})
            await turn.advance(1)
            raise ZeroDivisionError

    assert await found_ids(store, "red") == []
    async with store.search.turn(MINE) as turn:
        assert (turn.cursor, await turn.reached([made.id])) == (0, {})


async def test_a_commit_that_fails_is_told_and_harms_nobody(engine: StoreEngine, store: Store) -> None:
    made = await with_conversation(store)

    with engine.failing_commits(store), pytest.raises(Unavailable):
        async with store.search.turn(MINE) as turn:
            await turn.put([a_doc(1, "red")])

    assert await found_ids(store, "red") == []
    await store_moves(store, a_move(replace(made, seq=2, cursor=2), before=made))
    await put(store, [a_doc(1, "red")])
    assert await found_ids(store, "red") == [an_id(1)]


async def test_a_turn_makes_nobody_wait_for_a_locked_database(engine: StoreEngine, store: Store) -> None:
    with engine.locked():
        began = time.monotonic()
        with pytest.raises(Unavailable):
            async with store.search.turn(MINE):
                pass
        assert time.monotonic() - began < 1

    await with_conversation(store)
    await put(store, [a_doc(1, "red")])
    assert await found_ids(store, "red") == [an_id(1)]


async def test_what_a_turn_did_is_there_when_the_store_is_opened_again(engine: StoreEngine) -> None:
    store = await engine.open()
    await populate(store)
    made = await with_conversation(store)
    await put(store, [a_doc(number, "red") for number in range(300)])
    async with store.search.turn(MINE) as turn:
        await turn.reach({made.id: 7})
        await turn.advance(9)
    await store.close()

    again = await engine.open()
    try:
        assert len(await found_ids(again, "red")) == 300
        async with again.search.turn(MINE) as turn:
            assert (turn.cursor, await turn.reached([made.id])) == (9, {made.id: 7})
    finally:
        await again.close()


async def test_accounts_are_behind_until_their_cursor_is_reached(store: Store) -> None:
    assert MINE in await store.search.behind()  # its contacts are new
    for account in (MINE, OTHER):
        async with store.search.turn(account) as turn:
            assert await turn.waiting_contacts(100) != []
    assert await store.search.behind() == []

    await with_conversation(store, cursor=5)
    assert await store.search.behind() == [MINE]

    async with store.search.turn(MINE) as turn:
        await turn.advance(5)
    assert await store.search.behind() == []


async def test_a_turn_sees_the_ledger_as_it_is(store: Store) -> None:
    made = await with_conversation(store, a_message(1))

    async with store.search.turn(MINE) as turn:
        assert [each.id for each in await turn.view.moved(MINE, turn.cursor, 10)] == [made.id]
        found = await turn.view.after_seq({(MINE, made.id): 0}, 10, staff=True)
        assert [each.id for each in found[MINE, made.id]] == [an_id(1)]


async def test_contacts_wait_when_they_come_and_when_they_change(store: Store) -> None:
    async with store.search.turn(MINE) as turn:
        first = await turn.waiting_contacts(1)
        rest = await turn.waiting_contacts(10)
        assert await turn.waiting_contacts(10) == []
    assert first + rest == [(DANA.id, MOMENT, "Dana\n"), (ELI.id, MOMENT, "Eli\n")]

    def rename(connection: Connection) -> None:
        connection.execute(update(contacts).where(contacts.c.id == DANA.id).values(email="dana@x.example"))
        connection.execute(update(contacts).where(contacts.c.id == ELI.id).values(blocked_until=5))

    await store.administer(rename)
    await write_contacts(store, Contact(MINE, ELI.id, ELI.name, merged_into=DANA.id))

    assert MINE in await store.search.behind()
    async with store.search.turn(MINE) as turn:
        assert await turn.waiting_contacts(10) == [(DANA.id, MOMENT, "Dana\ndana@x.example"), (ELI.id, MOMENT, None)]
    async with store.search.turn(OTHER) as turn:
        assert await turn.waiting_contacts(10) == [(STRANGER.id, MOMENT, "Stranger\n")]


async def write_contacts(store: Store, *rows: Contact) -> None:
    transaction = await store.begin([MINE])
    await transaction.write([], {}, Rows(contacts=list(rows)))
    await transaction.commit()


# --- originals ----------------------------------------------------------------------------------------------


async def test_originals_are_what_they_are_now(store: Store) -> None:
    message, note, withdrawn = a_message(1, text="Réd"), a_note(2, text="blue", seq=2), a_message(3, seq=3)
    made = await with_conversation(store, message, note, withdrawn, subject="A red one", seq=3)
    docs = [
        *(a_doc(number, "red") for number in (1, 2, 3, 4)),
        a_doc(5, "red", of=made.id, kind="subject"),
        a_doc(6, "dana", of=DANA.id, kind="contact", conversation=None),
        a_doc(7, "stranger", of=STRANGER.id, kind="contact", conversation=None),
    ]
    expected = {
        an_id(1): Original("Réd", DANA.id, DANA.id, DOOR),
        an_id(2): Original("blue", DANA.id, NOA.id, DOOR),
        an_id(3): Original("Where is my parcel?", DANA.id, DANA.id, DOOR),
        made.id: Original("A red one", DANA.id, None, DOOR),
        DANA.id: Original("Dana\n", DANA.id),
    }
    assert await store.search.originals(MINE, docs) == expected
    assert await store.search.originals(OTHER, docs[:-1]) == {}

    after = replace(made, subject="", seq=5, cursor=2)
    edited = replace(message, text="Blue", seq=4, edited_at=MOMENT)
    move = a_move(after, before=made)
    move.entries += [Written(edited, 2, b"e", "ask-1"), Written(replace(withdrawn, seq=5, withdrawn=True, text=""), 2)]
    await store_moves(store, move)
    await write_contacts(store, Contact(MINE, DANA.id, "", erased=True))

    assert await store.search.originals(MINE, docs) == {
        an_id(1): Original("Blue", DANA.id, DANA.id, DOOR),
        an_id(2): expected[an_id(2)],
        made.id: Original("", DANA.id, None, DOOR),
    }


# --- forgetting ---------------------------------------------------------------------------------------------


async def test_what_is_forgotten_is_gone_and_nothing_else(store: Store) -> None:
    entries = [a_message(number, text="red", seq=number) for number in range(1, 301)]
    made = await with_conversation(store, *entries, seq=300)
    other = await with_conversation(store, a_message(500), id="cnv_second", contact=ELI.id, cursor=2)
    await put(store, [a_doc(number, "red") for number in range(1, 301)])
    await put(store, [a_doc(500, "red", conversation=other.id)])
    await put(store, [a_doc(0, "red", of=made.id, kind="subject")])
    for contact in (DANA, ELI):
        await put(store, [a_doc(0, "red", of=contact.id, kind="contact", conversation=None)])

    await store.search.forget(OTHER, conversations=[made.id], contacts=[DANA.id])
    assert len(await found_ids(store, "red")) == 304

    await store.search.forget(MINE, conversations=[made.id], contacts=[DANA.id])
    assert await found_ids(store, "red") == [ELI.id, an_id(500)]

    await store.search.forget(MINE, conversations=["cnv_nowhere"], contacts=["con_nowhere"])
    await store.search.forget("acc_nowhere", conversations=[made.id])


async def test_what_the_ledger_erases_or_merges_is_forgotten_with_it(store: Store) -> None:
    made = await with_conversation(store, a_message(1))
    await with_conversation(store, a_message(2), id="cnv_second", contact=ELI.id, cursor=2)
    await put(store, [a_doc(1, "red"), a_doc(2, "red", conversation="cnv_second")])
    await put(store, [a_doc(0, "red", of=each, kind="contact", conversation=None) for each in (DANA.id, ELI.id)])
    await put(store, [a_doc(number, "blue") for number in range(100, 400)])

    erasing = a_move(replace(made, seq=2, cursor=3, rewritten=2), before=made)
    erasing.erases = True
    await store_moves(store, erasing)
    assert await found_ids(store, "red") == [ELI.id, DANA.id, an_id(2)]

    await write_contacts(store, Contact(MINE, DANA.id, erased=True))
    assert await found_ids(store, "red") == [ELI.id, an_id(2)]

    await write_contacts(store, Contact(MINE, ELI.id, merged_into="con_else"))
    assert await found_ids(store, "red") == [an_id(2)]


async def test_the_ledger_goes_on_beside_turns(store: Store) -> None:
    """Neither undoes or delays what the other did."""
    made = await with_conversation(store)
    for number in range(2, 6):
        async with store.search.turn(MINE) as turn:
            await turn.put([a_doc(number, "red")])
        after = replace(made, seq=number, cursor=number)
        await store_moves(store, a_move(after, a_message(number, seq=number), before=made))
        made = after

    async with store.view() as view:
        assert await view.head(MINE) == 5
    transaction = await store.begin([MINE])
    assert transaction.heads == {MINE: Head(5, MOMENT)}
    await transaction.rollback()
    assert len(await found_ids(store, "red")) == 4
