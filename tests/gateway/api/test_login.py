"""POST /v1/login and /v1/logout: the password opens, the cookie stays out of reach, nobody learns who exists."""

import httpx
import pytest
from sqlalchemy import update

from chat.store.tables import agents
from tests.shop import AGENT_LIFE, FAILED_LOGINS, OWN, PASSWORD, Shop, in_a_shop

EMAIL = "agent@mine.example"


async def log_in(client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/login", json={"email": email, "password": password}, headers={"origin": str(OWN)})


@in_a_shop
async def test_an_agent_logs_in_and_is_known_from_then_on(shop: Shop) -> None:
    client = shop.client

    answer = await log_in(client)

    assert answer.status_code == 200
    assert answer.json()["agent"] == {
        "id": shop.mine.agent.id,
        "name": "Noa",
        "email": EMAIL,
        "role": "admin",
        "picture": None,
        "teams": [],
    }
    assert (await client.get("/v1/me")).status_code == 200


@in_a_shop
async def test_the_cookie_is_for_our_own_pages_and_for_no_script(shop: Shop) -> None:
    cookie = (await log_in(shop.client)).headers["set-cookie"]

    assert cookie.startswith("shopbell=sbs_")
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={AGENT_LIFE}"} <= set(cookie.split("; "))


@in_a_shop
async def test_all_wrong_logins_get_the_same_answer(shop: Shop) -> None:
    wrong = [
        await log_in(shop.client, password="wrong horse"),
        await log_in(shop.client, email="nobody@mine.example"),
        await log_in(shop.client, email="nobody@mine.example", password="nobody"),
    ]
    await shop.store.administer(lambda connection: connection.execute(update(agents).values(active=False)))
    wrong.append(await log_in(shop.client))

    assert {(each.status_code, each.text) for each in wrong} == {(401, wrong[0].text)}
    assert wrong[0].json()["code"] == "bad_credentials"
    assert all("set-cookie" not in each.headers for each in wrong)


@in_a_shop
async def test_logging_out_ends_the_session_itself(shop: Shop) -> None:
    client = shop.client
    await log_in(client)
    kept = client.cookies["shopbell"]

    answer = await client.post("/v1/logout", headers={"origin": str(OWN)})

    assert answer.status_code == 204
    assert "shopbell" not in client.cookies
    client.cookies.set("shopbell", kept)
    assert (await client.get("/v1/me")).status_code == 401


@in_a_shop
async def test_logging_out_closes_the_sockets_of_that_session(shop: Shop) -> None:
    client = shop.client
    await log_in(client)
    session = await shop.sessions.by_secret(client.cookies["shopbell"])

    await client.post("/v1/logout", headers={"origin": str(OWN)})

    assert session is not None
    assert shop.closed == [session.id]


@pytest.mark.parametrize("email", [EMAIL, "nobody@mine.example"])
@in_a_shop
async def test_after_many_failures_one_waits_whether_there_is_such_an_agent_or_not(shop: Shop, email: str) -> None:
    for _ in range(FAILED_LOGINS.burst):
        assert (await log_in(shop.client, email, "wrong horse")).status_code == 401

    answer = await log_in(shop.client, email)

    assert (answer.status_code, answer.headers["retry-after"], answer.json()["detail"]) == (
        429,
        "60",
        "Too many attempts: wait a while.",
    )
    assert (await log_in(shop.client, "agent@other.example")).status_code == 200
    shop.clock.move(60)
    assert (await log_in(shop.client, email)).status_code == (200 if email == EMAIL else 401)


@in_a_shop
async def test_logging_in_often_is_no_failure(shop: Shop) -> None:
    assert {(await log_in(shop.client)).status_code for _ in range(FAILED_LOGINS.burst + 5)} == {200}


@in_a_shop
async def test_logging_out_twice_does_no_harm(shop: Shop) -> None:
    assert (await shop.client.post("/v1/logout")).status_code == 204


@pytest.mark.parametrize("path", ["/v1/login", "/v1/logout"])
@in_a_shop
async def test_no_other_page_logs_anybody_in_or_out(shop: Shop, path: str) -> None:
    client = await shop.agents_client()

    answer = await client.post(
        path, json={"email": EMAIL, "password": PASSWORD}, headers={"origin": "http://evil.test"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
    assert (await client.get("/v1/me")).status_code == 200
