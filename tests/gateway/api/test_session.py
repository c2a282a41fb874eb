"""POST /v1/session: a browser is a contact, the same one as long as it brings its secret."""

import httpx
import pytest

from tests.shop import CONTACT_LIFE, OWN, TOKEN_LIFE, Shop, in_a_shop


async def knock(shop: Shop, headers: dict[str, str] | None = None, **body: object) -> httpx.Response:
    return await shop.client.post("/v1/session", json=body, headers=headers)


@in_a_shop
async def test_a_new_browser_is_a_new_anonymous_contact(shop: Shop) -> None:
    answer = await knock(shop, inbox="mine")

    body = answer.json()
    identity = await shop.doorkeeper.identify(body["token"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body["expires_in"] == TOKEN_LIFE
    assert body["inbox"] == {"id": shop.mine.door.id, "name": "mine inbox"}
    assert (identity.account, identity.kind, identity.id) == (shop.mine.id, "contact", body["contact"]["id"])


@in_a_shop
async def test_a_browser_that_comes_back_is_the_same_contact(shop: Shop) -> None:
    first = (await knock(shop, inbox="mine")).json()

    again = (await knock(shop, inbox="mine", session=first["session"])).json()

    assert again["contact"] == first["contact"]
    assert again["session"] == first["session"]


@in_a_shop
async def test_visits_make_the_session_live_on(shop: Shop) -> None:
    first = (await knock(shop, inbox="mine")).json()
    for _ in range(3):
        shop.clock.move(CONTACT_LIFE * 0.6)
        again = (await knock(shop, inbox="mine", session=first["session"])).json()

    assert again["contact"] == first["contact"]


@in_a_shop
async def test_an_old_or_unknown_or_foreign_secret_makes_a_new_contact(shop: Shop) -> None:
    known = (await knock(shop, inbox="mine")).json()
    foreign = (await knock(shop, inbox="other")).json()
    agents, _ = await shop.sessions.open_for_agent(shop.mine.agent)
    second = await shop.directory.add_inbox(shop.mine.id, "second", public_key="second")

    strangers = [
        (await knock(shop, inbox="mine", session=secret)).json()
        for secret in ("sbs_unknown", "x", foreign["session"], agents)
    ]
    strangers.append((await knock(shop, inbox=second.public_key, session=known["session"])).json())
    shop.clock.move(CONTACT_LIFE)
    strangers.append((await knock(shop, inbox="mine", session=known["session"])).json())

    contacts = {each["contact"]["id"] for each in strangers}
    assert len(contacts) == 6
    assert contacts.isdisjoint({known["contact"]["id"], foreign["contact"]["id"], shop.mine.agent.id})


@in_a_shop
async def test_there_is_no_session_at_an_inbox_that_is_not_there(shop: Shop) -> None:
    answer = await knock(shop, inbox="nowhere")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (404, "not_found", "inbox")


@pytest.mark.parametrize(
    "origin", ["https://mine.example", "null", "http://shop.test.evil.example", "http://shop.test:81"]
)
@in_a_shop
async def test_only_our_own_frame_may_ask_for_one(shop: Shop, origin: str) -> None:
    answer = await knock(shop, {"origin": origin}, inbox="mine")

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
    assert (await knock(shop, {"origin": str(OWN)}, inbox="mine")).status_code == 200


@in_a_shop
async def test_answers_are_for_our_own_pages_alone(shop: Shop) -> None:
    answer = await knock(shop, {"origin": str(OWN)}, inbox="mine")

    assert not [name for name in answer.headers if name.startswith("access-control")]
