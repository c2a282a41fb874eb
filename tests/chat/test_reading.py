"""The only reader: snapshots, pages, catching up, healing, the inbox views. Each actor gets what it may see."""

from __future__ import annotations

import pytest

from chat import reading as reading_module
from chat.errors import BadRequest, Forbidden, NotFound
from chat.model import Actor, ContactView, Entry
from chat.reading import CONTACT_CONVERSATIONS, HELD, PAGE, CatchUp, Reading, Returning, ViewName, unread
from chat.rules.assignment import Assign, Claim
from chat.rules.blocks import Card
from chat.rules.contacts import Block
from chat.rules.conversations import Resolve
from chat.rules.messages import AddNote, Send
from chat.rules.receipts import Read
from chat.store import Store
from tests.builders import (
    DANA,
    ECHO,
    ELI,
    MINE,
    NOA,
    RIVAL,
    SOMCHAI,
    STRANGER,
    TEAM,
    StillClock,
    a_conversation,
    read_at,
)
from tests.office import Office, open_office


async def say(office: Office, actor: Actor, conversation: str, *texts: str) -> None:
    """One message for each of the texts, in one batch."""
    await office.ask(actor, *(Send(id=office.new_id(), conversation=conversation, text=text) for text in texts))


async def note(office: Office, conversation: str, text: str = "A secret of the staff") -> None:
    await office.done(NOA, AddNote(id=office.new_id(), conversation=conversation, text=text))


def texts(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries]


def brought(caught: CatchUp) -> dict[str, list[str]]:
    """What a catch-up is made of, by the ids of the conversations."""
    return {
        "missed": sorted(missed.conversation.id for missed in caught.missed),
        "snapshots": sorted(snapshot.conversation.id for snapshot in caught.snapshots),
        "heads": sorted(head.id for head in caught.heads),
        "gone": sorted(caught.gone),
    }


def made_of(**parts: list[str]) -> dict[str, list[str]]:
    """The same, for comparison: what isn't named is empty."""
    return {part: sorted(parts.get(part, [])) for part in ("missed", "snapshots", "heads", "gone")}


# --- snapshots ----------------------------------------------------------------------------------------------


async def test_a_snapshot_is_what_its_reader_may_see(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "Hi")
        await note(office, conversation)
        await say(office, NOA, conversation, "Hello")
        reading = Reading(store)

        for_staff, for_contact = await reading.snapshot(NOA, conversation), await reading.snapshot(DANA, conversation)

        assert texts(for_staff.entries) == ["Hi", "A secret of the staff", "Hello", ""]
        assert for_staff.state == for_staff.conversation
        assert for_staff.cursor == 3
        assert texts(for_contact.entries) == ["Hi", "Hello", ""]
        assert isinstance(for_contact.state, ContactView)


@pytest.mark.parametrize("actor", [ELI, STRANGER, RIVAL], ids=lambda actor: actor.id)
async def test_a_conversation_of_somebody_else_is_not_there(store: Store, clock: StillClock, actor: Actor) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        reading = Reading(store)

        with pytest.raises(NotFound):
            await reading.snapshot(actor, conversation)
        with pytest.raises(NotFound):
            await reading.older(actor, conversation, 99)
        _, there, gone = await reading.snapshots(actor, [conversation, "cnv_nowhere"])
        assert (there, gone) == ([], [conversation, "cnv_nowhere"])
        assert await reading.conversation("acc_other", conversation) is None


