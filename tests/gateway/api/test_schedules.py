"""/v1/agents/{id}/schedule: given as JSON, checked to its last interval, kept as it was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection, update

from chat.store.tables import duties
from presence.shifts import LONGEST
from tests.shop import Shop, in_a_shop

NIGHT = {
    "zone": "Asia/Bangkok",
    "weekly": {"mon": [["22:00", "06:00"]], "tue": [["08:00", "12:00"], ["13:00", "17:30"]]},
    "dates": [{"date": "2026-12-24", "hours": [], "reason": "Christmas Eve"}],
    "time_off": [{"from": "2026-08-03", "to": "2026-08-14", "reason": "holiday"}],
    "holidays": {"country": "TH"},
    "starts": "2026-01-01",
    "wind_down_minutes": 15,
}


@in_a_shop
async def test_a_schedule_is_kept_as_it_was_given(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"

    before = await shop.act("GET", path)
    given = await shop.act("PUT", path, NIGHT)
    read = await shop.act("GET", path)
    cleared = await shop.act("PUT", path, {})

    assert (before.json(), given.json(), read.json(), cleared.json()) == ({}, NIGHT, NIGHT, {})
    assert shop.changed == [shop.mine.id] * 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"weekly": {"mon": [["22:00", "24:30"]]}}, "weekly.mon[0][1]"),
        ({"weekly": {"mon": [["22:00"]]}}, "weekly.mon[0]"),
        ({"weekly": {"moon": []}}, "weekly"),
        ({"dates": [{"date": "2026-02-30", "hours": []}]}, "dates[0].date"),
        ({"dates": [{"date": "2026-02-03"}]}, "dates[0]"),
        ({"time_off": [{"from": "2026-08-14", "to": "2026-08-03"}]}, "time_off[0].to"),
        ({"holidays": {"country": "Thailand"}}, "holidays.country"),
        ({"holidays": {"country": "XX"}}, "holidays"),
        ({"wind_down_minutes": -1}, "wind_down_minutes"),
        ({"shifts": []}, None),
    ],
    ids=str,
)
@in_a_shop
async def test_what_cannot_be_meant_is_refused_with_its_place(
    shop: Shop, change: dict[str, Any], field: str | None
) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"

    answer = await shop.act("PUT", path, NIGHT | change)

    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (400, "bad_request", field)
    assert (await shop.act("GET", path)).json() == {}
    assert shop.changed == []


@in_a_shop
async def test_a_schedule_may_be_long_and_not_longer(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"
    off = [{"from": "2026-08-03", "to": "2026-08-14", "reason": "ก" * 100}] * 150

    assert len(json.dumps(off[:100], ensure_ascii=False)) < LONGEST < len(json.dumps(off * 2, ensure_ascii=False))
    assert (await shop.act("PUT", path, NIGHT | {"time_off": off[:100]})).status_code == 200
    assert (await shop.act("PUT", path, NIGHT | {"time_off": off * 2})).status_code in (400, 413)
    assert (await shop.act("PUT", path, NIGHT | {"time_off": off * 20})).status_code == 413


@in_a_shop
async def test_what_another_version_wrote_is_shown_as_it_is(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"
    await shop.act("PUT", path, NIGHT)
    later = {"zone": "Asia/Bangkok", "of_tomorrow": True}

    def work(connection: Connection) -> None:
        connection.execute(update(duties).values(schedule=json.dumps(later)))

    await shop.store.administer(work)

    assert (await shop.act("GET", path)).json() == later
