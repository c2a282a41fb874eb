"""GET /v1/search: for staff, of its own account, with everything a query may say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.indexing import Indexing
from tests.shop import Shop, in_a_shop


async def index(shop: Shop) -> None:
    await Indexing(shop.store, shop.clock, lambda: False).catch_up()


async def found(client: httpx.AsyncClient, q: str, **query: str | int) -> dict[str, Any]:
    answer = await client.get("/v1/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def conversations(client: httpx.AsyncClient, q: str, **query: str | int) -> list[str | None]:
    return [hit.get("conversation") for hit in (await found(client, q, **query))["hits"]]


@in_a_shop
async def test_agents_and_bots_search_their_own_account(shop: Shop) -> None:
    mine = await shop.conversation(shop.mine, "con_a", texts=1)
    await shop.conversation(shop.other, "con_b", texts=1)
    await index(shop)
    bot = shop.client
    bot.headers["authorization"] = f"Bearer {shop.mine.bot_token}"

    body = await found(await shop.agents_client(), "TEXT")

    assert body == {
        "hits": [
            {
                "kind": "message",
                "at": shop.clock.now(),
                "match": "words",
                "contact": "con_a",
                "excerpt": {"text": "text 1", "start": 0, "highlights": [[0, 4]]},
                "conversation": mine.id,
                "entry": body["hits"][0]["entry"],
                "author": "con_a",
                "inbox": shop.mine.door.id,
            }
        ],
        "after": None,
        "cut": False,
    }
    assert await found(bot, "text") == body
    assert await conversations(bot, "staff", kind="note") == [mine.id]


@in_a_shop
async def test_filters_narrow_it_down(shop: Shop) -> None:
    client = await shop.agents_client()
    first = await shop.conversation(shop.mine, "con_a", tags=("vip",), subject="text")
    began = shop.clock.now()
    shop.clock.move(60)
    second = await shop.conversation(shop.mine, "con_b", assignee=shop.mine.agent.id)
    await index(shop)

    assert await conversations(client, "text", kind="message") == [second.id, first.id]
    assert await conversations(client, "text", kind="subject") == [first.id]
    assert await conversations(client, "text", kind="message", tag="vip") == [first.id]
    assert await conversations(client, "text", agent=shop.mine.agent.id) == [second.id]
    assert await conversations(client, "text", since=began + 1) == [second.id]
    assert await conversations(client, "text", kind="message", until=began + 1) == [first.id]
    assert await conversations(client, "text", inbox=shop.mine.door.id, kind="message") == [second.id, first.id]
    for nobodys in ({"inbox": shop.other.door.id}, {"agent": shop.other.agent.id}, {"inbox": "inb_nowhere"}):
        assert await conversations(client, "text", **nobodys) == []


@in_a_shop
async def test_pages_follow_each_other(shop: Shop) -> None:
    client = await shop.agents_client()
    await shop.conversation(shop.mine, "con_a", texts=5)
    await index(shop)

    first = await found(client, "text", limit=3)
    second = await found(client, "text", limit=3, after=first["after"])
    everything = await found(client, "text")

    assert first["hits"] + second["hits"] == everything["hits"]
    assert (len(first["hits"]), second["after"]) == (3, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=%20%20", "q"),
        ("q=" + "x" * 257, "q"),
        ("q=" + "+".join(map(str, range(20))), "q"),
        ("q=x&limit=0", "limit"),
        ("q=x&limit=51", "limit"),
        ("q=x&kind=activity", "kind"),
        ("q=x&since=-1", "since"),
        ("q=x&until=x", "until"),
        ("q=x&after=x", "after"),
        ("q=x&tag=", "tag"),
    ],
)
@in_a_shop
async def test_a_query_that_makes_no_sense_is_told_where(shop: Shop, query: str, field: str) -> None:
    answer = await (await shop.agents_client()).get(f"/v1/search?{query}")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_request", field)


@in_a_shop
async def test_whatever_bytes_a_query_has_it_is_answered(shop: Shop) -> None:
    client = await shop.agents_client()

    for query in ("%00", "%FF%FE", "%ED%A0%80", "%22", "%22%22", "%E2%80%8B%22x", "%F0%9F%90%8D", "a%0Ab", "'%25_*"):
        answer = await client.get(f"/v1/search?q={query}")
        assert answer.status_code in (200, 400), (query, answer.text)


@in_a_shop
async def test_contacts_and_nobody_are_refused(shop: Shop) -> None:
    headers, _ = await shop.contact()

    contact = await shop.client.get("/v1/search?q=text", headers=headers)
    nobody = await shop.client.get("/v1/search?q=text")

    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized")
    assert (contact.status_code, contact.text) == (401, nobody.text)
