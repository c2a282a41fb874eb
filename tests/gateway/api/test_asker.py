"""Who asks over HTTP: each kind of actor by its own credential, and by no other's."""

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_each_kind_is_known_by_its_own_credential(shop: Shop) -> None:
    contact, _ = await shop.contact()
    bot = {"authorization": f"bearer {shop.mine.bot_token}"}
    agent = await shop.agents_client()

    assert (await agent.get("/v1/staff")).status_code == 200
    assert (await shop.client.get("/v1/staff", headers=bot)).status_code == 200
    assert (await shop.client.get("/v1/staff", headers=contact)).status_code == 401  # no credential for staff's


@in_a_shop
async def test_a_credential_in_the_wrong_place_opens_nothing(shop: Shop) -> None:
    contact, _ = await shop.sessions.open_for_contact(shop.mine.door)
    agent, session = await shop.sessions.open_for_agent(shop.mine.agent)
    token = shop.tokens.mint(session)

    headers = [
        {"cookie": f"shopbell={contact}"},
        {"cookie": f"shopbell={shop.mine.bot_token}"},
        {"cookie": f"shopbell={token}"},
        {"authorization": f"Bearer {agent}"},
        {"authorization": f"Bearer {token}"},
        {"authorization": f"Basic {shop.mine.bot_token}"},
        {"authorization": shop.mine.bot_token},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sbt_"},
        {"authorization": "Bearer sbs_\xff"},
    ]

    for each in headers:
        answer = await shop.client.get("/v1/staff", headers=httpx_safe(each))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), each


@in_a_shop
async def test_a_bad_bearer_is_not_saved_by_a_good_cookie(shop: Shop) -> None:
    client = await shop.agents_client()

    assert (await client.get("/v1/staff", headers={"authorization": "Bearer nothing"})).status_code == 401


@pytest.mark.parametrize("origins", [[], ["http://shop.test"]])
@in_a_shop
async def test_no_origin_or_our_own_is_fine(shop: Shop, origins: list[str]) -> None:
    answer = await shop.client.post("/v1/logout", headers=[("origin", each) for each in origins])

    assert answer.status_code == 204


@in_a_shop
async def test_two_origins_are_one_too_many(shop: Shop) -> None:
    answer = await shop.client.post(
        "/v1/logout", headers=[("origin", "http://shop.test"), ("origin", "http://shop.test")]
    )

    assert answer.status_code == 403


def httpx_safe(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}
