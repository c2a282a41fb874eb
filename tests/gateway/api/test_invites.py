"""/v1/invites: a link that is passed on by hand makes an agent, once."""

import pytest

from tests.shop import OWN, Shop, in_a_shop

NEW = {"email": "new@mine.example", "name": "New", "role": "supervisor"}


@in_a_shop
async def test_from_the_invite_to_the_first_login(shop: Shop) -> None:
    made = (await shop.act("POST", "/v1/invites", NEW | {"teams": [shop.mine.team.id]})).json()
    body = {"secret": made["secret"], "password": "horse battery staple"}

    accepted = await shop.client.post("/v1/invites/accept", json=body, headers={"origin": str(OWN)})

    login = {"email": "new@mine.example", "password": "horse battery staple"}
    assert made["link"] == f"{OWN}/console/#invite={made['secret']}"
    assert accepted.status_code == 201
    assert (accepted.json()["agent"]["role"], accepted.json()["agent"]["teams"]) == ("supervisor", [shop.mine.team.id])
    assert (await shop.client.post("/v1/login", json=login)).status_code == 200
    assert (await shop.client.post("/v1/invites/accept", json=body)).status_code == 404


@in_a_shop
async def test_invites_are_listed_without_secrets_and_revoked(shop: Shop) -> None:
    made = (await shop.act("POST", "/v1/invites", NEW)).json()
    listed = await shop.act("GET", "/v1/invites")

    assert [each["id"] for each in listed.json()["invites"]] == [made["invite"]["id"]]
    assert made["secret"] not in listed.text
    assert (await shop.act("DELETE", f"/v1/invites/{made['invite']['id']}")).status_code == 204
    body = {"secret": made["secret"], "password": "horse battery staple"}
    assert (await shop.client.post("/v1/invites/accept", json=body)).status_code == 404


@pytest.mark.parametrize("password", ["short", "new@mine.example"])
@in_a_shop
async def test_a_bad_password_costs_nothing_but_another_try(shop: Shop, password: str) -> None:
    made = (await shop.act("POST", "/v1/invites", NEW)).json()

    bad = await shop.client.post("/v1/invites/accept", json={"secret": made["secret"], "password": password})
    good = await shop.client.post(
        "/v1/invites/accept", json={"secret": made["secret"], "password": "horse battery staple"}
    )

    assert (bad.status_code, bad.json()["field"], good.status_code) == (400, "password", 201)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"role": "owner"}, "role"),
        ({"name": ""}, "name"),
        ({"email": "agent@mine.example"}, "email"),
    ],
)
@in_a_shop
async def test_what_makes_no_sense_is_told_where(shop: Shop, wrong: dict[str, str], field: str) -> None:
    answer = await shop.act("POST", "/v1/invites", NEW | wrong)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
