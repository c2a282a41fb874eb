"""Rows of files: who may send, who may have, and what is taken away when nobody needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, update

from chat.errors import Blocked, Forbidden, NotFound
from chat.model import Actor, Attachment, Entry, Upload, encode
from chat.store import Head, Move, Store, Written
from chat.store.tables import contacts, inboxes
from chat.uploads import UploadLimits, Uploads
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    ELI,
    MINE,
    NOA,
    RIVAL,
    STRANGER,
    StillClock,
    a_conversation,
    a_message,
    a_note,
)

DAY = 24 * 3600


@pytest.fixture
def uploads(store: Store, clock: StillClock) -> Uploads:
    return Uploads(store, clock)


async def sent(uploads: Uploads, actor: Actor = DANA) -> Upload:
    """A file that came whole."""
    id_ = await uploads.begin(actor, "bill.pdf")
    upload = Upload(actor.account, id_, actor.id, "bill.pdf", "application/pdf", 1234)
    await uploads.finish(upload)
    return upload


async def attached(store: Store, upload: Upload, entry: Entry, *later: Entry, erases: bool = False) -> None:
    """Dana's conversation with the file in this entry; each later version is a change of its own."""
    file = Attachment(upload.id, upload.name, upload.type, upload.size)
    first = replace(entry, attachments=(file,))
    before = None
    for version in (first, *later):
        async with writing(store) as (transaction, cursor):
            after = a_conversation(seq=version.seq, cursor=cursor)
            move = Move(
                MINE, before, after, [Written(version, cursor)], encode(after), erases=erases and version is not first
            )
            await transaction.write([move], {MINE: Head(cursor, 1)})
            before = after


@asynccontextmanager
async def writing(store: Store) -> AsyncIterator[tuple[Any, int]]:
    transaction = await store.begin([MINE])
    try:
        yield transaction, transaction.heads[MINE].cursor + 1
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.commit()


