"""/v1/account: what an account says of itself, changed by its admins."""

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_every_agent_reads_it_and_an_admin_changes_it(shop: Shop) -> None:
    agent = await shop.colleague("agent")
    before = (await shop.act("GET", "/v1/account", agent=agent)).json()

    changed = await shop.act("PATCH", "/v1/account", {"settings": {"zone": "Asia/Jerusalem", "slots": 2}})

    usual = {
        "zone": "UTC",
        "language": "en",
        "slots": 4,
        "claims_beyond_slots": True,
        "idle_minutes": 10,
        "log_days": 400,
    }
    assert before == {"id": shop.mine.id, "name": "mine", "settings": usual}
    assert changed.json() == before | {"settings": usual | {"zone": "Asia/Jerusalem", "slots": 2}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"settings": {"zone": "Mars/Olympus"}}, "settings.zone"),
        ({"settings": {"language": "Klingon!"}}, "settings.language"),
        ({"settings": {"slots": -1}}, "settings.slots"),
        ({"settings": {"idle_minutes": 1441}}, "settings.idle_minutes"),
    ],
)
@in_a_shop
async def test_what_makes_no_sense_is_told_where(shop: Shop, body: dict[str, object], field: str) -> None:
    answer = await shop.act("PATCH", "/v1/account", body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
