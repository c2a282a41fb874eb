"""Conversations that go to whoever can take them, over real sockets: two nodes on one PostgreSQL and one Redis."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from gateway import app
from presence import Times
from tests.node import Node
from tests.pair import two_healthy_nodes
from tests.peer import Frame, Peer, frames_in, new_id

TIMES = Times(lease=3.0, refresh=1.0, jitter=0.1, grace=0.5, drain_grace=2.0, beat=0.2, node_lease=1.8, hold=1.0)
PROMPT = 0.5  # seconds from the shopper's message to the agent, on whichever node


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PRESENCE", TIMES)


async def opens(node: Node, *members: str) -> None:
    """The shop's team, of these members, answers for its inbox."""
    mine = node.mine
    await node.directory.serve_inbox((mine.id, mine.door.id), mine.team.id)
    for member in members:
        await node.directory.add_member((mine.id, mine.team.id), member)


async def accepts(
    peer: Peer, agent: str, status: str = "accepting_chats", within: float = 3.0, **more: object
) -> Frame:
    """The line of an agent that has this status, as its colleague knows it now or hears it soon."""
    wanted = {"agent": agent, "status": status, **more}

    def known() -> Frame:
        told = [line for frame in peer.duty if frame["type"] == "statuses" for line in frame["statuses"]]
        return next((line for line in reversed(told) if line["agent"] == agent), {})

    peer.hears_duty = True
    async with asyncio.timeout(within):
        while any(known().get(name) != value for name, value in wanted.items()):
            await peer.hear()
    peer.hears_duty = False
    return known()


async def gets(peer: Peer, conversation: str, within: float = PROMPT) -> Frame:
    async with asyncio.timeout(within):
        return (await peer.until(lambda frame: frame.get("conversation") == conversation))[-1]


async def state_of(peer: Peer, conversation: str, **wanted: object) -> Frame:
    """The state of a conversation that has these values, as the peer knows it now or hears it soon."""

    def known() -> Frame:
        frames = [frame for message in peer.messages for frame in frames_in(message)]
        states = [state for frame in frames for state in (*frame.get("heads", ()), frame.get("state") or {})]
        mine = [state for state in states if state.get("id") == conversation]
        return max(mine, key=lambda each: each["seq"], default={})

    async with asyncio.timeout(5):
        while any(known().get(name) != value for name, value in wanted.items()):
            await peer.hear()
    return known()


async def test_a_shopper_on_one_node_reaches_an_agent_on_the_other_within_half_a_second(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        noa = first.mine.agent
        await opens(first, noa.id)
        colleague, agent = await first.agent(await first.second_agent()), await second.agent()
        await accepts(colleague, noa.id)  # also the shopper's node knows that
        contact = await first.contact()
        took = []
        for _ in range(3):
            began = time.monotonic()
            conversation = await first.started(contact)
            heard = await gets(agent, conversation)
            took.append(time.monotonic() - began)

            assert heard["type"] == "snapshot"
            assert (heard["state"]["assignee"], heard["state"]["team"]) == (noa.id, first.mine.team.id)
        assert max(took) < PROMPT, took


async def test_an_agent_who_drops_loses_what_it_has_not_answered_and_gets_it_when_it_is_back(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        noa = first.mine.agent
        await opens(first, noa.id)
        colleague, agent = await first.agent(await first.second_agent()), await second.agent()
        await accepts(colleague, noa.id)
        contact = await first.contact()
        conversation = await first.started(contact)
        await gets(agent, conversation)

        agent.vanish()
        line = await accepts(colleague, noa.id, "offline")
        assert (line["reason"], line["used"]) == ("not_present", 1)
        await state_of(colleague, conversation, status="queued", assignee=None)
        agent = await first.agent()

        await state_of(colleague, conversation, status="open", assignee=noa.id)


async def test_who_is_away_or_full_gets_nothing_until_that_is_over(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        noa = first.mine.agent
        await opens(first, noa.id)
        colleague, agent = await first.agent(await first.second_agent()), await second.agent()
        await accepts(colleague, noa.id)
        contact = await first.contact()

        assert (await agent.ask("availability.set", availability="away", reason="lunch"))["type"] == "ok"
        line = await accepts(colleague, noa.id, "not_accepting_chats")
        assert (line["reason"], line["availability_reason"]) == ("away", "lunch")
        waiting = [await first.started(contact, f"Number {n}") for n in range(6)]
        await asyncio.sleep(1.0)
        assert not [frame for frame in await agent.settle() if frame["type"] == "snapshot"]
        await agent.say({"type": "availability.set", "ref": 77, "availability": "available"})

        for conversation in waiting[:4]:  # as many as it has slots, the oldest first
            await gets(agent, conversation, 2.0)
        line = await accepts(colleague, noa.id, "not_accepting_chats", reason="full")
        assert (line["used"], line["slots"]) == (4, 4)
        await agent.ask("conversation.resolve", id=new_id(), conversation=waiting[0])
        await gets(agent, waiting[4], 2.0)


async def test_a_node_that_drains_routes_nothing_and_the_other_one_does(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        noa = first.mine.agent
        await opens(first, noa.id)
        colleague, agent = await first.agent(await first.second_agent()), await second.agent()
        await accepts(colleague, noa.id)
        contact = await first.contact()
        first.shopbell._dispatch.drain()

        conversation = await first.started(contact)
        await gets(agent, conversation, 1.0)

        await first.eventually(lambda: not first.shopbell._dispatch._cases[first.mine.id].is_busy)
        assert first.shopbell._dispatch._cases[first.mine.id].floor.used == {noa.id: 1}


async def test_what_the_administration_changes_counts_at_once_on_both_nodes(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        noa = first.mine.agent
        await opens(first, noa.id)
        colleague, agent = await first.agent(await first.second_agent()), await second.agent()
        await accepts(colleague, noa.id)

        await second.directory.add_team(second.mine.id, "Another")
        async with httpx.AsyncClient(base_url=second.origin, headers={"origin": second.origin}) as browser:
            browser.cookies.set("shopbell", (await second._sessions.open_for_agent(noa))[0])
            answer = await browser.put(f"/v1/agents/{noa.id}/duty", json={"slots": 0, "skills": []})
        assert answer.status_code == 200, answer.text

        line = await accepts(colleague, noa.id, "not_accepting_chats", within=1.0)
        assert (line["reason"], line["slots"]) == ("full", 0)
        assert agent.is_there
