"""/v1/agents/{id}/schedule: given as JSON, checked to its last interval, kept as it was meant."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from chat.store.tables import duties
from gateway.api.reports import DAY_MS
from gateway.api.schedules import CALENDAR_BYTES
from presence.shifts import LONGEST, parse, shifts_between
from tests.shop import OWN, Shop, in_a_shop

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


# --- as a calendar ---------------------------------------------------------------------------------------------------


async def put_calendar(shop: Shop, agent: str, content: bytes, type_: str = "text/calendar") -> httpx.Response:
    client = await shop.agents_client()
    headers = {"origin": str(OWN), "content-type": type_}
    return await client.put(f"/v1/agents/{agent}/schedule.ics", content=content, headers=headers)


@in_a_shop
async def test_what_goes_out_as_a_calendar_comes_back_as_the_same_shifts(shop: Shop) -> None:
    me, other = shop.mine.agent.id, await shop.colleague("agent")
    await shop.act("PUT", f"/v1/agents/{me}/schedule", NIGHT)
    shop.changed.clear()

    out = await shop.act("GET", f"/v1/agents/{me}/schedule.ics")
    back = await put_calendar(shop, other.id, out.content)

    assert (out.status_code, back.status_code) == (200, 200), back.text
    assert out.headers["content-type"].startswith("text/calendar")
    assert out.headers["content-disposition"] == f'attachment; filename="{me}.ics"'
    kept = (await shop.act("GET", f"/v1/agents/{other.id}/schedule", agent=other)).json()
    assert kept == back.json()
    begin = shop.clock.now()
    times = [shifts_between(parse(json.dumps(each)), begin, begin + 300 * DAY_MS) for each in (NIGHT, kept)]
    assert times[0] == times[1] != []
    assert shop.changed == [shop.mine.id]


FLOATING = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//somebody//else//\r
BEGIN:VEVENT\r
UID:1\r
DTSTAMP:20261101T000000Z\r
SUMMARY:Morning\r
DTSTART:20261102T090000\r
DTEND:20261102T170000\r
RRULE:FREQ=WEEKLY;BYDAY=MO\r
END:VEVENT\r
END:VCALENDAR\r
"""


@in_a_shop
async def test_times_without_a_zone_are_of_the_zone_that_there_was(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"

    nowhere = await put_calendar(shop, shop.mine.agent.id, FLOATING)
    await shop.act("PUT", path, NIGHT)
    known = await put_calendar(shop, shop.mine.agent.id, FLOATING)

    assert (nowhere.status_code, nowhere.json()["code"]) == (400, "bad_request")
    assert (known.json()["zone"], known.json()["weekly"]) == ("Asia/Bangkok", {"mon": [["09:00", "17:00"]]})


@in_a_shop
async def test_what_is_no_calendar_is_refused(shop: Shop) -> None:
    me = shop.mine.agent.id
    broken = FLOATING.replace(b"170000", b"990000")

    for content in (b"", b"hello", b"\xff\xfe", b"BEGIN:VCALENDAR", broken):
        answer = await put_calendar(shop, me, content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), content
    assert (await put_calendar(shop, me, FLOATING, "text/plain")).status_code == 400
    assert (await put_calendar(shop, me, b" " * (CALENDAR_BYTES + 1))).status_code == 413
    for who in (shop.other.agent.id, "agt_nowhere", shop.mine.bot.id):
        assert (await put_calendar(shop, who, FLOATING)).status_code == 404
    assert shop.changed == []


@in_a_shop
async def test_what_another_version_wrote_is_no_calendar(shop: Shop) -> None:
    path = f"/v1/agents/{shop.mine.agent.id}/schedule"
    await shop.act("PUT", path, NIGHT)

    def work(connection: Connection) -> None:
        connection.execute(update(duties).values(schedule='{"of_tomorrow":true}'))

    await shop.store.administer(work)

    assert (await shop.act("GET", f"{path}.ics")).json()["code"] == "invalid_state"
    assert (await put_calendar(shop, shop.mine.agent.id, FLOATING)).status_code == 400
