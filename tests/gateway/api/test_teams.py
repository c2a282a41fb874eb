"""/v1/teams: made, renamed, filled, emptied, deleted."""

import pytest
from msgspec import to_builtins

from chat.preferences import TeamSettings
from tests.shop import Shop, in_a_shop

USUAL = to_builtins(TeamSettings()) | {"overflow": []}


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
        "settings": USUAL,
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


@in_a_shop
async def test_settings_are_kept_until_others_replace_them(shop: Shop) -> None:
    other = (await shop.act("POST", "/v1/teams", {"name": "Night"})).json()["id"]
    path = f"/v1/teams/{shop.mine.team.id}"
    chosen = {"policy": "round_robin", "overflow": [other], "queue_limit": 20, "queue_reopen": 15}

    given = (await shop.act("PATCH", path, {"settings": chosen})).json()
    renamed = (await shop.act("PATCH", path, {"name": "Day"})).json()
    replaced = (await shop.act("PATCH", path, {"settings": {"policy": "manual"}})).json()

    assert given["settings"] == USUAL | chosen
    assert (renamed["name"], renamed["settings"]) == ("Day", given["settings"])
    assert replaced["settings"] == USUAL | {"policy": "manual"}


@in_a_shop
async def test_nobody_overflows_to_a_team_that_is_gone(shop: Shop) -> None:
    night, late = [(await shop.act("POST", "/v1/teams", {"name": name})).json()["id"] for name in ("Night", "Late")]
    path = f"/v1/teams/{shop.mine.team.id}"
    await shop.act("PATCH", path, {"settings": {"overflow": [night, late]}})

    await shop.act("DELETE", f"/v1/teams/{night}")

    (mine,) = [team for team in (await shop.act("GET", "/v1/teams")).json()["teams"] if team["id"] == shop.mine.team.id]
    assert mine["settings"]["overflow"] == [late]


@pytest.mark.parametrize(
    ("settings", "status", "field"),
    [
        ({"queue_reopen": 5}, 400, "settings.queue_reopen"),
        ({"queue_limit": 5, "queue_reopen": 6}, 400, "settings.queue_reopen"),
        ({"overflow": ["SELF"]}, 400, "settings.overflow"),
        ({"overflow": ["OTHER"]}, 404, "team"),
        ({"overflow": ["tem_nowhere"]}, 404, "team"),
        ({"policy": "loudest"}, 400, "settings.policy"),
    ],
    ids=str,
)
@in_a_shop
async def test_settings_that_cannot_be_meant_are_refused(
    shop: Shop, settings: dict[str, object], status: int, field: str
) -> None:
    path = f"/v1/teams/{shop.mine.team.id}"
    names = {"SELF": shop.mine.team.id, "OTHER": shop.other.team.id}
    overflow = settings.get("overflow", [])
    assert isinstance(overflow, list)
    body = {"settings": settings | {"overflow": [names.get(each, each) for each in overflow]}}

    answer = await shop.act("PATCH", path, body)

    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert shop.changed == []
