"""The index follows the ledger: whatever was said, changed or taken away, and wherever it was interrupted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import count, pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from chat.clock import Clock
from chat.model import Actor
from chat.rules.contacts import Erase, Merge, Update
from chat.rules.edits import Edit, Withdraw
from chat.rules.messages import AddNote, Send
from chat.rules.subject import Rename
from chat.search import Doc, Filters, contact_text, of_contact, of_entry, of_subject
from chat.store import Store
from chat.store.tables import agents, contacts
from gateway import indexing
from gateway.indexing import Indexing
from tests.builders import (
    DANA,
    ELI,
    MINE,
    NOA,
    OTHER,
    STRANGER,
    a_conversation,
    a_message,
    a_move,
    an_id,
    populate,
    store_moves,
)
from tests.engines import StoreEngine
from tests.office import Office, open_office

ALL = 100_000
TURNS = 3


def never() -> bool:
    return False


def an_indexing(store: Store, clock: Clock, is_busy: Callable[[], bool] = never) -> Indexing:
    return Indexing(store, clock, is_busy)


async def indexed(store: Store, piece: str = "o", account: str = MINE) -> set[tuple[str, str]]:
    """What is found: of what, and its text."""
    found = await store.search.candidates(account, [piece], Filters(), ALL)
    return {(doc.of, doc.text) for doc in found.docs}


async def searchable(store: Store, account: str = MINE) -> set[tuple[str, str]]:
    """What should be, read from the store itself."""
    docs: list[Doc | None] = []
    async with store.view() as view:
        for conversation in await view.moved(account, 0, ALL):
            docs.append(of_subject(conversation))
            for entry in await view.latest(account, conversation.id, ALL, staff=True):
                docs.append(of_entry(conversation.id, entry))  # noqa: PERF401  # two kinds side by side

    def known(connection: Connection) -> list[Any]:
        there = select(contacts.c.id, contacts.c.name, contacts.c.email).where(contacts.c.merged_into.is_(None))
        return list(connection.execute(there).all())

    mine = {person.id for person in (DANA, ELI, STRANGER) if person.account == account}
    docs += [
        of_contact(id_, 0, contact_text(name, email)) for id_, name, email in await store.inspect(known) if id_ in mine
    ]
    return {(doc.of, doc.text) for doc in docs if doc}


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # a log has no event
            await asyncio.sleep(0.001)


async def promoted(store: Store) -> None:
    """Noa may erase."""

    def work(connection: Connection) -> None:
        connection.execute(update(agents).values(role="supervisor"))

    await store.administer(work)


async def test_what_is_said_and_who_says_it_is_found(store: Store, clock: Clock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "One dog")
        await office.done(NOA, AddNote(id=office.new_id(), conversation=conversation, text="no dog of hers"))
        await office.done(NOA, Rename(id=office.new_id(), conversation=conversation, subject="Dogs"))
        await office.start(STRANGER, "Another dog")

    await an_indexing(store, clock).catch_up()

    assert {text for _, text in await indexed(store, "dog")} == {"one dog", "no dog of hers", "dogs"}
    assert {text for _, text in await indexed(store, "dog", OTHER)} == {"another dog"}
    assert {of for of, _ in await indexed(store, "dana")} == {DANA.id}
    assert await indexed(store, "stranger") == set()


async def test_edits_replace_and_what_is_withdrawn_is_gone(store: Store, clock: Clock) -> None:
    index = an_indexing(store, clock)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "One dog")
        sent = [(await office.send(DANA, conversation, text)) for text in ("two dogs", "three dogs")]
        assert len(sent) == 2
        await index.catch_up()
        entries = {text: of for of, text in await indexed(store, "dog")}
        edit = Edit(id=office.new_id(), conversation=conversation, entry=entries["two dogs"], text="two cats")
        await office.done(DANA, edit)
        withdraw = Withdraw(id=office.new_id(), conversation=conversation, entry=entries["three dogs"])
        await office.done(DANA, withdraw)
        await office.done(NOA, Rename(id=office.new_id(), conversation=conversation, subject="Dogs"))
        await index.catch_up()
        await office.done(NOA, Rename(id=office.new_id(), conversation=conversation, subject=""))
    await index.catch_up()

    assert await indexed(store, "dog") == {(entries["one dog"], "one dog")}
    assert await indexed(store, "cat") == {(entries["two dogs"], "two cats")}


async def test_contacts_are_followed_as_they_change_merge_and_go(store: Store, clock: Clock) -> None:
    index = an_indexing(store, clock)
    await promoted(store)
    async with open_office(store, clock) as office:
        await office.start(DANA, "One dog")
        await office.done(NOA, Update(id=office.new_id(), contact=ELI.id, name="Zoë", email="zoe@x.example"))
        await index.catch_up()
        assert {text for _, text in await indexed(store, "zoe")} == {"zoe\nzoe@x.example"}

        await office.done(NOA, Merge(id=office.new_id(), contact=ELI.id, into=DANA.id))
        await index.catch_up()
        assert {of for of, _ in await indexed(store, "zoe")} <= {DANA.id}
        assert await indexed(store, "dog") != set()

        await office.done(NOA, Erase(id=office.new_id(), contact=DANA.id))
        assert await indexed(store, "d") == set()
    await index.catch_up()
    assert await indexed(store, "d") == set()


async def chatter(office: Office, chance: random.Random, conversations: dict[str, Actor], written: list[Any]) -> None:
    """Something that may happen, refused or not."""
    asker = chance.choice([DANA, ELI])
    words = " ".join(chance.choices(["foo", "boo", "zoo", "o" * 700], k=chance.randint(1, 4)))
    if not conversations or chance.random() < 0.1:
        conversations[await office.start(asker, words)] = asker
        return
    conversation, asker = chance.choice(list(conversations.items()))
    id_ = office.new_id()
    match chance.randrange(8):
        case 0 if written:
            there, entry = chance.choice(written)
            await office.ask(NOA, Edit(id=id_, conversation=there, entry=entry, text=words))
        case 1 if written:
            there, entry = chance.choice(written)
            await office.ask(NOA, Withdraw(id=id_, conversation=there, entry=entry))
        case 2:
            await office.ask(NOA, Rename(id=id_, conversation=conversation, subject=words[:40]))
        case 3:
            await office.ask(NOA, Update(id=id_, contact=asker.id, name=words[:40]))
        case 4:
            await office.ask(asker, *[_send(office, conversation, words) for _ in range(chance.randint(1, 90))])
        case _:
            await office.ask(NOA, AddNote(id=id_, conversation=conversation, text=words))
            written.append((conversation, id_))


def _send(office: Office, conversation: str, text: str) -> Any:
    return Send(id=office.new_id(), conversation=conversation, text=text)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_index_is_what_a_fresh_one_would_be(
    new_engine: Callable[[], StoreEngine], clock: Clock, seed: int
) -> None:
    """Caught up in between at random, cut off in the middle, opened again: at the end it has what there is."""
    chance = random.Random(seed)
    engine = new_engine()
    store = await engine.open()
    await populate(store)
    await promoted(store)
    conversations: dict[str, Actor] = {}
    written: list[Any] = []
    numbers = count(0x1000)
    for _ in range(5):
        async with open_office(store, clock) as office:
            office._numbers = numbers  # an id is used once, also in another office
            for _ in range(14):
                await chatter(office, chance, conversations, written)
                if chance.random() < 0.2:
                    await an_indexing(store, clock).catch_up()
                elif chance.random() < 0.4:
                    await cut_off(an_indexing(store, clock), chance)
        await store.close()
        store = await engine.open()
    async with open_office(store, clock) as office:
        office._numbers = numbers
        await office.ask(NOA, Merge(id=office.new_id(), contact=ELI.id, into=DANA.id))
        await cut_off(an_indexing(store, clock), chance)
    await an_indexing(store, clock).catch_up()

    expected = await searchable(store)
    assert len(expected) > 100
    assert await indexed(store, "zoo") == {(of, text) for of, text in expected if "zoo" in text}
    assert await indexed(store, "foo") == {(of, text) for of, text in expected if "foo" in text}
    assert await store.search.behind() == []
    await store.close()


async def cut_off(index: Indexing, chance: random.Random) -> None:
    """As a kill would: at any await."""
    task = asyncio.ensure_future(index.catch_up())
    for _ in range(chance.randrange(30)):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def test_a_long_conversation_takes_several_turns_of_a_bounded_size(store: Store, clock: Clock) -> None:
    index = an_indexing(store, clock)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "one dog")
        many = TURNS * store.search.room
        await office.ask(DANA, *[_send(office, conversation, f"dog {number}") for number in range(many)])

    sizes = [0]
    while MINE in await store.search.behind():
        await index._take_turn(MINE)
        sizes.append(len(await indexed(store, "dog")))

    assert sizes[-1] == many + 1
    assert max(later - earlier for earlier, later in pairwise(sizes)) <= store.search.room


async def test_what_one_change_wrote_may_stand_on_two_pages(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "ONE_CHANGE", 8 - store.search.room)  # pages of eight
    entries = [replace(a_message(number, text="dog", seq=1 + number // 2), id=an_id(number)) for number in range(1, 24)]
    await store_moves(store, a_move(a_conversation(seq=entries[-1].seq), *entries))

    await an_indexing(store, clock).catch_up()

    assert len(await indexed(store, "dog")) == len(entries)


async def test_it_runs_until_it_is_stopped_and_outlives_a_store_that_is_away(
    engine: StoreEngine, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexing, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(indexing, "AWAY_SECONDS", 0.001)
    monkeypatch.setattr(indexing, "FAILED_SECONDS", 0.001)
    index = an_indexing(store, clock)
    with engine.failing_commits(store):
        running = asyncio.ensure_future(index.run())
        await eventually(lambda: "away" in caplog.text)
    monkeypatch.setattr(indexing, "of_contact", lambda *_: 1 // 0)
    await eventually(lambda: "indexing failed" in caplog.text)
    monkeypatch.undo()
    async with open_office(store, clock) as office:
        await office.start(DANA, "one dog")
    async with asyncio.timeout(10):
        while not await indexed(store, "dog"):  # noqa: ASYNC110  # nobody is told that something can be found now
            await asyncio.sleep(0.001)
    index.stop()
    await running


async def test_it_rests_longer_while_the_ledger_works(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    ticks, numbers = count(), count(0x1000)

    class Slow:
        def now(self) -> int:
            return clock.now()

        def ticks(self) -> float:
            return next(ticks) / 100  # each turn takes 10 ms

    async def rest(self: Indexing, seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(Indexing, "_wait", rest)
    for busy in (False, True):
        index = Indexing(store, Slow(), lambda busy=busy: busy)  # type: ignore[misc]
        async with open_office(store, clock) as office:
            office._numbers = numbers
            await office.start(DANA, "one dog")
        await index.catch_up()

    assert {round(rest, 3) for rest in rests} == {0.01, 0.09}
