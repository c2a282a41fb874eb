"""/v1/contacts: looked up, changed by asks, exported and erased."""

from typing import Any

import msgspec

from chat.export import Exported
from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_contacts_are_listed_and_looked_up(shop: Shop) -> None:
    ids = [(await shop.contact())[1].id for _ in range(3)]
    await shop.act("PATCH", f"/v1/contacts/{ids[0]}", {"name": "Dana Levi", "email": "dana@shop.example"})

    first = (await shop.act("GET", "/v1/contacts?limit=2")).json()
    rest = (await shop.act("GET", f"/v1/contacts?limit=2&after={first['next']}")).json()
    named = (await shop.act("GET", "/v1/contacts?name=dana&email=dana@")).json()
    one = (await shop.act("GET", f"/v1/contacts/{ids[0]}")).json()

    assert [each["id"] for each in [*first["contacts"], *rest["contacts"]]] == ids[::-1]
    assert rest["next"] is None
    assert [each["id"] for each in named["contacts"]] == [ids[0]]
    assert one == {"contact": named["contacts"][0], "identities": []}
    assert (await shop.act("GET", "/v1/contacts?after=con_nowhere")).status_code == 400


@in_a_shop
async def test_a_blocked_contact_is_blocked_until_it_is_not(shop: Shop) -> None:
    _, contact = await shop.contact()
    path = f"/v1/contacts/{contact.id}"
    until = shop.clock.now() + 60_000

    blocked = await shop.act("POST", f"{path}/block", {"until": until})
    past = await shop.act("POST", f"{path}/block", {"until": shop.clock.now() - 1})
    free = await shop.act("POST", f"{path}/unblock")

    assert blocked.json()["blocked_until"] == until
    assert (past.status_code, past.json()["field"]) == (400, "until")
    assert free.json()["blocked_until"] == 0


@in_a_shop
async def test_merged_contacts_have_one_list_of_conversations(shop: Shop) -> None:
    left, into = (await shop.contact())[1].id, (await shop.contact())[1].id
    made = [await shop.conversation(shop.mine, contact) for contact in (left, into)]

    merged = await shop.act("POST", f"/v1/contacts/{left}/merge", {"into": into})

    async def listed(query: str = "") -> dict[str, Any]:
        found: dict[str, Any] = (await shop.act("GET", f"/v1/contacts/{into}/conversations{query}")).json()
        return found

    everything = await listed()
    first = await listed("?limit=1")
    rest = await listed(f"?limit=1&after={first['next']}")
    assert merged.json()["id"] == into
    assert {each["id"] for each in everything["conversations"]} == {each.id for each in made}
    assert [*first["conversations"], *rest["conversations"]] == everything["conversations"]
    assert rest["next"] is None
    assert (await shop.act("GET", f"/v1/contacts/{left}")).json()["contact"]["merged_into"] == into
    assert (await shop.act("POST", f"/v1/contacts/{left}/merge", {"into": into})).status_code == 404


@in_a_shop
async def test_an_export_is_a_file_for_supervisors(shop: Shop) -> None:
    _, contact = await shop.contact()
    await shop.conversation(shop.mine, contact.id, texts=3)
    path = f"/v1/contacts/{contact.id}/export"

    answer = await shop.act("GET", path)
    notes = await shop.act("GET", f"{path}?notes=true")

    found = msgspec.json.decode(answer.content, type=Exported)
    assert answer.headers["content-disposition"] == f'attachment; filename="{contact.id}.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert len(found.conversations[0].entries) == 3
    assert "for staff only" not in answer.text
    assert "for staff only" in notes.text
    assert (await shop.act("GET", path, agent=await shop.colleague("agent"))).status_code == 403


@in_a_shop
async def test_an_erased_contact_has_only_its_id(shop: Shop) -> None:
    headers, contact = await shop.contact()
    made = await shop.conversation(shop.mine, contact.id, texts=2)
    path = f"/v1/contacts/{contact.id}"
    await shop.act("PATCH", path, {"name": "Dana Levi", "email": "dana@shop.example"})
    boss = await shop.colleague("supervisor")

    erased = await shop.act("DELETE", path, agent=boss)
    again = await shop.act("DELETE", path, agent=boss)

    left = (await shop.act("GET", path)).json()
    entries = (await shop.act("GET", f"/v1/conversations/{made.id}")).json()["entries"]
    assert (erased.status_code, again.status_code) == (204, 204)
    assert (left["contact"]["name"], left["contact"]["email"], left["contact"]["erased"]) == ("", None, True)
    assert {entry.get("text", "") for entry in entries} == {""}
    assert (await shop.client.get(f"/v1/conversations/{made.id}", headers=headers)).status_code == 401
    assert shop.closed == [contact.id] * 2
    assert shop.forgotten == [(shop.mine.id, contact.id)] * 2
