"""The export of a contact: all of it, for the contact, in pieces that stay small."""

import msgspec
import pytest

from chat.contacts import Contacts
from chat.errors import NotFound
from chat.export import PAGE, Export, Exported
from tests.shop import Shop, in_a_shop


def export(shop: Shop) -> Export:
    return Export(shop.store, shop.clock, Contacts(shop.store, shop.clock))


async def whole(shop: Shop, contact: str, *, notes: bool = False) -> tuple[Exported, list[bytes]]:
    pieces = [piece async for piece in await export(shop).begin((shop.mine.id, contact), notes=notes)]
    return msgspec.json.decode(b"".join(pieces), type=Exported), pieces


@in_a_shop
async def test_a_contact_gets_all_that_it_may_see(shop: Shop) -> None:
    _, contact = await shop.contact()
    first = await shop.conversation(shop.mine, contact.id, texts=2)
    shop.clock.move(1)
    second = await shop.conversation(shop.mine, contact.id, texts=1)
    await shop.conversation(shop.mine, "con_somebody", texts=1)

    found, _ = await whole(shop, contact.id)

    assert (found.contact.id, found.exported_at) == (contact.id, shop.clock.now())
    assert [each.state.id for each in found.conversations] == [first.id, second.id]
    assert [entry.text for entry in found.conversations[0].entries] == ["text 1", "text 2"]


@in_a_shop
async def test_notes_are_in_it_when_they_are_asked_for(shop: Shop) -> None:
    _, contact = await shop.contact()
    await shop.conversation(shop.mine, contact.id, texts=1)

    without, _ = await whole(shop, contact.id)
    with_notes, _ = await whole(shop, contact.id, notes=True)

    assert [entry.kind for entry in without.conversations[0].entries] == ["message"]
    assert [entry.kind for entry in with_notes.conversations[0].entries] == ["message", "note"]


@in_a_shop
async def test_a_long_one_comes_in_pieces_and_whole(shop: Shop) -> None:
    _, contact = await shop.contact()
    made = await shop.conversation(shop.mine, contact.id, texts=PAGE * 2 + 7)

    found, pieces = await whole(shop, contact.id)

    texts = [entry.text for entry in found.conversations[0].entries]
    assert texts == [f"text {number}" for number in range(1, made.seq)]
    assert max(map(len, pieces)) < len(b"".join(pieces)) / 2


@in_a_shop
async def test_who_has_said_nothing_has_an_export_too(shop: Shop) -> None:
    _, contact = await shop.contact()

    found, _ = await whole(shop, contact.id)

    assert (found.conversations, found.uploads, found.identities) == ([], [], [])


@in_a_shop
async def test_another_accounts_contact_has_none(shop: Shop) -> None:
    _, theirs = await shop.contact(shop.other)

    with pytest.raises(NotFound):
        await export(shop).begin((shop.mine.id, theirs.id), notes=False)
