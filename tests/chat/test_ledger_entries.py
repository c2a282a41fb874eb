"""Edits, withdrawals, reactions, buttons, forms and files through a real ledger: resends, and many in one batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

from chat.model import Actor, Ask, Attachment, Entry
from chat.reading import Reading
from chat.rules.blocks import Block, Button, Buttons, Field, Form
from chat.rules.edits import Edit, Withdraw
from chat.rules.forms import Submit
from chat.rules.messages import AddNote, Send, Start
from chat.rules.postbacks import Press
from chat.rules.reactions import React
from chat.store import Store
from chat.store.tables import accounts, uploads
from chat.ticket import Done
from tests.builders import DANA, DOOR, ELI, MINE, NOA, RIVAL, SOMCHAI, StillClock, an_id
from tests.office import Office, open_office

ASKED, TOLD, NOTED = an_id(1), an_id(2), an_id(3)  # what Dana wrote, what Noa answered, what Noa noted
FILE = Attachment("upl_cat", "cat.png", "image/png", 900, 30, 20)
BLOCKS: list[Block] = [Buttons([Button("Yes", "yes")]), Form([Field("mail", "Email", "email")])]
Make = Callable[[str], Ask]


async def talking(office: Office) -> str:
    """A conversation with a message of Dana's, one of Noa's with a button and a form, and a note."""
    here = (await office.done(DANA, Start(id=ASKED, inbox=DOOR, text="Where is it?"))).conversation
    await office.done(NOA, Send(id=TOLD, conversation=here, text="Shall we look?", blocks=BLOCKS))
    await office.done(NOA, AddNote(id=NOTED, conversation=here, text="Again"))
    return here


async def entries(store: Store, conversation: str, actor: Actor = NOA) -> dict[str, Entry]:
    snapshot = await Reading(store).snapshot(actor, conversation)
    return {entry.id: entry for entry in snapshot.entries}


async def head(store: Store) -> int:
    return (await Reading(store).cursors([MINE]))[MINE]


async def uploaded(store: Store, owner: Actor = DANA) -> None:
    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == owner.account)).scalar_one()
        row = {"id": FILE.id, "name": FILE.name, "type": FILE.type, "size": 900, "width": 30, "height": 20}
        connection.execute(insert(uploads).values(account=key, owner=owner.id, created_at=1, finished=True, **row))

    await store.administer(work)


# --- resends ------------------------------------------------------------------------------------------------

EACH: dict[str, tuple[Actor, Make]] = {
    "edit": (DANA, lambda here: Edit(id=an_id(9), conversation=here, entry=ASKED, text="Where is my cat?")),
    "agent's edit": (NOA, lambda here: Edit(id=an_id(9), conversation=here, entry=NOTED, text="And again")),
    "withdraw": (DANA, lambda here: Withdraw(id=an_id(9), conversation=here, entry=ASKED)),
    "react": (DANA, lambda here: React(id=an_id(9), conversation=here, entry=TOLD, emoji="👍")),
    "agent's react": (SOMCHAI, lambda here: React(id=an_id(9), conversation=here, entry=ASKED, emoji="👍")),
    "press": (DANA, lambda here: Press(id=an_id(9), conversation=here, entry=TOLD, button="yes")),
    "submit": (DANA, lambda here: Submit(id=an_id(9), conversation=here, entry=TOLD, values={"mail": "d@a.example"})),
}


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
async def test_an_ask_resent_in_one_batch_among_others_happens_once(
    store: Store, clock: StillClock, name: str, times: int
) -> None:
    actor, make = EACH[name]
    async with open_office(store, clock) as office:
        here = await talking(office)
        clock.move(5)
        before = await head(store)

        answers = []
        for number in range(times):
            answers.append(office.hand_in(actor, make(here)))
            answers.append(office.hand_in(ELI, Start(id=an_id(100 + number), inbox=DOOR, text="Me too")))
        first, *others = (await office.settled(*answers))[::2]

        assert isinstance(first, Done)
        assert not first.again
        assert others == [Done(first.conversation, first.seq, first.at, again=True)] * (times - 1)
        assert await head(store) == before + 1 + times


@pytest.mark.parametrize("name", EACH)
async def test_an_ask_resent_later_has_its_first_result(store: Store, clock: StillClock, name: str) -> None:
    actor, make = EACH[name]
    async with open_office(store, clock) as office:
        here = await talking(office)
        clock.move(5)
        first = await office.done(actor, make(here))
        clock.move(3600)
        await office.send(NOA, here, "more")
        cursor, seen = await head(store), await entries(store, here)

    async with open_office(store, clock) as office:  # another ledger, that remembers nothing
        for _ in range(3):
            assert await office.done(actor, make(here)) == Done(here, first.seq, first.at, again=True)
        assert await office.refused(SOMCHAI if actor is NOA else NOA, make(here)) in ("id_reused", "forbidden")
        assert (await head(store), await entries(store, here)) == (cursor, seen)


async def test_an_old_edit_that_comes_again_after_a_newer_one_changes_nothing(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        old = Edit(id=an_id(9), conversation=here, entry=ASKED, text="Where's the dog?")
        first = await office.done(DANA, old)
        await office.done(DANA, Edit(id=an_id(10), conversation=here, entry=ASKED, text="Where's the cat?"))

        assert await office.done(DANA, old) == Done(here, first.seq, first.at, again=True)
        assert (await entries(store, here))[ASKED].text == "Where's the cat?"


async def test_a_reaction_that_comes_again_after_it_was_taken_back_stays_away(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        liked = React(id=an_id(9), conversation=here, entry=ASKED, emoji="👍")
        await office.done(NOA, liked)
        await office.done(NOA, React(id=an_id(10), conversation=here, entry=ASKED, emoji="👍", on=False))

        assert (await office.done(NOA, liked)).again
        assert (await entries(store, here))[ASKED].reactions == {}


async def test_what_is_edited_is_still_the_first_ask_when_that_comes_again(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        await office.done(NOA, Edit(id=an_id(9), conversation=here, entry=TOLD, text="Look", blocks=[]))

        again = await office.done(NOA, Send(id=TOLD, conversation=here, text="Shall we look?", blocks=BLOCKS))

        assert (again.again, again.seq) == (True, 2)
        assert (await entries(store, here))[TOLD].text == "Look"


# --- in one batch -------------------------------------------------------------------------------------------


async def test_everything_happens_to_an_entry_in_one_batch_in_turn(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        new = an_id(8)
        await office.ask(
            NOA,
            Send(id=new, conversation=here, text="one"),
            Edit(id=an_id(9), conversation=here, entry=new, text="two"),
            React(id=an_id(10), conversation=here, entry=new, emoji="👍"),
            Edit(id=an_id(11), conversation=here, entry=new, text="three", after=new),
        )

        snapshot = await Reading(store).snapshot(NOA, here)
        (entry,) = [entry for entry in snapshot.entries if entry.id == new]
        assert (entry.text, entry.born, entry.seq, entry.reactions) == ("three", 4, 7, {"👍": (NOA.id,)})
        assert snapshot.conversation.preview == "three"
        versions = await Reading(store).versions(NOA, here, new)
        assert [version.text for version in versions] == ["three", "two", "two", "one"]
        assert len(office.batches[-1]) == 4


async def test_what_is_withdrawn_in_the_batch_that_sent_it_is_told_to_nobody(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        new = an_id(8)
        await office.ask(
            DANA, Send(id=new, conversation=here, text="my PIN"), Withdraw(id=an_id(9), conversation=here, entry=new)
        )

        assert b"PIN" not in office.commits[-1].moves[0].document
        assert (await entries(store, here, DANA))[new].text == ""


async def test_of_two_submissions_in_one_batch_one_counts(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)

        def filled_in(number: int) -> Submit:
            return Submit(id=an_id(number), conversation=here, entry=TOLD, values={"mail": f"d{number}@a.example"})

        results = await office.ask(DANA, filled_in(8), filled_in(9))

        assert [getattr(result, "code", "ok") for result in results] == ["ok", "invalid_state"]
        seen = await entries(store, here, DANA)
        assert seen[an_id(8)].text == "Email: d8@a.example"
        assert seen[TOLD].data == {"answered_by": DANA.id, "answer": an_id(8)}
        assert await office.refused(DANA, filled_in(10)) == "invalid_state"


# --- who may see what ---------------------------------------------------------------------------------------


async def test_a_contact_sees_nothing_of_what_was_withdrawn_and_staff_all(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        here = await talking(office)
        await office.done(NOA, Withdraw(id=an_id(9), conversation=here, entry=TOLD))

    tombstone = (await entries(store, here, DANA))[TOLD]
    assert (tombstone.text, tombstone.blocks, tombstone.withdrawn) == ("", (), True)
    assert (await Reading(store).snapshot(NOA, here)).conversation.preview == ""
    assert [version.text for version in await Reading(store).versions(NOA, here, TOLD)] == ["", "Shall we look?"]


async def test_an_entry_of_another_conversation_or_account_is_not_there(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        await talking(office)
        elsewhere = await office.start(DANA)
        for actor, entry in ((DANA, ASKED), (DANA, NOTED), (DANA, an_id(77)), (NOA, ASKED)):
            ask = React(id=office.new_id(), conversation=elsewhere, entry=entry, emoji="👍")
            assert await office.refused(actor, ask) == "not_found"
        ask = React(id=office.new_id(), conversation=elsewhere, entry=ASKED, emoji="👍")
        assert await office.refused(RIVAL, ask) == "not_found"


# --- files --------------------------------------------------------------------------------------------------


async def test_a_file_is_the_entrys_from_then_on_whatever_happens_to_the_entry(store: Store, clock: StillClock) -> None:
    await uploaded(store)
    async with open_office(store, clock) as office:
        here = await talking(office)
        send = Send(id=an_id(8), conversation=here, text="", attachments=[FILE.id])
        again = replace(send, id=an_id(9))

        first, second, third = await office.ask(DANA, send, send, again)
        assert isinstance(first, Done)
        assert second == Done(here, first.seq, first.at, again=True)
        assert getattr(third, "code", "ok") == "not_found"
        assert await office.refused(DANA, again) == "not_found"

        await office.done(DANA, Edit(id=an_id(10), conversation=here, entry=an_id(8), text="My cat"))
        entry = (await entries(store, here, DANA))[an_id(8)]
        assert (entry.text, entry.attachments) == ("My cat", (FILE,))
        await office.done(DANA, Withdraw(id=an_id(11), conversation=here, entry=an_id(8)))
        assert (await entries(store, here))[an_id(8)].attachments == ()
        assert await office.refused(DANA, again) == "not_found"


async def test_a_file_of_somebody_elses_is_not_there(store: Store, clock: StillClock) -> None:
    await uploaded(store, ELI)
    async with open_office(store, clock) as office:
        here = await talking(office)

        for actor in (DANA, NOA):
            ask = Send(id=office.new_id(), conversation=here, text="x", attachments=[FILE.id])
            assert await office.refused(actor, ask) == "not_found"
