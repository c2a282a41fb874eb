"""/v1/agents: roles, coming and going, one's own password."""

import httpx

from tests.shop import OWN, PASSWORD, Shop, in_a_shop


async def log_in(shop: Shop, password: str) -> httpx.Response:
    body = {"email": shop.mine.agent.email, "password": password}
    return await shop.client.post("/v1/login", json=body, headers={"origin": str(OWN)})


@in_a_shop
async def test_supervisors_see_all_agents_and_admins_change_them(shop: Shop) -> None:
    boss, second = await shop.colleague("supervisor", "Boss"), await shop.colleague("agent")
    path = f"/v1/agents/{second.id}"

    refused = await shop.act("PATCH", path, {"role": "admin"}, agent=boss)
    changed = await shop.act("PATCH", path, {"role": "supervisor", "picture": "https://a.example/d.png"})

    assert refused.status_code == 403
    assert (changed.json()["role"], changed.json()["picture"]) == ("supervisor", "https://a.example/d.png")
    listed = (await shop.act("GET", "/v1/agents", agent=boss)).json()["agents"]
    assert [each["id"] for each in listed] == [shop.mine.agent.id, boss.id, second.id]
    assert (await shop.act("GET", path)).json() == changed.json()
    assert (await shop.act("PATCH", path, {"picture": None})).json()["picture"] is None
    assert (await shop.act("PATCH", path, {"picture": "javascript:alert(1)"})).json()["field"] == "picture"


@in_a_shop
async def test_the_last_admin_stays(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}"

    for answer in (await shop.act("PATCH", path, {"role": "agent"}), await shop.act("POST", f"{path}/deactivate")):
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert shop.closed == []


@in_a_shop
async def test_nobody_deactivates_oneself(shop: Shop) -> None:
    second = await shop.colleague("admin")

    own = await shop.act("POST", f"/v1/agents/{second.id}/deactivate", agent=second)
    others = await shop.act("POST", f"/v1/agents/{second.id}/deactivate")

    assert (own.status_code, own.json()["code"]) == (409, "invalid_state")
    assert others.json()["active"] is False


@in_a_shop
async def test_who_is_deactivated_is_out_at_once_and_may_come_back(shop: Shop) -> None:
    second = await shop.colleague("agent")
    client = await shop.agents_client(second)
    assert (await client.get("/v1/me")).status_code == 200

    gone = await shop.act("POST", f"/v1/agents/{second.id}/deactivate")

    assert (gone.json()["active"], shop.closed) == (False, [second.id])
    assert (await client.get("/v1/me")).status_code == 401
    assert (await shop.act("POST", f"/v1/agents/{second.id}/activate")).json()["active"] is True
    assert (await (await shop.agents_client(second)).get("/v1/me")).status_code == 200


@in_a_shop
async def test_a_bot_is_no_agent(shop: Shop) -> None:
    for verb in ("activate", "deactivate"):
        assert (await shop.act("POST", f"/v1/agents/{shop.mine.bot.id}/{verb}")).status_code == 404


@in_a_shop
async def test_a_new_password_opens_and_ends_what_the_old_one_opened(shop: Shop) -> None:
    elsewhere = await shop.agents_client()
    body = {"current": PASSWORD, "new": "a better horse"}

    changed = await shop.act("POST", "/v1/agents/me/password", body)

    assert changed.status_code == 204
    assert (await elsewhere.get("/v1/me")).status_code == 401
    assert len(shop.closed) == 1
    assert (await log_in(shop, PASSWORD)).status_code == 401
    assert (await log_in(shop, "a better horse")).status_code == 200


@in_a_shop
async def test_a_password_is_changed_by_who_knows_it_into_a_good_one(shop: Shop) -> None:
    wrong = await shop.act("POST", "/v1/agents/me/password", {"current": "wrong", "new": "a better horse"})
    short = await shop.act("POST", "/v1/agents/me/password", {"current": PASSWORD, "new": "short"})

    assert (wrong.status_code, wrong.json()["code"]) == (401, "bad_credentials")
    assert (short.status_code, short.json()["field"]) == (400, "new")
    assert (await log_in(shop, PASSWORD)).status_code == 200
