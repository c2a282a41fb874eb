"""Two nodes on one PostgreSQL and one Redis: whoever is where, it is one chat; and without Redis it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.node import Node
from tests.pair import heals, two_healthy_nodes, two_nodes
from tests.peer import Frame, Peer, new_id
from tests.servers import RedisServer, a_free_port

pytestmark = pytest.mark.chaos

RUNG_SECONDS = 1.0  # at most, by the bus: a tenth of it as a rule
POLLED_SECONDS = 4.0  # at most, without it: a second as a rule
MESSAGES = 40


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


async def hears(peer: Peer, text: str, within: float = RUNG_SECONDS) -> Frame:
    """The frame with this text."""
    async with asyncio.timeout(within):
        return (await peer.until(lambda frame: text in texts([frame])))[-1]


def texts(frames: list[Frame]) -> list[str]:
    return [entry["text"] for frame in frames for entry in frame.get("entries", ()) if "text" in entry]


async def send(by: Peer, conversation: str, text: str) -> None:
    answer = await by.ask("message.send", id=new_id(), conversation=conversation, text=text)
    assert answer["type"] == "ok", answer


async def watches(peer: Peer, conversation: str) -> None:
    await peer.begin("watch", conversations=[conversation])
    await peer.next("snapshot")


async def ready(node: Node) -> tuple[int, object]:
    async with httpx.AsyncClient(base_url=node.origin) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def test_who_writes_on_one_node_is_heard_on_the_other_both_ways(tmp_path: Path, redis: RedisServer) -> None:
    async with two_healthy_nodes(tmp_path, redis) as (first, second):
        contact, agent = await first.contact(), await second.agent()

        conversation = await first.started(contact, "Where is my parcel?")
        heads = await agent.next("heads")
        assert [state["id"] for state in heads["heads"]] == [conversation]
        await agent.ask("conversation.claim", id=new_id(), conversation=conversation)
        await send(agent, conversation, "Let me look")
        await hears(contact, "Let me look")
        await contact.begin("message.send", id=new_id(), conversation=conversation, text="Thank you")

        assert (await hears(agent, "Thank you"))["conversation"] == conversation


async def test_two_who_write_at_once_are_heard_by_both_in_one_order(tmp_path: Path, redis: RedisServer) -> None:
    async with two_healthy_nodes(tmp_path, redis) as (first, second):
        contact, bot = await first.contact(), await second.bot()
        conversation = await first.started(contact)
        await watches(bot, conversation)

        async def talk(peer: Peer, name: str) -> list[Frame]:
            for n in range(MESSAGES):
                await peer.begin("message.send", id=new_id(), conversation=conversation, text=f"{name} {n}")
            heard: list[Frame] = []
            while sum(" " in text for text in texts(heard)) < 2 * MESSAGES:
                heard.append(await peer.hear())
            return heard

        async with asyncio.timeout(20):
            both = await asyncio.gather(talk(contact, "contact"), talk(bot, "bot"))

        for heard in both:
            changes = [frame for frame in heard if frame["type"] == "change"]
            assert [frame["seq"] for frame in changes] == sorted({frame["seq"] for frame in changes})
            assert not [frame for frame in heard if frame["type"] == "refused"]
        said = [[text for text in texts(heard) if " " in text] for heard in both]
        assert said[0] == said[1]
        assert sorted(said[0]) == sorted(f"{name} {n}" for name in ("contact", "bot") for n in range(MESSAGES))


async def test_who_comes_back_on_the_other_node_gets_exactly_what_it_missed(tmp_path: Path, redis: RedisServer) -> None:
    async with two_healthy_nodes(tmp_path, redis) as (first, second):
        session, bot = await first.contact_session(), await second.bot()
        contact = await first.contact(session)
        conversation = await first.started(contact)
        await send(bot, conversation, "seen")
        seen = await hears(contact, "seen")
        contact.leave()
        for text in ("missed", "missed too"):
            await send(bot, conversation, text)

        peer = await second.peer()
        resume = {"epoch": contact.welcome["epoch"], "conversations": {conversation: seen["seq"]}}
        heard = await peer.hello(second.token(session), resume=resume)

        assert texts(heard) == ["missed", "missed too"]
        await send(bot, conversation, "and now")
        await hears(peer, "and now")


async def test_without_redis_chat_goes_on_and_with_it_again_it_is_quick_again(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_healthy_nodes(tmp_path, redis) as (first, second):
        contact, bot = await first.contact(), await second.bot()
        conversation = await first.started(contact)
        await watches(bot, conversation)

        await asyncio.to_thread(redis.kill)
        for n in range(3):
            await send(contact, conversation, f"without {n}")
            await hears(bot, f"without {n}", POLLED_SECONDS)
            await send(bot, conversation, f"the same {n}")
            await hears(contact, f"the same {n}", POLLED_SECONDS)
        assert [await ready(node) for node in (first, second)] == [(200, {"status": "ok", "bus": "away"})] * 2

        await asyncio.to_thread(redis.start)
        for node in (first, second):
            await heals(node)
        await send(contact, conversation, "again")
        await hears(bot, "again")
        assert await ready(first) == (200, {"status": "ok"})


async def test_nodes_start_without_redis_and_say_so(
    tmp_path: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(redis.kill)
    async with two_nodes(tmp_path, redis) as (first, second):
        contact, agent = await first.contact(), await second.agent()

        conversation = await first.started(contact)
        async with asyncio.timeout(POLLED_SECONDS):
            heads = await agent.next("heads")

        assert [state["id"] for state in heads["heads"]] == [conversation]
        assert await ready(first) == (200, {"status": "ok", "bus": "away"})
    assert len([line for line in caplog.messages if line.startswith("the bus is away")]) == 2


async def test_the_end_of_a_node_takes_no_longer_without_redis(tmp_path: Path, redis: RedisServer) -> None:
    async with two_healthy_nodes(tmp_path, redis) as (first, second):
        await first.agent()
        await second.agent()
        await asyncio.to_thread(redis.kill)
        began = time.monotonic()

    assert time.monotonic() - began < 10
