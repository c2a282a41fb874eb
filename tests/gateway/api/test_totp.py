"""/v1/me/totp and logging in with a second factor; an admin helps whoever has lost it."""

import httpx
import pyotp
import pytest
from sqlalchemy import update

from chat.audit import Audit
from chat.store.tables import agents
from chat.totp import STEP_SECONDS
from tests.shop import OWN, PASSWORD, Shop, in_a_shop

EMAIL = "agent@mine.example"
FROM_HERE = {"origin": str(OWN)}


async def post(client: httpx.AsyncClient, path: str, **body: object) -> httpx.Response:
    return await client.post(path, json=body, headers=FROM_HERE)


async def log_in(shop: Shop, password: str = PASSWORD, **body: object) -> httpx.Response:
    return await post(shop.client, "/v1/login", email=EMAIL, password=password, **body)


async def turned_on(shop: Shop) -> pyotp.TOTP:
    client = await shop.agents_client()
    totp = pyotp.TOTP((await post(client, "/v1/me/totp", password=PASSWORD)).json()["secret"])
    assert (await post(client, "/v1/me/totp/confirm", code=code(shop, totp))).status_code == 204
    shop.clock.move(STEP_SECONDS)
    return totp


def code(shop: Shop, totp: pyotp.TOTP) -> str:
    return totp.at(shop.clock.now() // 1000)


@in_a_shop
async def test_an_agent_turns_it_on_by_showing_a_code(shop: Shop) -> None:
    client = await shop.agents_client()
    assert (await client.get("/v1/me/totp")).json() == {"state": "off"}

    begun = (await post(client, "/v1/me/totp", password=PASSWORD)).json()
    assert begun["uri"].startswith("otpauth://totp/Shopbell:agent%40mine.example?")
    wrong = await post(client, "/v1/me/totp/confirm", code="000000")
    right = await post(client, "/v1/me/totp/confirm", code=code(shop, pyotp.TOTP(begun["secret"])))

    assert (wrong.status_code, wrong.json()["field"], right.status_code) == (400, "code", 204)
    assert (await client.get("/v1/me/totp")).json() == {"state": "on"}


@in_a_shop
async def test_a_cookie_alone_changes_nothing(shop: Shop) -> None:
    client = await shop.agents_client()

    answers = [await post(client, path, password="wrong horse") for path in ("/v1/me/totp", "/v1/me/totp/off")]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(401, "bad_credentials")] * 2
    assert (await client.get("/v1/me/totp")).json() == {"state": "off"}


@in_a_shop
async def test_until_it_is_confirmed_the_password_is_enough(shop: Shop) -> None:
    await post(await shop.agents_client(), "/v1/me/totp", password=PASSWORD)

    assert (await log_in(shop)).status_code == 200


@in_a_shop
async def test_then_the_password_alone_does_not_let_in(shop: Shop) -> None:
    totp = await turned_on(shop)

    without, wrong = await log_in(shop), await log_in(shop, code="000000")
    right = await log_in(shop, code=code(shop, totp))
    again = await log_in(shop, code=code(shop, totp))

    assert [each.status_code for each in (without, wrong, right, again)] == [401, 401, 200, 401]
    assert {each.json()["code"] for each in (without, wrong, again)} == {"totp_needed"}
    assert all("set-cookie" not in each.headers for each in (without, wrong, again))


@in_a_shop
async def test_nobody_learns_of_it_without_the_password(shop: Shop) -> None:
    totp = await turned_on(shop)

    wrong = [await log_in(shop, "wrong horse"), await log_in(shop, "wrong horse", code=code(shop, totp))]
    nobody = await post(shop.client, "/v1/login", email="nobody@mine.example", password=PASSWORD, code="123456")

    assert {(each.status_code, each.text) for each in wrong} == {(401, nobody.text)}
    assert nobody.json()["code"] == "bad_credentials"


@in_a_shop
async def test_codes_can_not_be_tried_out(shop: Shop) -> None:
    totp = await turned_on(shop)
    answers = [await log_in(shop, code=f"{number:06}") for number in range(10)]
    assert {each.status_code for each in answers} == {401}

    throttled = await log_in(shop, code=code(shop, totp))

    assert (throttled.status_code, throttled.json()["code"]) == (429, "rate_limited")


@in_a_shop
async def test_it_is_turned_off_with_password_and_code(shop: Shop) -> None:
    totp = await turned_on(shop)
    client = await shop.agents_client()

    assert (await post(client, "/v1/me/totp/off", password=PASSWORD)).json()["code"] == "totp_needed"
    off = await post(client, "/v1/me/totp/off", password=PASSWORD, code=code(shop, totp))

    assert off.status_code == 204
    assert (await log_in(shop)).status_code == 200


@in_a_shop
async def test_an_admin_resets_it_and_that_is_written_down(shop: Shop) -> None:
    await turned_on(shop)
    admin = await shop.directory.add_agent(
        shop.mine.id, email="admin@mine.example", name="Dara", role="admin", password="none"
    )

    answer = await shop.act("DELETE", f"/v1/agents/{shop.mine.agent.id}/totp", agent=admin)

    assert answer.status_code == 204
    assert (await log_in(shop)).status_code == 200
    [act, *_] = await Audit(shop.store, shop.clock).page(shop.mine.id, 2**53, 10)
    assert (act.actor, act.action, act.target) == (admin.id, "totp.reset", shop.mine.agent.id)


@pytest.mark.parametrize("role", ["agent", "supervisor"])
@in_a_shop
async def test_nobody_else_resets_it(shop: Shop, role: str) -> None:
    await turned_on(shop)
    await shop.store.administer(lambda connection: connection.execute(update(agents).values(role=role)))

    answer = await shop.act("DELETE", f"/v1/agents/{shop.mine.agent.id}/totp")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@in_a_shop
async def test_another_accounts_agent_is_not_there(shop: Shop) -> None:
    answers = [
        await shop.act("DELETE", f"/v1/agents/{agent}/totp") for agent in (shop.other.agent.id, "agt_nobody", "x" * 500)
    ]

    assert {(each.status_code, each.text) for each in answers} == {(404, answers[1].text)}
