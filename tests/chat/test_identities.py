"""Identities: the keys of an inbox, and which contact a `sub` is."""

import asyncio

import pytest
from sqlalchemy import select, update

from chat.errors import InvalidState, NotFound
from chat.identities import Identities, reseal
from chat.sealing import Sealer
from chat.store.tables import attribute_types, contacts, identities, inbox_keys
from tests.shop import SECRET, Shop, in_a_shop


def of(shop: Shop, secret: bytes = SECRET) -> Identities:
    return Identities(shop.store, shop.clock, Sealer(secret))


def door(shop: Shop) -> tuple[str, str]:
    return (shop.mine.id, shop.mine.door.id)


async def a_contact(shop: Shop) -> str:
    return (await shop.sessions.open_for_contact(shop.mine.door))[1].actor.id


@in_a_shop
async def test_a_key_signs_until_it_expires(shop: Shop) -> None:
    keys = of(shop)
    key, secret = await keys.add_key(door(shop))
    assert await keys.live_keys(shop.mine.door.id) == {key.id: secret.encode()}

    await keys.expire_key(door(shop), key.id, shop.clock.now() + 60_000)
    shop.clock.move(59)
    assert await keys.live_keys(shop.mine.door.id) != {}

    shop.clock.move(1)
    assert await keys.live_keys(shop.mine.door.id) == {}


@in_a_shop
async def test_a_key_that_expired_can_not_be_brought_back(shop: Shop) -> None:
    keys = of(shop)
    key, _ = await keys.add_key(door(shop))
    await keys.expire_key(door(shop), key.id, 0)

    ended = await keys.expire_key(door(shop), key.id, shop.clock.now() + 60_000)

    assert ended.expires_at == shop.clock.now()
    assert await keys.live_keys(shop.mine.door.id) == {}


@in_a_shop
async def test_two_keys_live_at_once_and_no_third(shop: Shop) -> None:
    keys = of(shop)
    first, _ = await keys.add_key(door(shop))
    await keys.add_key(door(shop))

    with pytest.raises(InvalidState):
        await keys.add_key(door(shop))

    await keys.expire_key(door(shop), first.id, 0)
    shop.clock.move(1)
    third, _ = await keys.add_key(door(shop))
    assert len(await keys.live_keys(shop.mine.door.id)) == 2
    assert [key.id for key in await keys.keys(door(shop))][-1] == third.id


@in_a_shop
async def test_the_store_has_no_secret_that_anybody_could_use(shop: Shop) -> None:
    _, secret = await of(shop).add_key(door(shop))

    kept = await shop.store.inspect(lambda connection: connection.execute(select(inbox_keys.c.secret)).scalars().all())

    assert len(kept) == 1
    assert secret.encode() not in kept[0]
    assert secret.removeprefix("sbk_").encode() not in kept[0]
    assert await of(shop, b"x" * 40).live_keys(shop.mine.door.id) == {}


@in_a_shop
async def test_an_inbox_of_somebody_else_has_no_keys_for_us(shop: Shop) -> None:
    foreign = (shop.mine.id, shop.other.door.id)
    key, _ = await of(shop).add_key((shop.other.id, shop.other.door.id))

    for attempt in (
        of(shop).keys(foreign),
        of(shop).add_key(foreign),
        of(shop).expire_key(foreign, key.id, 0),
        of(shop).expire_key(door(shop), key.id, 0),
    ):
        with pytest.raises(NotFound):
            await attempt


@in_a_shop
async def test_after_a_rotation_keys_open_by_the_new_secret_alone(shop: Shop) -> None:
    key, secret = await of(shop).add_key(door(shop))
    new = b"another secret that only tests may know"

    count = await shop.store.administer(lambda connection: reseal(connection, Sealer(new, SECRET)))

    assert count == 1
    assert await of(shop, new).live_keys(shop.mine.door.id) == {key.id: secret.encode()}
    assert await of(shop).live_keys(shop.mine.door.id) == {}


@in_a_shop
async def test_an_anonymous_contact_becomes_who_signs_in(shop: Shop) -> None:
    contact = await a_contact(shop)

    first = await of(shop).sign_in(shop.mine.door, "user-7", contact)
    again = await of(shop).sign_in(shop.mine.door, "user-7", None)

    assert (first.contact.id, first.is_candidate, first.was_known, first.candidate_is_anonymous) == (
        contact,
        True,
        False,
        True,
    )
    assert (again.contact.id, again.was_known) == (contact, True)


@in_a_shop
async def test_a_contact_that_is_somebody_never_becomes_somebody_else(shop: Shop) -> None:
    contact = await a_contact(shop)
    await of(shop).sign_in(shop.mine.door, "user-7", contact)

    other = await of(shop).sign_in(shop.mine.door, "user-8", contact)

    assert other.contact.id != contact
    assert not other.candidate_is_anonymous


@in_a_shop
async def test_the_same_sub_at_another_inbox_is_somebody_else(shop: Shop) -> None:
    second = await shop.directory.add_inbox(shop.mine.id, "second")
    here = await of(shop).sign_in(shop.mine.door, "user-7", None)

    there = await of(shop).sign_in(second, "user-7", None)
    elsewhere = await of(shop).sign_in(shop.other.door, "user-7", None)

    assert len({here.contact.id, there.contact.id, elsewhere.contact.id}) == 3


@in_a_shop
async def test_of_many_who_sign_in_at_once_all_are_the_same(shop: Shop) -> None:
    candidates = [await a_contact(shop) for _ in range(4)]

    found = await asyncio.gather(*(of(shop).sign_in(shop.mine.door, "user-7", one) for one in [*candidates, None]))

    assert len({known.contact.id for known in found}) == 1
    assert sum(not known.was_known for known in found) == 1
    assert sum(known.is_candidate for known in found) == 1


@in_a_shop
async def test_a_contact_of_another_account_is_no_candidate(shop: Shop) -> None:
    foreign = (await shop.sessions.open_for_contact(shop.other.door))[1].actor.id

    known = await of(shop).sign_in(shop.mine.door, "user-7", foreign)

    assert known.contact.id != foreign


@in_a_shop
async def test_whoever_was_erased_comes_back_as_a_stranger(shop: Shop) -> None:
    first = await of(shop).sign_in(shop.mine.door, "user-7", None)
    await shop.store.administer(lambda connection: connection.execute(update(contacts).values(erased=True)))

    again = await of(shop).sign_in(shop.mine.door, "user-7", first.contact.id)

    assert again.contact.id != first.contact.id
    rows = await shop.store.inspect(lambda connection: connection.execute(select(identities.c.contact)).scalars().all())
    assert rows == [again.contact.id]


@in_a_shop
async def test_what_the_account_has_declared_about_contacts_comes_along(shop: Shop) -> None:
    def declare(connection: object) -> None:
        row = {"account": 1, "name": "plan", "type": "choice", "choices": ["basic", "gold"]}
        connection.execute(attribute_types.insert(), [{**row, "of": "contact"}, {**row, "of": "conversation"}])  # type: ignore[attr-defined]

    await shop.store.administer(declare)

    known = await of(shop).sign_in(shop.mine.door, "user-7", None)

    assert [(declared.of, declared.name, declared.choices) for declared in known.types] == [
        ("contact", "plan", ("basic", "gold"))
    ]
