"""Conversations that go to whoever can take them, on one node whose wall clock is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from chat.duties import Duties
from chat.store.tables import routing_log, status_log, timers
from gateway import app
from presence import Times
from tests.gateway.test_routing_on_two_nodes import accepts, gets, opens, state_of
from tests.node import Node, ShiftedClock, a_node
from tests.peer import new_id

TIMES = Times(lease=3.0, refresh=1.0, jitter=0.1, grace=0.3, drain_grace=2.0, beat=0.2, node_lease=1.8, hold=1.0)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PRESENCE", TIMES)
    monkeypatch.setattr(app, "TICK_SECONDS", 0.05)


def audit(*_: Any) -> None:
    """Nobody needs it."""


def off_from(clock: ShiftedClock, seconds: float) -> str:
    """The schedule of somebody who is always on shift, but has time off for hours from then on."""
    begins = datetime.fromtimestamp(clock.now() / 1000 + seconds, UTC)
    said = [f"{moment:%Y-%m-%dT%H:%MZ}" for moment in (begins, begins + timedelta(hours=9))]
    return f'{{"zone":"UTC","time_off":[{{"from":"{said[0]}","to":"{said[1]}"}}]}}'


async def lines(node: Node, table: Any) -> Any:
    return await node.shopbell._store.inspect(lambda found: found.execute(select(table).order_by(table.c.key)).all())


async def until(node: Node, holds: Callable[[list[str]], bool]) -> None:
    """Wait until this is true of the kinds of the timers that are set."""
    async with asyncio.timeout(10):
        while not holds([line.kind for line in await lines(node, timers)]):  # noqa: ASYNC110  # nobody tells a test
            await asyncio.sleep(0.05)


async def test_at_the_end_of_a_shift_the_next_one_has_what_is_open_and_both_logs_say_why(tmp_path: Path) -> None:
    """chatwoot#13241: who worked when, and why. RocketChat/feature-requests#317: who went home kept it all."""
    clock = ShiftedClock()
    async with a_node(tmp_path / "data", clock=clock) as node:
        noa, dara = node.mine.agent, await node.second_agent()
        await opens(node, noa.id)
        await Duties(node.shopbell._store).set_schedule((node.mine.id, noa.id), off_from(clock, 300), audit)
        agent, contact = await node.agent(noa), await node.contact()
        await accepts(agent, noa.id)
        conversation = await node.started(contact)
        await gets(agent, conversation)
        assert (await agent.ask("message.send", id=new_id(), conversation=conversation, text="Hello"))["type"] == "ok"
        await opens(node, dara.id)
        node.shopbell._dispatch.administered(node.mine.id)
        colleague = await node.agent(dara)
        await accepts(colleague, dara.id)

        clock.move(361)

        line = await accepts(colleague, noa.id, "offline")
        assert line["reason"] == "time_off"
        await state_of(colleague, conversation, assignee=dara.id, status="open")
        kinds = [(line.kind, line.chosen) for line in await lines(node, routing_log)]
        assert kinds == [("routed", noa.id), ("handed_over", None), ("routed", dara.id)]
        of_noa = [
            (line.status, line.reason, line.cause) for line in await lines(node, status_log) if line.member == noa.id
        ]
        assert of_noa == [("accepting_chats", "free", "connected"), ("offline", "time_off", "shift")]


