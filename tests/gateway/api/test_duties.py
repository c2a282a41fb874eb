"""/v1/agents/{id}/duty and /v1/bots/{id}/duty: set by supervisors and admins, seen by whom they concern."""

from __future__ import annotations

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_supervisor_sets_what_an_agent_takes_and_knows(shop: Shop) -> None:
    agent, boss = await shop.colleague("agent"), await shop.colleague("supervisor")
    path = f"/v1/agents/{agent.id}/duty"

    before = (await shop.act("GET", path, agent=agent)).json()
    given = (await shop.act("PUT", path, {"slots": 3, "skills": ["he", "returns", "he"]}, agent=boss)).json()
    cleared = (await shop.act("PUT", path, {}, agent=boss)).json()

    assert (before["slots"], before["usual_slots"], before["skills"]) == (None, 4, [])
    assert (given["slots"], given["skills"]) == (3, ["he", "returns"])
    assert cleared == before
    assert shop.changed == [shop.mine.id, shop.mine.id]


@in_a_shop
async def test_an_agent_sees_its_own_and_sets_nothing(shop: Shop) -> None:
    me, other = await shop.colleague("agent"), await shop.colleague("agent")

    for what in ("duty", "schedule", "timeline"):
        own = await shop.act("GET", f"/v1/agents/{me.id}/{what}", agent=me)
        theirs = await shop.act("GET", f"/v1/agents/{other.id}/{what}", agent=me)
        nobodys = await shop.act("GET", f"/v1/agents/agt_nowhere/{what}", agent=me)
        assert own.status_code == 200
        assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    for what in ("duty", "schedule"):
        assert (await shop.act("PUT", f"/v1/agents/{me.id}/{what}", {}, agent=me)).status_code == 403


@in_a_shop
async def test_bots_have_slots_of_their_own_way(shop: Shop) -> None:
    path = f"/v1/bots/{shop.mine.bot.id}/duty"

    assert (await shop.act("PUT", path, {"slots": 500})).json()["slots"] == 500
    assert (await shop.act("GET", path)).json()["slots"] == 500
    for wrong in (f"/v1/agents/{shop.mine.bot.id}/duty", f"/v1/bots/{shop.mine.agent.id}/duty"):
        assert (await shop.act("GET", wrong)).status_code == 404
        assert (await shop.act("PUT", wrong, {})).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slots": -1}, "slots"),
        ({"slots": 501}, "slots"),
        ({"slots": 1.5}, "slots"),
        ({"skills": "he"}, "skills"),
        ({"skills": [" "]}, "skills[0]"),
        ({"skills": ["a\nb"]}, "skills[0]"),
        ({"skills": ["x" * 65]}, "skills[0]"),
        ({"skills": ["x"] * 51}, "skills"),
    ],
    ids=str,
)
@in_a_shop
async def test_what_makes_no_sense_is_told_where(shop: Shop, body: dict[str, object], field: str) -> None:
    answer = await shop.act("PUT", f"/v1/agents/{shop.mine.agent.id}/duty", body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert shop.changed == []