async def test_several_snapshots_are_of_one_moment_and_name_what_is_gone(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversations = [await office.start(contact) for contact in (DANA, ELI)]

        cursor, there, gone = await Reading(store).snapshots(NOA, [*conversations, "cnv_nowhere"])

        assert cursor == 2
        assert [snapshot.conversation.id for snapshot in there] == conversations
        assert {snapshot.cursor for snapshot in there} == {2}
        assert gone == ["cnv_nowhere"]


# --- pages --------------------------------------------------------------------------------------------------


async def all_pages(reading: Reading, actor: Actor, conversation: str, limit: int) -> list[Entry]:
    """What a client has that pages back to the beginning."""
    snapshot = await reading.snapshot(actor, conversation)
    entries, more = snapshot.entries, snapshot.more
    while more:
        page, more = await reading.older(actor, conversation, entries[0].born, limit)
        assert page
        entries = page + entries
    return entries


async def test_a_snapshot_has_the_newest_entries_and_says_that_there_are_more(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "0")
        await say(office, DANA, conversation, *map(str, range(1, PAGE)))
        assert not (await Reading(store).snapshot(DANA, conversation)).more
        await say(office, DANA, conversation, str(PAGE))

        snapshot = await Reading(store).snapshot(DANA, conversation)

        assert texts(snapshot.entries) == list(map(str, range(1, PAGE + 1)))
        assert snapshot.more


@pytest.mark.parametrize("limit", [1, 2, 7, 200])
@pytest.mark.parametrize("actor", [DANA, NOA], ids=["contact", "staff"])
async def test_pages_together_are_the_whole_history(store: Store, clock: StillClock, actor: Actor, limit: int) -> None:
    """Also where one change wrote several entries: a message that reopens, an answer that reopens and claims."""
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "start")
        for number in range(25):
            await office.ask(
                NOA,
                AddNote(id=office.new_id(), conversation=conversation, text=f"note {number}"),
                Assign(id=office.new_id(), conversation=conversation, assignee=None),
                Resolve(id=office.new_id(), conversation=conversation),
                Send(id=office.new_id(), conversation=conversation, text=f"answer {number}"),
            )

        entries = await all_pages(Reading(store), actor, conversation, limit)

        said = [entry.text for entry in entries if entry.kind == "message"]
        assert said == ["start", *(f"answer {number}" for number in range(25))]
        assert len({entry.id for entry in entries}) == len(entries)
        assert sum(entry.kind == "note" for entry in entries) == (25 if actor is NOA else 0)
        assert sum(entry.activity == "claimed" for entry in entries) == 25
        assert sum(entry.activity == "reopened" for entry in entries) == 25
        assert sorted(entries, key=lambda entry: (entry.born, entry.id)) == entries


@pytest.mark.parametrize("limit", [0, 201, -1])
async def test_a_page_has_its_bounds(store: Store, clock: StillClock, limit: int) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        with pytest.raises(BadRequest) as refused:
            await Reading(store).older(DANA, conversation, 9, limit)

        assert refused.value.field == "limit"


# --- catching up: contacts ----------------------------------------------------------------------------------