async def cold(store: Store, statement: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(statement)

    await store.administer(work)


async def has(uploads: Uploads, actor: Actor, upload: Upload) -> bool:
    """Whether this actor may have the file; whoever may not hears the same as of one that isn't there."""
    try:
        found = await uploads.find(actor, upload.id)
    except NotFound as error:
        why = error
    else:
        assert (found.id, found.name, found.type, found.size) == (upload.id, upload.name, upload.type, upload.size)
        return True
    with pytest.raises(NotFound) as never:
        await uploads.find(actor, "upl_never")
    assert (str(why), why.field) == (str(never.value), never.value.field)
    return False


async def test_until_an_entry_has_it_a_file_is_its_senders_alone(uploads: Uploads) -> None:
    upload = await sent(uploads)

    assert await has(uploads, DANA, upload)
    for other in (ELI, NOA, ECHO, STRANGER, RIVAL):
        assert not await has(uploads, other, upload), other.id


async def test_a_file_that_is_not_whole_is_nobodys(uploads: Uploads) -> None:
    id_ = await uploads.begin(DANA, "bill.pdf")

    assert not await has(uploads, DANA, Upload(MINE, id_, DANA.id, "bill.pdf", "", 0))


async def test_who_sees_the_entry_has_its_file(uploads: Uploads, store: Store) -> None:
    upload = await sent(uploads)
    await attached(store, upload, a_message())

    for actor in (DANA, NOA, ECHO):
        assert await has(uploads, actor, upload), actor.id
    for other in (ELI, STRANGER, RIVAL):
        assert not await has(uploads, other, upload), other.id


async def test_a_notes_file_is_for_staff_alone(uploads: Uploads, store: Store) -> None:
    upload = await sent(uploads, NOA)
    await attached(store, upload, a_note())

    assert await has(uploads, ECHO, upload)
    assert not await has(uploads, DANA, upload)


async def test_a_withdrawn_entrys_file_is_gone_for_everybody(uploads: Uploads, store: Store) -> None:
    upload = await sent(uploads)
    file = Attachment(upload.id, upload.name, upload.type, upload.size)
    await attached(store, upload, a_message(), replace(a_message(), seq=2, withdrawn=True, attachments=(file,)))

    for actor in (DANA, NOA, ECHO):
        assert not await has(uploads, actor, upload), actor.id


async def test_an_erased_entrys_file_is_gone_for_everybody(uploads: Uploads, store: Store) -> None:
    upload = await sent(uploads)
    later = replace(a_message(), id="01930000-0000-7000-8000-000000000099", seq=2, born=2, text="")
    await attached(store, upload, a_message(), later, erases=True)

    for actor in (DANA, NOA, ECHO):
        assert not await has(uploads, actor, upload), actor.id


async def test_a_blocked_contact_sends_no_files(uploads: Uploads, store: Store, clock: StillClock) -> None:
    until = clock.now() + 1000
    await cold(store, update(contacts).where(contacts.c.id == DANA.id).values(blocked_until=until))

    with pytest.raises(Blocked):
        await uploads.begin(DANA, "bill.pdf")
    clock.move(2)
    assert await uploads.begin(DANA, "bill.pdf")


async def test_who_is_not_there_sends_no_files(uploads: Uploads) -> None:
    with pytest.raises(NotFound):
        await uploads.begin(replace(DANA, account="acc_never"), "bill.pdf")
    with pytest.raises(Forbidden):
        await uploads.begin(replace(DANA, id="con_never"), "bill.pdf")


async def test_limits_are_those_of_the_inbox_and_of_the_conversations_inbox(uploads: Uploads, store: Store) -> None:
    says = {"uploads": {"bytes": 5, "types": ["image"], "off": False}}
    await cold(store, update(inboxes).where(inboxes.c.id == DOOR).values(settings=says))
    async with writing(store) as (transaction, cursor):
        after = a_conversation(cursor=cursor)
        await transaction.write([Move(MINE, None, after, [], encode(after))], {MINE: Head(cursor, 1)})

    expected = UploadLimits(5, ("image",))
    assert await uploads.limits(DANA, conversation=None, inbox=DOOR) == expected
    assert await uploads.limits(NOA, conversation="cnv_parcel", inbox=None) == expected


@pytest.mark.parametrize(
    "says", [{}, {"uploads": {}}, {"uploads": {"bytes": "many"}}, {"uploads": 5}, {"uploads": {"types": ["images"]}}]
)
async def test_what_an_inbox_says_wrongly_or_not_at_all_is_no_limit(
    uploads: Uploads, store: Store, says: dict[str, Any]
) -> None:
    await cold(store, update(inboxes).where(inboxes.c.id == DOOR).values(settings=says))

    assert await uploads.limits(DANA, conversation=None, inbox=DOOR) == UploadLimits()


@pytest.mark.parametrize(
    ("actor", "conversation", "inbox"),
    [(ELI, "cnv_parcel", None), (RIVAL, "cnv_parcel", None), (RIVAL, None, DOOR), (DANA, None, "inb_never")],
)
async def test_limits_of_what_one_does_not_see_are_not_told(
    uploads: Uploads, store: Store, actor: Actor, conversation: str | None, inbox: str | None
) -> None:
    await attached(store, await sent(uploads), a_message())

    with pytest.raises(NotFound):
        await uploads.limits(actor, conversation=conversation, inbox=inbox)


async def test_what_no_entry_has_is_taken_away_when_it_is_old(
    uploads: Uploads, store: Store, clock: StillClock
) -> None:
    kept = await sent(uploads)
    await attached(store, kept, a_message())
    forgotten = await sent(uploads)
    half = await uploads.begin(STRANGER, "half")
    clock.move(DAY)
    fresh = await sent(uploads)

    taken = await uploads.take_left(clock.now() - 1)

    assert set(taken) == {(MINE, forgotten.id), (STRANGER.account, half)}
    assert await uploads.known([kept.id, forgotten.id, half, fresh.id]) == {kept.id, fresh.id}
    assert await uploads.take_left(clock.now() - 1) == []


async def test_a_file_that_was_swept_while_it_came_can_not_be_finished(uploads: Uploads, clock: StillClock) -> None:
    id_ = await uploads.begin(DANA, "slow")
    await uploads.take_left(clock.now() + 1)

    with pytest.raises(NotFound):
        await uploads.finish(Upload(MINE, id_, DANA.id, "slow", "text/plain", 1))


async def test_all_that_concerns_a_contact_is_taken_away(uploads: Uploads, store: Store) -> None:
    own, loose, agents = await sent(uploads), await sent(uploads), await sent(uploads, NOA)
    others = [await sent(uploads, actor) for actor in (ELI, STRANGER)]
    await attached(store, own, a_message())
    async with writing(store) as (transaction, cursor):
        before, after = a_conversation(cursor=1), a_conversation(seq=2, cursor=cursor)
        file = Attachment(agents.id, agents.name, agents.type, agents.size)
        answer = replace(a_message(), id="01930000-0000-7000-8000-000000000098", seq=2, born=2, attachments=(file,))
        move = Move(MINE, before, after, [Written(answer, cursor)], encode(after))
        await transaction.write([move], {MINE: Head(cursor, 1)})

    taken = await uploads.take_of_contact(MINE, DANA.id)

    assert {upload for _, upload in taken} == {own.id, loose.id, agents.id}
    assert await uploads.known([each.id for each in others]) == {each.id for each in others}


async def test_another_accounts_files_are_not_taken_away(uploads: Uploads) -> None:
    mine, theirs = await sent(uploads), await sent(uploads, STRANGER)

    assert await uploads.take(MINE, [mine.id, theirs.id]) == [(MINE, mine.id)]
    assert await uploads.known([mine.id, theirs.id]) == {theirs.id}
