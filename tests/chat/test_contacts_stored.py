"""Contacts on a real store, several asks in one batch: what was written just before a merge, an erasure, a block."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select, text

from chat.access import system
from chat.model import Actor, Ask, Conversation, Entry, Position
from chat.reading import Reading
from chat.rules.attributes import Describe
from chat.rules.blocks import Card
from chat.rules.contacts import FOR_EVER, Block, Erase, Merge, Unblock, Update
from chat.rules.follow import Follow
from chat.rules.messages import AddNote, Send, Start
from chat.rules.priority import Prioritize
from chat.rules.reactions import React
from chat.rules.receipts import Read
from chat.rules.snooze import Snooze, Wake
from chat.rules.subject import Rename
from chat.rules.tags import Tag
from chat.store import Store
from chat.store.tables import accounts, attribute_types, contacts, entries
from chat.ticket import Done
from tests.builders import DANA, DOOR, ELI, MINE, MOMENT, NOA, StillClock, an_id
from tests.office import Office, Result, open_office

US = system(MINE)
MERGE = Merge(id=an_id(900), contact=DANA.id, into=ELI.id)


async def together(office: Office, asks: Sequence[tuple[Actor, Ask]]) -> list[Result]:
    """All in one batch."""
    return await office.settled(*[office.hand_in(actor, ask) for actor, ask in asks])


def codes(results: list[Result]) -> list[str]:
    return [("again" if result.again else "ok") if isinstance(result, Done) else result.code for result in results]


async def the_conversation(store: Store, id: str) -> Conversation:
    found = await Reading(store).conversation(MINE, id)
    assert found is not None
    return found


async def all_entries(store: Store, conversation: str) -> list[Entry]:
    async with store.view() as view:
        return await view.latest(MINE, conversation, 100, staff=True)


# --- merges ----------------------------------------------------------------------------------------------------------


async def test_what_was_asked_around_a_merge_in_one_batch_belongs_to_the_one_who_is_left(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        before = Send(id=an_id(1), conversation=conversation, text="before")
        later = Send(id=an_id(2), conversation=conversation, text="later", after=an_id(1))

        results = await together(
            office,
            [(DANA, before), (US, MERGE), (DANA, later), (DANA, before), (ELI, before), (ELI, later), (US, MERGE)],
        )
        assert codes(results) == ["ok", "ok", "changed", "changed", "again", "ok", "again"]

        assert codes(await together(office, [(ELI, before), (ELI, later), (US, MERGE)])) == ["again"] * 3
        texts = [entry for entry in await all_entries(store, conversation) if entry.kind == "message"]
        assert [(entry.author.id, entry.text) for entry in texts[1:]] == [(ELI.id, "before"), (ELI.id, "later")]
        state = await the_conversation(store, conversation)
        assert (state.contact, set(state.people)) == (ELI.id, {ELI.id})


async def test_a_conversation_that_began_in_the_very_batch_goes_along(store: Store, clock: StillClock) -> None:
    start = Start(id=an_id(1), inbox=DOOR, text="Hello?")
    async with open_office(store, clock) as office:
        results = await together(office, [(DANA, start), (US, MERGE), (ELI, start)])

        assert codes(results) == ["ok", "ok", "again"]
        first = results[0]
        assert isinstance(first, Done)
        assert (await the_conversation(store, first.conversation)).contact == ELI.id
        async with store.view() as view:
            found = await view.of_contacts([(MINE, ELI.id), (MINE, DANA.id)], 9)
            assert {who: [each.id for each in theirs] for who, theirs in found.items()} == {
                (MINE, ELI.id): [first.conversation]
            }


async def test_two_merges_in_a_row_in_one_batch_end_with_the_last(store: Store, clock: StillClock) -> None:
    fay = Actor(MINE, "contact", "con_fay", "Fay")
    await add_contact(store, fay)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        await office.done(DANA, Read(conversation=conversation, seq=1))

        second = Merge(id=an_id(901), contact=ELI.id, into=fay.id)
        assert codes(await together(office, [(US, MERGE), (US, second)])) == ["ok", "ok"]

        state = await the_conversation(store, conversation)
        assert (state.contact, state.positions[fay.id]) == (fay.id, Position(1, 1))
        assert await office.refused(US, Merge(id=an_id(902), contact=DANA.id, into=fay.id)) == "not_found"
        assert await office.refused(US, Merge(id=an_id(903), contact=fay.id, into=ELI.id)) == "not_found"


# --- erasures --------------------------------------------------------------------------------------------------------


async def test_what_was_written_in_the_same_batch_before_an_erasure_is_erased_too(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "SECRET 1")
        results = await together(
            office,
            [
                (DANA, Send(id=an_id(1), conversation=conversation, text="SECRET 2")),
                (NOA, AddNote(id=an_id(2), conversation=conversation, text="SECRET 3")),
                (NOA, Rename(id=an_id(3), conversation=conversation, subject="SECRET 4")),
                (US, Update(id=an_id(4), contact=DANA.id, name="SECRET 5", email="SECRET@6")),
                (US, Erase(id=an_id(5), contact=DANA.id)),
                (DANA, Send(id=an_id(6), conversation=conversation, text="SECRET 7")),
                (DANA, Start(id=an_id(7), inbox=DOOR, text="SECRET 8")),
            ],
        )

        assert codes(results) == ["ok"] * 5 + ["changed"] * 2
        dump = str([await rows(store, table) for table in ("entries", "conversations", "contacts")])
        assert "SECRET" not in dump
        state = await the_conversation(store, conversation)
        assert (state.messages, state.status, state.rewritten) == (2, "resolved", state.seq)


async def test_what_is_changed_in_the_same_batch_after_an_erasure_stays_erased(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        said = Send(id=an_id(1), conversation=conversation, text="SECRET 1")
        rich = Send(id=an_id(2), conversation=conversation, text="SECRET 2", blocks=[Card("SECRET 3")])
        await office.done(DANA, said)
        await office.done(NOA, rich)
        results = await together(
            office,
            [
                (US, Erase(id=an_id(3), contact=DANA.id)),
                (NOA, React(id=an_id(4), conversation=conversation, entry=said.id, emoji="👍", on=True)),
                (NOA, React(id=an_id(5), conversation=conversation, entry=rich.id, emoji="👍", on=True)),
            ],
        )

        assert codes(results) == ["ok"] * 3
        assert "SECRET" not in str([await rows(store, table) for table in ("entries", "conversations")])


async def rows(store: Store, table: str) -> list[object]:
    return await store.inspect(
        lambda connection: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]
    )


# --- blocks ----------------------------------------------------------------------------------------------------------


async def test_a_block_counts_from_the_next_ask_of_the_same_batch_until_its_end(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        def send(number: int) -> tuple[Actor, Ask]:
            return DANA, Send(id=an_id(number), conversation=conversation, text="Hello?")

        block = Block(id=an_id(1), contact=DANA.id, until=clock.now() + 60_000)
        read = Read(conversation=conversation, seq=1)
        results = await together(office, [send(10), (NOA, block), send(11), (DANA, read)])
        assert codes(results) == ["ok", "ok", "blocked", "ok"]

        clock.move(59.999)
        assert codes(await together(office, [send(11)])) == ["blocked"]
        clock.move(0.001)
        assert codes(await together(office, [send(11)])) == ["ok"]
        forever = Block(id=an_id(2), contact=DANA.id, until=None)
        unblock = Unblock(id=an_id(3), contact=DANA.id)
        results = await together(office, [(NOA, forever), send(12), (NOA, unblock), send(12)])
        assert codes(results) == ["ok", "blocked", "ok", "ok"]


async def test_a_merge_takes_the_block_along(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(ELI)
        await office.done(NOA, Block(id=an_id(1), contact=DANA.id, until=None))
        await office.done(US, MERGE)

        assert await office.refused(ELI, Send(id=an_id(2), conversation=conversation, text="Hello?")) == "blocked"
        async with store.view() as view:
            assert await view.blocked_until(MINE, ELI.id) == FOR_EVER
            assert await view.blocked_until("acc_other", ELI.id) == 0


# --- resends ---------------------------------------------------------------------------------------------------------

C = "the conversation"
ASKS: dict[str, tuple[Actor, Ask]] = {
    "snooze": (NOA, Snooze(id=an_id(1), conversation=C, until=MOMENT + 1_000_000)),
    "wake": (US, Wake(id=an_id(1), conversation=C)),
    "tag": (NOA, Tag(id=an_id(1), conversation=C, add=("vip",))),
    "prioritize": (NOA, Prioritize(id=an_id(1), conversation=C, priority=2)),
    "rename": (NOA, Rename(id=an_id(1), conversation=C, subject="Parcel")),
    "follow": (NOA, Follow(id=an_id(1), conversation=C, on=True)),
    "describe": (NOA, Describe(id=an_id(1), conversation=C, attributes={"order": "A-1"})),
    "update": (NOA, Update(id=an_id(1), contact=DANA.id, name="Dana Levi")),
    "block": (NOA, Block(id=an_id(1), contact=DANA.id, until=None)),
    "unblock": (NOA, Unblock(id=an_id(1), contact=DANA.id)),
    "merge": (NOA, Merge(id=an_id(1), contact=DANA.id, into=ELI.id)),
    "erase": (US, Erase(id=an_id(1), contact=DANA.id)),
}


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("name", ASKS)
async def test_an_ask_sent_several_times_at_once_happens_once_and_all_get_the_same_result(
    store: Store, clock: StillClock, name: str, times: int
) -> None:
    await declare(store)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        if name == "wake":
            await office.done(NOA, Snooze(id=an_id(800), conversation=conversation, until=clock.now() + 1))
            clock.move(1)
        if name == "unblock":
            await office.done(NOA, Block(id=an_id(800), contact=DANA.id, until=None))
        actor, ask = with_conversation(ASKS[name], conversation)

        results = await together(office, [(actor, ask)] * times)
        later = await together(office, [(actor, ask)])

        assert codes([*results, *later]) == ["ok"] + ["again"] * times
        done = [result for result in [*results, *later] if isinstance(result, Done)]
        assert len({(result.conversation, result.seq, result.at) for result in done}) == 1
        assert (await stored_ids(store)).count(an_id(1)) == 1


def with_conversation(asked: tuple[Actor, Ask], conversation: str) -> tuple[Actor, Ask]:
    actor, ask = asked
    return actor, (replace(ask, conversation=conversation) if hasattr(ask, "conversation") else ask)


async def stored_ids(store: Store) -> list[str]:
    return await store.inspect(lambda connection: list(connection.execute(select(entries.c.id)).scalars()))


async def declare(store: Store) -> None:
    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == MINE)).scalar_one()
        row = {"account": key, "of": "conversation", "name": "order", "type": "text", "choices": []}
        connection.execute(insert(attribute_types).values(**row))

    await store.administer(work)


async def add_contact(store: Store, contact: Actor) -> None:
    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == contact.account)).scalar_one()
        connection.execute(insert(contacts).values(account=key, id=contact.id, name=contact.name, created_at=0))

    await store.administer(work)
