"""/v1/inboxes/{id}/keys: an admin makes keys, sees each secret once, and lets them end."""

import pytest
from sqlalchemy import update

from chat.audit import Audit
from chat.store.tables import agents
from tests.shop import Shop, in_a_shop


def path(shop: Shop, inbox: str = "", rest: str = "") -> str:
    return f"/v1/inboxes/{inbox or shop.mine.door.id}/keys{rest}"


@in_a_shop
async def test_a_key_is_shown_with_its_secret_once(shop: Shop) -> None:
    made = await shop.act("POST", path(shop))

    body = made.json()
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert body["secret"].startswith("sbk_")
    listed = await shop.act("GET", path(shop))
    assert listed.json() == {"keys": [body["key"]]}
    assert body["secret"] not in listed.text
    assert await shop.identities.live_keys(shop.mine.door.id) == {body["key"]["id"]: body["secret"].encode()}


@in_a_shop
async def test_a_third_live_key_is_refused(shop: Shop) -> None:
    answers = [await shop.act("POST", path(shop)) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "invalid_state"


@in_a_shop
async def test_a_key_ends_at_once_or_at_a_moment(shop: Shop) -> None:
    first, second = [(await shop.act("POST", path(shop))).json()["key"]["id"] for _ in range(2)]
    later = shop.clock.now() + 60_000

    at_once = await shop.act("POST", path(shop, rest=f"/{first}/expire"), {})
    at_a_moment = await shop.act("POST", path(shop, rest=f"/{second}/expire"), {"at": later})

    assert at_once.json()["key"]["expires_at"] == shop.clock.now()
    assert at_a_moment.json()["key"]["expires_at"] == later
    assert list(await shop.identities.live_keys(shop.mine.door.id)) == [second]


@in_a_shop
async def test_what_is_done_is_written_down_without_the_secret(shop: Shop) -> None:
    made = (await shop.act("POST", path(shop))).json()
    await shop.act("POST", path(shop, rest=f"/{made['key']['id']}/expire"), {})

    acts = await Audit(shop.store, shop.clock).page(shop.mine.id, 2**53, 10)

    assert [act.action for act in acts] == ["inbox_key.expire", "inbox_key.create"]
    assert {act.target for act in acts} == {made["key"]["id"]}
    assert made["secret"] not in str(acts)


@in_a_shop
async def test_an_inbox_of_another_account_is_not_there(shop: Shop) -> None:
    key = (await shop.identities.add_key((shop.other.id, shop.other.door.id)))[0].id
    for method, rest in (("GET", ""), ("POST", ""), ("POST", f"/{key}/expire")):
        foreign = await shop.act(method, path(shop, shop.other.door.id, rest), {} if rest else None)
        nothing = await shop.act(method, path(shop, "inb_nothing", rest), {} if rest else None)
        assert (foreign.status_code, foreign.text) == (404, nothing.text)

    beside = await shop.act("POST", path(shop, rest=f"/{key}/expire"), {})
    assert beside.status_code == 404
    assert list(await shop.identities.live_keys(shop.other.door.id)) == [key]


@pytest.mark.parametrize("role", ["agent", "supervisor"])
@in_a_shop
async def test_only_admins_have_to_do_with_keys(shop: Shop, role: str) -> None:
    await shop.store.administer(lambda connection: connection.execute(update(agents).values(role=role)))

    answers = [await shop.act("GET", path(shop)), await shop.act("POST", path(shop))]

    assert [each.status_code for each in answers] == [403, 403]
    assert (await shop.client.get(path(shop))).status_code == 401
