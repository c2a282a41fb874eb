"""/v1/coverage: what is planned, what was, where too few are on, and the shift that would help the most."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from chat.directory import Agent
from chat.store.tables import accounts, status_log
from gateway.api import coverage
from tests.shop import Shop, in_a_shop

HOUR = 3_600_000
MONDAY = round(datetime.fromisoformat("2026-11-23T00:00:00+00:00").timestamp() * 1000)  # a day after the shop's now


def days(*intervals: tuple[str, str], zone: str = "UTC") -> dict[str, Any]:
    return {"zone": zone, "weekly": {day: list(intervals) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}


async def a_worker(shop: Shop, schedule: dict[str, Any], *, in_team: bool = True) -> Agent:
    agent = await shop.colleague("agent")
    if in_team:
        await shop.directory.add_member((shop.mine.id, shop.mine.team.id), agent.id)
    assert (await shop.act("PUT", f"/v1/agents/{agent.id}/schedule", schedule)).status_code == 200
    return agent


async def shown(shop: Shop, **query: Any) -> dict[str, Any]:
    asked = "&".join(f"{name.rstrip('_')}={value}" for name, value in query.items())
    answer = await shop.act("GET", f"/v1/coverage?{asked}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@in_a_shop
async def test_a_gap_is_named_by_the_clocks_of_all_and_a_shift_closes_it(shop: Shop) -> None:
    night = await a_worker(shop, days(("22:00", "06:00"), zone="Asia/Bangkok"))  # 15:00 to 23:00 UTC
    day = await a_worker(shop, days(("06:00", "15:00")))
    await a_worker(shop, days(("00:00", "24:00")), in_team=False)

    found = await shown(shop, team=shop.mine.team.id, from_=MONDAY, to=MONDAY + 24 * HOUR)

    assert found["agents"] == {night.id: "Asia/Bangkok", day.id: "UTC"}
    assert [(gap["start"] - MONDAY, gap["end"] - MONDAY, gap["fewest"]) for gap in found["gaps"]] == [
        (0, 6 * HOUR, 0),
        (23 * HOUR, 24 * HOUR, 0),
    ]
    assert found["gaps"][0]["local"]["Asia/Bangkok"] == ["2026-11-23T07:00+07:00", "2026-11-23T13:00+07:00"]
    assert found["gaps"][0]["local"]["UTC"] == ["2026-11-23T00:00+00:00", "2026-11-23T06:00+00:00"]
    assert found["share"] == 17 / 24
    (extra,) = found["extra"]
    assert (extra["agent"], extra["closes"], extra["local"][0]) == (night.id, 6 * HOUR, "2026-11-23T07:00+07:00")


@in_a_shop
async def test_what_was_stands_beside_what_was_planned(shop: Shop) -> None:
    worker = await a_worker(shop, days(("00:00", "24:00")))
    now = shop.clock.now()
    since = now - 10 * HOUR

    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == shop.mine.id)).scalar_one()
        for hours, status in ((-20, "offline"), (4, "accepting_chats"), (6, "offline")):
            row = {"member": worker.id, "at": since + hours * HOUR, "status": status, "reason": "", "cause": "shift"}
            connection.execute(insert(status_log).values(account=key, **row))

    await shop.store.administer(work)
    found = await shown(shop, from_=since, to=now + 10 * HOUR, extra=5)

    assert found["planned"] == [{"start": since, "end": now + 10 * HOUR, "count": 1}]
    assert [stretch["count"] for stretch in found["actual"]] == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert found["actual"][-1]["end"] == now
    shares = [(week["share"], week["actual_share"]) for week in found["weeks"]]
    assert shares == [(1.0, 0.2)] or shares == [(1.0, 0.2), (1.0, None)]
    assert (found["share"], found["gaps"], found["extra"]) == (1.0, [], [])


@in_a_shop
async def test_who_is_always_on_shift_is_planned_for_nothing(shop: Shop) -> None:
    found = await shown(shop)

    assert found["unplanned"] == [shop.mine.agent.id]
    assert (found["agents"], found["share"], found["extra"]) == ({}, 0.0, [])
    assert found["to"] - found["from"] == 7 * 24 * HOUR
    assert found["from"] == shop.clock.now()


@in_a_shop
async def test_no_shift_is_proposed_in_the_past(shop: Shop) -> None:
    await a_worker(shop, days(("09:00", "17:00")))
    now = shop.clock.now()

    found = await shown(shop, from_=now - 48 * HOUR, to=now + 24 * HOUR, extra=5)
    over = await shown(shop, from_=now - 48 * HOUR, to=now - 24 * HOUR)

    assert found["extra"] != []
    assert min(extra["start"] for extra in found["extra"]) >= now
    assert over["extra"] == []


@in_a_shop
async def test_bounds_and_teams_are_checked(shop: Shop) -> None:
    agent = await shop.colleague("agent")

    for query, status in (
        (f"from={MONDAY}&to={MONDAY}", 400),
        (f"from={MONDAY}&to={MONDAY + 36 * 24 * HOUR}", 400),
        ("least=0", 400),
        ("extra=6", 400),
        (f"to={2**52}", 400),
        (f"team={shop.other.team.id}", 404),
        ("team=tem_nowhere", 404),
    ):
        assert (await shop.act("GET", f"/v1/coverage?{query}")).status_code == status, query
    assert (await shop.act("GET", "/v1/coverage", agent=agent)).status_code == 403


@in_a_shop
async def test_too_many_at_once_are_told_to_come_back(shop: Shop) -> None:
    client = await shop.agents_client()

    answers = await asyncio.gather(*(client.get("/v1/coverage") for _ in range(coverage.AT_ONCE + 3)))
    after = await client.get("/v1/coverage")

    assert {answer.status_code for answer in answers} == {200, 503}
    assert after.status_code == 200
