"""GET /v1/me: the agent who is logged in."""

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_an_agent_sees_itself_its_teams_and_its_account(shop: Shop) -> None:
    await shop.directory.add_member((shop.mine.id, shop.mine.team.id), shop.mine.agent.id)
    client = await shop.agents_client()

    body = (await client.get("/v1/me")).json()

    assert body["agent"]["id"] == shop.mine.agent.id
    assert body["agent"]["teams"] == [shop.mine.team.id]
    assert body["account"] == {"id": shop.mine.id, "name": "mine"}


@in_a_shop
async def test_the_password_is_nowhere_in_it(shop: Shop) -> None:
    client = await shop.agents_client()

    assert "argon2" not in (await client.get("/v1/me")).text


@in_a_shop
async def test_who_is_not_logged_in_as_an_agent_has_no_me(shop: Shop) -> None:
    contact, _ = await shop.contact()
    bot = {"authorization": f"Bearer {shop.mine.bot_token}"}

    for headers in ({}, contact, bot):
        answer = await shop.client.get("/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
