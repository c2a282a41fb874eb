"""An admin plans a night: gives it to an agent, sees what is left open, and who could close it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from chat.directory import Agent
from tests.node import Node, on_a_node

HOUR = 3_600_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


async def browser(node: Node, agent: Agent) -> httpx.AsyncClient:
    secret, _ = await node._sessions.open_for_agent(agent)
    headers = {"cookie": f"shopbell={secret}", "origin": node.origin}
    return httpx.AsyncClient(base_url=node.origin, headers=headers)


def every_day(zone: str, start: str, end: str) -> dict[str, Any]:
    return {"zone": zone, "weekly": {day: [[start, end]] for day in DAYS}}


def next_monday() -> int:
    """Midnight in UTC, some days from now (ms)."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round((today + timedelta(days=7 - today.weekday())).timestamp() * 1000)


@on_a_node()
async def test_a_night_shift_in_bangkok_leaves_a_gap_that_a_shift_would_close(node: Node) -> None:
    somchai, monday = await node.second_agent(), next_monday()
    async with await browser(node, node.mine.agent) as admin, await browser(node, somchai) as agent:
        team = (await admin.post("/v1/teams", json={"name": "Night"})).json()["id"]
        for member in (somchai.id, node.mine.agent.id):
            await admin.post(f"/v1/teams/{team}/members", json={"member": member})

        # 22:00 to 06:00 in Bangkok are 15:00 to 23:00 in UTC; the other one works from 06:00 to 15:00 there.
        night, day = every_day("Asia/Bangkok", "22:00", "06:00"), every_day("UTC", "06:00", "15:00")
        for who, schedule in ((somchai, night), (node.mine.agent, day)):
            answer = await admin.put(f"/v1/agents/{who.id}/schedule", json=schedule)
            assert (answer.status_code, answer.json()) == (200, schedule)
        own = await agent.get(f"/v1/agents/{somchai.id}/schedule")
        foreign = await agent.get(f"/v1/agents/{node.mine.agent.id}/schedule")
        refused = await agent.put(f"/v1/agents/{somchai.id}/schedule", json=day)
        assert (own.json(), foreign.status_code, refused.status_code) == (night, 404, 403)

        query = {"team": team, "from": monday, "to": monday + 24 * HOUR, "extra": 2}
        found = (await admin.get("/v1/coverage", params=query)).json()
        times = [(gap["start"] - monday, gap["end"] - monday) for gap in found["gaps"]]
        assert times == [(0, 6 * HOUR), (23 * HOUR, 24 * HOUR)]
        assert [each[11:16] for each in found["gaps"][0]["local"]["Asia/Bangkok"]] == ["07:00", "13:00"]
        assert found["share"] == 17 / 24
        extra = found["extra"][0]
        assert (extra["agent"], extra["closes"]) == (somchai.id, 6 * HOUR)

        # What is proposed can be given as it is: one dated shift more, and the gap is closed.
        start, end = (each[11:16] for each in extra["local"])
        more = night | {"dates": [{"date": extra["local"][0][:10], "extra": [[start, end]]}]}
        assert (await admin.put(f"/v1/agents/{somchai.id}/schedule", json=more)).status_code == 200
        after = (await admin.get("/v1/coverage", params=query)).json()
        assert [(gap["start"] - monday, gap["end"] - monday) for gap in after["gaps"]] == [(23 * HOUR, 24 * HOUR)]


NIGHTS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//an office//its rota//\r
BEGIN:VEVENT\r
UID:nights@office.example\r
DTSTAMP:20261101T000000Z\r
SUMMARY:Nights\r
DTSTART;TZID=Asia/Bangkok:19991220T220000\r
DTEND;TZID=Asia/Bangkok:19991221T060000\r
RRULE:FREQ=DAILY\r
END:VEVENT\r
END:VCALENDAR\r
"""


@on_a_node()
async def test_the_same_night_comes_from_a_calendar_and_goes_back_to_one(node: Node) -> None:
    somchai, monday = await node.second_agent(), next_monday()
    path = f"/v1/agents/{somchai.id}/schedule"
    async with await browser(node, node.mine.agent) as admin, await browser(node, somchai) as agent:
        given = await admin.put(f"{path}.ics", content=NIGHTS, headers={"content-type": "text/calendar"})
        assert given.status_code == 200, given.text
        assert given.json() == every_day("Asia/Bangkok", "22:00", "06:00")

        query = {"from": monday, "to": monday + 24 * HOUR}
        found = (await admin.get("/v1/coverage", params=query)).json()
        assert [(gap["start"] - monday, gap["end"] - monday) for gap in found["gaps"]] == [
            (0, 15 * HOUR),
            (23 * HOUR, 24 * HOUR),
        ]
        assert found["unplanned"] == [node.mine.agent.id]

        own = await agent.get(f"{path}.ics")
        assert own.headers["content-type"].startswith("text/calendar")
        assert "DTSTART;TZID=Asia/Bangkok" in own.text
        refused = await agent.put(f"{path}.ics", content=own.content, headers={"content-type": "text/calendar"})
        assert refused.status_code == 403
        again = await admin.put(f"{path}.ics", content=own.content, headers={"content-type": "text/calendar"})
        assert again.json() == given.json()