async def test_who_does_not_answer_loses_it_to_somebody_else_by_a_timer(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with a_node(tmp_path / "data", clock=clock) as node:
        noa, dara = node.mine.agent, await node.second_agent()
        await opens(node, noa.id)
        agent, contact = await node.agent(noa), await node.contact()
        await accepts(agent, noa.id)
        conversation = await node.started(contact)
        await gets(agent, conversation)
        await opens(node, dara.id)
        node.shopbell._dispatch.administered(node.mine.id)
        colleague = await node.agent(dara)
        await accepts(colleague, dara.id)

        clock.move(31)

        await state_of(colleague, conversation, assignee=dara.id, status="open")


async def test_an_agent_who_does_nothing_is_away_until_it_does_something(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with a_node(tmp_path / "data", clock=clock) as node:
        noa = node.mine.agent
        await opens(node, noa.id)
        agent = await node.agent(noa)
        await accepts(agent, noa.id)
        case = node.shopbell._dispatch._cases[node.mine.id]

        case.idle._acted[noa.id] -= 601
        case._asked.clear()
        case.look_at = 0
        line = await accepts(agent, noa.id, "not_accepting_chats")
        assert (line["availability"], line["availability_reason"]) == ("away", "idle")
        await agent.say({"type": "typing", "conversation": "cnv_x", "on": True})
        await agent.ask("note.add", id=new_id(), conversation="cnv_000000000000000000000000", text="there")

        line = await accepts(agent, noa.id)
        assert line["availability"] == "available"


async def test_by_http_anybody_may_ask_whether_an_inbox_is_open_and_staff_who_is(tmp_path: Path) -> None:
    """Rocket.Chat#16264: a page could not ask."""
    async with a_node(tmp_path / "data") as node, httpx.AsyncClient(base_url=node.origin) as browser:
        noa = node.mine.agent
        await opens(node, noa.id)
        asked = {"inbox": node.mine.door.public_key}

        answer = await browser.get("/v1/availability", params=asked)
        assert answer.json() == {
            "inbox": node.mine.door.id,
            "status": "away",
            "opens_at": None,
            "until": None,
            "then": "away",
            "reply_seconds": None,
        }
        assert answer.headers["cache-control"] == "public, max-age=5"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (await browser.get("/v1/availability", params={"inbox": "nobody's"})).status_code == 404
        assert [(await browser.get(path)).status_code for path in ("/v1/agents/status", "/v1/queue")] == [401, 401]
        await node.started(await node.contact())
        agent = await node.agent(noa)
        await agent.next("snapshot")
        bearer = {"authorization": f"Bearer {node.mine.bot_token}"}
        assert (await browser.get("/v1/availability", params=asked)).json()["status"] == "open"
        statuses = (await browser.get("/v1/agents/status", headers=bearer)).json()["statuses"]
        assert [(line["agent"], line["reason"], line["used"]) for line in statuses if line["agent"] == noa.id] == [
            (noa.id, "free", 1)
        ]
        await agent.ask("availability.set", availability="busy")
        waiting = await node.started(await node.contact())

        queue = (await browser.get("/v1/queue", headers=bearer)).json()

        assert [(each["conversation"], each["position"]) for each in queue["waiting"]] == [(waiting, 1)]
        assert queue["teams"] == [
            {"team": node.mine.team.id, "policy": "least_busy", "length": 1, "limit": None, "full": False}
        ]


async def test_a_contact_hears_of_its_door_and_its_place(tmp_path: Path) -> None:
    """chatwoot#10059, chatwoot#8047, LiveHelperChat#635, LiveHelperChat#841"""
    async with a_node(tmp_path / "data") as node:
        await opens(node, node.mine.agent.id)
        contact = await node.contact()
        contact.hears_duty = True
        status = await contact.next("inbox.status")
        assert (status["inbox"], status["status"]) == (node.mine.door.id, "away")

        conversation = await node.started(contact)
        place = await contact.next("queue")
        assert (place["conversation"], place["position"]) == (conversation, 1)
        await node.agent()

        assert (await contact.next("inbox.status"))["status"] == "open"


async def test_a_timer_of_an_account_that_nobody_is_connected_to_is_done(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with a_node(tmp_path / "data", clock=clock) as node:
        noa = node.mine.agent
        await opens(node, noa.id)
        agent, contact = await node.agent(noa), await node.contact()
        await accepts(agent, noa.id)
        conversation = await node.started(contact)
        await gets(agent, conversation)
        await agent.ask("message.send", id=new_id(), conversation=conversation, text="Hello")
        for peer in (agent, contact):
            peer.leave()
        await until(node, lambda kinds: kinds.count("routing.return") == 1)

        clock.move(301)

        await until(node, lambda kinds: not kinds)
        assert [line.kind for line in await lines(node, routing_log)][-1] == "returned"
