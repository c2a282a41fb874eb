"""GET /v1/staff: who answers, for the account's own staff alone."""

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_staff_is_listed_without_what_only_each_may_see(shop: Shop) -> None:
    client = await shop.agents_client()

    body = (await client.get("/v1/staff")).json()

    assert body == {
        "agents": [{"id": shop.mine.agent.id, "name": "Noa", "picture": None, "role": "admin"}],
        "bots": [{"id": shop.mine.bot.id, "name": "mine bot", "picture": None}],
        "teams": [{"id": shop.mine.team.id, "name": "mine team"}],
        "inboxes": [{"id": shop.mine.door.id, "name": "mine inbox"}],
    }


@in_a_shop
async def test_a_bot_may_ask_too(shop: Shop) -> None:
    answer = await shop.client.get("/v1/staff", headers={"authorization": f"Bearer {shop.other.bot_token}"})

    assert [bot["id"] for bot in answer.json()["bots"]] == [shop.other.bot.id]


@in_a_shop
async def test_a_contact_may_not(shop: Shop) -> None:
    headers, _ = await shop.contact()

    answer = await shop.client.get("/v1/staff", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
