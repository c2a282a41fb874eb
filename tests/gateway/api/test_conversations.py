"""GET /v1/conversations: views, snapshots and older entries, each for whom it concerns."""

from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from chat.model import Conversation, encode
from chat.store import Head, Move, Written
from tests.shop import Account, Shop, in_a_shop

NOWHERE = "01930000-0000-7000-8000-00000000dead"


async def listed(client: httpx.AsyncClient, **query: str | int) -> dict[str, Any]:
    answer = await client.get("/v1/conversations", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(body: dict[str, Any]) -> list[str]:
    return [each["id"] for each in body["conversations"]]


@in_a_shop
async def test_every_view_shows_its_own_and_counts_all(shop: Shop) -> None:
    await shop.directory.add_member((shop.mine.id, shop.mine.team.id), shop.mine.agent.id)
    client = await shop.agents_client()
    mine = await shop.conversation(shop.mine, "con_a", assignee=shop.mine.agent.id, status="open")
    teams = await shop.conversation(shop.mine, "con_b", team=shop.mine.team.id)
    free = await shop.conversation(shop.mine, "con_c")
    done = await shop.conversation(shop.mine, "con_d", status="resolved", waiting_since=None)
    await shop.conversation(shop.other, "con_e")

    assert ids(await listed(client, view="mine")) == [mine.id]
    assert ids(await listed(client, view="team")) == [teams.id]
    assert set(ids(await listed(client, view="unassigned"))) == {teams.id, free.id}
    assert set(ids(await listed(client))) == {mine.id, teams.id, free.id}
    assert ids(await listed(client, status="resolved")) == [done.id]
    every = await listed(client, status="all")
    assert set(ids(every)) == {mine.id, teams.id, free.id, done.id}
    assert ids(every)[-1] == done.id
    assert every["cursor"] == 4
    assert every["views"] == {
        "mine": {"total": 1, "unread": 1},
        "unassigned": {"total": 2, "unread": 2},
        "team": {"total": 1, "unread": 1},
        "all": {"total": 3, "unread": 3},
    }


@in_a_shop
async def test_the_longest_waiting_comes_first_and_a_limit_cuts_the_end(shop: Shop) -> None:
    client = await shop.agents_client()
    first = await shop.conversation(shop.mine, "con_a")
    shop.clock.move(1)
    second = await shop.conversation(shop.mine, "con_b")
    shop.clock.move(1)
    await shop.conversation(shop.mine, "con_c")
    await shop.conversation(shop.mine, "con_d", status="resolved", waiting_since=None)

    assert ids(await listed(client, limit=2)) == [first.id, second.id]
    assert ids(await listed(client, limit=2, status="all")) == [first.id, second.id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("view=hers", "view"),
        ("status=lost", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
    ],
)
@in_a_shop
async def test_a_query_that_makes_no_sense_is_told_where(shop: Shop, query: str, field: str) -> None:
    client = await shop.agents_client()

    answer = await client.get(f"/v1/conversations?{query}")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_request", field)


@in_a_shop
async def test_staff_reads_a_conversation_whole(shop: Shop) -> None:
    client = await shop.agents_client()
    made = await shop.conversation(shop.mine, "con_a", texts=60)

    body = (await client.get(f"/v1/conversations/{made.id}")).json()

    assert body["cursor"] == 1
    assert body["state"]["contact"] == "con_a"
    assert [entry["born"] for entry in body["entries"]] == list(range(12, 62))
    assert body["entries"][-1]["audience"] == "staff"
    assert body["more"] is True


@in_a_shop
async def test_older_entries_come_page_by_page(shop: Shop) -> None:
    client = await shop.agents_client()
    made = await shop.conversation(shop.mine, "con_a", texts=60)
    path = f"/v1/conversations/{made.id}/entries"

    first = (await client.get(path, params={"before": 12, "limit": 5})).json()
    last = (await client.get(path, params={"before": 7, "limit": 10})).json()

    assert ([entry["born"] for entry in first["entries"]], first["more"]) == ([7, 8, 9, 10, 11], True)
    assert ([entry["born"] for entry in last["entries"]], last["more"]) == ([1, 2, 3, 4, 5, 6], False)


@in_a_shop
async def test_a_contact_reads_its_own_conversation_without_what_is_staffs(shop: Shop) -> None:
    headers, contact = await shop.contact()
    made = await shop.conversation(shop.mine, contact.id, texts=2)

    answer = await shop.client.get(f"/v1/conversations/{made.id}", headers=headers)
    page = await shop.client.get(f"/v1/conversations/{made.id}/entries", headers=headers)

    assert "cursor" not in answer.json()
    assert {"contact", "assignee", "tags", "cursor", "messages", "preview"}.isdisjoint(answer.json()["state"])
    for body in (answer.json(), page.json()):
        assert [entry["text"] for entry in body["entries"]] == ["text 1", "text 2"]
    assert "for staff only" not in answer.text + page.text


@in_a_shop
async def test_a_contact_has_no_list(shop: Shop) -> None:
    headers, _ = await shop.contact()

    answer = await shop.client.get("/v1/conversations", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def withdrawn(shop: Shop, conversation: Conversation) -> str:
    """The first entry, in whose place there is a tombstone now."""
    async with shop.store.view() as view:
        entry = (await view.latest(shop.mine.id, conversation.id, 50, staff=True))[0]
    transaction = await shop.store.begin([shop.mine.id])
    head = Head(transaction.heads[shop.mine.id].cursor + 1, shop.clock.now())
    after = replace(conversation, seq=conversation.seq + 1, cursor=head.cursor)
    version = Written(replace(entry, seq=after.seq, text="", withdrawn=True), head.cursor)
    await transaction.write([Move(shop.mine.id, conversation, after, [version], encode(after))], {shop.mine.id: head})
    await transaction.commit()
    return entry.id


@in_a_shop
async def test_staff_and_bots_read_what_an_entry_said_before(shop: Shop) -> None:
    made = await shop.conversation(shop.mine, "con_a")
    path = f"/v1/conversations/{made.id}/entries/{await withdrawn(shop, made)}/versions"
    bot = {"authorization": f"Bearer {shop.mine.bot_token}"}

    for answer in (await (await shop.agents_client()).get(path), await shop.client.get(path, headers=bot)):
        found = [(each["seq"], each.get("text"), each.get("withdrawn")) for each in answer.json()["versions"]]
        assert found == [(3, None, True), (1, "text 1", None)]


@in_a_shop
async def test_a_contact_never_reads_what_its_entries_said_before(shop: Shop) -> None:
    headers, contact = await shop.contact()
    made = await shop.conversation(shop.mine, contact.id)
    entry = await withdrawn(shop, made)
    path = f"/v1/conversations/{made.id}/entries"

    answer = await shop.client.get(f"{path}/{entry}/versions", headers=headers)
    page = await shop.client.get(path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert [each.get("text") for each in page.json()["entries"]] == [None]


@in_a_shop
async def test_versions_are_found_in_their_own_conversation_alone(shop: Shop) -> None:
    made, another = await shop.conversation(shop.mine, "con_a"), await shop.conversation(shop.mine, "con_b")
    entry = await withdrawn(shop, made)
    mine, theirs = await shop.agents_client(), await shop.agents_client(shop.other.agent)

    asked = [(mine, another.id, entry), (mine, made.id, "x" * 500), (mine, made.id, NOWHERE)]
    answers = [await client.get(f"/v1/conversations/{of}/entries/{id}/versions") for client, of, id in asked]
    assert {(answer.status_code, answer.json()["code"], answer.json()["field"]) for answer in answers} == {
        (404, "not_found", "entry")
    }
    answer = await theirs.get(f"/v1/conversations/{made.id}/entries/{entry}/versions")
    assert (answer.status_code, answer.json()["field"]) == (404, "conversation")


@pytest.mark.parametrize("tail", ["", "/entries"])
@in_a_shop
async def test_what_is_not_yours_is_not_there(shop: Shop, tail: str) -> None:
    async def kinds(account: Account) -> list[dict[str, str]]:
        secret, _ = await shop.sessions.open_for_agent(account.agent)
        return [
            {"cookie": f"shopbell={secret}"},
            {"authorization": f"Bearer {account.bot_token}"},
            (await shop.contact(account))[0],
        ]

    made = await shop.conversation(shop.mine, "con_somebody")
    strangers = [*await kinds(shop.other), (await shop.contact())[0]]

    answers = [
        await shop.client.get(f"/v1/conversations/{name}{tail}", headers=headers)
        for headers in strangers
        for name in (made.id, "cnv_nowhere", "x" * 500, "%00", "%F0%9F%90%8D")
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert answers[0].json()["code"] == "not_found"


@in_a_shop
async def test_nobody_reads_without_saying_who_it_is(shop: Shop) -> None:
    made = await shop.conversation(shop.mine, "con_a")

    for path in ("", f"/{made.id}", f"/{made.id}/entries"):
        answer = await shop.client.get(f"/v1/conversations{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
