"""POST /v1/token: a console that is logged in gets a socket token, and no other page does."""

import pytest

from tests.shop import OWN, TOKEN_LIFE, Shop, in_a_shop


@in_a_shop
async def test_a_console_gets_a_token_of_its_agent(shop: Shop) -> None:
    client = await shop.agents_client()

    body = (await client.post("/v1/token", headers={"origin": str(OWN)})).json()

    identity = await shop.doorkeeper.identify(body["token"])
    assert body["expires_in"] == TOKEN_LIFE
    assert identity.actor == shop.mine.agent.actor


@pytest.mark.parametrize("origin", [None, "null", "http://evil.test", "https://shop.test"])
@in_a_shop
async def test_the_cookie_alone_is_not_enough(shop: Shop, origin: str | None) -> None:
    client = await shop.agents_client()

    answer = await client.post("/v1/token", headers={"origin": origin} if origin else {})

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


@in_a_shop
async def test_who_is_not_logged_in_gets_none(shop: Shop) -> None:
    contact, _ = await shop.contact()

    for headers in ({}, contact):
        answer = await shop.client.post("/v1/token", headers={"origin": str(OWN), **headers})
        assert answer.status_code == 401
