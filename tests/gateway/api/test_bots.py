"""/v1/bots: a token is shown once, works at once, and not for a moment longer than it may."""

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_bots_life(shop: Shop) -> None:
    made = (await shop.act("POST", "/v1/bots", {"name": "Second"})).json()
    path = f"/v1/bots/{made['id']}"
    renamed = (await shop.act("PATCH", path, {"name": "Bell"})).json()
    token = (await shop.act("POST", f"{path}/tokens")).json()
    bearer = {"authorization": f"Bearer {token['token']}"}

    assert (renamed["name"], renamed["active"], renamed["teams"]) == ("Bell", True, [])
    assert (await shop.client.get("/v1/staff", headers=bearer)).status_code == 200
    assert (await shop.act("POST", f"{path}/deactivate")).json()["active"] is False
    assert (await shop.client.get("/v1/staff", headers=bearer)).status_code == 401
    assert shop.closed == [made["id"]]
    assert (await shop.act("POST", f"{path}/activate")).json()["active"] is True
    assert (await shop.client.get("/v1/staff", headers=bearer)).status_code == 200
    assert [each["name"] for each in (await shop.act("GET", "/v1/bots")).json()["bots"]] == ["mine bot", "Bell"]


@in_a_shop
async def test_a_token_is_shown_once_and_revoked_at_once(shop: Shop) -> None:
    path = f"/v1/bots/{shop.mine.bot.id}/tokens"
    made = (await shop.act("POST", path)).json()
    listed = await shop.act("GET", path)
    assert made["id"] in [each["id"] for each in listed.json()["tokens"]]
    assert made["token"] not in listed.text

    assert (await shop.act("DELETE", f"{path}/{made['id']}")).status_code == 204

    bearer = {"authorization": f"Bearer {made['token']}"}
    assert (await shop.client.get("/v1/staff", headers=bearer)).status_code == 401
    assert shop.closed == [made["id"]]
    assert (await shop.act("DELETE", f"{path}/{made['id']}")).status_code == 404


@in_a_shop
async def test_an_agent_is_no_bot(shop: Shop) -> None:
    assert (await shop.act("POST", f"/v1/bots/{shop.mine.agent.id}/deactivate")).status_code == 404
