"""The directory: what is added is found again, by its own account alone."""

import pytest
from sqlalchemy import select, update

from chat.errors import BadRequest, NotFound
from chat.keys import fingerprint
from chat.store.tables import accounts, bot_tokens, ledgers
from tests.shop import PASSWORD, Shop, in_a_shop


@in_a_shop
async def test_a_new_account_has_an_empty_ledger(shop: Shop) -> None:
    account = await shop.directory.add_account("New")

    rows = await shop.store.inspect(lambda connection: connection.execute(select(ledgers.c.cursor)).scalars().all())
    assert rows == [0, 0, 0]
    async with shop.store.view() as view:
        assert await view.head(account.id) == 0
    assert await shop.directory.account(account.id) == account
    assert [each.name for each in await shop.directory.accounts()] == ["mine", "other", "New"]


@in_a_shop
async def test_a_door_is_found_by_its_public_key(shop: Shop) -> None:
    assert await shop.directory.door("mine") == shop.mine.door
    assert shop.mine.door.origins == ("https://mine.example",)
    assert await shop.directory.door("nowhere") is None


@in_a_shop
async def test_a_public_key_can_be_had_once(shop: Shop) -> None:
    with pytest.raises(BadRequest) as refused:
        await shop.directory.add_inbox(shop.other.id, "Copy", public_key="mine")

    assert refused.value.field == "public_key"


@in_a_shop
async def test_every_inbox_has_a_key_of_its_own(shop: Shop) -> None:
    first = await shop.directory.add_inbox(shop.mine.id, "First")
    second = await shop.directory.add_inbox(shop.mine.id, "Second")

    assert first.public_key != second.public_key


@in_a_shop
async def test_an_agent_is_found_by_address_however_it_is_written(shop: Shop) -> None:
    found = await shop.directory.agent_by_email(" Agent@MINE.example ")

    assert found is not None
    assert found[0] == shop.mine.agent
    assert await shop.passwords.match(found[1], PASSWORD)
    assert await shop.directory.agent_by_email("agent@nowhere.example") is None


@in_a_shop
async def test_an_address_belongs_to_one_agent(shop: Shop) -> None:
    with pytest.raises(BadRequest) as refused:
        await shop.directory.add_agent(
            shop.other.id, email="AGENT@mine.example", name="Eve", role="agent", password="$argon2id$"
        )

    assert refused.value.field == "email"


@in_a_shop
async def test_an_agent_is_not_there_for_another_account(shop: Shop) -> None:
    assert await shop.directory.agent((shop.mine.id, shop.mine.agent.id)) == shop.mine.agent
    assert await shop.directory.agent((shop.other.id, shop.mine.agent.id)) is None


@in_a_shop
async def test_a_bot_is_known_by_its_token_of_which_only_the_fingerprint_is_kept(shop: Shop) -> None:
    token = await shop.directory.add_api_token((shop.mine.id, shop.mine.bot.id))

    kept = await shop.store.inspect(lambda connection: connection.execute(select(bot_tokens.c.hash)).scalars().all())
    assert await shop.directory.bot_by_token(token) == shop.mine.bot
    assert await shop.directory.bot_by_token(token + "x") is None
    assert fingerprint(token) in kept


@in_a_shop
async def test_nobody_makes_a_token_for_another_accounts_bot(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.directory.add_api_token((shop.mine.id, shop.other.bot.id))


@in_a_shop
async def test_a_team_takes_members_of_its_account_once(shop: Shop) -> None:
    team = (shop.mine.id, shop.mine.team.id)
    for _ in range(2):
        await shop.directory.add_member(team, shop.mine.agent.id)
        await shop.directory.add_member(team, shop.mine.bot.id)

    assert await shop.directory.teams_of((shop.mine.id, shop.mine.agent.id)) == [shop.mine.team.id]
    assert await shop.directory.teams_of((shop.other.id, shop.mine.agent.id)) == []
    for stranger in (shop.other.agent.id, shop.other.bot.id):
        with pytest.raises(NotFound):
            await shop.directory.add_member(team, stranger)
    with pytest.raises(NotFound):
        await shop.directory.add_member((shop.other.id, shop.mine.team.id), shop.other.agent.id)


@in_a_shop
async def test_a_team_serves_inboxes_of_its_account_alone(shop: Shop) -> None:
    inbox = (shop.mine.id, shop.mine.door.id)
    await shop.directory.serve_inbox(inbox, shop.mine.team.id)
    await shop.directory.serve_inbox(inbox, shop.mine.team.id)

    with pytest.raises(NotFound):
        await shop.directory.serve_inbox(inbox, shop.other.team.id)


@in_a_shop
async def test_staff_is_that_of_one_account(shop: Shop) -> None:
    staff = await shop.directory.staff(shop.mine.id)

    assert staff.agents == [shop.mine.agent]
    assert staff.bots == [shop.mine.bot]
    assert staff.teams == [shop.mine.team]
    assert staff.inboxes == [shop.mine.door]


@in_a_shop
async def test_nothing_is_added_to_an_account_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.directory.add_team("acc_nowhere", "Team")


@in_a_shop
async def test_in_a_suspended_account_nobody_logs_in_and_no_door_opens(shop: Shop) -> None:
    await shop.store.administer(
        lambda connection: connection.execute(
            update(accounts).where(accounts.c.id == shop.mine.id).values(suspended_at=1)
        )
    )

    assert await shop.directory.door(shop.mine.door.public_key) is None
    assert await shop.directory.agent_by_email(shop.mine.agent.email) is None
    assert await shop.directory.bot_by_token(shop.mine.bot_token) is None
    assert await shop.directory.door(shop.other.door.public_key) == shop.other.door
