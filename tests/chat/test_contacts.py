"""Contacts: listed page by page, found by their own account alone, and forgotten for good."""

import pytest
from sqlalchemy import insert, select, update

from chat import contacts as module
from chat.audit import NEWEST, Audit
from chat.contacts import Contacts
from chat.errors import BadRequest, NotFound
from chat.store.tables import contacts as rows
from chat.store.tables import identities
from tests.shop import Shop, in_a_shop


async def some(shop: Shop, *known: tuple[str, str | None]) -> list[str]:
    ids = []
    for name, email in known:
        _, contact = await shop.contact()
        ids.append(contact.id)
        statement = update(rows).where(rows.c.id == contact.id).values(name=name, email=email)
        await shop.store.administer(lambda connection, each=statement: connection.execute(each))  # type: ignore[misc]
    return ids


@in_a_shop
async def test_contacts_come_latest_first_and_page_by_page(shop: Shop) -> None:
    contacts = Contacts(shop.store, shop.clock)
    ids = await some(shop, *[("", None)] * 5)
    await shop.contact(shop.other)

    first, further = await contacts.page(shop.mine.id, after=None, limit=3)
    rest, nothing = await contacts.page(shop.mine.id, after=further, limit=3)

    assert [each.id for each in [*first, *rest]] == ids[::-1]
    assert (further, nothing) == (first[-1].id, None)


@in_a_shop
async def test_a_page_that_took_long_to_fill_goes_on_where_it_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    monkeypatch.setattr(module, "_SLICE", module._SLICE.limit(2))
    monkeypatch.setattr(module, "LOOKED_AT", 4)
    contacts = Contacts(shop.store, shop.clock)
    ids = await some(shop, *[(f"{'Dana' if number % 3 == 0 else 'Ben'} {number}", None) for number in range(11)])

    found: list[str] = []
    pages, further = 0, None
    while pages == 0 or further:
        page, further = await contacts.page(shop.mine.id, after=further, limit=50, name="dana")
        found += [each.id for each in page]
        pages += 1

    assert found == [ids[9], ids[6], ids[3], ids[0]]
    assert pages == 3


@in_a_shop
async def test_upper_and_lower_case_are_the_same_in_every_script(shop: Shop) -> None:
    (mine,) = await some(shop, ("Ömer Çelik", None))

    page, _ = await Contacts(shop.store, shop.clock).page(shop.mine.id, after=None, limit=10, name="öMER ç")

    assert [each.id for each in page] == [mine]


@in_a_shop
async def test_contacts_are_found_by_how_they_begin(shop: Shop) -> None:
    contacts = Contacts(shop.store, shop.clock)
    dana, dan, percent = await some(
        shop, ("Dana Levi", "dana@shop.example"), ("dan", "DAN@shop.example"), ("100% Dan", None)
    )

    async def found(**query: str) -> set[str]:
        return {each.id for each in (await contacts.page(shop.mine.id, after=None, limit=10, **query))[0]}

    assert await found(name="dan") == {dana, dan}
    assert await found(name="DANA") == {dana}
    assert await found(email="dan@") == {dan}
    assert await found(name="dan", email="dana") == {dana}
    assert await found(name="%") == set()
    assert await found(name="100%") == {percent}


@in_a_shop
async def test_merged_and_erased_ones_are_not_listed(shop: Shop) -> None:
    contacts = Contacts(shop.store, shop.clock)
    left, gone, there = await some(shop, ("a", None), ("b", None), ("c", None))
    for id_, values in ((left, {"merged_into": there}), (gone, {"erased": True})):
        statement = update(rows).where(rows.c.id == id_).values(**values)
        await shop.store.administer(lambda connection, each=statement: connection.execute(each))  # type: ignore[misc]

    page, _ = await contacts.page(shop.mine.id, after=None, limit=10)

    assert [each.id for each in page] == [there]
    assert (await contacts.find((shop.mine.id, left))).merged_into == there


@in_a_shop
async def test_no_other_account_finds_one_or_goes_on_from_it(shop: Shop) -> None:
    contacts = Contacts(shop.store, shop.clock)
    (mine,) = await some(shop, ("Dana", None))

    for who in ((shop.other.id, mine), (shop.mine.id, "con_nowhere")):
        with pytest.raises(NotFound):
            await contacts.find(who)
        with pytest.raises(NotFound):
            await contacts.conversations(who)
        with pytest.raises(BadRequest):
            await contacts.page(who[0], after=who[1], limit=10)
        with pytest.raises(NotFound):
            await contacts.forget(who, Audit(shop.store, shop.clock).by(shop.mine.agent.actor))


@in_a_shop
async def test_a_contacts_conversations_are_all_its_own(shop: Shop) -> None:
    (mine,) = await some(shop, ("Dana", None))
    first = await shop.conversation(shop.mine, mine, status="resolved")
    second = await shop.conversation(shop.mine, mine)
    await shop.conversation(shop.mine, "con_somebody")

    found = await Contacts(shop.store, shop.clock).conversations((shop.mine.id, mine))

    assert [each.id for each in found] == [second.id, first.id]


@in_a_shop
async def test_who_is_forgotten_has_no_session_and_no_identity(shop: Shop) -> None:
    contacts, audit = Contacts(shop.store, shop.clock), Audit(shop.store, shop.clock)
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)
    who = (shop.mine.id, session.actor.id)
    row = {"inbox": shop.mine.door.id, "sub": "customer-7", "contact": session.actor.id}
    await shop.store.administer(lambda connection: connection.execute(insert(identities).values(row)))
    assert [each.sub for each in await contacts.identities(who)] == ["customer-7"]

    await contacts.forget(who, audit.by(shop.mine.agent.actor))

    assert await shop.sessions.by_secret(secret) is None
    assert await shop.store.inspect(lambda found: found.execute(select(identities)).all()) == []
    assert [act.action for act in await audit.page(shop.mine.id, NEWEST, 10)] == ["contact.erase"]
