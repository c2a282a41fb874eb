"""/v1/teams: made, renamed, filled, emptied, deleted."""

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_teams_life(shop: Shop) -> None:
    made = (await shop.act("POST", "/v1/teams", {"name": "Returns"})).json()
    path = f"/v1/teams/{made['id']}"

    await shop.act("PATCH", path, {"name": "Returns & repairs"})
    for _ in range(2):
        filled = await shop.act("POST", f"{path}/members", {"member": shop.mine.agent.id})
    assert filled.json() == {
        "id": made["id"],
        "name": "Returns & repairs",
        "members": [shop.mine.agent.id],
        "inboxes": [],
    }
    assert (await shop.act("DELETE", f"{path}/members/{shop.mine.agent.id}")).status_code == 204
    assert (await shop.act("DELETE", f"{path}/members/{shop.mine.agent.id}")).status_code == 404
    assert (await shop.act("DELETE", path)).status_code == 204
    listed = (await shop.act("GET", "/v1/teams")).json()["teams"]
    assert [each["id"] for each in listed] == [shop.mine.team.id]


@in_a_shop
async def test_a_team_that_has_conversations_stays(shop: Shop) -> None:
    await shop.conversation(shop.mine, "con_a", team=shop.mine.team.id)

    answer = await shop.act("DELETE", f"/v1/teams/{shop.mine.team.id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")


@in_a_shop
async def test_nobody_of_another_account_becomes_a_member(shop: Shop) -> None:
    path = f"/v1/teams/{shop.mine.team.id}/members"

    for stranger in (shop.other.agent.id, shop.other.bot.id, "agt_nowhere", "con_a"):
        assert (await shop.act("POST", path, {"member": stranger})).status_code == 404
