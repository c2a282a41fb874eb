"""GET /v1/audit: page by page, for supervisors and admins of the account."""

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_acts_come_newest_first_and_page_by_page(shop: Shop) -> None:
    for number in range(5):
        await shop.act("POST", "/v1/teams", {"name": f"Team {number}"})
    boss = await shop.colleague("supervisor")

    first = (await shop.act("GET", "/v1/audit?limit=3", agent=boss)).json()
    rest = (await shop.act("GET", f"/v1/audit?limit=3&after={first['next']}", agent=boss)).json()

    acts = [*first["acts"], *rest["acts"]]
    assert [act["data"]["name"] for act in acts] == [f"Team {number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] is None
    assert {key: acts[0][key] for key in ("actor", "action", "at")} == {
        "actor": shop.mine.agent.id,
        "action": "team.create",
        "at": shop.clock.now(),
    }


@in_a_shop
async def test_agents_and_bots_do_not_read_it(shop: Shop) -> None:
    agent = await shop.colleague("agent")
    bot = {"authorization": f"Bearer {shop.mine.bot_token}"}

    assert (await shop.act("GET", "/v1/audit", agent=agent)).status_code == 403
    assert (await shop.client.get("/v1/audit", headers=bot)).status_code == 403


@pytest.mark.parametrize("after", ["nowhere", "%FF", "-", "4pyT", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"])
@in_a_shop
async def test_a_place_that_is_none_is_told(shop: Shop, after: str) -> None:
    answer = await shop.act("GET", f"/v1/audit?after={after}")

    assert (answer.status_code, answer.json()["field"]) == (400, "after")
