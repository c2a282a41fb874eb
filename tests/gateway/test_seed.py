"""The demo account: there after the first time, the same after the second."""

from sqlalchemy import func, select

from chat.administration import Administration
from chat.store.tables import metadata
from gateway.pages import DEMO_INBOX
from gateway.seed import PASSWORD, seed
from tests.shop import Shop, in_a_shop


async def sizes(shop: Shop) -> dict[str, int]:
    tables = [table for table in metadata.sorted_tables if table.name != "meta"]
    return await shop.store.inspect(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }
    )


@in_a_shop
async def test_the_demo_has_an_inbox_two_agents_a_team_and_a_bot(shop: Shop) -> None:
    demo = await seed(shop.directory, shop.passwords)

    door = await shop.directory.door(DEMO_INBOX)
    staff = await shop.directory.staff(demo.account.id)
    assert door is not None
    assert door.account == demo.account.id
    assert [(agent.email, agent.role) for agent in staff.agents] == [
        ("noa@demo.shop", "admin"),
        ("somchai@demo.shop", "agent"),
    ]
    assert [bot.name for bot in staff.bots] == ["Bell"]
    assert await shop.directory.teams_of((demo.account.id, demo.agents[0].id)) == [staff.teams[0].id]


@in_a_shop
async def test_its_conversations_are_routed_and_wait_long_for_an_answer(shop: Shop) -> None:
    demo = await seed(shop.directory, shop.passwords)

    (team,) = await Administration(shop.store).teams(demo.account.id)
    assert (team.settings.policy, team.settings.answer_seconds) == ("least_busy", 600)


@in_a_shop
async def test_its_agents_log_in_with_the_password_that_is_printed(shop: Shop) -> None:
    demo = await seed(shop.directory, shop.passwords)

    for agent in demo.agents:
        answer = await shop.client.post("/v1/login", json={"email": agent.email, "password": PASSWORD})
        assert answer.status_code == 200


@in_a_shop
async def test_doing_it_again_changes_nothing(shop: Shop) -> None:
    first = await seed(shop.directory, shop.passwords)
    before = await sizes(shop)

    assert await seed(shop.directory, shop.passwords) == first
    assert await sizes(shop) == before
