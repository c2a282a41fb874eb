"""Asks over HTTP: the same request again with the same key is one ask."""

import re

import pytest

from chat.audit import NEWEST, Audit
from chat.errors import BadRequest
from chat.model import Actor
from gateway.api.asked import ask_id
from tests.shop import OWN, Shop, in_a_shop

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NOA = Actor("acc_a", "agent", "agt_noa")
KEY = "0193AAAA-0000-7000-8000-000000000001"


def test_a_uuid_is_the_id_itself() -> None:
    assert ask_id(KEY, NOA, 0) == KEY.lower()


def test_any_other_key_gives_the_same_id_each_time_to_the_same_actor() -> None:
    first = ask_id("order 17", NOA, 1)

    assert UUID.fullmatch(first)
    assert ask_id("order 17", NOA, 2) == first
    assert len({first, ask_id("order 18", NOA, 1), ask_id("order 17", Actor("acc_b", "agent", "agt_noa"), 1)}) == 3


def test_without_a_key_ids_are_fresh_and_in_the_order_of_time() -> None:
    early, late = ask_id(None, NOA, 1_000), ask_id(None, NOA, 2_000)

    assert UUID.fullmatch(early)
    assert early[14] == "7"
    assert early < late
    assert ask_id(None, NOA, 1_000) != early


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(key: str) -> None:
    with pytest.raises(BadRequest):
        ask_id(key, NOA, 0)


@in_a_shop
async def test_the_same_request_again_is_one_ask_and_one_line(shop: Shop) -> None:
    _, contact = await shop.contact()
    made = await shop.conversation(shop.mine, contact.id)
    client = await shop.agents_client()
    headers = {"origin": str(OWN), "idempotency-key": KEY}
    path = f"/v1/contacts/{contact.id}"

    answers = [await client.patch(path, json={"name": "Dana"}, headers=headers) for _ in range(2)]
    other = await client.patch(path, json={"name": "Dan"}, headers=headers)

    async with shop.store.view() as view:
        after = await view.conversation(shop.mine.id, made.id)
    assert after is not None
    assert after.seq == made.seq + 1
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (other.status_code, other.json()["code"]) == (409, "id_reused")
    (act,) = await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10)
    assert act.data == {"fields": ["name"], "ask": KEY.lower()}