async def test_a_contact_that_holds_nothing_gets_snapshots_of_its_own(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        mine = [await office.start(DANA) for _ in range(2)]
        await office.start(ELI)

        caught = await Reading(store).catch_up_contact(DANA, {})

        assert brought(caught) == made_of(snapshots=mine)


async def test_a_contact_gets_what_it_missed_of_what_it_holds(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "Hi")
        await say(office, NOA, conversation, "Hello")
        await note(office, conversation)
        await say(office, NOA, conversation, "Still there?")

        caught = await Reading(store).catch_up_contact(DANA, {conversation: 1})

        assert brought(caught) == made_of(missed=[conversation])
        (missed,) = caught.missed
        assert texts(missed.entries) == ["Hello", "", "Still there?"]
        assert isinstance(missed.state, ContactView)
        assert missed.state.seq == 4


async def test_a_contact_that_missed_nothing_gets_the_state_alone(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        (missed,) = (await Reading(store).catch_up_contact(DANA, {conversation: 1})).missed

        assert missed.entries == []


async def test_what_is_not_the_contacts_is_gone(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        elis = await office.start(ELI)

        caught = await Reading(store).catch_up_contact(DANA, {elis: 1, "cnv_nowhere": 3})

        assert brought(caught) == made_of(gone=[elis, "cnv_nowhere"])


async def test_a_contact_that_claims_to_be_ahead_gets_a_snapshot(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        assert brought(await Reading(store).catch_up_contact(DANA, {conversation: 2})) == made_of(
            snapshots=[conversation]
        )


async def test_a_contact_that_missed_too_much_gets_a_snapshot(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_CHANGES", 10)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        await say(office, NOA, conversation, *map(str, range(11)))
        reading = Reading(store)

        assert brought(await reading.catch_up_contact(DANA, {conversation: 1})) == made_of(snapshots=[conversation])
        assert brought(await reading.catch_up_contact(DANA, {conversation: 3})) == made_of(missed=[conversation])


async def test_a_contact_that_missed_too_many_words_gets_a_snapshot(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_BYTES", 100)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        await say(office, NOA, conversation, "x" * 101)

        assert brought(await Reading(store).catch_up_contact(DANA, {conversation: 1})) == made_of(
            snapshots=[conversation]
        )


async def test_what_stands_beside_the_words_counts_too(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_BYTES", 100)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        card = Card("x" * 90)
        await office.done(NOA, Send(id=office.new_id(), conversation=conversation, text="x", blocks=[card]))

        assert brought(await Reading(store).catch_up_contact(DANA, {conversation: 1})) == made_of(
            snapshots=[conversation]
        )


async def test_versions_are_for_staff_of_the_account(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        id = office.new_id()
        conversation = await office.start(DANA)
        await office.done(DANA, Send(id=id, conversation=conversation, text="said"))
        reading = Reading(store)

        assert texts(await reading.versions(NOA, conversation, id)) == ["said"]
        with pytest.raises(Forbidden):
            await reading.versions(DANA, conversation, id)
        with pytest.raises(NotFound) as refused:
            await reading.versions(RIVAL, conversation, id)
        assert refused.value.field == "conversation"
        with pytest.raises(NotFound) as refused:
            await reading.versions(NOA, await office.start(ELI), id)
        assert refused.value.field == "entry"


async def test_an_old_conversation_that_a_contact_still_holds_is_not_gone(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        many = [await office.start(DANA) for _ in range(CONTACT_CONVERSATIONS + 3)]

        caught = await Reading(store).catch_up_contact(DANA, dict.fromkeys(many, 1))

        assert brought(caught) == made_of(missed=many)


async def test_a_contact_with_many_conversations_gets_the_latest(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        many = [await office.start(DANA) for _ in range(CONTACT_CONVERSATIONS + 3)]

        caught = await Reading(store).catch_up_contact(DANA, {})

        assert brought(caught) == made_of(snapshots=many[3:])


async def test_who_comes_back_together_gets_what_each_would_get_alone(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        danas, elis = await office.start(DANA), await office.start(ELI)
        await say(office, NOA, danas, "One", "Two", "Three")
        await say(office, NOA, elis, "Yours alone")
        reading = Reading(store)
        held: list[tuple[Actor, dict[str, int]]] = [(DANA, {danas: seq}) for seq in (1, 3, 4, 99)]
        held += [(DANA, {}), (ELI, {elis: 1, danas: 1}), (ELI, {elis: 2})]
        crowd = [Returning(actor, tuple(seqs.items())) for actor, seqs in held]

        together = await reading.catch_up_contacts(crowd)

        assert [together[each] for each in crowd] == [await reading.catch_up_contact(*each) for each in held]
        first = [texts(together[each].missed[0].entries) for each in crowd[:3]]
        assert first == [["One", "", "Two", "Three"], ["Three"], []]
        assert together[crowd[5]].gone == [danas]


async def test_of_two_sockets_of_one_contact_each_is_judged_by_itself(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_CHANGES", 10)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        await say(office, NOA, conversation, *map(str, range(14)))
        far, near = Returning(DANA, ((conversation, 1),)), Returning(DANA, ((conversation, 14),))

        caught = await Reading(store).catch_up_contacts([near, far])

        assert brought(caught[far]) == made_of(snapshots=[conversation])
        newest = [entry for missed in caught[near].missed for entry in missed.entries]
        newest += [entry for snapshot in caught[near].snapshots for entry in snapshot.entries]
        assert texts(newest)[-2:] == ["12", "13"]


async def test_a_copy_that_a_contact_names_behind_a_hundred_others_is_brought_up_to_date(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        await say(office, NOA, conversation, "Hello")
        held = {f"cnv_{n}": 1 for n in range(HELD + 1)} | {conversation: 1}

        caught = await Reading(store).catch_up_contact(DANA, held)

        assert texts(caught.missed[0].entries)[:1] == ["Hello"]


# --- catching up: staff -------------------------------------------------------------------------------------


async def test_staff_that_holds_nothing_gets_what_is_in_its_hands(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        mine, resolved, other = [await office.start(DANA) for _ in range(3)]
        for conversation in (mine, resolved):
            await office.done(NOA, Claim(id=office.new_id(), conversation=conversation))
        await office.done(NOA, Resolve(id=office.new_id(), conversation=resolved))
        await office.done(SOMCHAI, Claim(id=office.new_id(), conversation=other))

        caught = await Reading(store).catch_up_staff(NOA, None, [], [mine])

        assert (caught.cursor, caught.too_far) == (7, False)
        assert brought(caught) == made_of(snapshots=[mine])
        assert await Reading(store).in_hands(NOA) == [mine]


async def test_staff_gets_what_it_missed_of_what_it_holds_and_heads_of_the_rest(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        held, quiet, elsewhere = [await office.start(contact, "Hi") for contact in (DANA, ELI, ELI)]
        since = (await Reading(store).cursors([MINE]))[MINE]
        await say(office, DANA, held, "more")
        await note(office, held)
        await say(office, ELI, elsewhere, "more")

        caught = await Reading(store).catch_up_staff(NOA, since, [held, quiet], [])

        assert (caught.cursor, caught.too_far) == (6, False)
        assert brought(caught) == made_of(missed=[held], heads=[elsewhere])
        assert texts(caught.missed[0].entries) == ["more", "A secret of the staff"]
        assert caught.missed[0].state == await Reading(store).conversation(MINE, held)


async def test_a_bot_gets_no_heads(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        await office.start(DANA)

        assert brought(await Reading(store).catch_up_staff(ECHO, 0, [], [], heads=False)) == made_of()


async def test_what_was_assigned_when_it_was_listed_comes_as_a_snapshot_whoever_has_it_now(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        since = (await Reading(store).cursors([MINE]))[MINE]
        await office.done(SOMCHAI, Assign(id=office.new_id(), conversation=conversation, assignee=NOA.id))

        assigned = await Reading(store).in_hands(NOA)
        await office.done(SOMCHAI, Assign(id=office.new_id(), conversation=conversation, assignee=SOMCHAI.id))

        caught = await Reading(store).catch_up_staff(NOA, since, [], assigned)

        assert brought(caught)["snapshots"] == [conversation]


async def test_what_another_account_has_is_gone_for_staff(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        theirs = await office.start(STRANGER)

        assert brought(await Reading(store).catch_up_staff(NOA, 0, [theirs, "cnv_nowhere"], [])) == made_of(
            gone=[theirs, "cnv_nowhere"]
        )


async def test_staff_that_claims_to_be_ahead_begins_anew(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        caught = await Reading(store).catch_up_staff(NOA, 2, [conversation], [])

        assert caught.too_far
        assert brought(caught) == made_of(snapshots=[conversation])


@pytest.mark.parametrize("what", ["conversations", "entries"])
async def test_staff_that_missed_too_much_begins_anew_with_all_it_held(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_CHANGES", 5)
    async with open_office(store, clock) as office:
        held = await office.start(DANA)
        mine = await office.start(DANA)
        await office.done(NOA, Claim(id=office.new_id(), conversation=mine))
        if what == "entries":
            await say(office, DANA, held, *map(str, range(6)))
        else:
            for _ in range(5):
                await office.start(ELI)

        caught = await Reading(store).catch_up_staff(NOA, 1, [held], [mine])

        assert caught.too_far
        assert brought(caught) == made_of(snapshots=[held, mine])


# --- healing ------------------------------------------------------------------------------------------------


async def test_a_hole_is_read_up_to_the_head(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        first, second = await office.start(DANA, "Hi"), await office.start(ELI, "Hello")
        await note(office, first)

        cursor, missed = await Reading(store).missed(MINE, 1)

        assert cursor == 3
        assert {conversation.id: texts(entries) for conversation, entries in missed} == {
            second: ["Hello"],
            first: ["A secret of the staff"],
        }
        assert await Reading(store).missed(MINE, 3) == (3, [])


async def test_of_a_large_hole_nothing_is_left_out(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "CATCH_UP_CHANGES", 3)
    async with open_office(store, clock) as office:
        conversations = [await office.start(contact, "start") for contact in (DANA, ELI) * 3]
        said = {conversation: ["start"] for conversation in conversations}
        for number, conversation in enumerate([*conversations, *reversed(conversations), *[conversations[0]] * 9]):
            await note(office, conversation, f"note {number}")
            said[conversation].append(f"note {number}")
        head = (await Reading(store).cursors([MINE]))[MINE]

        heard: dict[str, list[str]] = {conversation: [] for conversation in conversations}
        cursor = 0
        while cursor < head:
            before = cursor
            cursor, missed = await Reading(store).missed(MINE, before)
            assert cursor > before
            for moved, entries in missed:
                heard[moved.id] += texts(entries)

        assert heard == said


# --- the inbox views ----------------------------------------------------------------------------------------


async def an_inbox(office: Office, clock: StillClock) -> dict[str, str]:
    """One conversation of every kind, by name."""
    names = ("waiting", "longest", "mine", "mine_read", "bots", "team", "resolved")
    inbox: dict[str, str] = {}
    for name in ("longest", *(name for name in names if name != "longest")):
        inbox[name] = await office.start(DANA)
        clock.move(60)
    for name in ("mine", "mine_read"):
        await office.send(NOA, inbox[name])
    await office.done(NOA, Read(conversation=inbox["mine_read"], seq=2))
    await office.done(ECHO, Claim(id=office.new_id(), conversation=inbox["bots"]))
    await office.done(NOA, Assign(id=office.new_id(), conversation=inbox["team"], team=TEAM))
    await office.done(NOA, Resolve(id=office.new_id(), conversation=inbox["resolved"]))
    return inbox


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("mine", ["mine_read", "mine"]),
        ("unassigned", ["longest", "waiting", "team"]),
        ("team", ["team"]),
        ("all", ["longest", "waiting", "bots", "team", "mine_read", "mine"]),
    ],
)
async def test_a_view_shows_who_waits_longest_first_and_then_the_latest(
    store: Store, clock: StillClock, view: ViewName, shown: list[str]
) -> None:
    async with open_office(store, clock) as office:
        inbox = await an_inbox(office, clock)

        views = await Reading(store).views(NOA, view=view, resolved=False, limit=50, teams=[TEAM])

        names = {conversation: name for name, conversation in inbox.items()}
        assert [names[conversation.id] for conversation in views.conversations] == shown
        assert views.cursor == (await Reading(store).cursors([MINE]))[MINE]


async def test_every_view_is_counted_over_what_is_not_resolved(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        await an_inbox(office, clock)

        views = await Reading(store).views(NOA, view="mine", resolved=True, limit=1, teams=[TEAM])

        counts = {name: (count.total, count.unread) for name, count in views.views.items()}
        assert counts == {"mine": (2, 1), "unassigned": (3, 3), "team": (1, 1), "all": (6, 5)}
        assert views.conversations == []


async def test_resolved_ones_are_shown_when_asked_for_and_never_more_than_the_limit(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        inbox = await an_inbox(office, clock)
        reading = Reading(store)

        resolved = await reading.views(NOA, view="all", resolved=True, limit=50)
        limited = await reading.views(NOA, view="all", resolved=False, limit=2)

        assert [conversation.id for conversation in resolved.conversations] == [inbox["resolved"]]
        assert len(limited.conversations) == 2


async def test_a_view_has_nothing_of_another_account(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        await an_inbox(office, clock)

        views = await Reading(store).views(RIVAL, view="all", resolved=False, limit=50, teams=[TEAM])

        assert views.conversations == []
        assert views.views["all"].total == 0


def test_unread_is_what_the_contact_wrote_and_the_reader_has_not_seen() -> None:
    conversation = a_conversation(messages=5, positions={NOA.id: read_at(9, seen=3)})

    assert unread(NOA.id, conversation) == 2
    assert unread(SOMCHAI.id, conversation) == 5


# --- who somebody is by now ------------------------------------------------------------------------------------------


async def test_a_contact_is_as_blocked_as_it_is_now_and_staff_is_as_it_came(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        await office.done(NOA, Block(id=office.new_id(), contact=DANA.id, until=clock.now() + 5))
    reading = Reading(store)

    assert (await reading.as_now(DANA)).blocked_until == clock.now() + 5
    assert (await reading.as_now(ELI)).blocked_until == 0
    assert await reading.as_now(NOA) is NOA
