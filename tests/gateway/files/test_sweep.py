"""What nobody needs is cleared away, rows and objects, over every engine; what somebody needs never is."""

import pytest
from sqlalchemy import delete, insert, select, update

from chat.errors import Unavailable
from chat.store.tables import accounts, contacts, uploads
from gateway.files.sweep import OBJECTS_MS
from tests.filing import Filing, a_picture, dripping, in_a_filing_shop

DAY = 24 * 3600
AGES = 80 * 365 * DAY  # whatever the machine's own time is, by which objects are dated


@in_a_filing_shop
async def test_what_no_entry_has_is_gone_after_a_day(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    kept = await filing.sent(headers, a_picture())
    await filing.attach(contact.id, kept)
    await filing.sent(headers, a_picture())
    keys = {f"{filing.shop.mine.id}/{kept['id']}", f"{filing.shop.mine.id}/{kept['id']}.webp"}

    filing.shop.clock.move(DAY - 60)
    await filing.sweep.run()
    assert len((await filing.kept())[0]) == 4
    filing.shop.clock.move(120)
    await filing.sweep.run()

    assert await filing.kept() == (keys, 1)
    filing.shop.clock.move(AGES)
    await filing.sweep.run()

    assert await filing.kept() == (keys, 1)


@in_a_filing_shop
async def test_what_a_kill_left_is_gone_after_a_day(filing: Filing) -> None:
    """A row that was never finished, with an object or without, and an object that never got a row."""
    account = select(accounts.c.key).where(accounts.c.id == filing.shop.mine.id).scalar_subquery()
    for n in (1, 2):
        row = {
            "id": f"upl_{n}",
            "owner": "con_x",
            "name": "n",
            "type": "",
            "size": 0,
            "created_at": filing.shop.clock.now(),
        }
        await filing.cold(insert(uploads).values(account=account, **row))
    await filing.files.put(f"{filing.shop.mine.id}/upl_1", dripping(b"x"))
    await filing.files.put(f"{filing.shop.mine.id}/upl_9", dripping(b"x"))
    if filing.files._folder is not None:
        (filing.files._folder / filing.shop.mine.id / "upl_2#1").write_bytes(b"half")

    await filing.sweep.objects()
    assert len((await filing.kept())[0]) >= 2
    filing.shop.clock.move(AGES)
    await filing.sweep.run()

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_all_objects_are_looked_through_a_few_times_a_day(filing: Filing) -> None:
    filing.shop.clock.move(AGES)
    await filing.sweep.run()  # looks, and remembers when
    await filing.files.put("acc/upl_9", dripping(b"x"))

    filing.shop.clock.move(OBJECTS_MS / 1000 - 1)
    await filing.sweep.run()
    assert await filing.kept() == ({"acc/upl_9"}, 0)
    filing.shop.clock.move(1)
    await filing.sweep.run()
    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_a_contacts_files_are_deleted_with_it(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    other, _ = await filing.shop.contact()
    await filing.attach(contact.id, await filing.sent(headers, a_picture()))
    await filing.attach(contact.id, await filing.sent(await filing.agent(), b"an answer"))
    await filing.sent(headers, b"loose")
    others = await filing.sent(other, b"another's")

    await filing.sweep.delete_of_contact(filing.shop.mine.id, contact.id)

    assert await filing.kept() == ({f"{filing.shop.mine.id}/{others['id']}"}, 1)


@in_a_filing_shop
async def test_what_an_erased_contact_left_is_found_later_too(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    other, beside = await filing.shop.contact()
    await filing.attach(contact.id, await filing.sent(headers, a_picture()))
    others = await filing.sent(other, b"another's")
    await filing.attach(beside.id, others)

    await filing.cold(update(contacts).where(contacts.c.id == contact.id).values(erased=True))
    filing.shop.clock.move(AGES)
    await filing.sweep.run()

    assert await filing.kept() == ({f"{filing.shop.mine.id}/{others['id']}"}, 1)


@in_a_filing_shop
async def test_single_files_are_deleted_only_for_their_account(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    sent = await filing.sent(headers, a_picture())

    await filing.sweep.delete(filing.shop.other.id, [sent["id"]])
    assert len((await filing.kept())[0]) == 2
    await filing.sweep.delete(filing.shop.mine.id, [sent["id"]])
    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_many_are_swept_in_steps(filing: Filing) -> None:
    account = select(accounts.c.key).where(accounts.c.id == filing.shop.mine.id).scalar_subquery()
    row = {"owner": "con_x", "name": "n", "type": "", "size": 0, "created_at": filing.shop.clock.now()}
    for n in range(501):
        await filing.cold(insert(uploads).values(account=account, id=f"upl_{n}", **row))

    filing.shop.clock.move(DAY + 1)
    await filing.sweep.run()

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_an_engine_that_is_away_is_tried_again(filing: Filing, monkeypatch: pytest.MonkeyPatch) -> None:
    headers, _ = await filing.shop.contact()
    await filing.sent(headers, b"forgotten")
    filing.shop.clock.move(DAY + 1)

    async def away(keys: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(filing.files, "delete", away)
        await filing.sweep.run()
    assert (await filing.kept())[1] == 0  # the row went first
    filing.shop.clock.move(AGES)
    await filing.sweep.run()

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_rows_that_are_gone_take_nothing_fresh_along(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    await filing.sent(headers, b"fresh")
    await filing.cold(delete(uploads))

    await filing.sweep.objects()

    assert len((await filing.kept())[0]) == 1
