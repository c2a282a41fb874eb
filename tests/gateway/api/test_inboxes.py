"""/v1/inboxes: doors with origins that browsers would send, and teams of the account."""

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_new_inbox_is_a_door(shop: Shop) -> None:
    made = await shop.act(
        "POST", "/v1/inboxes", {"name": "Second", "origins": ["HTTPS://Shop.example:443", "https://shop.example"]}
    )

    body = made.json()
    door = await shop.directory.door(body["public_key"])
    assert made.status_code == 201
    assert body["origins"] == ["https://shop.example"]
    assert body["settings"] == {"uploads": {"bytes": None, "types": None, "off": False}, "hours": {}}
    assert door is not None
    assert (door.account, door.id) == (shop.mine.id, body["id"])
    listed = (await shop.act("GET", "/v1/inboxes")).json()["inboxes"]
    assert [each["id"] for each in listed] == [shop.mine.door.id, body["id"]]


@in_a_shop
async def test_what_is_given_replaces_what_was_and_the_rest_stays(shop: Shop) -> None:
    path = f"/v1/inboxes/{shop.mine.door.id}"
    await shop.act("PATCH", path, {"teams": [shop.mine.team.id], "settings": {"uploads": {"bytes": 1000}}})

    body = (await shop.act("PATCH", path, {"name": "Renamed"})).json()

    assert (body["name"], body["teams"], body["settings"]["uploads"]["bytes"]) == ("Renamed", [shop.mine.team.id], 1000)
    assert body["origins"] == ["https://mine.example"]
    assert (await shop.act("GET", path)).json() == body


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/path", "null", "javascript:alert(1)", "*"])
@in_a_shop
async def test_what_is_no_origin_may_embed_nothing(shop: Shop, origin: str) -> None:
    answer = await shop.act("PATCH", f"/v1/inboxes/{shop.mine.door.id}", {"origins": [origin]})

    assert (answer.status_code, answer.json()["field"]) == (400, "origins")


@in_a_shop
async def test_another_accounts_team_does_not_answer_here(shop: Shop) -> None:
    theirs = await shop.act("PATCH", f"/v1/inboxes/{shop.mine.door.id}", {"teams": [shop.other.team.id]})
    none = await shop.act("PATCH", f"/v1/inboxes/{shop.mine.door.id}", {"teams": ["tem_nowhere"]})

    assert (theirs.status_code, theirs.content) == (404, none.content)


HOURS = {"zone": "Asia/Jerusalem", "weekly": {"sun": [["09:00", "18:00"]]}, "holidays": {"country": "IL"}}


@in_a_shop
async def test_hours_are_kept_as_they_were_given(shop: Shop) -> None:
    path = f"/v1/inboxes/{shop.mine.door.id}"

    made = await shop.act("POST", "/v1/inboxes", {"name": "Second", "settings": {"hours": HOURS}})
    changed = await shop.act("PATCH", path, {"settings": {"hours": HOURS}})

    assert made.json()["settings"]["hours"] == changed.json()["settings"]["hours"] == HOURS


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        ({"weekly": {"sun": [["09:00", "18:00"]]}}, "settings.hours.zone"),
        (HOURS | {"zone": "Mars/Olympus"}, "settings.hours.zone"),
        (HOURS | {"weekly": {"sun": [["09:00", "25:00"]]}}, "settings.hours.weekly.sun[0][1]"),
        (HOURS | {"opens": "09:00"}, "settings.hours"),
        ([], "settings.hours"),
    ],
    ids=str,
)
@in_a_shop
async def test_hours_that_make_no_sense_are_refused_with_their_place(shop: Shop, hours: object, field: str) -> None:
    path = f"/v1/inboxes/{shop.mine.door.id}"

    for answer in (
        await shop.act("PATCH", path, {"settings": {"hours": hours}}),
        await shop.act("POST", "/v1/inboxes", {"name": "Second", "settings": {"hours": hours}}),
    ):
        assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert (await shop.act("GET", path)).json()["settings"]["hours"] == {}
    assert shop.changed == []
