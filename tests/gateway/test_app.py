"""The whole node: its parts are put together, its own tasks run, and its limits are those of the settings."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from gateway.app import listen
from tests.node import Node, on_a_node, says
from tests.peer import new_id


@on_a_node()
async def test_it_serves_http_and_sockets_on_one_port(node: Node) -> None:
    async with httpx.AsyncClient(base_url=node.origin) as client:
        health, ready = await client.get("/healthz"), await client.get("/readyz")
        key = "mine"
        session = await client.post("/v1/session", json={"inbox": key}, headers={"origin": node.origin})

    peer = await node.peer()
    assert (health.status_code, ready.status_code, session.status_code) == (200, 200, 200)
    assert says(await peer.hello(session.json()["token"])) == ["welcome", "synced"]
    assert peer.welcome["me"]["id"] == session.json()["contact"]["id"]


@on_a_node(inflight_staff=7, inflight_contact=3, frame_bytes=2048, ping_seconds=42.5)
async def test_welcome_tells_the_limits_of_the_settings(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()

    limits = {"frame": 2048, "text": 8000, "watch": 50}
    assert contact.welcome["limits"] == limits | {"inflight": 3}
    assert bot.welcome["limits"] == limits | {"inflight": 7}
    assert contact.welcome["ping"] == 42500


@on_a_node(tick=0.05)
async def test_positions_are_written_at_most_once_in_a_window(node: Node) -> None:
    contact, agent = await node.contact(), await node.agent()
    conversation = await node.started(contact)
    await agent.ask("message.send", id=new_id(), conversation=conversation, text="1")
    for n in range(2, 11):
        await agent.ask("message.send", id=new_id(), conversation=conversation, text=str(n))
    await contact.settle()

    refs = [await contact.begin("read", conversation=conversation, seq=seq) for seq in range(2, 12)]
    heard = await contact.until(lambda frame: frame.get("ref") == refs[-1] and frame["type"] == "ok")
    heard += await contact.until(
        lambda frame: frame.get("state", {}).get("positions", {}).get(contact.welcome["me"]["id"], {}).get("read") == 11
    )

    assert [frame["ref"] for frame in heard if frame["type"] == "ok"] == refs
    assert 1 <= sum(frame["type"] == "change" for frame in heard) <= 3  # ten positions, a window or two


@on_a_node()
async def test_two_accounts_live_on_one_node_and_never_meet(node: Node) -> None:
    mine, theirs = await node.contact(), await node.bot(node.other)
    conversation = await node.started(mine)

    for ask in ("message.send", "note.add"):
        refused = await theirs.ask(ask, id=new_id(), conversation=conversation, text="x")
        assert refused["code"] == "not_found"
    refused = await theirs.ask("conversation.claim", id=new_id(), conversation=conversation)

    assert refused["code"] == "not_found"
    assert await theirs.settle() == []


@on_a_node()
async def test_metrics_count_what_happens(node: Node) -> None:
    contact = await node.contact()
    await node.started(contact)

    async with httpx.AsyncClient(base_url=node.origin) as client:
        text = (await client.get("/metrics")).text

    for line in ('shopbell_sockets{kind="contact"} 1.0', 'shopbell_asks_total{type="conversation.start"} 1.0'):
        assert line in text


@on_a_node()
async def test_a_socket_that_ends_is_no_longer_counted(node: Node) -> None:
    contact = await node.contact()

    assert await contact.closing() == 1000
    await node.eventually(lambda: not node.shopbell.node.sockets)

    gauge = node.shopbell.node.metrics.sockets.labels("contact")
    assert gauge._value.get() == 0


@on_a_node()
async def test_sockets_come_and_go_and_nothing_of_them_stays(node: Node) -> None:
    session = await node.contact_session()
    parts = node.shopbell.node

    for _ in range(10):
        contacts = [await node.contact(session) for _ in range(10)]
        bots = [await node.bot() for _ in range(10)]
        for n, peer in enumerate(contacts + bots):
            (peer.leave if n % 2 else peer.vanish)()
        await node.eventually(lambda: not parts.sockets)
    await node.eventually(lambda: not node.shopbell._tasks._tasks)

    hub, wheel = parts.hub, parts.wheel
    assert not any((hub._contacts, hub._watchers, hub._staff, hub._agents, wheel.hurried, *wheel._slots))
    assert not node.shopbell._roll._boards
    pages = node.shopbell._roll._rounds._pages  # the account is followed a little longer, and who is here known so long
    await node.eventually(lambda: all(page.roster.is_over(page.asked_at) for page in pages.values()))
    dispatch = node.shopbell._dispatch
    assert not any((dispatch._statuses._boards, dispatch._queues._desks))
    assert parts.admission._waiting == 0


def test_an_address_in_use_is_an_error_that_can_be_told() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_it_listens_on_ipv6_too() -> None:
    with listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


@on_a_node()
async def test_what_was_written_is_there_when_the_next_node_starts(node: Node, tmp_path: Path) -> None:
    contact = await node.contact()
    conversation = await node.started(contact, "Remember me")
    await node.stop()

    assert b"Remember me" in await asyncio.to_thread((tmp_path / "data" / "shopbell.db").read_bytes)
    assert conversation.startswith("cnv_")
