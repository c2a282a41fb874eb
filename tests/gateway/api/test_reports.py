"""A timeline, a conversation's decisions, the report about waits: who may see them, in which bounds and pages."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import encode
from sqlalchemy import Connection, insert, select

from chat.errors import BadRequest
from chat.model import Candidate
from chat.store.tables import accounts, routing_log, status_log, waits
from gateway.api.reports import DAY_MS, between
from tests.shop import Account, Shop, in_a_shop

HOUR = 3_600_000


async def add(shop: Shop, table: Any, rows: list[dict[str, Any]], account: Account | None = None) -> None:
    def work(connection: Connection) -> None:
        own = select(accounts.c.key).where(accounts.c.id == (account or shop.mine).id)
        key = connection.execute(own).scalar_one()
        connection.execute(insert(table), [{"account": key, **row} for row in rows])

    await shop.store.administer(work)


def a_line(at: int, status: str, reason: str = "") -> dict[str, Any]:
    return {"at": at, "status": status, "reason": reason, "until": None, "cause": "shift"}


@in_a_shop
async def test_a_timeline_says_who_was_on_when_and_why(shop: Shop) -> None:
    me, now = await shop.colleague("agent"), shop.clock.now()
    lines = [
        a_line(now - 30 * HOUR, "offline", "off_shift"),
        a_line(now - 8 * HOUR, "accepting_chats"),
        a_line(now - 2 * HOUR, "not_accepting_chats", "away"),
    ]
    await add(shop, status_log, [{"member": me.id, **line} for line in lines])

    answer = (await shop.act("GET", f"/v1/agents/{me.id}/timeline?limit=1", agent=me)).json()
    rest = (await shop.act("GET", f"/v1/agents/{me.id}/timeline?after={answer['next']}")).json()
    ahead = (await shop.act("GET", f"/v1/agents/{me.id}/timeline?from={now}&to={now + HOUR}")).json()

    assert answer["before"] == lines[0]
    assert (answer["lines"], rest["lines"], rest["next"]) == (lines[1:2], lines[2:], None)
    assert answer["spent"] == [
        {"status": "offline", "reason": "off_shift", "ms": 16 * HOUR},
        {"status": "accepting_chats", "reason": "", "ms": 6 * HOUR},
        {"status": "not_accepting_chats", "reason": "away", "ms": 2 * HOUR},
    ]
    assert (ahead["before"], ahead["lines"]) == (lines[2], [])
    assert [each["ms"] for each in ahead["spent"]] == [0]  # what hasn't happened yet isn't spent


@in_a_shop
async def test_a_supervisor_reads_who_got_a_conversation_and_why(shop: Shop) -> None:
    agent, boss = await shop.colleague("agent"), await shop.colleague("supervisor")
    conversation = await shop.conversation(shop.mine, "con_a")
    looked_at = [Candidate(agent.id, "accepting_chats", "free", True, "available", "on_shift", 0, 4, "chosen")]
    row = {"conversation": conversation.id, "kind": "routed", "chosen": agent.id, "team": None, "by": "sys_shopbell"}
    rows = [row | {"at": shop.clock.now() + n, "candidates": encode(looked_at).decode()} for n in range(3)]
    await add(shop, routing_log, rows)
    path = f"/v1/conversations/{conversation.id}/routing"

    first = (await shop.act("GET", f"{path}?limit=2", agent=boss)).json()
    before = first["decisions"][-1]["position"]
    rest = (await shop.act("GET", f"{path}?limit=2&before={before}", agent=boss)).json()

    assert [each["at"] - shop.clock.now() for each in first["decisions"]] == [2, 1]
    assert (first["more"], rest["more"], len(rest["decisions"])) == (True, False, 1)
    assert first["decisions"][0]["candidates"][0]["verdict"] == "chosen"
    assert (await shop.act("GET", path, agent=agent)).status_code == 403
    theirs = await shop.conversation(shop.other, "con_b")
    assert (await shop.act("GET", f"/v1/conversations/{theirs.id}/routing")).status_code == 404


@in_a_shop
async def test_the_report_about_waits_is_of_a_time_and_a_team(shop: Shop) -> None:
    now = shop.clock.now()
    row = {"team": shop.mine.team.id, "place": 1, "estimate": 60_000, "low": 60_000, "high": 120_000}
    ended = {"ended_at": now - 100_000, "outcome": "answered"}
    await add(shop, waits, [row | ended | {"conversation": "cnv_a", "queued_at": now - 190_000}])
    await add(shop, waits, [row | ended | {"conversation": "cnv_b", "queued_at": now - 40 * DAY_MS}])
    await add(shop, waits, [row | ended | {"conversation": "cnv_c", "queued_at": now - 190_000}], shop.other)

    usual = (await shop.act("GET", f"/v1/reports/waits?team={shop.mine.team.id}")).json()
    year = (await shop.act("GET", f"/v1/reports/waits?from={now - 300 * DAY_MS}&to={now}")).json()

    assert (usual["total"], usual["until"] - usual["since"]) == (1, 30 * DAY_MS)
    assert (usual["calibration"]["by_low"], usual["calibration"]["by_high"]) == (0.0, 1.0)
    assert usual["calibration"]["median_error"] == 30_000
    assert year["total"] == 2
    for team in (shop.other.team.id, "tem_nowhere"):
        assert (await shop.act("GET", f"/v1/reports/waits?team={team}")).status_code == 404


def test_what_is_not_said_of_a_time_follows_from_the_rest() -> None:
    now = 1000 * DAY_MS

    assert between(None, None, now, 7, 30) == (now - 7 * DAY_MS, now)
    assert between(None, 5 * DAY_MS, now, 1, 30) == (4 * DAY_MS, 5 * DAY_MS)
    assert between(5 * DAY_MS, None, now, 1, 30) == (5 * DAY_MS, 6 * DAY_MS)
    assert between(None, DAY_MS, now, 7, 30) == (0, DAY_MS)


@pytest.mark.parametrize(("since", "until"), [(5, 5), (6, 5), (0, 31 * DAY_MS)])
def test_a_time_that_is_none_or_too_long_is_refused(since: int, until: int) -> None:
    with pytest.raises(BadRequest) as refused:
        between(since, until, 0, 1, 30)

    assert refused.value.field == "to"


@in_a_shop
async def test_who_went_home_sees_what_was_handed_over(shop: Shop) -> None:
    me, other = await shop.colleague("agent"), await shop.colleague("agent")
    conversation = await shop.conversation(shop.mine, "con_a")
    now = shop.clock.now()
    had = [Candidate(me.id, "offline", "off_shift", True, "available", "off_shift", 1, 4, "handed_over")]
    row = {"conversation": conversation.id, "chosen": None, "team": None, "by": "sys_shopbell"}
    line = {"at": now - 60_000, "kind": "handed_over", "candidates": encode(had).decode()}
    await add(shop, routing_log, [row | line])
    await add(shop, status_log, [{"member": me.id, **a_line(now - 60_000, "offline", "off_shift")}])

    answer = (await shop.act("GET", "/v1/handovers", agent=me)).json()
    shop.clock.move(24 * 3600)
    later = (await shop.act("GET", "/v1/handovers", agent=me)).json()

    (given,) = answer["given"]
    assert (given["at"], given["from"], given["state"]["id"]) == (now - 60_000, me.id, conversation.id)
    assert (answer["taken"], later["given"]) == ([], [])
    assert (await shop.act("GET", "/v1/handovers", agent=other)).json() == {"given": [], "taken": []}
