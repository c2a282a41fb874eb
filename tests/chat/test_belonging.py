"""What belongs to an account is found by it alone, and pairs are made and unmade once."""

import pytest
from sqlalchemy import select

from chat.belonging import account_key, kind_of, link, must_be, must_be_staff, unlink
from chat.errors import NotFound
from chat.store.tables import inboxes, team_members, teams
from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_another_accounts_thing_is_like_one_that_is_not_there(shop: Shop) -> None:
    for account, team in ((shop.other.id, shop.mine.team.id), (shop.mine.id, "tem_nowhere")):
        with pytest.raises(NotFound) as refused:
            await shop.store.inspect(lambda found, what=(account, team): must_be(found, teams, what))  # type: ignore[misc]
        assert refused.value.field == "team"


@in_a_shop
async def test_ones_own_is_found_with_its_row(shop: Shop) -> None:
    row = await shop.store.inspect(lambda found: must_be(found, inboxes, (shop.mine.id, shop.mine.door.id)))

    assert (row["name"], row["public_key"]) == ("mine inbox", "mine")
    assert kind_of(inboxes) == "inbox"


@in_a_shop
async def test_staff_is_an_agent_or_a_bot_and_no_contact(shop: Shop) -> None:
    for member in (shop.mine.agent.id, shop.mine.bot.id):
        await shop.store.inspect(lambda found, who=member: must_be_staff(found, (shop.mine.id, who)))  # type: ignore[misc]
    with pytest.raises(NotFound):
        await shop.store.inspect(lambda found: must_be_staff(found, (shop.mine.id, "con_a")))


@in_a_shop
async def test_a_pair_is_made_once_and_unmade_once(shop: Shop) -> None:
    pair = {"team": shop.mine.team.id, "member": shop.mine.agent.id}

    assert [await shop.store.administer(lambda write: link(write, team_members, pair)) for _ in range(2)] == [
        True,
        False,
    ]
    assert [await shop.store.administer(lambda write: unlink(write, team_members, pair)) for _ in range(2)] == [
        True,
        False,
    ]
    assert await shop.store.inspect(lambda found: found.execute(select(team_members)).all()) == []


@in_a_shop
async def test_an_account_that_is_not_there_has_no_key(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.store.inspect(lambda found: account_key(found, "acc_nowhere"))
